"""An archive entry by entry."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from typing import Callable, cast

from . import _abi
from ._call import Closing, Handle, library, make, perform, throw
from ._entries import Entry, Listing, entry_of
from ._files import File
from ._options import Settings


class Stream(Closing, Iterator[Entry]):
    """The entries of an archive as they come; :meth:`extract` and :meth:`feed` give the content of the last one.

    After an error of one entry, ``next()`` goes on behind it; after one that ends reading, it stops. Checksums around
    the archive, such as gzip's, are verified only once the last entry has come. Threads that share a stream take turns.
    """

    _warns = True

    def __init__(self, handle: Handle) -> None:
        super().__init__(handle)
        self._lock = threading.RLock()
        # What there is of the current entry, and may have to be read by the next call; None if that is unknown.
        self._rest: int | None = 0

    @property
    def _is_short(self) -> bool:
        """Whether the next call reads little."""
        return self._rest is not None and self._rest <= 1 << 20

    def __next__(self) -> Entry:
        with self._lock:
            handle = self._open
            entry = ctypes.POINTER(_abi.Entry)()
            self._perform(handle, library.stream_next, ctypes.byref(entry), is_short=self._is_short)
            if not entry:
                raise StopIteration
            found = entry_of(entry.contents)
            self._rest = found.size if found.has_content else 0
            return found

    def extract(self) -> File:
        """The content as a file, once for each entry."""
        with self._lock:
            handle = self._open
            settings = cast(Settings, handle.keep)
            file = make(
                library.stream_extract,
                handle,
                free=library.file_free,
                callbacks=settings.callbacks,
                keep=settings,
                is_short=self._is_short,
            )
            assert file is not None
            self._rest = 0
            return File(file)

    def feed(self, consume: Callable[[bytes], object]) -> int:
        """Hands the content to `consume`, piece by piece, and returns its size.

        ``stream.feed(hashlib.sha256().update)``: nothing is kept. The entry's checksum is verified only once this
        returns. What `consume` raises stops the reading, and is raised here. It is never called on the main thread,
        where a signal's handler could break in: there, on another thread, while this one waits.
        """
        with self._lock:
            handle = self._open
            settings = cast(Settings, handle.keep)
            position = 0

            def block(_: object, address: int, size: int, offset: int) -> int:
                return settings.callbacks.guard(lambda: take(address, size, offset))

            def take(address: int, size: int, offset: int) -> None:
                nonlocal position
                self._zeros(consume, offset - position)
                # A copy, because a block is gone when this returns, and a view could be kept.
                consume(ctypes.string_at(address, size))
                position = offset + size

            size = ctypes.c_int64()
            self._perform(handle, library.stream_blocks, _abi.block_callback(block), None, ctypes.byref(size))
            self._zeros(consume, size.value - position)
            self._rest = 0
            return size.value

    @property
    def listing(self) -> Listing:
        """Warnings, protection and comment so far; no entries."""
        with self._lock:
            handle = self._open
            return Listing(library.stream_listing(handle.pointer), None)

    @staticmethod
    def _zeros(consume: Callable[[bytes], object], count: int) -> None:
        """What lies between blocks is zero."""
        zeros = bytes(min(count, 1 << 20))
        while count > 0:
            consume(zeros[:count])
            count -= len(zeros)

    @staticmethod
    def _perform(handle: Handle, function: object, *arguments: object, is_short: bool = False) -> None:
        callbacks = cast(Settings, handle.keep).callbacks
        throw(perform(callbacks, function, handle, *arguments, is_short=is_short))
