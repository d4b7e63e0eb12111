#!/usr/bin/python3
"""Makes the benchmark's synthetic inputs, those that are missing.

    Benchmarks/inputs.py [DIRECTORY]     by default Benchmarks/cache; about 2 GB

Python's standard library alone; seeded, with fixed names, order, owners and times, so that every machine packs the
same entries. Only the compressed bytes may depend on the version of zlib.
"""

import io
import os
import random
import sys
import tarfile
import zipfile
from pathlib import Path

KIB, MIB = 1 << 10, 1 << 20
TIME = 1_700_000_000
ZIP_TIME = (2023, 11, 14, 22, 13, 20)


def tiny(count):
    """Files of 100 bytes of text, a thousand in a directory."""
    for number in range(count):
        yield f"tiny/{number // 1000:04}/{number:07}.txt", f"This is the file with the number {number:7}. ".encode().ljust(99, b".") + b"\n"


def alike(count, size):
    """Files of one size, of incompressible bytes. A file repeats no other: each begins elsewhere in the same noise."""
    noise = random.Random(size).randbytes(size + 4_096)
    for number in range(count):
        start = number % 4_096
        yield f"noise/{number:05}.bin", noise[start:start + size]


def tar(path, entries):
    with tarfile.open(path, mode="w|", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in entries:
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(content), TIME, 0o644
            archive.addfile(member, io.BytesIO(content))
            # It would keep them all.
            archive.members = []


def zip_(path, entries, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries:
            member = zipfile.ZipInfo(name, ZIP_TIME)
            member.compress_type, member.external_attr, member.create_system = method, 0o100644 << 16, 3
            archive.writestr(member, content, compresslevel=6)


INPUTS = {
    "one.zip": lambda path: zip_(path, tiny(1)),
    "tiny-1k.zip": lambda path: zip_(path, tiny(1_000)),
    "tiny-10k.zip": lambda path: zip_(path, tiny(10_000)),
    "tiny-10k.tar": lambda path: tar(path, tiny(10_000)),
    "tiny-100k.zip": lambda path: zip_(path, tiny(100_000)),
    "tiny-100k.tar": lambda path: tar(path, tiny(100_000)),
    "tiny-1m.zip": lambda path: zip_(path, tiny(1_000_000)),
    "tiny-1m.tar": lambda path: tar(path, tiny(1_000_000)),
    "large.tar": lambda path: tar(path, alike(4, 64 * MIB)),
    "large.zip": lambda path: zip_(path, alike(4, 64 * MIB), zipfile.ZIP_STORED),
    # One size each, to find where one way of filling overtakes another.
    "size-64k.tar": lambda path: tar(path, alike(1_000, 64 * KIB)),
    "size-512k.tar": lambda path: tar(path, alike(128, 512 * KIB)),
    "size-4m.tar": lambda path: tar(path, alike(16, 4 * MIB)),
}


def main():
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent / "cache"
    directory.mkdir(parents=True, exist_ok=True)
    for name, make in INPUTS.items():
        path = directory / name
        if path.exists():
            continue
        # A half-written archive must not pass for a finished one in the next run.
        part = path.with_name(name + ".part")
        make(part)
        os.replace(part, path)
        print(f"{name}  {path.stat().st_size:,} bytes", flush=True)


if __name__ == "__main__":
    main()
