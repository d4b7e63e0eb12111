"""Where an archive is: a path, bytes, a descriptor, or an object to read from."""

from __future__ import annotations

import ctypes
import errno
import io
import os
import select
import socket
import stat
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Union

from . import _abi
from ._call import STEP, Caller, Handle, Work, library, make
from ._errors import Cancelled, TimedOut
from ._files import File
from ._options import Settings, zero_terminated

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Readable(Protocol):
    """A binary file object, or a response of ``urllib.request.urlopen``."""

    def read(self, size: int, /) -> bytes: ...


StrPath = Union[str, "os.PathLike[str]"]
#: What :func:`memarchive.open` opens.
Source = Union[StrPath, Sequence[StrPath], "Buffer", int, File, Readable]


def open_source(source: Source, settings: Settings) -> Handle:
    """The archive's handle."""
    if isinstance(source, File):
        handle = source._open
        return _archive(settings, library.open_file, handle)
    if isinstance(source, (str, os.PathLike)):
        settings.callbacks.may_wait = not os.path.isfile(source)
        return _archive(settings, library.open_path, _path(source))
    if isinstance(source, int) and not isinstance(source, bool):
        return _descriptor(source, settings)
    if isinstance(source, bytes):
        return _archive(settings, library.open_bytes, source, len(source))
    if isinstance(source, (list, tuple)):
        paths = [_path(path) for path in source]
        return _archive(settings, library.open_paths, (ctypes.c_char_p * len(paths))(*paths), len(paths))
    if hasattr(source, "read"):
        return _file_object(source, settings)
    try:
        view = memoryview(source).cast("B")  # type: ignore[arg-type]
    except TypeError as error:
        raise TypeError(
            "an archive is a path, a list of paths, bytes, a descriptor or a binary file object, not "
            f"{type(source).__name__}: {error}"
        ) from None
    with view:
        return _spool(_Bytes(view), len(view), settings)


def _archive(settings: Settings, function: Any, *arguments: Any) -> Handle:
    handle = make(
        function,
        *arguments,
        ctypes.byref(settings.c),
        free=library.archive_free,
        callbacks=settings.callbacks,
        keep=settings,
    )
    assert handle is not None
    return handle


def _descriptor(descriptor: int, settings: Settings) -> Handle:
    handle = _archive(settings, library.open_descriptor, descriptor)
    settings.callbacks.may_wait = not stat.S_ISREG(os.fstat(descriptor).st_mode)
    return handle


def _path(path: StrPath) -> bytes:
    return zero_terminated(os.fsencode(path), "a path")


def _file_object(source: Any, settings: Settings) -> Handle:
    if isinstance(source, io.TextIOBase):
        raise TypeError("a file must be opened in binary mode, 'rb'")
    # The descriptor of any other object may be that of a file beneath, as gzip.GzipFile's is.
    raw = source.raw if type(source) in (io.BufferedReader, io.BufferedRandom) else source
    if type(raw) is io.FileIO:
        is_regular = stat.S_ISREG(os.fstat(raw.fileno()).st_mode)
        if is_regular and source.writable():
            source.flush()
        # A pipe is read as it comes and not kept, if there is no buffer that has some of it already.
        if is_regular or source is raw:
            return _descriptor(raw.fileno(), settings)
        return _spool(_Pipe(source, _Wait(settings)), -1, settings)
    if hasattr(source, "seekable") and source.seekable():
        position = source.tell()
        reader = _Apart(source, _Positioned(source).read, _Wait(settings))
        try:
            # What decodes reads all of it to find its end.
            return _spool(reader, reader.run(lambda: source.seek(0, io.SEEK_END)), settings)
        finally:
            if not reader.is_left:
                source.seek(position)
    # What http.client knows of a response's length: one that is cut is an error then.
    length = getattr(source, "length", None)
    reader = _Apart(source, _Sequential(source).read, _Wait(settings))
    return _spool(reader, length if isinstance(length, int) else -1, settings)


class _Reader(Protocol):
    def read(self, offset: int, count: int) -> Any: ...


class _Bytes:
    """Bytes that may be read-only, whose address ctypes does not tell then."""

    def __init__(self, view: memoryview) -> None:
        self._view = view

    def read(self, offset: int, count: int) -> memoryview:
        return self._view[offset : offset + count]


