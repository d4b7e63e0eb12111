#!/usr/bin/python3
"""Makes the benchmark's synthetic inputs, those that are missing, in cache/.

    Benchmarks/inputs.py [--quick]      about 2 GB; or those of `make bench-quick` alone, 150 MB

Python's standard library, xz and zstd; seeded, with fixed names, order, owners and times, so that every machine packs the
same entries. Only the compressed bytes may depend on the versions of the compressors.
"""

import gzip
import io
import itertools
import os
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

CACHE = Path(__file__).resolve().parent / "cache"
KIB, MIB = 1 << 10, 1 << 20
TIME = 1_700_000_000
ZIP_TIME = (2023, 11, 14, 22, 13, 20)


def tiny(count):
    """Files of 100 bytes of text, a thousand in a directory."""
    for number in range(count):
        yield f"tiny/{number // 1000:04}/{number:07}.txt", f"This is the file with the number {number:7}. ".encode().ljust(99, b".") + b"\n"


def texts(count, size):
    """Files of half the size to one and a half, of words as sources have them."""
    chance = random.Random(size)
    words = ["".join(chance.choices("etaoinsrhldcum_", k=chance.randint(2, 9))) for _ in range(3_000)]
    pool = " ".join(chance.choices(words, weights=[1 / (rank + 5) for rank in range(3_000)], k=200_000)).encode()
    for number in range(count):
        content = bytearray()
        # Pieces of the pool: no two files are alike.
        for _ in range(max(1, chance.randint(size // 2, size * 3 // 2) // 256)):
            start = chance.randrange(len(pool) - 256)
            content += pool[start:start + 255] + b"\n"
        yield f"text/{number // 100:03}/{number:05}.c", bytes(content)


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


def zips(path, count, each, entries):
    """A directory of zips with so many entries each."""
    path.mkdir()
    for number in range(count):
        zip_(path / f"{number:05}.zip", itertools.islice(entries, each))


def packed(path, name, *command):
    """What a program makes of another input."""
    with open(CACHE / name, "rb") as source, open(path, "wb") as target:
        subprocess.run(command, stdin=source, stdout=target, check=True)


def in_pieces(path, name, pack, size=4 * MIB):
    """Each piece of another input packed for itself; returns the sizes, packed and not."""
    sizes = []
    with open(CACHE / name, "rb") as source, open(path, "wb") as target:
        while piece := source.read(size):
            sizes.append((target.write(pack(piece)), len(piece)))
    return sizes


def members(path, name):
    """gzip in members that do not say where they end."""
    in_pieces(path, name, lambda piece: gzip.compress(piece, 6, mtime=0))


def seekable(path, name):
    """zstd's seekable format: frames, and their sizes in a skippable frame at the end."""
    sizes = in_pieces(path, name, lambda piece: subprocess.run(
        ["zstd", "-qc"], input=piece, stdout=subprocess.PIPE, check=True).stdout)
    table = b"".join(struct.pack("<II", *each) for each in sizes) + struct.pack("<IBI", len(sizes), 0, 0x8F92EAB1)
    with open(path, "ab") as target:
        target.write(struct.pack("<II", 0x184D2A5E, len(table)) + table)


# What `make bench-quick` reads.
QUICK = {
    "one.zip": lambda path: zip_(path, tiny(1)),
    "small-500": lambda path: zips(path, 500, 20, texts(10_000, 4 * KIB)),
    "text.tar": lambda path: tar(path, texts(4_000, 10 * KIB)),
    "text.zip": lambda path: zip_(path, texts(4_000, 10 * KIB)),
    "text.tar.gz": lambda path: packed(path, "text.tar", "gzip", "-nc"),
    "text.tar.zst": lambda path: packed(path, "text.tar", "zstd", "-qc"),
    "text.tar.xz": lambda path: packed(path, "text.tar", "xz", "-3", "-T2", "--block-size=8MiB", "-c"),
    "size-4m.tar": lambda path: tar(path, alike(16, 4 * MIB)),
}
INPUTS = QUICK | {
    "one-2000": lambda path: zips(path, 2_000, 1, texts(2_000, KIB)),
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
    # Of what packages.sh makes.
    "members.tar.gz": lambda path: members(path, "arch.tar"),
    "seekable.tar.zst": lambda path: seekable(path, "arch.tar"),
}


def main():
    CACHE.mkdir(parents=True, exist_ok=True)
    for name, make in (QUICK if "--quick" in sys.argv else INPUTS).items():
        path = CACHE / name
        if path.exists():
            continue
        # A half-written archive must not pass for a finished one in the next run.
        part = path.with_name(name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        make(part)
        os.replace(part, path)
        print(name, flush=True)


if __name__ == "__main__":
    main()
