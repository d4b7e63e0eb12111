"""The file system for fsspec."""

from __future__ import annotations

import datetime
import pathlib
import pickle

import fsspec
import pytest
from conftest import FIXTURES, make_rar, make_tar

import memarchive
from memarchive.fsspec import MemArchiveFileSystem

POEM = FIXTURES / "tree.tar.xz"


@pytest.mark.parametrize("whole", [True, False])
def test_what_a_file_system_has(whole: bool) -> None:
    with memarchive.open(POEM) as archive:
        content = archive["tree/poem.txt"].read_bytes()
    files = fsspec.filesystem("memarchive", fo=str(POEM), whole=whole)
    assert isinstance(files, MemArchiveFileSystem)
    assert files.ls("", detail=False) == ["tree"]
    assert {"tree/empty", "tree/hello.txt"} <= set(files.ls("tree", detail=False))
    assert files.find("tree/")[0] == "tree/empty"
    assert files.glob("tree/*.txt") == ["tree/hello.txt", "tree/poem.txt"]
    assert files.isdir("tree") and files.isfile("tree/poem.txt") and not files.exists("tree/missing")
    assert files.info("tree/poem.txt")["size"] == files.size("tree/poem.txt") == 1480
    assert files.info("/tree/link")["islink"] and files.cat("tree/link") == files.cat("tree/hello.txt")
    assert files.modified("tree/poem.txt") == datetime.datetime.fromtimestamp(1700000000, datetime.timezone.utc)
    assert files.cat("memarchive://tree/poem.txt") == content
    assert files.cat_file("tree/poem.txt", start=10, end=-10) == content[10:-10]
    assert files.cat(["tree/empty", "tree/poem.txt"]) == {"tree/empty": b"", "tree/poem.txt": content}
    with files.open("tree/poem.txt") as file:
        file.seek(100)
        assert file.read(50) == content[100:150]
    with files.open("tree/poem.txt", "r") as file:
        assert file.read() == content.decode()
    for path, error in (("tree/missing", FileNotFoundError), ("tree", IsADirectoryError)):
        with pytest.raises(error):
            files.open(path)
        with pytest.raises(error):
            files.cat_file(path)
    with pytest.raises(ValueError):
        files.open("new", "wb")
    with pytest.raises(ValueError):
        fsspec.filesystem("memarchive", fo=str(POEM), mode="w")


def test_chained_addresses(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.rar").write_bytes(make_rar({"x/y.txt": b"from a rar"}))
    with fsspec.open(
        f"memarchive://x/y.txt::file://{tmp_path}/a.rar", memarchive={"archive_options": {"formats": "all"}}
    ) as file:
        assert file.read() == b"from a rar"
    fsspec.filesystem("memory").pipe("/a.tar.gz", make_tar({"b": b"from memory"}, "w:gz"))
    with fsspec.open("memarchive://b::memory://a.tar.gz") as file:
        assert file.read() == b"from memory"


def test_a_file_object(tmp_path: pathlib.Path) -> None:
    with open(POEM, "rb") as file:
        files = MemArchiveFileSystem(file)
    assert files.exists("tree/poem.txt")


def test_options_and_errors() -> None:
    limited = MemArchiveFileSystem(str(POEM), archive_options={"limit_entry_bytes": 100})
    assert limited.exists("tree/poem.txt")
    with pytest.raises(memarchive.LimitExceeded):
        limited.cat("tree/hello.txt")
    with pytest.raises(FileNotFoundError):
        MemArchiveFileSystem("/missing/a.zip")


def test_it_is_pickled_by_its_address() -> None:
    files = pickle.loads(pickle.dumps(MemArchiveFileSystem(str(POEM))))
    assert files.cat("tree/hello.txt") == MemArchiveFileSystem(str(POEM)).cat("tree/hello.txt")


def test_directories_that_the_archive_does_not_name(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.tar").write_bytes(make_tar({"one/two/three": b"x"}))
    files = MemArchiveFileSystem(str(tmp_path / "a.tar"))
    assert files.ls("", detail=False) == ["one"] and files.ls("one", detail=False) == ["one/two"]
    assert files.isdir("one/two")
