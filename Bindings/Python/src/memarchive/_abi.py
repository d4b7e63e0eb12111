"""memarchive.h in ctypes' words; tests/test_abi.py compares every structure, constant and function with the header."""

from __future__ import annotations

import ctypes
import os
from ctypes import c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint32, c_void_p
from typing import Any

SONAME = "libmemarchive.so.0"

POINTER = ctypes.POINTER


class Text(ctypes.Structure):
    # A name has no zero bytes, and a zero byte after it: c_char_p reads exactly it.
    _fields_ = [("data", c_char_p), ("length", c_size_t)]


class Error(ctypes.Structure):
    _fields_ = [
        ("code", c_int32),
        ("error_number", c_int32),
        ("code_name", c_char_p),
        ("entry", Text),
        ("reason", c_char_p),
        ("call", c_char_p),
        ("advice", c_char_p),
        ("message", c_char_p),
        ("path", c_char_p),
    ]


class Progress(ctypes.Structure):
    _fields_ = [("bytes_read", c_int64), ("bytes_total", c_int64), ("entries", c_int64), ("entry", Text)]


progress_callback = ctypes.CFUNCTYPE(c_int32, c_void_p, POINTER(Progress))
read_callback = ctypes.CFUNCTYPE(c_int64, c_void_p, c_int64, c_void_p, c_size_t)
block_callback = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t, c_int64)


class Options(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("sandbox", c_int32),
        ("storage", c_int32),
        ("duplicates", c_int32),
        ("formats", c_uint32),
        ("parallelism", c_int32),
        ("descriptor_budget", c_int32),
        ("mode", c_uint32),
        ("executable", c_int32),
        ("nested", c_int32),
        ("keep_going", c_int32),
        ("allow_unmatched", c_int32),
        ("reject_broken_links", c_int32),
        ("reject_insecure_names", c_int32),
        ("allow_overlapping", c_int32),
        ("keep_outward_links", c_int32),
        ("arriving_zips", c_int32),
        ("timeout_milliseconds", c_int64),
        ("limit_total_bytes", c_int64),
        ("limit_held_bytes", c_int64),
        ("limit_entry_bytes", c_int64),
        ("limit_entries", c_int64),
        ("limit_name_bytes", c_int64),
        ("limit_attribute_bytes", c_int64),
        ("limit_depth", c_int64),
        ("limit_ratio", c_double),
        ("passphrases", POINTER(c_char_p)),
        ("passphrase_count", c_size_t),
        ("encoding", c_char_p),
        ("worker", c_char_p),
        ("progress", progress_callback),
        ("user", c_void_p),
        ("cancellation", c_void_p),
    ]


class Source(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("read", read_callback),
        ("user", c_void_p),
        ("size", c_int64),
        ("on_demand", c_int32),
    ]


class Time(ctypes.Structure):
    _fields_ = [("seconds", c_int64), ("nanoseconds", c_int32)]


class Entry(ctypes.Structure):
    _fields_ = [
        ("name", Text),
        ("raw_name", Text),
        ("link", Text),
        ("kind", c_int32),
        ("mode", c_int32),
        ("size", c_int64),
        ("compressed_size", c_int64),
        ("modified", Time),
        ("accessed", Time),
        ("changed", Time),
        ("created", Time),
        ("user_id", c_int64),
        ("group_id", c_int64),
        ("user", Text),
        ("group", Text),
        ("comment", Text),
        ("compression", c_char_p),
        ("crc32", c_uint32),
        ("has_crc32", c_int32),
        ("is_encrypted", c_int32),
        ("has_content", c_int32),
        ("is_safe_relative", c_int32),
    ]


class Warning(ctypes.Structure):
    _fields_ = [("code_name", c_char_p), ("entry", Text), ("text", c_char_p)]


class Listing(ctypes.Structure):
    _fields_ = [
        ("entries", POINTER(POINTER(Entry))),
        ("entry_count", c_size_t),
        ("warnings", POINTER(POINTER(Warning))),
        ("warning_count", c_size_t),
        ("errors", POINTER(POINTER(Error))),
        ("error_count", c_size_t),
        ("skipped", POINTER(POINTER(Warning))),
        ("skipped_count", c_size_t),
        ("protection", c_char_p),
        ("comment", Text),
    ]


class Selection(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("names", POINTER(Text)),
        ("name_count", c_size_t),
        ("patterns", POINTER(Text)),
        ("pattern_count", c_size_t),
        ("excluded", POINTER(Text)),
        ("excluded_count", c_size_t),
    ]


class Feature(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("meaning", c_char_p), ("is_available", c_int32)]


class Platform(ctypes.Structure):
    _fields_ = [
        ("description", c_char_p),
        ("kernel", c_char_p),
        ("sandbox", c_char_p),
        ("has_worker", c_int32),
        ("feature_count", c_size_t),
        ("features", POINTER(POINTER(Feature))),
    ]


OK = 0
CALLBACK_FAILED = 101

