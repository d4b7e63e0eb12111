"""Unpacks archives into sealed files in memory, each with a path that any library can open.

    with memarchive.open("fonts.zip") as archive:
        font = PIL.ImageFont.truetype(archive["serif.ttf"].path, 20)

Nothing is written to a disk. By default an archive is read by a worker, a process that can open, send and execute
nothing.
"""

from __future__ import annotations

from ._abi import library as _library
from ._archive import Archive, open, receive
from ._entries import Entry, Kind, Listing, Warning
from ._errors import (
    ArchiveChanged,
    BrokenPipe,
    CallbackFailed,
    Cancelled,
    CorruptError,
    DescriptorLimit,
    DuplicateEntry,
    Error,
    FormatError,
    InsecureName,
    InvalidArgument,
    IsADirectory,
    LimitExceeded,
    LinkTargetUnavailable,
    NameConflict,
    NameTooLong,
    NoSuchEntry,
    NotAFile,
    NotFound,
    NotPermitted,
    NotVerified,
    OutOfMemory,
    PassphraseError,
    PassphraseRequired,
    PathUnavailable,
    ProcessLimit,
    SandboxError,
    SandboxUnavailable,
    SandboxViolation,
    SourceConsumed,
    SourceFailed,
    SystemFailure,
    TimedOut,
    TooManyLayers,
    TreeUnavailable,
    TruncatedError,
    UnrecognizedFormat,
    UnsupportedFeature,
    UnsupportedFormat,
    Untrusted,
    WorkerFailed,
    WrongPassphrase,
)
from ._files import File, Files
from ._options import Cancellation, Options, Progress
from ._platform import Platform, end_pool, platform
from ._sources import Source
from ._stream import Stream
from ._tree import Tree

__version__: str = _library.version().decode()

__all__ = [
    "Archive",
    "ArchiveChanged",
    "BrokenPipe",
    "CallbackFailed",
    "Cancellation",
    "Cancelled",
    "CorruptError",
    "DescriptorLimit",
    "DuplicateEntry",
    "Entry",
    "Error",
    "File",
    "Files",
    "FormatError",
    "InsecureName",
    "InvalidArgument",
    "IsADirectory",
    "Kind",
    "LimitExceeded",
    "LinkTargetUnavailable",
    "Listing",
    "NameConflict",
    "NameTooLong",
    "NoSuchEntry",
    "NotAFile",
    "NotFound",
    "NotPermitted",
    "NotVerified",
    "Options",
    "OutOfMemory",
    "PassphraseError",
    "PassphraseRequired",
    "PathUnavailable",
    "Platform",
    "ProcessLimit",
    "Progress",
    "SandboxError",
    "SandboxUnavailable",
    "SandboxViolation",
    "Source",
    "SourceConsumed",
    "SourceFailed",
    "Stream",
    "SystemFailure",
    "TimedOut",
    "TooManyLayers",
    "Tree",
    "TreeUnavailable",
    "TruncatedError",
    "UnrecognizedFormat",
    "UnsupportedFeature",
    "UnsupportedFormat",
    "Untrusted",
    "Warning",
    "WorkerFailed",
    "WrongPassphrase",
    "end_pool",
    "open",
    "platform",
    "receive",
]
