#!/usr/bin/env python3
"""Reads an archive by libarchive, all formats, and prints its intact regular files as JSON: a second look for
conformance.py, in a process of its own because libarchive can crash or hang.

    reading.py ARCHIVE [PASSPHRASE [lone]]     lone: also a file that is only compressed
"""

import base64
import ctypes
import hashlib
import json
import locale
import os
import sys

EOF, OK, WARN, FAILED, FATAL = 1, 0, -20, -25, -30
REGULAR = 0o100000
# As in the manifest; an entry that claims more is not worth hashing its hole.
CAP = 1 << 30
# Those that libarchive runs a program for (lrzip, lzop, grzip) are left out.
FILTERS = "bzip2 compress gzip lzip lzma xz uu rpm lz4 zstd".split()

POINTER = ctypes.c_void_p
library = ctypes.CDLL("libarchive.so.13")


def function(name, result, *arguments):
    f = getattr(library, name)
    f.restype, f.argtypes = result, arguments
    return f


read_new = function("archive_read_new", POINTER)
open_file = function("archive_read_open_filename", ctypes.c_int, POINTER, ctypes.c_char_p, ctypes.c_size_t)
add_passphrase = function("archive_read_add_passphrase", ctypes.c_int, POINTER, ctypes.c_char_p)
next_header = function("archive_read_next_header", ctypes.c_int, POINTER, ctypes.POINTER(POINTER))
data_block = function(
    "archive_read_data_block", ctypes.c_int, POINTER, ctypes.POINTER(POINTER), ctypes.POINTER(ctypes.c_size_t),
    ctypes.POINTER(ctypes.c_int64))
error_string = function("archive_error_string", ctypes.c_char_p, POINTER)
pathname = function("archive_entry_pathname", ctypes.c_char_p, POINTER)
hardlink = function("archive_entry_hardlink", ctypes.c_char_p, POINTER)
filetype = function("archive_entry_filetype", ctypes.c_uint, POINTER)


class Content:
    """What comes of an entry's data, holes as zeros: archive_read_data() would lose the hole at an entry's end."""

    def __init__(self, archive):
        block, count, offset = POINTER(), ctypes.c_size_t(), ctypes.c_int64()
        self.size, self.digest = 0, hashlib.sha256()
        while True:
            status = data_block(archive, ctypes.byref(block), ctypes.byref(count), ctypes.byref(offset))
            if status in (OK, EOF):
                self._fill(offset.value)
            if status != OK or self.size > CAP:
                break
            self.digest.update(ctypes.string_at(block, count.value))
            self.size += count.value
        self.status = status if self.size <= CAP else FAILED

    def _fill(self, end):
        if end > CAP:
            self.size = end
        while self.size < min(end, CAP):
            zeros = bytes(min(end - self.size, 1 << 20))
            self.digest.update(zeros)
            self.size += len(zeros)


def main():
    path, passphrase, lone = (sys.argv[1:] + ["", ""])[:3]
    locale.setlocale(locale.LC_ALL, "C.UTF-8")
    archive = read_new()
    for name in [f"filter_{name}" for name in FILTERS] + ["format_all"] + ["format_raw"] * bool(lone):
        function(f"archive_read_support_{name}", ctypes.c_int, POINTER)(archive)
    if passphrase:
        add_passphrase(archive, passphrase.encode())

    files, good, entry, failures = [], True, POINTER(), 0
    status = open_file(archive, os.fsencode(path), 1 << 16)
    while status != FATAL and failures < 100:
        status = next_header(archive, ctypes.byref(entry))
        if status == EOF:
            break
        if status not in (OK, WARN):
            # FAILED can come again and again without progress.
            good, failures = False, failures + 1
            continue
        name, link = pathname(entry) or b"", hardlink(entry)
        if filetype(entry) not in (0, REGULAR):
            continue
        content = Content(archive)
        status = content.status
        if status != EOF:
            good = False
        elif link is None:
            files.append([name, content.size, content.digest.hexdigest()])
        elif content.size > 0:
            # cpio gives the content with the last of its names; extracted to a disk, all of them have it.
            for file in files:
                if file[0] == link and file[1] == 0:
                    file[1:] = content.size, content.digest.hexdigest()
    error = (error_string(archive) or b"").decode(errors="replace")
    good = good and status != FATAL and not failures
    files = [[base64.b64encode(name).decode(), size, sha256] for name, size, sha256 in files]
    json.dump({"files": files, "good": good, "error": error}, sys.stdout)


if __name__ == "__main__":
    main()
