"""Exceptions: one class for each code of memarchive.h, which are also Python's own where a caller expects those."""

from __future__ import annotations

import errno as _errno
from collections.abc import Callable
from typing import Any

from . import _abi


def text(data: bytes | None) -> str:
    """A text of the library's: UTF-8."""
    return "" if data is None else data.decode("utf-8", "replace")


def name_of(data: bytes) -> str:
    """A name as text; bytes that are no UTF-8 become surrogates, as those of os.fsdecode."""
    return data.decode("utf-8", "surrogateescape")


class Error(Exception):
    """Something that the library, or an archive, could not do.

    ``str()`` of it is one line for a person, with the entry and the advice, safe for a terminal and a log.
    """

    #: The code as text, such as "corrupt".
    code: str
    #: The entry concerned; None for the archive as a whole.
    entry: str | None
    #: What happened, without the entry and the advice.
    reason: str
    #: errno of the failed system call; None where there is none.
    errno: int | None
    #: The failed system call or library function, such as "mmap".
    call: str | None

    def __init__(
        self,
        message: str = "",
        *,
        code: str = "unknown",
        entry: str | None = None,
        reason: str | None = None,
        advice: str | Callable[[], str] = "",
        errno: int | None = None,
        call: str | None = None,
        path: str | None = None,
    ) -> None:
        """`message` is made of the reason and the advice, if there is none. A function for the advice is called once
        somebody wants to know it."""
        reason = message if reason is None else reason
        if isinstance(self, OSError):
            OSError.__init__(self, errno, reason, path)
        else:
            Exception.__init__(self, message or reason)
        self._message, self._advice = message, advice
        self.code, self.entry, self.reason = code, entry, reason
        self.errno, self.call = errno, call

    @property
    def advice(self) -> str:
        """What can be done, in a sentence or two."""
        if not isinstance(self._advice, str):
            self._advice = self._advice()
        return self._advice

    def __str__(self) -> str:
        return self._message or f"{self.reason}. {self.advice}"

    def __reduce__(self) -> tuple[Any, ...]:
        path = self.filename if isinstance(self, OSError) else None
        return _restore, (
            type(self),
            self._message,
            {
                "code": self.code,
                "entry": self.entry,
                "reason": self.reason,
                "advice": self.advice,
                "errno": self.errno,
                "call": self.call,
                "path": path,
            },
        )


def _restore(kind: type[Error], message: str, fields: dict[str, Any]) -> Error:
    return kind(message, **fields)


class FormatError(Error, ValueError):
    """It is no archive, or not one that is read."""


class UnrecognizedFormat(FormatError):
    """The bytes are not an archive that any reader recognizes."""


class UnsupportedFormat(FormatError):
    """The format is known and not read, or not among the ``formats`` that are allowed."""


class UnsupportedFeature(FormatError, NotImplementedError):
    """The format is read, but not this compression, encryption or extension."""


class CorruptError(Error, ValueError):
    """Bytes contradict their checksum, their size or the format's rules."""


class TruncatedError(CorruptError, EOFError):
    """The archive ends before its content does."""


class PassphraseError(Error, ValueError):
    """No passphrase, or none that fits."""


class PassphraseRequired(PassphraseError):
    """The content is encrypted, and no passphrase was given."""


class WrongPassphrase(PassphraseError):
    """None of the passphrases fits."""


class LimitExceeded(Error):
    """The archive needs more than the limits allow."""


class TooManyLayers(LimitExceeded):
    """Archives or compressions lie in each other more deeply than ``limit_depth``."""


class NoSuchEntry(Error, KeyError):
    """There is no entry of this name, or none that the pattern matches."""


class NotAFile(Error, ValueError):
    """A directory, a device or another kind without content."""


class DuplicateEntry(Error, ValueError):
    """Two entries have one name, with ``duplicates="reject"``."""


class LinkTargetUnavailable(Error, LookupError):
    """A link leads to no file."""


class InsecureName(Error, ValueError):
    """A name or link leads out of the directory that it would be unpacked in."""


class Cancelled(Error):
    """A :class:`Cancellation` stopped it."""


class TimedOut(Error, TimeoutError):
    """It took longer than ``timeout``."""


class SandboxError(Error):
    """The process that reads archives failed, or there is none."""


class SandboxUnavailable(SandboxError):
    """No worker can be started, or not with all its protection; ``reason`` says what is missing."""


class SandboxViolation(SandboxError):
    """The worker did what reading an archive never does, and was killed."""


class WorkerFailed(SandboxError):
    """The worker crashed; this process is unharmed."""


class NameConflict(Error, ValueError):
    """In a tree, a file is where a directory must be."""


