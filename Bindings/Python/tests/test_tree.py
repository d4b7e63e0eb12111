"""Trees: entries under their real names."""

from __future__ import annotations

import gc
import os
import pathlib
import subprocess
import sys
import warnings

import pytest
from conftest import FIXTURES, TREE, make_zip

import memarchive


def test_a_tree_has_all_entries_at_their_names() -> None:
    with memarchive.open(FIXTURES / "tree.tar.gz") as archive, archive.tree() as tree:
        assert sorted(os.listdir(tree)) == ["tree"]
        top = pathlib.Path(tree)
        assert {name: (top / name).stat().st_size for name in TREE} == TREE
        assert os.readlink(top / "tree/link") == "hello.txt"
        assert (tree / "tree/hello.txt").read_bytes() == archive["tree/hello.txt"].read_bytes()
        assert isinstance(tree / "tree", pathlib.Path) and (tree / pathlib.PurePath("tree")).is_dir()
        assert (tree / "tree/run.sh").stat().st_mode & 0o777 == 0o755
        assert len(tree.listing) == len(archive.list())
        with pytest.raises(OSError, match="Read-only"):
            (top / "new").write_bytes(b"")
        with pytest.raises(KeyError) as caught:
            tree / "tree/missing"
        assert isinstance(caught.value, memarchive.NoSuchEntry)


def test_some_entries() -> None:
    with memarchive.open(FIXTURES / "tree.tar.gz") as archive, archive.tree(patterns="*.txt") as tree:
        assert sorted(os.listdir(tree / "tree")) == ["hello.txt", "poem.txt"]


def test_names_that_lead_out_are_left_out() -> None:
    with memarchive.open(FIXTURES / "tar-escaping-names.tar") as archive, archive.tree() as tree:
        assert tree.listing.skipped
        assert all(skipped.entry for skipped in tree.listing.skipped)


def test_a_writable_tree() -> None:
    with memarchive.open(make_zip({"a": b"1"})) as archive, archive.tree(writable=True) as tree:
        (tree / "a").write_bytes(b"changed")
        (pathlib.Path(tree) / "new").mkdir()
        assert sorted(os.listdir(tree)) == ["a", "new"]
        assert archive["a"].read_bytes() == b"1"


def test_a_tree_ends_with_its_block() -> None:
    with memarchive.open(make_zip({"a": b"1"})) as archive:
        with archive.tree() as tree:
            path = tree / "a"
            opened = path.open("rb")
        with opened:
            assert opened.read() == b"1"
        assert not path.exists()
        with pytest.raises(ValueError, match="is closed"):
            os.fspath(tree)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            archive.tree()
            gc.collect()
        assert [warning.category for warning in caught] == [ResourceWarning]


def test_a_child_process_has_the_paths() -> None:
    with memarchive.open(make_zip({"d/a": b"1"})) as archive, archive.tree() as tree:
        code = "import os, sys; print(os.listdir(sys.argv[1]))"
        done = subprocess.run(
            [sys.executable, "-c", code, str(tree / "d")], pass_fds=[tree.fileno()], capture_output=True, check=True
        )
        assert done.stdout == b"['a']\n"


def test_what_cannot_be_a_tree() -> None:
    with memarchive.open(make_zip({"x" * 300: b""})) as archive, pytest.raises(memarchive.NameTooLong):
        archive.tree()
    with memarchive.open(make_zip({"a": b"", "a/b": b""})) as archive, pytest.raises(memarchive.NameConflict):
        archive.tree()
