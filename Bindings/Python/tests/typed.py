"""What a type checker knows of the package: checked by `mypy --strict`, and never run."""

from __future__ import annotations

import io
import mmap
import pathlib
import urllib.request
from collections.abc import Mapping

from typing_extensions import assert_type

import memarchive


def sources(mapped: mmap.mmap) -> None:
    for source in ("a.zip", pathlib.Path("a.zip"), ["a.rar", "b.rar"], b"", bytearray(), mapped, 7, io.BytesIO()):
        memarchive.open(source).close()
    memarchive.open(open("a.zip", "rb"))
    memarchive.open(urllib.request.urlopen("file:///a.zip"))
    memarchive.open(None)  # type: ignore[arg-type]
    memarchive.open("a.zip", storage="unpacked")  # type: ignore[arg-type]
    memarchive.open("a.zip", limits=5)  # type: ignore[call-arg]


def results() -> None:
    with memarchive.open("a.zip", timeout=0.5, formats=["zip"], limit_entries=5, progress=print) as archive:
        files: Mapping[str, memarchive.File] = archive
        assert_type(archive, memarchive.Archive)
        assert_type(files["a"].path, str)
        assert_type(archive.extract("a")["a"].view(), memoryview)
        assert_type(archive["a"].mtime, "float | None")
        assert_type(archive.list()[0], memarchive.Entry)
        assert_type(archive.list()[:1], "list[memarchive.Entry]")
        with archive.iter() as stream, archive.tree(patterns="*", writable=True) as tree:
            assert_type([entry.kind for entry in stream], "list[memarchive.Kind]")
            assert_type(stream.feed(bytearray().extend), int)
            assert_type(tree / "a", pathlib.Path)
    assert_type(memarchive.receive(7), "memarchive.Files | None")
    try:
        archive.read("a")
    except memarchive.Error as error:
        assert_type(error.entry, "str | None")
        assert_type(error.errno, "int | None")
