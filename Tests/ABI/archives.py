#!/usr/bin/env python3
"""Writes the archives that the tests of the C interface read.

    archives.py DIRECTORY
"""

import io
import os
import sys
import tarfile
import zipfile

WHEN = (2024, 2, 29, 12, 34, 56)


def entry(name, mode=0o100644, method=zipfile.ZIP_DEFLATED):
    info = zipfile.ZipInfo(name, WHEN)
    info.create_system = 3
    info.external_attr = mode << 16
    info.compress_type = method
    return info


def zipped(entries):
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        for info, content in entries:
            archive.writestr(info, content)
    return output.getvalue()


def main():
    os.chdir(sys.argv[1])
    link = entry("dir/link", 0o120777, zipfile.ZIP_STORED)
    commented = entry("a.txt", 0o100640)
    commented.comment = b"the first"
    basic = zipped([
        (commented, b"hello " * 100), (entry("dir/b.txt"), b"b"), (entry("dir/empty"), b""), (link, b"b.txt"),
        (entry("caf#.txt"), b"latin\n")])
    # A name that is not UTF-8.
    basic = basic.replace(b"caf#.txt", b"caf\xe9.txt")
    stored = zipped([(entry("good", method=zipfile.ZIP_STORED), b"good"), (entry("bad", method=zipfile.ZIP_STORED), b"WRONG"),
                     (entry("fine", method=zipfile.ZIP_STORED), b"fine")])
    many = zipped([(entry(f"{number:04}", method=zipfile.ZIP_STORED), b"%d" % number) for number in range(2000)])
    twice = zipped([(entry("x"), b"first"), (entry("y"), b"")]).replace(b"y", b"x")
    files = {
        "basic.zip": basic, "cut.zip": basic[:-30], "bad.zip": stored.replace(b"WRONG", b"wrong"), "many.zip": many,
        "twice.zip": twice, "nested.zip": zipped([(entry("inner.zip"), basic)]), "text": b"no archive at all\n",
        "outward.zip": zipped([(entry("../out"), b"out"), (entry("in"), b"in")]),
    }
    for name, content in files.items():
        with open(name, "wb") as output:
            output.write(content)
    with tarfile.open("owned.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("owned")
        (info.uid, info.gid, info.uname, info.gname) = (1234, 5678, "someone", "somegroup")
        (info.mtime, info.size) = (1700000000, 5)
        archive.addfile(info, io.BytesIO(b"owned"))


if __name__ == "__main__":
    main()
