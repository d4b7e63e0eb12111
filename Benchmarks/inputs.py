#!/usr/bin/env python3
"""Makes the benchmark's large inputs.

    Benchmarks/inputs.py             those that are missing, in Benchmarks/cache
    Benchmarks/inputs.py DIRECTORY   somewhere else

Python's standard library alone; seeded, with fixed names, order, owners and times, so that every machine packs the
same entries. Only the compressed bytes may depend on the version of zlib.
"""

import gzip
import io
import itertools
import os
import random
import sys
import tarfile
import zipfile
from pathlib import Path

KIB, MIB = 1 << 10, 1 << 20
TIME = 1_700_000_000
ZIP_TIME = (2023, 11, 14, 22, 13, 20)


def words(size, seed=1):
    """Text of a small vocabulary, frequent words first: deflate packs it to about a third, like source code."""
    chance = random.Random(seed)
    vocabulary = ["".join(chance.choices("etaoinsrhldcumfpgwyb", k=chance.randint(2, 9))) for _ in range(4_000)]
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(vocabulary) + 1)))
    lines = []
    # A line of twelve words of two letters or more is at least 36 bytes long.
    for _ in range(size // 36 + 1):
        lines.append(" ".join(chance.choices(vocabulary, cum_weights=weights, k=12)))
    return "\n".join(lines).encode()[:size]


def mixed():
    """4,000 files of 1 to 64 KiB, small ones more often, of text: about 60 MiB, like a source tree."""
    chance = random.Random(2)
    text = words(4 * MIB)
    for number in range(4_000):
        size = int(KIB * 64 ** chance.random())
        start = chance.randrange(len(text) - size)
        yield f"tree/{number // 100:02}/{number:04}.txt", text[start:start + size]


def alike(count, size):
    """Files of one size, of incompressible bytes. A file repeats no other: each begins elsewhere in the same noise."""
    noise = random.Random(size).randbytes(size + 4_096)
    for number in range(count):
        start = number % 4_096
        yield f"noise/{number:05}.bin", noise[start:start + size]


def write_tar(file, entries):
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in entries:
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(content), TIME, 0o644
            archive.addfile(member, io.BytesIO(content))


def tar(path, entries):
    with open(path, "wb") as file:
        write_tar(file, entries)


def tar_gz(path, entries):
    # No name and no time in the header, which would differ from run to run.
    with open(path, "wb") as file, gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
        write_tar(packed, entries)


def zip_(path, entries, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries:
            member = zipfile.ZipInfo(name, ZIP_TIME)
            member.compress_type, member.external_attr, member.create_system = method, 0o100644 << 16, 3
            archive.writestr(member, content, compresslevel=6)


INPUTS = {
    "mixed.tar": lambda path: tar(path, mixed()),
    "mixed.zip": lambda path: zip_(path, mixed()),
    "mixed.tar.gz": lambda path: tar_gz(path, mixed()),
    "large.tar": lambda path: tar(path, alike(4, 64 * MIB)),
    "large.zip": lambda path: zip_(path, alike(4, 64 * MIB), zipfile.ZIP_STORED),
    # One size each, to find where one way of filling overtakes another.
    "size-4k.tar": lambda path: tar(path, alike(2_000, 4 * KIB)),
    "size-16k.tar": lambda path: tar(path, alike(1_000, 16 * KIB)),
    "size-64k.tar": lambda path: tar(path, alike(500, 64 * KIB)),
    "size-256k.tar": lambda path: tar(path, alike(125, 256 * KIB)),
    "size-512k.tar": lambda path: tar(path, alike(64, 512 * KIB)),
    "size-1m.tar": lambda path: tar(path, alike(32, MIB)),
    # One huge page and a long rest.
    "size-3500k.tar": lambda path: tar(path, alike(10, 3_500 * KIB)),
    "size-4m.tar": lambda path: tar(path, alike(8, 4 * MIB)),
    "size-16m.tar": lambda path: tar(path, alike(4, 16 * MIB)),
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
        print(f"{name}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
