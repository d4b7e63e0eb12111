"""Entries under their real names, in a file system in memory."""

from __future__ import annotations

import ctypes
import os
import pathlib

from ._call import Closing, call, library
from ._entries import Listing


class Tree(Closing, os.PathLike[str]):
    """All entries under their names in a file system in memory of their own, with directories, modes, times and links.

    Its paths are valid in this process, and until the tree is closed; files that are open or mapped stay so.
    ``os.path.realpath`` and ``os.getcwd`` fail in it, for it has no place in the hierarchy. Names and links that lead
    out of it are left out; see ``listing.skipped``.
    """

    _warns = True

    @property
    def path(self) -> str:
        """The path of the top."""
        return self._path(None)

    def __fspath__(self) -> str:
        """The path of the top: ``os.listdir(tree)``."""
        return self.path

    def __truediv__(self, name: str | os.PathLike[str]) -> pathlib.Path:
        """The path of an entry, by its name in the archive; :class:`NoSuchEntry`, a KeyError, if there is none.

        For what is no entry, begin with ``pathlib.Path(tree)``.
        """
        return pathlib.Path(self._path(os.fspath(name).encode("utf-8", "surrogateescape")))

    def fileno(self) -> int:
        """The descriptor of the tree's mount, which stays the tree's. A child that inherits it has the tree's paths."""
        handle = self._open
        return library.tree_descriptor(handle.pointer)  # type: ignore[no-any-return]

    @property
    def listing(self) -> Listing:
        """What was in the archive, what is odd about it, and what was left out."""
        handle = self._open
        return Listing(library.tree_listing(handle.pointer), handle)

    def _described(self) -> str:
        return f" {self.path}"

    def _path(self, name: bytes | None) -> str:
        handle = self._open
        path = ctypes.c_char_p()
        call(library.tree_path, handle.pointer, name, len(name or b""), ctypes.byref(path))
        assert path.value is not None
        return os.fsdecode(path.value)
