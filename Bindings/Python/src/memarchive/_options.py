"""Options of an archive: Python's keywords, and what becomes of them in C."""

from __future__ import annotations

import ctypes
import math
import numbers
import os
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple, TypedDict, Union, cast

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
        self._is_cancelled = False
        # Each archive has a token of its own, which an interrupt can cancel alone.
        self._tokens: weakref.WeakSet[Handle] = weakref.WeakSet()
        # A signal's handler may cancel what runs on its own thread.
        self._lock = threading.RLock()

    def cancel(self) -> None:
        """Stops all that runs with this object, at its next block. Any thread may call it."""
        with self._lock:
            self._is_cancelled = True
            for token in list(self._tokens):
                library.cancellation_cancel(token.pointer)

    @property
    def is_cancelled(self) -> bool:
        """Whether :meth:`cancel` has been called."""
        return self._is_cancelled

    def _add(self, token: Handle) -> None:
        with self._lock:
            self._tokens.add(token)
            if self._is_cancelled:
                library.cancellation_cancel(token.pointer)


Sandbox = Literal["required", "best-effort", "off"]
Storage = Literal["automatic", "dedicated", "packed"]
Duplicates = Literal["last", "first", "reject"]
Text = Union[str, bytes]
Limit = Union[int, float, None]


class Options(TypedDict, total=False):
    """The keywords of :func:`open`, with their defaults. Sizes are in bytes, times in seconds.

    ``sandbox="required"``
        Where the archive is read: by a locked-in process or not at all, "required"; by one as far as the system has
        them, "best-effort"; in this process, "off".
    ``storage="automatic"``
        A memory file each while descriptors last, "automatic"; always, "dedicated"; many files in one until a path is
        asked for, "packed", which is fastest for many small files.
    ``duplicates="last"``
        Which of two entries of one name counts: the "last", the "first", or neither, "reject".
    ``formats="standard"``
        Formats that may be read, one or several of "tar", "zip", "7z", "cpio", "ar", "file", "rar4", "rar5", "cab",
        "lha", "iso", "xar", "warc", "squashfs"; "standard" is the first six, "all" is every one.
    ``parallelism=None``
        Threads that may work on one extraction; None: as many as there are processors.
    ``descriptor_budget=None``
        Descriptors that the files of one extraction may have with storage "automatic"; None: what the process has left,
        less 64.
    ``mode=None``
        Permissions of all files, such as 0o600; None: the entry's, without those to write.
    ``executable=False``
        Whether the files may be executed.
    ``nested=False``
        Whether archives inside the archive are read too: "data.tar.xz/usr/share/x". Not by :meth:`Archive.iter`.
    ``keep_going=False``
        Whether what is intact is returned, with the errors of the rest in ``files.listing.errors``.
    ``allow_unmatched=False``
        Whether a name or pattern that selects nothing is a warning, and no error.
    ``reject_broken_links=False``
        Whether a link that leads nowhere is an error, and no warning.
    ``reject_insecure_names=False``
        Whether a name that leads out of the directory it would be unpacked in is an error.
    ``allow_overlapping=False``
        Whether entries of a zip that overlap, as in a zip bomb, are read.
    ``keep_outward_links=False``
        Whether symbolic links that lead out of a tree are made.
    ``arriving_zips=False``
        Whether a zip that comes through a pipe is read by its entries' local headers while it arrives, and compared at
        the end with its directory: use nothing for good before reading has ended without an error. Otherwise it is kept
        in memory until its directory is there. Permissions are unknown then, and a symbolic link is an error.
    ``timeout=None``
        Seconds that one operation may take in all; None: no limit.
    ``limit_total_bytes=None``
        Content that an operation may produce in all. Each limit is a number, None for the default, or ``math.inf`` for
        none; the default of this one is none.
    ``limit_held_bytes=None``
        Content, names and warnings held at once; by default three quarters of the memory that is left.
    ``limit_entry_bytes=None``
        Content of one entry; by default no limit.
    ``limit_entries=None``
        Entries; by default 10,000,000.
    ``limit_name_bytes=None``
        Length of a name; by default 65,536.
    ``limit_attribute_bytes=None``
        An entry's attributes, access control list, comment and owners; by default 4 MiB.
    ``limit_depth=None``
        Archives or compressions around each other; by default 4.
    ``limit_ratio=None``
        Content for each byte of the archive, beyond the first 16 MiB; by default no limit.
    ``passphrases=()``
        One passphrase, or several to try in this order.
    ``encoding=None``
        The character set of names that are not UTF-8, as iconv(3) calls it; None keeps their bytes.
    ``worker=None``
        The worker program, used whoever can change it; None: what MEMARCHIVE_WORKER in the environment says, or the
        wheel's, or the system's.
    ``progress=None``
        A function, called with a :class:`Progress` at most ten times a second while an operation waits; never on the
        main thread, where a signal's handler could break in. What it raises stops the operation, and is raised by that.
    ``cancellation=None``
        A :class:`Cancellation`, which stops operations from another thread.
    """

    sandbox: Sandbox
    storage: Storage
    duplicates: Duplicates
    formats: str | Iterable[str]
    parallelism: int | None
    descriptor_budget: int | None
    mode: int | None
    executable: bool
    nested: bool
    keep_going: bool
    allow_unmatched: bool
    reject_broken_links: bool
    reject_insecure_names: bool
    allow_overlapping: bool
    keep_outward_links: bool
    arriving_zips: bool
    timeout: float | None
    limit_total_bytes: Limit
    limit_held_bytes: Limit
    limit_entry_bytes: Limit
    limit_entries: Limit
    limit_name_bytes: Limit
    limit_attribute_bytes: Limit
    limit_depth: Limit
    limit_ratio: Limit
    passphrases: Text | Iterable[Text]
    encoding: str | None
    worker: str | os.PathLike[str] | None
    progress: Callable[[Progress], object] | None
    cancellation: Cancellation | None


