"""Options of an archive: Python's keywords, and what becomes of them in C."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Iterable
from typing import Any, Callable, Literal, NamedTuple, TypedDict, Union, cast

from . import _abi
from ._call import Callbacks, Handle, library
from ._errors import name_of


class Progress(NamedTuple):
    """How far reading is."""

    #: Bytes of the archive read so far.
    bytes_read: int
    #: Bytes in all; None for a pipe.
    bytes_total: int | None
    #: Entries read so far.
    entries: int
    #: The current entry.
    entry: str | None


class Cancellation:
    """Stops what runs, from another thread.

    Given to :func:`open` as ``cancellation=``, of one archive or of many. What is stopped raises
    :class:`Cancelled`, and so does whatever begins with it later.
    """

    def __init__(self) -> None:
        self._handle = Handle(library.cancellation_new(), library.cancellation_free)

    def cancel(self) -> None:
        """Stops all that runs with this object, at its next block. Any thread may call it."""
        library.cancellation_cancel(self._handle.pointer)

    @property
    def is_cancelled(self) -> bool:
        """Whether :meth:`cancel` has been called."""
        return bool(library.cancellation_is_cancelled(self._handle.pointer))


Sandbox = Literal["required", "best-effort", "off"]
Storage = Literal["automatic", "dedicated", "packed"]
Duplicates = Literal["last", "first", "reject"]
Text = Union[str, bytes]
Limit = Union[int, float, None]


class Options(TypedDict, total=False):
    """The keywords of :func:`open`. Sizes are in bytes.

    A limit is a number, or ``None`` for the library's default; ``math.inf`` is no limit.
    """

    #: Where the archive is read: by a locked-in process or not at all ("required", the default), by one as far as
    #: the system has them ("best-effort"), or in this process ("off").
    sandbox: Sandbox
    #: A memory file each while descriptors last ("automatic", the default), always ("dedicated"), or many files in
    #: one until a path is asked for ("packed": fastest for many small files).
    storage: Storage
    #: Which of two entries of one name counts: "last" (the default), "first", or neither, "reject".
    duplicates: Duplicates
    #: Formats that may be read: of "tar", "zip", "7z", "cpio", "ar", "file", "rar4", "rar5", "cab", "lha", "iso",
    #: "xar", "warc"; "standard" (the first six) is the default, and "all" is every one.
    formats: str | Iterable[str]
    #: Threads that may work on one extraction.
    parallelism: int | None
    #: Descriptors that the files of one extraction may have with storage "automatic".
    descriptor_budget: int | None
    #: Permissions of all files, such as 0o600; None: the entry's, without those to write.
    mode: int | None
    #: The files may be executed.
    executable: bool
    #: Archives inside the archive are read too: "data.tar.xz/usr/share/x". Not by :meth:`Archive.iter`.
    nested: bool
    #: What is intact is returned, with the errors of the rest in ``errors``.
    keep_going: bool
    #: A name or pattern that selects nothing is a warning, and no error.
    allow_unmatched: bool
    #: A link that leads nowhere is an error, and no warning.
    reject_broken_links: bool
    #: A name that leads out of the directory it would be unpacked in is an error.
    reject_insecure_names: bool
    #: Entries of a zip that overlap, as in a zip bomb, are read.
    allow_overlapping: bool
    #: Symbolic links that lead out of a tree are made.
    keep_outward_links: bool
    #: Seconds that one operation may take in all.
    timeout: float | None
    #: Content that an operation may produce in all; by default no limit.
    limit_total_bytes: Limit
    #: Content, names and warnings held at once; by default three quarters of the memory that is left.
    limit_held_bytes: Limit
    #: Content of one entry; by default no limit.
    limit_entry_bytes: Limit
    #: Entries; by default 10,000,000.
    limit_entries: Limit
    #: Length of a name; by default 65,536.
    limit_name_bytes: Limit
    #: An entry's attributes, access control list, comment and owners; by default 4 MiB.
    limit_attribute_bytes: Limit
    #: Archives or compressions around each other; by default 4.
    limit_depth: Limit
    #: Content for each byte of the archive, beyond the first 16 MiB; by default no limit.
    limit_ratio: Limit
    #: Passphrases to try, in this order.
    passphrases: Text | Iterable[Text]
    #: The character set of names that are not UTF-8, as iconv(3) calls it.
    encoding: str | None
    #: The worker program, used whoever can change it; by default the wheel's, or what MEMARCHIVE_WORKER in the
    #: environment says.
    worker: str | os.PathLike[str] | None
    #: Called at most ten times a second, while an operation waits; never on the main thread, where a signal's handler
    #: could break in. What it raises stops the operation, and is raised by that.
    progress: Callable[[Progress], object] | None
    cancellation: Cancellation | None


#: int atoi(const char *)
_ATOI = cast(int, ctypes.cast(ctypes.CDLL(None).atoi, ctypes.c_void_p).value)

_FLAGS = (
    "executable",
    "nested",
    "keep_going",
    "allow_unmatched",
    "reject_broken_links",
    "reject_insecure_names",
    "allow_overlapping",
    "keep_outward_links",
)
_COUNTS = (
    "limit_total_bytes",
    "limit_held_bytes",
    "limit_entry_bytes",
    "limit_entries",
    "limit_name_bytes",
    "limit_attribute_bytes",
    "limit_depth",
)


class Settings:
    """Options as C has them, with all that must live as long as what was made with them."""

    def __init__(self, options: Options) -> None:
        self.callbacks = Callbacks()
        self._given: dict[str, Any] = dict(options)
        self._kept: list[object] = []
        self.c = _abi.Options(struct_size=ctypes.sizeof(_abi.Options))
        self.c.sandbox = self._choice("sandbox", _abi.SANDBOX)
        self.c.storage = self._choice("storage", _abi.STORAGE)
        self.c.duplicates = self._choice("duplicates", _abi.DUPLICATES)
        self.c.formats = self._formats()
        self.c.parallelism = self._count("parallelism", lowest=1)
        self.c.descriptor_budget = self._count("descriptor_budget", none=0)
        self.c.mode = self._count("mode", lowest=1)
        for flag in _FLAGS:
            setattr(self.c, flag, 1 if self._given.pop(flag, False) else 0)
        timeout = self._given.pop("timeout", None)
        if timeout is not None:
            if not timeout > 0:
                raise ValueError(f"timeout must be more than 0 seconds, not {timeout}")
            self.c.timeout_milliseconds = 0 if timeout == math.inf else max(1, round(timeout * 1000))
        for limit in _COUNTS:
            setattr(self.c, limit, self._count(limit, lowest=1, none=math.inf))
        ratio = self._given.pop("limit_ratio", None)
        if ratio is not None:
            if not ratio > 0:
                raise ValueError(f"limit_ratio must be more than 0, not {ratio}")
            self.c.limit_ratio = -1 if ratio == math.inf else ratio
        self._passphrases()
        # Whoever can change a wheel's worker can change this code, too: that the library would refuse it, if its owner
        # is another user or its group may write, protects nobody.
        if "MEMARCHIVE_WORKER" not in os.environ:
            self._given.setdefault("worker", _abi.WORKER)
        for name, encode in (("encoding", str.encode), ("worker", os.fsencode)):
            value = self._given.pop(name, None)
            setattr(self.c, name, None if value is None else zero_terminated(encode(value), name))
        self._callback()
        cancellation = self._given.pop("cancellation", None)
        if cancellation is not None:
            self._kept.append(cancellation)
            self.c.cancellation = cancellation._handle.pointer
        for name in self._given:
            raise TypeError(f"there is no option {name!r}")

    def _choice(self, name: str, choices: dict[str, int]) -> int:
        value = self._given.pop(name, next(iter(choices)))
        if value not in choices:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")
        return choices[value]

    def _formats(self) -> int:
        formats = self._given.pop("formats", ())
        bits = 0
        for name in [formats] if isinstance(formats, str) else formats:
            if name not in _abi.FORMATS:
                raise ValueError(f"formats may be {', '.join(map(repr, _abi.FORMATS))}, not {name!r}")
            bits |= _abi.FORMATS[name]
        return bits

    def _count(self, name: str, lowest: int = 0, none: float | None = None) -> int:
        """A number; 0, the library's default, if it is not given, and -1 for `none`."""
        value = self._given.pop(name, None)
        if value is None:
            return 0
        if value == none:
            return -1
        if value < lowest or value != int(value):
            raise ValueError(f"{name} must be a whole number from {lowest} on, not {value}")
        return int(value)

    def _passphrases(self) -> None:
        given = self._given.pop("passphrases", ())
        phrases = [
            zero_terminated(phrase.encode() if isinstance(phrase, str) else phrase, "a passphrase")
            for phrase in ([given] if isinstance(given, (str, bytes)) else given)
        ]
        if phrases:
            self.c.passphrases = (ctypes.c_char_p * len(phrases))(*phrases)
            self.c.passphrase_count = len(phrases)

    def _callback(self) -> None:
        """Set whether or not anybody asked for progress: it also ends what an interrupted thread waits for."""
        # The closure must not refer to this object, which owns it.
        progress, callbacks = self._given.pop("progress", None), self.callbacks
        if progress is None:
            # In C, so that no Python runs during a call: "1" cancels. What it is given besides, it does not look at.
            self.c.progress = _abi.progress_callback(_ATOI)
            self.c.user = ctypes.addressof(callbacks.is_interrupted)
            return

        def tell(_: object, given: Any) -> int:
            return callbacks.guard(lambda: progress(_progress_of(given.contents)))

        callbacks.run_python = True
        self.c.progress = _abi.progress_callback(tell)


def _progress_of(given: Any) -> Progress:
    entry = given.entry.data
    return Progress(
        given.bytes_read,
        None if given.bytes_total < 0 else given.bytes_total,
        given.entries,
        None if entry is None else name_of(entry),
    )


def zero_terminated(data: bytes, what: str) -> bytes:
    """What C takes for a text."""
    if b"\0" in data:
        raise ValueError(f"{what} has a zero byte")
    return data