class _Positioned:
    """A file object that seeks."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, offset: int, count: int) -> Any:
        self._file.seek(offset)
        return self._file.read(count)


class _Sequential:
    """A file object that does not seek, read from where it is to its end."""

    def __init__(self, file: Any) -> None:
        self._file, self._offset = file, 0

    def read(self, offset: int, count: int) -> Any:
        if offset != self._offset:
            raise OSError(errno.ESPIPE, os.strerror(errno.ESPIPE))
        data = self._file.read(count)
        self._offset += len(data or b"")
        return data


class _Ended(Exception):
    """An interrupt ended a wait, and is raised by whoever was interrupted."""


class _Wait:
    """When to wait no longer for what an archive is read from: the library looks only between two reads."""

    def __init__(self, settings: Settings) -> None:
        self._callbacks, self._timeout = settings.callbacks, settings.timeout
        self._end = time.monotonic() + settings.timeout

    def check(self) -> None:
        """Raises what ends the wait, if anything."""
        if self._callbacks.interrupted:
            raise _Ended
        if self._callbacks.is_cancelled:
            raise Cancelled(
                code="cancelled",
                reason="reading the archive's source was cancelled",
                advice="Start it again if it is still wanted.",
            )
        if time.monotonic() >= self._end:
            raise TimedOut(
                code="timedOut",
                reason=f"the archive's source took longer than {self._timeout:g} seconds",
                advice="Raise timeout if it is only slow.",
            )


class _Pipe:
    """A pipe with a buffer. It is read when there is something: a read() that waits could not be ended.

    What the buffer has is read then too: until the end comes there is nothing to be had of it alone.
    """

    def __init__(self, file: io.BufferedReader, wait: _Wait) -> None:
        self._file, self._wait = file, wait
        self._poll = select.poll()
        self._poll.register(file.fileno(), select.POLLIN)

    def read(self, offset: int, count: int) -> bytes:
        while not self._poll.poll(STEP * 1000):
            self._wait.check()
        return self._file.read1(count)


class _Apart:
    """Uses an object on another thread, which is left behind with a read() that does not return."""

    def __init__(self, source: Any, read: Callable[[int, int], Any], wait: _Wait) -> None:
        self._source, self._read, self._wait = source, read, wait
        #: Whether the object is still in use.
        self.is_left = False

    def read(self, offset: int, count: int) -> Any:
        return self.run(lambda: self._read(offset, count))

    def run(self, function: Callable[[], Any]) -> Any:
        # Memory is never waited for.
        caller = Caller.idle() if type(self._source) is not io.BytesIO else None
        if caller is None:
            return function()
        work = Work(function, self)
        caller.begin(work)
        try:
            caller.wait(work, self._wait.check)
        except BaseException:
            self.is_left = True
            caller.leave()
            self._end_receiving()
            raise
        return caller.take(work)

    def _end_receiving(self) -> None:
        """Ends a read() that waits for a socket, so that closing the object does not wait for it."""
        try:
            receiver = socket.socket(fileno=self._source.fileno())
        except (AttributeError, OSError, ValueError):
            return
        try:
            receiver.shutdown(socket.SHUT_RD)
        except OSError:
            pass
        finally:
            receiver.detach()


def _spool(reader: _Reader, size: int, settings: Settings) -> Handle:
    """Has the library read all of it into a sealed file in memory, within its limits."""
    callbacks = settings.callbacks

    def read(_: object, offset: int, buffer: int, count: int) -> int:
        if callbacks.interrupted:
            return -errno.EINTR
        try:
            data = reader.read(offset, count)
            if data is None:
                raise BlockingIOError(errno.EAGAIN, "nothing to read yet: an archive is read from a blocking object")
            with memoryview(data) as view, memoryview((ctypes.c_char * count).from_address(buffer)) as place:
                if view.nbytes > count:
                    raise ValueError(f"read({count}) of the archive's source returned {view.nbytes} bytes")
                place.cast("B")[: view.nbytes] = view.cast("B")
                return view.nbytes
        except _Ended:
            return -errno.EINTR
        except BaseException as error:
            callbacks.raised.append(error)
            return -errno.EIO

    source = _abi.Source(struct_size=ctypes.sizeof(_abi.Source), read=_abi.read_callback(read), size=size)
    return _archive(settings, library.open_source, ctypes.byref(source))
