"""What an archive says of its entries."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, overload

from . import _abi
from ._errors import Error, error_of, name_of, text

Kind = Literal["file", "directory", "symlink", "hardlink", "fifo", "socket", "character", "block"]


@dataclasses.dataclass(frozen=True)
class Entry:
    """What an entry's header says. None is what the archive does not record.

    Nothing of it is verified but what has been extracted.
    """

    #: The name by which it is looked up; bytes that are no UTF-8 are surrogates, as those of os.fsdecode.
    name: str
    #: The bytes in the archive.
    raw_name: bytes
    #: "file", "directory", "symlink", "hardlink", "fifo", "socket", "character" or "block".
    kind: Kind
    #: What a symlink or hardlink leads to.
    link: str | None
    #: Permission bits, without the kind.
    mode: int | None
    #: Bytes of content, as declared.
    size: int | None
    #: Bytes that it takes in the archive.
    compressed_size: int | None
    #: Nanoseconds since 1970-01-01 00:00 UTC: modified, accessed, status changed, created.
    mtime_ns: int | None
    atime_ns: int | None
    ctime_ns: int | None
    birthtime_ns: int | None
    #: Owner by number, and by name.
    user_id: int | None
    group_id: int | None
    user: str | None
    group: str | None
    comment: str | None
    #: What the content is compressed by, such as "deflate".
    compression: str | None
    #: CRC-32 of the content.
    crc32: int | None
    is_encrypted: bool
    #: Whether it has content: a file, or the hard link of a format that puts it there.
    has_content: bool
    #: Whether the name stays below the directory that it would be unpacked in.
    is_safe_relative: bool

    @property
    def mtime(self) -> float | None:
        """Seconds since 1970-01-01 00:00 UTC, as those of os.stat_result."""
        return None if self.mtime_ns is None else self.mtime_ns / 1e9


class Warning(NamedTuple):
    """Something odd that did not prevent anything."""

    #: Its kind, such as "duplicate", "brokenLink", "noMatch".
    code: str
    #: The entry concerned; None for the archive as a whole.
    entry: str | None
    #: What is odd.
    text: str

    def __str__(self) -> str:
        return self.text if self.entry is None else f"{self.entry}: {self.text}"


class Listing(Sequence[Entry]):
    """Entries of every kind, extracted or not, in the archive's order; and what happened."""

    #: What is odd about the archive.
    warnings: tuple[Warning, ...]
    #: What could not be extracted, with ``keep_going``.
    errors: tuple[Error, ...]
    #: What was left out of a tree.
    skipped: tuple[Warning, ...]
    #: The protection in effect, for a person; None if the archive was read in this process.
    protection: str | None
    #: The comment on the archive as a whole, known to :meth:`Archive.iter` alone.
    comment: str | None

    def __init__(self, listing: Any, owner: object) -> None:
        """`owner` keeps the entries, which become objects when they are asked for."""
        given = listing.contents
        self._owner, self._entries, self._count = owner, given.entries, given.entry_count
        self.warnings = tuple(_warning(given.warnings[i].contents) for i in range(given.warning_count))
        self.errors = tuple(error_of(given.errors[i].contents) for i in range(given.error_count))
        self.skipped = tuple(_warning(given.skipped[i].contents) for i in range(given.skipped_count))
        self.protection = None if given.protection is None else text(given.protection)
        self.comment = _name(given.comment)

    def __len__(self) -> int:
        return self._count  # type: ignore[no-any-return]

    @overload
    def __getitem__(self, index: int) -> Entry: ...

    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...

    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        indices = range(self._count)[index]
        if isinstance(indices, range):
            return [entry_of(self._entries[i].contents) for i in indices]
        return entry_of(self._entries[indices].contents)

    def __iter__(self) -> Iterator[Entry]:
        for index in range(self._count):
            yield entry_of(self._entries[index].contents)

    def __repr__(self) -> str:
        return f"<memarchive.Listing of {self._count} entries>"


def entry_of(given: Any) -> Entry:
    """A copy of a memarchive_entry."""
    return Entry(
        name=name_of(given.name.data),
        raw_name=given.raw_name.data,
        # A kind of a later version is something without content, as a device.
        kind=_abi.KINDS[given.kind] if given.kind < len(_abi.KINDS) else "character",  # type: ignore[arg-type]
        link=_name(given.link),
        mode=_recorded(given.mode),
        size=_recorded(given.size),
        compressed_size=_recorded(given.compressed_size),
        mtime_ns=_nanoseconds(given.modified),
        atime_ns=_nanoseconds(given.accessed),
        ctime_ns=_nanoseconds(given.changed),
        birthtime_ns=_nanoseconds(given.created),
        user_id=_recorded(given.user_id),
        group_id=_recorded(given.group_id),
        user=_name(given.user),
        group=_name(given.group),
        comment=_name(given.comment),
        compression=None if given.compression is None else text(given.compression),
        crc32=given.crc32 if given.has_crc32 else None,
        is_encrypted=bool(given.is_encrypted),
        has_content=bool(given.has_content),
        is_safe_relative=bool(given.is_safe_relative),
    )


def _recorded(number: int) -> int | None:
    return None if number < 0 else number


def _nanoseconds(time: Any) -> int | None:
    return None if time.nanoseconds < 0 else time.seconds * 1_000_000_000 + time.nanoseconds


def _name(given: Any) -> str | None:
    return None if given.data is None else name_of(given.data)


def _warning(given: Any) -> Warning:
    return Warning(text(given.code_name), _name(given.entry), text(given.text))
