"""Signals while an archive is read: Python's handlers run, and what they raise ends the reading."""

from __future__ import annotations

import contextlib
import itertools
import os
import pathlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import memarchive
from memarchive import _call

SANDBOXES = ["required", "off"]


@pytest.fixture(autouse=True)
def interrupting() -> Iterator[None]:
    """As a program of its own has it, whatever the one that runs the tests has set."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Endless:
    """A file in gzip that does not end (RFC 1951, 3.2.4: stored blocks); interrupts when some of it has been read."""

    HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    BLOCKS = (b"\0\xff\xff\0\0" + bytes(65535)) * 16

    def __init__(self) -> None:
        self._parts = itertools.chain([self.HEADER], itertools.repeat(self.BLOCKS))
        self._buffer, self._read = b"", 0

    def read(self, size: int) -> bytes:
        self._buffer = self._buffer or next(self._parts)
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        before, self._read = self._read, self._read + len(data)
        if before < 16 << 20 <= self._read:
            os.kill(os.getpid(), signal.SIGINT)
        return data


def test_an_interrupt_ends_what_an_object_gives() -> None:
    # Were the interrupt lost, the limit would end it.
    with pytest.raises(KeyboardInterrupt):
        memarchive.open(Endless(), limit_held_bytes=2 << 30)


@pytest.fixture
def endless() -> Iterator[int]:
    """A pipe that gives an endless archive, until nobody reads it."""
    out, into = os.pipe()
    source = Endless()

    def write() -> None:
        try:
            with open(into, "wb", buffering=0) as pipe:
                while True:
                    pipe.write(source.read(1 << 20))
        except BrokenPipeError:
            pass

    writer = threading.Thread(target=write)
    writer.start()
    yield out
    os.close(out)
    writer.join()


@pytest.mark.parametrize("sandbox", SANDBOXES)
@pytest.mark.parametrize("ours", [None, lambda progress: None])
def test_an_interrupt_ends_an_extraction(endless: int, sandbox: Any, ours: Any) -> None:
    with memarchive.open(endless, sandbox=sandbox, limit_held_bytes=2 << 30, progress=ours) as archive:
        with pytest.raises(KeyboardInterrupt):
            archive.extract()


@pytest.mark.parametrize("sandbox", SANDBOXES)
def test_an_interrupt_ends_feeding(endless: int, sandbox: Any) -> None:
    with memarchive.open(endless, sandbox=sandbox, limit_total_bytes=2 << 30) as archive, archive.iter() as stream:
        next(stream)
        with pytest.raises(KeyboardInterrupt):
            stream.feed(len)


@contextlib.contextmanager
def stalled(stop: Callable[[], object]) -> Iterator[int]:
    """A pipe that gives the beginning of an archive and then nothing; has `stop` called when that has been read."""
    out, into = os.pipe()
    ended, late = threading.Event(), []

    def write() -> None:
        # More than a pipe takes, so that this returns only once somebody has read of it.
        try:
            os.write(into, (Endless.HEADER + Endless.BLOCKS)[: (64 << 10) + 1])
        except BrokenPipeError:
            return
        stop()
        if not ended.wait(60):
            late.append(True)
            os.close(into)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield out
    finally:
        ended.set()
        os.close(out)
        writer.join()
        if not late:
            os.close(into)
    assert not late


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def feed(archive: memarchive.Archive) -> None:
    with archive.iter() as stream:
        next(stream)
        stream.feed(len)


@pytest.mark.parametrize("sandbox", SANDBOXES)
@pytest.mark.parametrize("use", [memarchive.Archive.extract, memarchive.Archive.list, feed])
@pytest.mark.parametrize("cancellation", [None, memarchive.Cancellation()])
def test_the_first_interrupt_ends_the_wait_for_a_pipe(sandbox: Any, use: Any, cancellation: Any) -> None:
    with stalled(interrupt) as pipe, memarchive.open(pipe, sandbox=sandbox, cancellation=cancellation) as archive:
        with pytest.raises(KeyboardInterrupt):
            use(archive)
    # An interrupt stops nothing else that could be cancelled together.
    assert cancellation is None or not cancellation.is_cancelled


def test_the_first_interrupt_ends_the_wait_for_a_named_pipe() -> None:
    with stalled(interrupt) as pipe, memarchive.open(f"/proc/self/fd/{pipe}") as archive:
        with pytest.raises(KeyboardInterrupt):
            archive.extract()


@pytest.mark.parametrize("sandbox", SANDBOXES)
def test_a_cancellation_ends_the_wait_for_a_pipe(sandbox: Any) -> None:
    cancellation = memarchive.Cancellation()
    with stalled(cancellation.cancel) as pipe:
        with memarchive.open(pipe, sandbox=sandbox, cancellation=cancellation) as archive:
            with pytest.raises(memarchive.Cancelled):
                archive.extract()


def test_an_interrupt_ends_the_wait_for_files_of_another_process() -> None:
    ours, theirs = socket.socketpair()

    def send() -> None:
        interrupt()
        if not ended.wait(60):
            theirs.close()

    ended = threading.Event()
    sender = threading.Thread(target=send)
    with ours, theirs, pytest.raises(KeyboardInterrupt):
        sender.start()
        memarchive.receive(ours)
    ended.set()
    sender.join()


def test_what_a_call_has_made_when_it_is_interrupted_is_freed() -> None:
    callbacks, freed = _call.Callbacks(), []

    def call(place: Any, failure: Any) -> int:
        interrupt()
        while not callbacks.interrupted:
            pass
        place._obj.value = 5
        return 0

    with pytest.raises(KeyboardInterrupt):
        _call.make(call, free=freed.append, callbacks=callbacks)
    assert freed == [5]


@pytest.mark.parametrize("when", ["before it begins", "as it ends"])
def test_an_interrupt_beside_a_wait_is_that_of_the_call(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begin, wait, interrupts, calls = _call.Caller.begin, _call.Caller.wait, [KeyboardInterrupt], []

    def begin_late(self: Any, work: Any) -> None:
        if interrupts and when == "before it begins":
            raise interrupts.pop()
        begin(self, work)

    def wait_longer(self: Any, *arguments: Any) -> None:
        wait(self, *arguments)
        if interrupts and when == "as it ends":
            raise interrupts.pop()

    monkeypatch.setattr(_call.Caller, "begin", begin_late)
    monkeypatch.setattr(_call.Caller, "wait", wait_longer)
    error = _call.perform(_call.Callbacks(), lambda failure: calls.append(failure) or 0)
    assert isinstance(error, KeyboardInterrupt) and len(calls) == 1


def test_what_a_callback_raises_in_an_interrupted_call_is_not_raised_by_the_next_one(zip_file: pathlib.Path) -> None:
    def fail(_: memarchive.Progress) -> None:
        interrupt()
        while not archive._handle.keep.callbacks.interrupted:  # type: ignore[union-attr]
            pass
        raise ZeroDivisionError

    with memarchive.open(zip_file, progress=lambda told: told_to(told)) as archive:
        told_to: Any = fail
        with pytest.raises(KeyboardInterrupt):
            archive.extract()
        told_to = len
        assert len(archive.extract()) == 3


def test_an_archive_is_as_good_as_before_after_an_interrupt(zip_file: pathlib.Path) -> None:
    def interrupt(_: memarchive.Progress) -> None:
        if not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt

    interrupted: list[bool] = []
    with memarchive.open(zip_file, progress=interrupt) as archive:
        with pytest.raises(KeyboardInterrupt):
            archive.extract()
        assert len(archive.extract()) == 3


def test_a_handler_that_returns_changes_nothing() -> None:
    calls: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: calls.append(number))
    try:
        archive = io_of({"a": bytes(32 << 20)})
        with memarchive.open(archive) as opened:
            assert opened["a"].size == 32 << 20
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert calls == [signal.SIGUSR1]


def io_of(files: dict[str, bytes]) -> Any:
    """An object that sends a signal as it is read."""
    import io

    from conftest import make_tar

    class Signalling(io.BytesIO):
        sent = False

        def read(self, size: int | None = -1) -> bytes:
            if not self.sent:
                self.sent = True
                os.kill(os.getpid(), signal.SIGUSR1)
            return super().read(size)

    return Signalling(make_tar(files))
