"""An archive entry by entry."""

from __future__ import annotations

import hashlib
import io
import os
import pathlib
import threading
from typing import Any

import pytest
from conftest import FIXTURES, make_tar, make_zip

import memarchive

SANDBOXES = ["required", "off"]


@pytest.mark.parametrize("sandbox", SANDBOXES)
def test_entries_come_in_order_and_are_extracted_on_request(zip_file: pathlib.Path, sandbox: Any) -> None:
    kept = {}
    with memarchive.open(zip_file, sandbox=sandbox) as archive, archive.iter() as stream:
        for entry in stream:
            if entry.name != "a.txt":
                kept[entry.name] = stream.extract()
    assert {name: file.size for name, file in kept.items()} == {"sub/b.txt": 7000, "empty": 0}
    assert kept["sub/b.txt"].read_bytes() == b"second\n" * 1000


def test_content_is_given_once(zip_file: pathlib.Path) -> None:
    with memarchive.open(zip_file) as archive, archive.iter() as stream:
        with pytest.raises(memarchive.Error):
            stream.extract()
        next(stream)
        stream.extract()
        with pytest.raises(memarchive.NoSuchEntry):
            stream.extract()
        with pytest.raises(memarchive.NoSuchEntry):
            stream.feed(lambda block: None)


def test_a_directory_has_no_content() -> None:
    with memarchive.open(FIXTURES / "tar-ustar.tar") as archive, archive.iter() as stream:
        assert next(stream).kind == "directory"
        with pytest.raises(memarchive.NotAFile):
            stream.extract()


@pytest.mark.parametrize("sandbox", SANDBOXES)
@pytest.mark.parametrize("make", [make_tar, make_zip, lambda files: make_tar(files, "w:gz")])
def test_feeding_gives_exactly_the_content(make: Any, sandbox: Any) -> None:
    files = {"large": os.urandom(3 << 20), "empty": b"", "zeros": bytes(1 << 20)}
    digests = {}
    with memarchive.open(make(files), sandbox=sandbox) as archive, archive.iter() as stream:
        for entry in stream:
            sha256 = hashlib.sha256()
            assert stream.feed(sha256.update) == len(files[entry.name])
            digests[entry.name] = sha256.digest()
    assert digests == {name: hashlib.sha256(content).digest() for name, content in files.items()}


def test_holes_are_zeros() -> None:
    for path in FIXTURES.glob("tar-sparse-*"):
        with memarchive.open(path) as archive, archive.iter() as stream:
            for entry in stream:
                if entry.has_content:
                    out = io.BytesIO()
                    stream.feed(out.write)
                    assert out.getvalue() == archive[entry.name].read_bytes()


@pytest.mark.parametrize("sandbox", SANDBOXES)
def test_what_the_consumer_raises_is_raised_and_the_next_entry_comes(sandbox: Any) -> None:
    archive = make_tar({"a": os.urandom(5 << 20), "b": b"next"})
    with memarchive.open(archive, sandbox=sandbox) as opened, opened.iter() as stream:
        next(stream)
        with pytest.raises(ZeroDivisionError):
            stream.feed(lambda block: 1 // 0)
        assert next(stream).name == "b"
        assert stream.extract().read_bytes() == b"next"
        assert list(stream) == []


def test_an_entry_that_is_damaged_does_not_end_the_stream() -> None:
    archive = bytearray(make_zip({"bad": os.urandom(1000), "good": b"good"}))
    archive[500] ^= 1
    with memarchive.open(bytes(archive)) as opened, opened.iter() as stream:
        assert next(stream).name == "bad"
        with pytest.raises(memarchive.CorruptError):
            stream.extract()
        assert next(stream).name == "good"
        assert stream.extract().read_bytes() == b"good"


def test_a_stream_outlives_its_archive(zip_file: pathlib.Path) -> None:
    with memarchive.open(zip_file) as archive:
        stream = archive.iter()
    with stream:
        assert [entry.name for entry in stream] == ["a.txt", "sub/b.txt", "empty"]
    with pytest.raises(ValueError, match="is closed"):
        next(stream)


def test_threads_take_turns() -> None:
    files = {str(number): os.urandom(1000) for number in range(200)}
    names: list[str] = []
    with memarchive.open(make_zip(files)) as archive, archive.iter() as stream:
        threads = [threading.Thread(target=lambda: names.extend(e.name for e in stream)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(names) == sorted(files)
