"""Sealed files in memory, and the mapping of names to them."""

from __future__ import annotations

import ctypes
import difflib
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from ._call import Callbacks, Closing, Handle, call, library, perform, throw
from ._entries import Entry, Listing, entry_of
from ._errors import NoSuchEntry, name_of


class _Memory(ctypes.Array):  # type: ignore[type-arg]
    """Memory that is somewhere: views of it are slices, since a type for each size would cost more than the view."""

    _type_ = ctypes.c_ubyte
    _length_ = 1 << (8 * ctypes.sizeof(ctypes.c_void_p) - 2)

    owner: Handle


class File(Closing, os.PathLike[str]):
    """One sealed file in memory: nobody can ever change it.

    Its path and its descriptor are valid as long as this object, or the :class:`Archive` or :class:`Files` that it is
    from. Afterwards they lead nowhere, or to another file. Hold one of them for as long as a library may open the path.
    Views, and what :meth:`open` returns, stay valid by themselves.

    A file is closed when the last reference to it goes, or by :meth:`close` and at the end of ``with``.
    """

    @property
    def name(self) -> str:
        """The name by which it was found."""
        handle = self._open
        return name_of(library.file_name(handle.pointer).data)

    @property
    def size(self) -> int:
        """The exact number of bytes."""
        handle = self._open
        return library.file_size(handle.pointer)  # type: ignore[no-any-return]

    @property
    def mode(self) -> int | None:
        """The permissions that the archive has for it, such as 0o755; None where it has none."""
        handle = self._open
        mode: int = library.file_mode(handle.pointer)
        return None if mode < 0 else mode

    @property
    def entry(self) -> Entry | None:
        """What the archive says of it; None for received files."""
        handle = self._open
        entry = library.file_entry(handle.pointer)
        return entry_of(entry.contents) if entry else None

    @property
    def mtime(self) -> float | None:
        """When it was modified, in seconds since 1970-01-01 00:00 UTC; None where the archive does not say."""
        entry = self.entry
        return None if entry is None else entry.mtime

    @property
    def path(self) -> str:
        """A path that opens the file, /proc/self/fd/N: in this process, and as long as this object is held.

        A file of which many share memory gets a descriptor of its own when it is first asked for its path, and keeps it
        as long as the archive's other files are held, too: :class:`DescriptorLimit` once the process has no more of
        them (``ulimit -n``). So ask only for the paths that are needed, take one file at a time by
        :meth:`Archive.iter`, take a tree, which has any number of paths and one descriptor, or raise the limit:
        ``resource.setrlimit(resource.RLIMIT_NOFILE, ...)``. :meth:`view` needs no descriptor.

        A child process sees it if it inherits the descriptor: ``subprocess.run([..., file.path],
        pass_fds=[file.fileno()])``.
        """
        handle = self._open
        path = ctypes.c_char_p()
        call(library.file_path, handle.pointer, ctypes.byref(path))
        assert path.value is not None
        return path.value.decode()

    def __fspath__(self) -> str:
        """The path, so that ``open(file)`` and any function for a path take the file itself."""
        return self.path

    def fileno(self) -> int:
        """The descriptor, which stays the file's: it is not to be closed, and its offset is shared."""
        handle = self._open
        descriptor = ctypes.c_int32()
        call(library.file_descriptor, handle.pointer, ctypes.byref(descriptor))
        return descriptor.value

    def dup(self, *, inheritable: bool = False) -> int:
        """Another descriptor for the same open file, the caller's to close; it shares its offset with the first."""
        handle = self._open
        descriptor = ctypes.c_int32()
        call(library.file_duplicate, handle.pointer, 0 if inheritable else 1, ctypes.byref(descriptor))
        return descriptor.value

    def reopen(self) -> int:
        """A descriptor with an offset of its own, the caller's to close."""
        handle = self._open
        descriptor = ctypes.c_int32()
        call(library.file_reopen, handle.pointer, ctypes.byref(descriptor))
        return descriptor.value

    def open(self) -> io.BufferedReader:
        """A binary file object with an offset of its own, the caller's to close. It stays when this object goes."""
        return open(self.name or "memfd", "rb", opener=lambda *_: self.reopen())

    def view(self) -> memoryview:
        """The content, without a copy; it stays in memory as long as the view, or one made of it, exists."""
        handle = self._open
        address, size = ctypes.c_void_p(), ctypes.c_size_t()
        call(library.file_bytes, handle.pointer, ctypes.byref(address), ctypes.byref(size))
        memory = _Memory.from_address(cast(int, address.value))
        memory.owner = handle
        return memoryview(memory)[: size.value].cast("B").toreadonly()

    def __buffer__(self, flags: int) -> memoryview:
        """Python 3.12 and later: ``memoryview(file)``, and any function for bytes takes the file itself."""
        return self.view()

    def read_bytes(self) -> bytes:
        """A copy of the content."""
        return bytes(self.view())

    __bytes__ = read_bytes

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The content as text; line ends stay as they are."""
        return str(self.view(), encoding, errors)

    def send(self, socket: Any) -> None:
        """Sends the file with its name over a connected Unix socket, to a process that calls :func:`receive`.

        Nothing is copied. `socket` is a socket object or a descriptor.
        """
        handle = self._open
        throw(perform(Callbacks(), library.file_send, handle, descriptor_of(socket)))

    def _described(self) -> str:
        return f" {self.name!r}, {self.size} bytes"


class Files(Closing, Mapping[str, File]):
    """Extracted files by their names, in the archive's order.

    A hard link, and a symbolic link that ends at a file, is another name of its target's content; directories and other
    kinds are in :attr:`listing` alone. The files are let go of by :meth:`close`, at the end of ``with``, or with the
    last reference to this object; those that are held by themselves stay.
    """

    def __len__(self) -> int:
        handle = self._open
        return library.files_count(handle.pointer)  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[str]:
        return _names(self._open)

    def __getitem__(self, name: str) -> File:
        """The file of this name, compared byte by byte; :class:`NoSuchEntry`, a KeyError, if there is none."""
        handle = self._open
        try:
            encoded = name.encode("utf-8", "surrogateescape")
            pointer = library.files_find(handle.pointer, encoded, len(encoded))
        except (AttributeError, UnicodeEncodeError):
            pointer = None
        if not pointer:
            raise NoSuchEntry(
                code="noSuchEntry",
                entry=str(name),
                reason=f"there is no file {name!r}",
                # Most of those who ask for a name that may be missing never look at it.
                advice=lambda: _question(str(name), _names(handle)) + "List the names; they are compared byte by byte.",
            )
        return File(Handle(library.file_retain(pointer), library.file_free, handle.keep))

    @property
    def listing(self) -> Listing:
        """Entries of every kind, with warnings, and with the errors of ``keep_going``. Empty for received files."""
        handle = self._open
        return Listing(library.files_listing(handle.pointer), handle)

    def send(self, socket: Any) -> None:
        """Sends all files as one batch, otherwise as :meth:`File.send`."""
        handle = self._open
        throw(perform(Callbacks(), library.files_send, handle, descriptor_of(socket)))

    def _described(self) -> str:
        return f": {len(self)} files"


def _names(files: Handle) -> Iterator[str]:
    for index in range(library.files_count(files.pointer)):
        yield name_of(library.file_name(library.files_at(files.pointer, index)).data)


def _question(name: str, names: Iterable[str]) -> str:
    """Whether a similar name is meant, or the same one in a directory; nothing if there is none."""
    spelled: dict[str, str] = {}
    for known in names:
        for form in (known, known.rpartition("/")[2]):
            spelled.setdefault(form.lower(), known)
    similar = dict.fromkeys(spelled[form] for form in difflib.get_close_matches(name.lower(), spelled))
    return f"Did you mean {' or '.join(map(repr, similar))}? " if similar else ""


def descriptor_of(socket: Any) -> int:
    return socket if isinstance(socket, int) else socket.fileno()