class NameTooLong(Error, ValueError):
    """A name is longer than a file system takes."""


class SystemFailure(Error, OSError):
    """A system call failed; ``call`` and ``errno`` say which and why."""


class NotFound(SystemFailure, FileNotFoundError):
    """ENOENT: the archive, or what the system was asked for, does not exist."""


class NotPermitted(SystemFailure, PermissionError):
    """EACCES, EPERM."""


class IsADirectory(SystemFailure, IsADirectoryError):
    """EISDIR: a directory is no archive."""


class BrokenPipe(SystemFailure, BrokenPipeError):
    """EPIPE: the other side of a socket is gone."""


class DescriptorLimit(SystemFailure):
    """EMFILE, ENFILE: no descriptor is left."""


class ProcessLimit(SystemFailure):
    """EAGAIN from clone(2): no process is left."""


class OutOfMemory(Error, MemoryError):
    """ENOMEM, ENOSPC."""


class PathUnavailable(SystemFailure):
    """/proc is not mounted, so that a descriptor has no path."""


class TreeUnavailable(SystemFailure):
    """The system refuses a tree; ``call`` says which call, the advice what to change."""


class SourceConsumed(Error, ValueError):
    """A pipe that has been read already."""


class Untrusted(Error, ValueError):
    """What came over a socket is not a sealed file in memory, or not the one that it claims to be."""


class NotVerified(Error, ValueError):
    """An archive is not the one that a checksum or a signature is for."""


class ArchiveChanged(Error, ValueError):
    """The archive is not what it was when it was listed."""


class SourceFailed(Error, OSError):
    """A source that is read on demand failed, or returned what it must not."""


class InvalidArgument(Error, ValueError):
    """An argument makes no sense."""


class CallbackFailed(Error):
    """A callback failed, for which there is no exception of its own."""


BY_CODE: dict[int, type[Error]] = {
    1: UnrecognizedFormat,
    2: UnsupportedFormat,
    3: UnsupportedFeature,
    4: CorruptError,
    5: TruncatedError,
    6: PassphraseRequired,
    7: WrongPassphrase,
    8: LimitExceeded,
    9: TooManyLayers,
    10: NoSuchEntry,
    11: NotAFile,
    12: DuplicateEntry,
    13: LinkTargetUnavailable,
    14: InsecureName,
    15: Cancelled,
    16: TimedOut,
    17: SandboxUnavailable,
    18: SandboxViolation,
    19: WorkerFailed,
    20: NameConflict,
    21: NameTooLong,
    22: DescriptorLimit,
    23: ProcessLimit,
    24: OutOfMemory,
    25: PathUnavailable,
    26: TreeUnavailable,
    27: SourceConsumed,
    28: Untrusted,
    29: SystemFailure,
    30: NotVerified,
    31: ArchiveChanged,
    32: SourceFailed,
    100: InvalidArgument,
    101: CallbackFailed,
    102: Error,
}

_BY_ERRNO: dict[int, type[SystemFailure]] = {
    _errno.ENOENT: NotFound,
    _errno.EACCES: NotPermitted,
    _errno.EPERM: NotPermitted,
    _errno.EISDIR: IsADirectory,
    _errno.EPIPE: BrokenPipe,
}


#: What advice in C's words is here.
_IN_PYTHON = {
    "timeout_milliseconds": "timeout",
    "memarchive.h says": "help(memarchive.open) says",
    "Leave reject_insecure_names 0": "Leave reject_insecure_names False",
    "what the platform's description says": "memarchive.platform().description",
}


def in_python(advice: str) -> str:
    """The library's advice in this package's words."""
    for theirs, ours in _IN_PYTHON.items():
        advice = advice.replace(theirs, ours)
    return advice


def error_of(failure: Any) -> Error:
    """The exception for a memarchive_error, which is copied."""
    kind = BY_CODE.get(failure.code, Error)
    if kind is SystemFailure:
        kind = _BY_ERRNO.get(failure.error_number, SystemFailure)
    entry = failure.entry.data
    message, advice = text(failure.message), text(failure.advice)
    # It ends with the advice, as far as no names in that are escaped.
    if advice and message.endswith(advice):
        message = message[: -len(advice)] + in_python(advice)
    return kind(
        message,
        code=text(failure.code_name),
        entry=None if entry is None else name_of(entry),
        reason=text(failure.reason),
        advice=in_python(advice),
        errno=failure.error_number or None,
        call=None if failure.call is None else text(failure.call),
        path=None if failure.path is None else name_of(failure.path),
    )


def take(failure: Any) -> Error:
    """The exception for a memarchive_error, which is freed."""
    try:
        return error_of(failure.contents)
    finally:
        _abi.library.error_free(failure)
