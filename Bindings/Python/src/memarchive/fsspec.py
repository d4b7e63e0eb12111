"""A file system for fsspec: ``memarchive://inner/name::file://fonts.rar``, read-only."""

from __future__ import annotations

import datetime
from typing import Any

import fsspec
from fsspec.archive import AbstractArchiveFileSystem

from ._archive import Archive
from ._archive import open as open_archive


class MemArchiveFileSystem(AbstractArchiveFileSystem):  # type: ignore[misc]
    """The files of an archive of any format that the library reads.

    All files are unpacked, into memory, when the content of one is first read, and kept as long as this object is;
    with ``whole=False`` each is unpacked when it is opened, which for a compressed tar reads all of the archive each
    time. Symbolic links that end at a file are files. An instance can be pickled if `fo` can.
    """

    root_marker = ""
    protocol = "memarchive"
    # An instance holds memory, which fsspec would otherwise keep for good.
    cachable = False

    def __init__(
        self,
        fo: Any = "",
        mode: str = "r",
        target_protocol: str | None = None,
        target_options: dict[str, Any] | None = None,
        whole: bool = True,
        archive_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """`fo` is a path, a URL, or a file object; `archive_options` are those of :func:`memarchive.open`."""
        super().__init__(self, **kwargs)
        if mode != "r":
            raise ValueError(f"archives can only be read: mode {mode!r}")
        self.fo, self._whole = fo, whole
        options: Any = archive_options or {}
        if isinstance(fo, str):
            fo = fsspec.open(fo, "rb", protocol=target_protocol, **(target_options or {}))
        if isinstance(fo, fsspec.core.OpenFile):
            with fo as file:
                self._archive: Archive = open_archive(file, **options)
        else:
            self._archive = open_archive(fo, **options)
        self._directory: dict[str, dict[str, Any]] | None = None

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        """Names are relative to the top."""
        stripped: str = super()._strip_protocol(path)
        return stripped.strip("/")

    def close(self) -> None:
        """Lets go of the archive."""
        self._archive.close()

    def __del__(self) -> None:
        if hasattr(self, "_archive"):
            self.close()

    @property
    def dir_cache(self) -> dict[str, dict[str, Any]]:
        """What fsspec lists: each file and each directory by its name."""
        if self._directory is None:
            self._directory = self._listed()
        return self._directory

    def _get_dirs(self) -> None:
        """Nothing: `dir_cache` makes itself."""

    def _listed(self) -> dict[str, dict[str, Any]]:
        entries = [(entry.name.rstrip("/"), entry) for entry in self._archive.list()]
        found = {
            name: {"name": name, "size": 0, "type": "directory"}
            for name in self._all_dirnames([name for name, _ in entries])
        }
        for name, entry in entries:
            kind = entry.kind if entry.kind in ("file", "directory") else "file" if entry.has_content else "other"
            found[name] = {
                "name": name,
                "size": entry.size or 0,
                "type": kind,
                "mode": entry.mode,
                "mtime": entry.mtime,
                "islink": entry.kind == "symlink",
                "destination": entry.link,
            }
        return found

    def _file(self, path: str) -> Any:
        name = self._strip_protocol(path)
        try:
            return self._archive[name] if self._whole else self._archive.extract(name)[name]
        except KeyError:
            if self.info(path)["type"] == "directory":
                raise IsADirectoryError(path) from None
            raise FileNotFoundError(path) from None

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        if mode != "rb":
            raise ValueError(f"archives can only be read: mode {mode!r}")
        return self._file(path).open()

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        return bytes(self._file(path).view()[start:end])

    def modified(self, path: str) -> Any:
        """When a file was modified, as an aware datetime; None where the archive does not say."""
        seconds = self.info(path).get("mtime")
        return None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
