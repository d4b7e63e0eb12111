"""Exceptions: each is also what Python has for it."""

from __future__ import annotations

import copy
import os
import pathlib
import pickle
import re

import pytest
from conftest import REPOSITORY

import memarchive
from memarchive import _errors


@pytest.mark.parametrize("kind", [*_errors.BY_CODE.values(), *_errors._BY_ERRNO.values()])
def test_an_error_is_told_copied_and_pickled_whole(kind: type[memarchive.Error]) -> None:
    error = kind(
        "bad.zip: a: it failed. Do this.",
        code="corrupt",
        entry="a",
        reason="it failed",
        advice="Do this.",
        errno=5,
        call="read",
        path="bad.zip",
    )
    for same in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(same) is kind
        assert str(same) == "bad.zip: a: it failed. Do this."
        assert (same.code, same.entry, same.reason, same.advice) == ("corrupt", "a", "it failed", "Do this.")
        assert (same.errno, same.call) == (5, "read")
        if isinstance(same, OSError):
            assert (same.strerror, same.filename) == ("it failed", "bad.zip")


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        ("NoSuchEntry", KeyError),
        ("TruncatedError", EOFError),
        ("TimedOut", TimeoutError),
        ("OutOfMemory", MemoryError),
        ("UnsupportedFeature", NotImplementedError),
        ("NotFound", FileNotFoundError),
        ("NotPermitted", PermissionError),
        ("IsADirectory", IsADirectoryError),
        ("BrokenPipe", BrokenPipeError),
        ("DescriptorLimit", OSError),
        ("CorruptError", ValueError),
        ("InvalidArgument", ValueError),
    ],
)
def test_an_error_is_what_python_calls_it(kind: str, builtin: type[Exception]) -> None:
    assert issubclass(getattr(memarchive, kind), builtin)
    assert issubclass(getattr(memarchive, kind), memarchive.Error)


def test_every_error_is_public() -> None:
    for kind in [*_errors.BY_CODE.values(), *_errors._BY_ERRNO.values()]:
        assert getattr(memarchive, kind.__name__) is kind
        assert kind.__doc__ and re.search(r"\w", kind.__doc__)


def test_advice_is_in_the_words_of_this_package() -> None:
    source = (REPOSITORY / "Sources/MemArchiveC/Errors.swift").read_text()
    advice = re.findall(r'"([^"\\]+[.] ?)"', source) + re.findall(r'with: "([^"\\]+)"', source)
    assert len(advice) > 20
    for text in map(_errors.in_python, advice):
        assert not re.search(r"memarchive\.h|MEMARCHIVE|\b[01]\b(?!\.| \(|\d)|milliseconds|the platform's", text), text
        for word in re.findall(r"\b[a-z]+_[a-z_]+\b", text):
            assert word in memarchive.Options.__annotations__ or word in ("memfd_noexec",), text


def test_advice_of_the_library_names_keywords(zip_file: pathlib.Path) -> None:
    out, into = os.pipe()
    with open(out, "rb", buffering=0) as pipe, memarchive.open(pipe, timeout=0.05) as archive:
        with pytest.raises(memarchive.TimedOut) as timed_out:
            archive.extract()
    os.close(into)
    with memarchive.open(zip_file) as archive, pytest.raises(memarchive.InvalidArgument) as invalid:
        archive.extract("a", patterns="b")
    assert timed_out.value.advice == "Raise timeout if the archive is trusted."
    assert "help(memarchive.open)" in invalid.value.advice
    for error in (timed_out.value, invalid.value):
        assert str(error).endswith(error.advice)


def test_a_missing_file_has_its_name_and_number() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        memarchive.open("/missing/a.zip")
    error = caught.value
    assert isinstance(error, memarchive.NotFound)
    assert (error.errno, error.filename, error.code) == (2, "/missing/a.zip", "system")
    assert "/missing/a.zip" in str(error)
