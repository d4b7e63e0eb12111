"""What an archive may be opened from."""

from __future__ import annotations

import array
import contextlib
import gzip
import http.client
import http.server
import io
import mmap
import os
import pathlib
import signal
import socket
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import make_tar, make_zip

import memarchive
from memarchive import _sources

CONTENT = {"a.txt": b"first", "sub/b.txt": b"second\n" * 1000}
ZIP = make_zip(CONTENT)
TAR = make_tar(CONTENT)


def read(source: Any, **options: Any) -> dict[str, bytes]:
    with memarchive.open(source, **options) as archive:
        return {name: file.read_bytes() for name, file in archive.items()}


class Unseekable(io.RawIOBase):
    """What a socket or a decoder is: bytes from one end to the other, a few at a time."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._stream.readinto(memoryview(buffer)[:997])


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "a.zip"
    path.write_bytes(ZIP)
    return path


def test_a_path_as_text_or_object(path: pathlib.Path) -> None:
    assert read(str(path)) == read(path) == CONTENT


def test_a_path_of_any_bytes(tmp_path: pathlib.Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff.zip"
    with open(name, "wb") as out:
        out.write(ZIP)
    assert read(os.fsdecode(name)) == CONTENT


def test_several_files_are_one_archive(tmp_path: pathlib.Path) -> None:
    paths = [tmp_path / "one", tmp_path / "two"]
    paths[0].write_bytes(TAR[:1000])
    paths[1].write_bytes(TAR[1000:])
    assert read(paths) == read(tuple(map(str, paths))) == CONTENT


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, lambda data: array.array("B", data)])
def test_bytes(make: Any) -> None:
    assert read(make(ZIP)) == CONTENT


def test_bytes_may_be_changed_afterwards() -> None:
    data = bytearray(ZIP)
    with memarchive.open(data) as archive:
        data[:] = bytes(len(data) * 2)  # and are not held either
        assert archive["a.txt"].read_bytes() == b"first"


def test_a_mapping(path: pathlib.Path) -> None:
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert read(mapped) == CONTENT


def test_bytes_that_are_no_archive() -> None:
    with memarchive.open(b"no archive") as archive, pytest.raises(memarchive.FormatError):
        archive.extract()


def test_a_descriptor_is_read_from_its_beginning_and_stays_the_callers(path: pathlib.Path) -> None:
    with open(path, "rb") as file:
        os.lseek(file.fileno(), 100, os.SEEK_SET)
        assert read(file.fileno()) == CONTENT
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 100


def test_a_file_may_be_closed_at_once(path: pathlib.Path) -> None:
    with open(path, "rb") as file:
        archive = memarchive.open(file)
    with archive:
        assert archive["a.txt"].read_bytes() == b"first"


@pytest.mark.parametrize("buffering", [0, -1])
def test_an_open_file(path: pathlib.Path, buffering: int) -> None:
    with open(path, "rb", buffering=buffering) as file:
        file.seek(50)
        assert read(file) == CONTENT
        assert file.tell() == 50


def test_what_a_file_has_not_written_yet_is_read_too() -> None:
    with tempfile.TemporaryFile() as file, tempfile.NamedTemporaryFile() as named:
        for out in (file, named):
            out.write(ZIP)
            assert read(out) == CONTENT


def test_an_object_that_seeks_keeps_its_place() -> None:
    file = io.BytesIO(ZIP)
    file.seek(5)
    assert read(file) == CONTENT
    assert file.tell() == 5


def test_the_content_of_a_decoder_and_not_its_descriptor(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.zip.gz"
    path.write_bytes(gzip.compress(ZIP))
    with gzip.open(path) as file:
        assert read(file) == CONTENT


@pytest.mark.parametrize("archive", [ZIP, TAR])
def test_an_object_that_does_not_seek(archive: bytes) -> None:
    assert read(Unseekable(archive)) == read(io.BufferedReader(Unseekable(archive))) == CONTENT


@pytest.mark.parametrize("wrap", [lambda pipe: pipe, lambda pipe: pipe.fileno()], ids=["object", "descriptor"])
def test_a_pipe_is_read_once(wrap: Any) -> None:
    out, into = os.pipe()
    writer = threading.Thread(target=lambda: write(into, TAR))
    writer.start()
    with open(out, "rb", buffering=0) as pipe, memarchive.open(wrap(pipe)) as archive:
        assert {name: file.read_bytes() for name, file in archive.items()} == CONTENT
        with pytest.raises(memarchive.SourceConsumed):
            archive.list()
    writer.join()


def test_entries_of_a_zip_come_out_while_it_arrives() -> None:
    # More than what the format is known by.
    content = {"random": os.urandom(8192), **CONTENT}
    zipped = make_zip(content)
    out, into = os.pipe()
    with open(out, "rb", buffering=0) as pipe, open(into, "wb", buffering=0) as writer:
        index = zipped.rindex(b"random") - 46
        writer.write(zipped[:index])
        found = {}
        with memarchive.open(pipe, arriving_zips=True, timeout=120) as archive, archive.iter() as stream:
            for entry in stream:
                found[entry.name] = stream.extract().read_bytes()
                if len(found) == len(content):
                    writer.write(zipped[index:])
                    writer.close()
    assert found == content


def test_a_buffered_pipe_is_kept() -> None:
    out, into = os.pipe()
    writer = threading.Thread(target=lambda: write(into, TAR))
    writer.start()
    with open(out, "rb") as pipe:
        assert pipe.peek(1)
        assert read(pipe) == CONTENT
    writer.join()


def write(descriptor: int, data: bytes) -> None:
    with open(descriptor, "wb") as out:
        out.write(data)


def test_an_archive_in_an_archive() -> None:
    with memarchive.open(make_zip({"inner.zip": ZIP})) as archive:
        file = archive["inner.zip"]
        assert read(file) == CONTENT
        assert read(file.view()) == CONTENT
        assert read(file.path) == CONTENT
        with file.open() as opened:
            assert read(opened) == CONTENT


@pytest.fixture
def server() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            if self.path != "/endless":
                self.send_header("Content-Length", str(len(ZIP)))
            self.end_headers()
            self.wfile.write(ZIP[:-10] if self.path in ("/cut", "/stalled") else ZIP)
            if self.path == "/stalled":
                # Until the other side closes, and for no longer than a test that fails may take.
                self.connection.settimeout(60)
                self.connection.recv(1)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("page", ["sized", "endless"])
def test_a_response(server: str, page: str) -> None:
    with urllib.request.urlopen(f"{server}/{page}") as response:
        assert read(response) == CONTENT


def test_a_response_that_is_cut(server: str) -> None:
    with urllib.request.urlopen(f"{server}/cut") as response, pytest.raises(Exception) as caught:
        memarchive.open(response)
    # Some versions of http.client notice it themselves.
    assert isinstance(caught.value, (memarchive.TruncatedError, http.client.IncompleteRead))


@contextlib.contextmanager
def stalled(kind: str) -> Iterator[Any]:
    """A source that gives the beginning of an archive, and then neither more nor its end."""
    if kind == "socket":
        ours, theirs = socket.socketpair()
        with theirs, ours, ours.makefile("rb") as file:
            theirs.sendall(TAR[:1000])
            yield file
        return
    out, into = os.pipe()
    with open(out, "rb", buffering=-1 if kind == "pipe" else 0) as pipe, open(into, "wb", buffering=0) as writer:
        writer.write(TAR[:1000])
        kinds: dict[str, Callable[[Any], Any]] = {"object": Plain, "object that seeks": Seeking}
        yield {**kinds, "pipe": lambda pipe: pipe, "object that reads to seek": Decoding}[kind](pipe)


STALLED = ["pipe", "socket", "object", "object that seeks", "object that reads to seek"]


class Plain:
    """An object that only reads."""

    def __init__(self, pipe: Any) -> None:
        self.read = pipe.read


class Seeking(Plain):
    """As one with a network beneath: it seeks, and gives what comes."""

    position = 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = 0) -> int:
        self.position = offset
        return len(TAR) if whence else offset


class Decoding(Seeking):
    """As gzip.GzipFile, which reads all to find its end."""

    def seek(self, offset: int, whence: int = 0) -> int:
        while whence and self.read(1 << 20):
            pass
        return super().seek(offset, whence)


@pytest.mark.parametrize("kind", STALLED)
def test_a_timeout_ends_the_wait_for_an_object(kind: str) -> None:
    with stalled(kind) as source, pytest.raises(TimeoutError) as caught:
        memarchive.open(source, timeout=0.05)
    error = caught.value
    assert isinstance(error, memarchive.TimedOut) and error.code == "timedOut"
    assert str(error) == f"{error.reason}. {error.advice}"


@pytest.mark.parametrize("kind", STALLED)
def test_a_cancellation_ends_the_wait_for_an_object(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cancellation = memarchive.Cancellation()
    when_waiting(monkeypatch, cancellation.cancel)
    with stalled(kind) as source, pytest.raises(memarchive.Cancelled):
        memarchive.open(source, cancellation=cancellation)


@pytest.mark.parametrize("kind", STALLED)
def test_an_interrupt_ends_the_wait_for_an_object(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        when_waiting(monkeypatch, lambda: os.kill(os.getpid(), signal.SIGINT))
        with stalled(kind) as source, pytest.raises(KeyboardInterrupt):
            memarchive.open(source)
    finally:
        signal.signal(signal.SIGINT, before)


def when_waiting(monkeypatch: pytest.MonkeyPatch, stop: Callable[[], object]) -> None:
    """Has something done, once, while nothing comes from a source."""
    check, stops = _sources._Wait.check, [stop]

    def stop_and_check(self: Any) -> None:
        if stops:
            stops.pop()()
        check(self)

    monkeypatch.setattr(_sources._Wait, "check", stop_and_check)


def test_a_response_that_stalls(server: str) -> None:
    with urllib.request.urlopen(f"{server}/stalled") as response, pytest.raises(memarchive.TimedOut):
        memarchive.open(response, timeout=0.05)


def test_an_object_that_seeks_is_left_where_it_was_unless_it_is_still_read() -> None:
    with stalled("object that seeks") as source:
        source.position = 7
        with pytest.raises(memarchive.TimedOut):
            memarchive.open(source, timeout=0.05)
        assert source.position == 1000  # what is read now


def test_an_object_that_returns_too_much() -> None:
    class Generous:
        def read(self, size: int) -> bytes:
            return bytes(size + 1)

    with pytest.raises(ValueError, match=r"read\(\d+\) of the archive's source returned \d+ bytes"):
        memarchive.open(Generous())


def test_what_an_object_raises_is_raised() -> None:
    class Broken(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            raise ZeroDivisionError("from the source")

    with pytest.raises(ZeroDivisionError, match="from the source"):
        memarchive.open(Broken())


def test_an_object_that_would_block() -> None:
    class Empty:
        def read(self, size: int) -> Any:
            return None

    with pytest.raises(BlockingIOError):
        memarchive.open(Empty())


def test_a_buffered_pipe_that_does_not_block() -> None:
    out, into = os.pipe()
    os.set_blocking(out, False)
    with open(out, "rb") as pipe:
        assert pipe.peek(1) == b""
        writer = threading.Thread(target=lambda: write(into, TAR))
        writer.start()
        assert read(pipe) == CONTENT
        writer.join()


def test_an_endless_object_ends_by_the_limit() -> None:
    with open("/dev/zero", "rb") as zeros, pytest.raises(memarchive.LimitExceeded) as caught:
        memarchive.open(io.BufferedReader(Zeros(zeros)), limit_held_bytes=10 << 20)
    assert caught.value.code == "limitExceeded"


class Zeros(io.RawIOBase):
    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (io.StringIO("text"), TypeError),
        (None, TypeError),
        (True, TypeError),
        (3.5, TypeError),
        ("a\0b", ValueError),
        ([], memarchive.InvalidArgument),
        (-1, OSError),
        (10**6, OSError),
        ("/missing/a.zip", FileNotFoundError),
        ("/", IsADirectoryError),
    ],
)
def test_what_is_no_source(source: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        memarchive.open(source)


def test_text_that_an_object_reads_is_refused() -> None:
    class Text:
        def read(self, size: int) -> Any:
            return "text"

    with pytest.raises(TypeError):
        memarchive.open(Text())  # type: ignore[arg-type]