#: int atoi(const char *)
_ATOI = cast(int, ctypes.cast(ctypes.CDLL(None).atoi, ctypes.c_void_p).value)

_INT32_MAX, _INT64_MAX = (1 << 31) - 1, (1 << 63) - 1

_FLAGS = (
    "executable",
    "nested",
    "keep_going",
    "allow_unmatched",
    "reject_broken_links",
    "reject_insecure_names",
    "allow_overlapping",
    "keep_outward_links",
    "arriving_zips",
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


def chosen_worker() -> str | None:
    """The worker that is used if an archive's options name none; None: what the library finds.

    Whoever can change a wheel's worker can change this code, too: that the library would refuse it, if its owner is
    another user or its group may write, protects nobody.
    """
    return None if "MEMARCHIVE_WORKER" in os.environ else _abi.WORKER


class Settings:
    """Options as C has them, with all that must live as long as what was made with them."""

    def __init__(self, options: Options) -> None:
        self.callbacks = Callbacks()
        self._given: dict[str, Any] = dict(options)
        self.c = _abi.Options(struct_size=ctypes.sizeof(_abi.Options))
        self.c.sandbox = self._choice("sandbox", _abi.SANDBOX)
        self.c.storage = self._choice("storage", _abi.STORAGE)
        self.c.duplicates = self._choice("duplicates", _abi.DUPLICATES)
        self.c.formats = self._formats()
        self.c.parallelism = self._count("parallelism", lowest=1, highest=_INT32_MAX)
        self.c.descriptor_budget = self._count("descriptor_budget", none=0, highest=_INT32_MAX)
        self.c.mode = self._count("mode", lowest=1, highest=_INT32_MAX)
        for flag in _FLAGS:
            setattr(self.c, flag, 1 if self._take(flag, bool, "True or False") else 0)
        #: Seconds; infinite where there is no limit.
        self.timeout = self._positive("timeout") or math.inf
        if self.timeout < math.inf:
            self.c.timeout_milliseconds = min(max(1, round(self.timeout * 1000)), _INT64_MAX)
        for limit in _COUNTS:
            setattr(self.c, limit, self._count(limit, lowest=1, none=math.inf))
        ratio = self._positive("limit_ratio")
        self.c.limit_ratio = 0 if ratio is None else -1 if ratio == math.inf else ratio
        self._passphrases()
        encoding = self._take("encoding", str, "the name of a character set")
        worker = self._take("worker", (str, os.PathLike), "a path") or chosen_worker()
        for name, value in (("encoding", encoding), ("worker", worker)):
            setattr(self.c, name, None if value is None else zero_terminated(os.fsencode(value), name))
        self._callback()
        self.callbacks.token = Handle(library.cancellation_new(), library.cancellation_free)
        self.c.cancellation = self.callbacks.token.pointer
        cancellation = self._take("cancellation", Cancellation, "a memarchive.Cancellation")
        if cancellation is not None:
            cancellation._add(self.callbacks.token)
        for name in self._given:
            raise TypeError(f"there is no option {name!r}")

    def _take(self, name: str, kinds: type | tuple[type, ...], what: str) -> Any:
        """An option's value; None, its default, if it is not given."""
        value = self._given.pop(name, None)
        if value is not None and not isinstance(value, kinds):
            # Of what type it is: a value may be secret.
            raise TypeError(f"{name} must be {what}, not {type(value).__name__}")
        return value

    def _choice(self, name: str, choices: dict[str, int]) -> int:
        value = self._given.pop(name, next(iter(choices)))
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")
        return choices[value]

    def _formats(self) -> int:
        formats = self._take("formats", Iterable, "names of formats")
        if formats is None:
            return 0
        bits = 0
        for name in [formats] if isinstance(formats, str) else formats:
            if not isinstance(name, str) or name not in _abi.FORMATS:
                raise ValueError(f"formats may be {', '.join(map(repr, _abi.FORMATS))}, not {name!r}")
            bits |= _abi.FORMATS[name]
        if not bits:
            # In C, no formats are the standard ones.
            raise ValueError("formats is empty; None is the standard ones")
        return bits

    def _count(self, name: str, lowest: int = 0, none: float | None = None, highest: int = _INT64_MAX) -> int:
        """A number; 0, the library's default, if it is not given, and -1 for `none`."""
        value = self._take(name, numbers.Real, "a number")
        if value is None:
            return 0
        if value == none:
            return -1
        if value < lowest or value != value // 1:
            raise ValueError(f"{name} must be a whole number from {lowest} on, not {value}")
        return min(int(value), highest)

    def _positive(self, name: str) -> float | None:
        value = self._take(name, numbers.Real, "a number")
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be more than 0, not {value}")
        return None if value is None else float(value)

    def _passphrases(self) -> None:
        given = self._take("passphrases", Iterable, "text, bytes, or several of them")
        phrases = []
        for phrase in [given] if isinstance(given, (str, bytes)) else given or ():
            if not isinstance(phrase, (str, bytes)):
                raise TypeError(f"passphrases must be text or bytes, not {type(phrase).__name__}")
            phrases.append(zero_terminated(phrase.encode() if isinstance(phrase, str) else phrase, "a passphrase"))
        if phrases:
            self.c.passphrases = (ctypes.c_char_p * len(phrases))(*phrases)
            self.c.passphrase_count = len(phrases)

    def _callback(self) -> None:
        """Set whether or not anybody asked for progress: it also ends what an interrupted thread waits for."""
        # The closure must not refer to this object, which owns it.
        progress, callbacks = self._take("progress", Callable, "a function"), self.callbacks  # type: ignore[arg-type]
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