SANDBOX = {"required": 0, "best-effort": 1, "off": 2}
STORAGE = {"automatic": 0, "dedicated": 1, "packed": 2}
DUPLICATES = {"last": 0, "first": 1, "reject": 2}
FORMATS = {
    "tar": 1 << 0,
    "zip": 1 << 1,
    "7z": 1 << 2,
    "cpio": 1 << 3,
    "ar": 1 << 4,
    "file": 1 << 5,
    "rar4": 1 << 6,
    "rar5": 1 << 7,
    "cab": 1 << 8,
    "lha": 1 << 9,
    "iso": 1 << 10,
    "xar": 1 << 11,
    "warc": 1 << 12,
    "squashfs": 1 << 13,
    "standard": 0x3F,
    "all": 0x3FFF,
}
KINDS = ("file", "directory", "symlink", "hardlink", "fifo", "socket", "character", "block")

# A handle is a c_void_p, whatever it is a handle of; `Out` is where one is stored.
_Handle = c_void_p
_Out = POINTER(c_void_p)
_Failure = POINTER(POINTER(Error))
_Options = POINTER(Options)
_Selection = POINTER(Selection)

#: By name without the prefix: the result, and the arguments.
FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "error_free": (None, (POINTER(Error),)),
    "cancellation_new": (_Handle, ()),
    "cancellation_cancel": (None, (_Handle,)),
    "cancellation_is_cancelled": (c_int32, (_Handle,)),
    "cancellation_free": (None, (_Handle,)),
    "open_path": (c_int32, (c_char_p, _Options, _Out, _Failure)),
    "open_paths": (c_int32, (POINTER(c_char_p), c_size_t, _Options, _Out, _Failure)),
    "open_descriptor": (c_int32, (c_int32, _Options, _Out, _Failure)),
    "open_bytes": (c_int32, (c_void_p, c_size_t, _Options, _Out, _Failure)),
    "open_source": (c_int32, (POINTER(Source), _Options, _Out, _Failure)),
    "open_file": (c_int32, (_Handle, _Options, _Out, _Failure)),
    "archive_free": (None, (_Handle,)),
    "list": (c_int32, (_Handle, _Selection, POINTER(POINTER(Listing)), _Failure)),
    "listing_free": (None, (POINTER(Listing),)),
    "extract": (c_int32, (_Handle, _Selection, _Out, _Failure)),
    "files_count": (c_size_t, (_Handle,)),
    "files_at": (_Handle, (_Handle, c_size_t)),
    "files_find": (_Handle, (_Handle, c_char_p, c_size_t)),
    "files_listing": (POINTER(Listing), (_Handle,)),
    "files_free": (None, (_Handle,)),
    "file_new": (c_int32, (c_char_p, c_size_t, c_void_p, c_size_t, _Out, _Failure)),
    "file_retain": (_Handle, (_Handle,)),
    "file_free": (None, (_Handle,)),
    "file_name": (Text, (_Handle,)),
    "file_size": (c_int64, (_Handle,)),
    "file_mode": (c_int32, (_Handle,)),
    "file_entry": (POINTER(Entry), (_Handle,)),
    "file_path": (c_int32, (_Handle, POINTER(c_char_p), _Failure)),
    "file_descriptor": (c_int32, (_Handle, POINTER(c_int32), _Failure)),
    "file_duplicate": (c_int32, (_Handle, c_int32, POINTER(c_int32), _Failure)),
    "file_reopen": (c_int32, (_Handle, POINTER(c_int32), _Failure)),
    "file_bytes": (c_int32, (_Handle, POINTER(c_void_p), POINTER(c_size_t), _Failure)),
    "stream_new": (c_int32, (_Handle, _Out, _Failure)),
    "stream_next": (c_int32, (_Handle, POINTER(POINTER(Entry)), _Failure)),
    "stream_extract": (c_int32, (_Handle, _Out, _Failure)),
    "stream_blocks": (c_int32, (_Handle, block_callback, c_void_p, POINTER(c_int64), _Failure)),
    "stream_listing": (POINTER(Listing), (_Handle,)),
    "stream_free": (None, (_Handle,)),
    "tree_new": (c_int32, (_Handle, _Selection, c_int32, _Out, _Failure)),
    "tree_path": (c_int32, (_Handle, c_char_p, c_size_t, POINTER(c_char_p), _Failure)),
    "tree_descriptor": (c_int32, (_Handle,)),
    "tree_listing": (POINTER(Listing), (_Handle,)),
    "tree_free": (None, (_Handle,)),
    "file_send": (c_int32, (_Handle, c_int32, _Failure)),
    "files_send": (c_int32, (_Handle, c_int32, _Failure)),
    "receive": (c_int32, (c_int32, _Options, _Out, _Failure)),
    "version": (c_char_p, ()),
    "platform_new": (POINTER(Platform), ()),
    "platform_free": (None, (POINTER(Platform),)),
    "pool_end": (None, ()),
}


def _beside(name: str) -> str | None:
    """The path of a file that a wheel has beside this one."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    return path if os.path.exists(path) else None


#: The worker of a wheel.
WORKER = _beside("memarchive-worker")


def _load() -> ctypes.CDLL:
    """The library of a wheel, or the system's."""
    try:
        # A CDLL lets other threads run during each call.
        return ctypes.CDLL(_beside(SONAME) or SONAME)
    except OSError as error:
        raise ImportError(
            f"{error}. memarchive needs {SONAME}: install the wheel for this system, or the package libmemarchive0.",
            name="memarchive",
        ) from None


class _Library:
    """The functions, under their names without the prefix."""

    def __init__(self) -> None:
        library = _load()
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(library, f"memarchive_{name}")
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


library = _Library()
