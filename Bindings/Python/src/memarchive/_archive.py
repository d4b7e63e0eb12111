"""Archives: opening them, and what is read of them."""

from __future__ import annotations

import ctypes
import inspect
import select
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Union, cast

from . import _abi
from ._call import STEP, Closing, Handle, library, make
from ._entries import Listing
from ._files import File, Files, descriptor_of
from ._options import Options, Settings
from ._sources import Source, open_source
from ._stream import Stream
from ._tree import Tree

if TYPE_CHECKING:
    from typing_extensions import Unpack

Names = Union[str, Iterable[str], None]


class Archive(Closing, Mapping[str, File]):
    """An archive: a mapping of names to files in memory, and what else can be had of it.

    As a mapping it reads the archive once, when it is first used as one, and keeps all files until it is closed.
    :meth:`extract` takes some of them, :meth:`iter` one after another, :meth:`tree` gives them their real names.

    It may be used by several threads at once. Files, trees and streams that were taken from it stay when it is closed.
    """

    _warns = True

    def __init__(self, source: Source, settings: Settings) -> None:
        """See :func:`open`."""
        super().__init__(open_source(source, settings))
        self._lock = threading.Lock()
        self._files: Files | None = None

    def close(self) -> None:
        """Lets go of the archive and of the mapping's files, but those that are held by themselves."""
        super().close()
        self._files = None

    def extract(self, names: Names = None, *, patterns: Names = None, exclude: Names = None) -> Files:
        """The files of these names, with those that links lead to; or whose names match one of the patterns; or all.

        In patterns, fnmatch(3), ``*`` and ``?`` match "/" too. When it returns, all checksums have been verified.

        Raises :class:`NoSuchEntry`, unless ``allow_unmatched``, and any error of the archive.
        """
        handle = self._open
        files = _read(handle, library.extract, _selection(names, patterns, exclude), free=library.files_free)
        return Files(files)

    def list(self, names: Names = None, *, patterns: Names = None, exclude: Names = None) -> Listing:
        """The entries, extracting none; chosen as by :meth:`extract`. All is read, so damage anywhere is an error.

        Warnings are not among what it tells: those of :meth:`extract` and :meth:`iter` are in their ``listing``.
        """
        handle = self._open
        listing = _read(
            handle,
            library.list,
            _selection(names, patterns, exclude),
            free=library.listing_free,
            result=ctypes.POINTER(_abi.Listing)(),
        )
        return Listing(listing.pointer, listing)

    def iter(self) -> Stream:
        """Begins to read entry by entry; only what the caller keeps is held."""
        handle = self._open
        return Stream(_read(handle, library.stream_new, free=library.stream_free))

    def tree(
        self, names: Names = None, *, patterns: Names = None, exclude: Names = None, writable: bool = False
    ) -> Tree:
        """All entries, or those chosen as by :meth:`extract`, under their real names in a file system in memory.

        For code that looks at extensions, opens siblings or lists directories. With `writable`, files in it can be
        changed; it is gone with the tree. Needs Linux 5.12, and either root or user namespaces.

        Raises :class:`TreeUnavailable`, :class:`NameConflict`, :class:`NameTooLong`, and as :meth:`extract`.
        """
        handle = self._open
        selection = _selection(names, patterns, exclude)
        return Tree(_read(handle, library.tree_new, selection, 1 if writable else 0, free=library.tree_free))

    def read(self, name: str) -> bytes:
        """The content of one file, without reading those of others where the format allows that."""
        with self.extract(name) as files:
            return files[name].read_bytes()

    @property
    def files(self) -> Files:
        """The files of the mapping, read on the first use."""
        with self._lock:
            files = self._files
            if files is None:
                files = self._files = self.extract()
            return files

    def __getitem__(self, name: str) -> File:
        """The file of this name; :class:`NoSuchEntry`, a KeyError, if there is none."""
        return self.files[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


def open(source: Source, **options: Unpack[Options]) -> Archive:
    """Opens an archive.

    `source` is a path; a list of paths, of an archive in several files; bytes, or another object with a buffer; a
    descriptor; a :class:`File`; a binary file object, which is read from its beginning if it seeks, and from where it
    is otherwise; or a response of ``urllib.request.urlopen``.

    Of paths, descriptors, files that the built-in ``open`` returned and pipes without a buffer nothing is read yet:
    what is no archive is noticed when it is read. Everything else, a pipe with a buffer too, is copied into memory now,
    within ``timeout`` and ``limit_held_bytes``. A descriptor or file object may be closed as soon as this returns.

    An object's ``read()`` runs on another thread. One that has not returned when the time is up, or after Ctrl-C or
    :meth:`Cancellation.cancel`, is left to itself there: a socket that it waits for is shut down for receiving, which
    ends it; otherwise closing the object may wait for it. Pipes with a buffer are only read when there is something.

    An archive should be closed, best by ``with``.

    Raises FileNotFoundError, PermissionError and other kinds of OSError, which are :class:`Error` too; TypeError and
    ValueError for what is no archive's source, or no option.
    """
    return Archive(source, Settings(options))


if open.__doc__ and Options.__doc__:
    open.__doc__ = f"{inspect.cleandoc(open.__doc__)}\n\n{inspect.cleandoc(Options.__doc__)}\n"


def receive(socket: Any, **limits: Unpack[Options]) -> Files | None:
    """Receives what :meth:`Files.send` or :meth:`File.send` sent; None when the other side has closed the socket.

    Every file is verified before anything about it is believed. Of the keywords, only the limits count. After an
    error, close the socket.

    Raises :class:`Untrusted`, :class:`LimitExceeded`, :class:`TruncatedError`.
    """
    settings = Settings(limits)
    descriptor = descriptor_of(socket)
    if descriptor >= 0:
        # A signal's handler runs while Python waits, and not while the library does.
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while not poll.poll(STEP * 1000):
            pass
    handle = make(
        library.receive,
        descriptor,
        ctypes.byref(settings.c),
        free=library.files_free,
        callbacks=settings.callbacks,
        keep=settings,
    )
    return None if handle is None else Files(handle)


def _read(archive: Handle, function: Any, *arguments: Any, free: Any, result: Any = None) -> Handle:
    settings = cast(Settings, archive.keep)
    handle = make(
        function,
        archive,
        *arguments,
        free=free,
        callbacks=settings.callbacks,
        keep=settings,
        result=result,
    )
    assert handle is not None
    return handle


def _selection(names: Names, patterns: Names, exclude: Names) -> Any:
    """A memarchive_selection; None for all."""
    if names is None and patterns is None and exclude is None:
        return None
    selection = _abi.Selection(struct_size=ctypes.sizeof(_abi.Selection))
    for field, count, given in (
        ("names", "name_count", names),
        ("patterns", "pattern_count", patterns),
        ("excluded", "excluded_count", exclude),
    ):
        if given is None:
            continue
        texts = [name.encode("utf-8", "surrogateescape") for name in ([given] if isinstance(given, str) else given)]
        if not texts and field != "excluded":
            # In C, no names are all names.
            raise ValueError(f"{field} is empty; None is all entries")
        setattr(selection, field, (_abi.Text * len(texts))(*[_abi.Text(text, len(text)) for text in texts]))
        setattr(selection, count, len(texts))
    return ctypes.byref(selection)
