"""Where an archive is: a path, bytes, a descriptor, or an object to read from."""

from __future__ import annotations

import ctypes
import errno
import io
import os
import stat
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, Union

from . import _abi
from ._call import Handle, library, make
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
        return _archive(settings, library.open_file, handle.pointer)
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
    if hasattr(source, "seekable") and source.seekable():
        position = source.tell()
        try:
            return _spool(_Positioned(source), source.seek(0, io.SEEK_END), settings)
        finally:
            source.seek(position)
    # What http.client knows of a response's length: one that is cut is an error then.
    length = getattr(source, "length", None)
    return _spool(_Sequential(source), length if isinstance(length, int) else -1, settings)


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


def _spool(reader: _Bytes | _Positioned | _Sequential, size: int, settings: Settings) -> Handle:
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
                place.cast("B")[: view.nbytes] = view.cast("B")
                return view.nbytes
        except BaseException as error:
            callbacks.raised.append(error)
            return -errno.EIO

    source = _abi.Source(struct_size=ctypes.sizeof(_abi.Source), read=_abi.read_callback(read), size=size)
    return _archive(settings, library.open_source, ctypes.byref(source))
