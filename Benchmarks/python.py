#!/usr/bin/env python3
"""The package for Python against what Python has: all of an archive's content, read into memory.

    python.py WHEEL [README]

Each method reads every file of the same archives, in turn, and adds up a checksum of all content, which must be the same.
WHEEL is any large wheel: it is a zip, and its content is packed in other ways too. Prints a table, as Markdown; with README, the
table replaces the one there. Needs memarchive, libarchive-c and py7zr, and libarchive itself; nothing else should run.
"""

import io
import os
import pathlib
import re
import statistics
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib

import libarchive
import py7zr

import memarchive

ROUNDS = int(os.environ.get("ROUNDS", "7"))
SMALL = 200


def total(contents):
    """The sum of the contents' checksums, which reads each byte once."""
    return sum(zlib.crc32(content) for content in contents)


def ours(path, **options):
    with memarchive.open(path, **options) as archive:
        return total(file.view() for file in archive.values())


def by_zipfile(path):
    with zipfile.ZipFile(path) as archive:
        return total(archive.read(entry) for entry in archive.infolist() if not entry.is_dir())


def by_tarfile(path):
    with tarfile.open(path) as archive:
        return total(archive.extractfile(member).read() for member in archive if member.isfile())


def by_libarchive(path):
    with libarchive.file_reader(str(path)) as archive:
        return total(b"".join(entry.get_blocks()) for entry in archive if entry.isfile)


def by_py7zr(path):
    with py7zr.SevenZipFile(path) as archive:
        factory = py7zr.io.BytesIOFactory(1 << 40)
        archive.extractall(factory=factory)
        return total(product.read() for product in map(at_start, factory.products.values()))


def at_start(product):
    product.seek(0)
    return product


OURS = {
    "memarchive": lambda path: ours(path),
    "memarchive, packed": lambda path: ours(path, storage="packed"),
    "memarchive, packed, in process": lambda path: ours(path, storage="packed", sandbox="off"),
}
RIVALS = {"zipfile": by_zipfile, "tarfile": by_tarfile, "libarchive-c": by_libarchive, "py7zr": by_py7zr}
#: What reads which kind.
READERS = {
    "zip": ("zipfile", "libarchive-c"),
    "tar": ("tarfile", "libarchive-c"),
    "tar.gz": ("tarfile", "libarchive-c"),
    "tar.xz": ("tarfile", "libarchive-c"),
    "7z": ("py7zr", "libarchive-c"),
}


def inputs(wheel, directory):
    """By name: the paths, and the kind."""
    found = {wheel.name.split("-")[0] + ".whl": ([wheel], "zip")}
    with zipfile.ZipFile(wheel) as archive:
        contents = {entry.filename: archive.read(entry) for entry in archive.infolist() if not entry.is_dir()}
    for kind in ("tar", "tar.gz", "tar.xz"):
        path = directory / f"content.{kind}"
        with tarfile.open(path, "w:" + kind[4:]) as archive:
            for name, content in contents.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        found[f"the same as .{kind}"] = ([path], kind)
    path = directory / "content.7z"
    with py7zr.SevenZipFile(path, "w", filters=[{"id": py7zr.FILTER_LZMA2, "preset": 6}]) as archive:
        for name, content in contents.items():
            archive.writef(io.BytesIO(content), name)
    found["the same as .7z"] = ([path], "7z")
    small = []
    for number in range(SMALL):
        small.append(directory / f"{number}.zip")
        with zipfile.ZipFile(small[-1], "w", zipfile.ZIP_DEFLATED) as archive:
            for entry in range(20):
                archive.writestr(f"{entry}.txt", f"{number} and {entry}\n" * 60)
    found[f"{SMALL} zips of 20 files of 1 KB"] = (small, "zip")
    return found, sum(map(len, contents.values())), len(contents)


def measure(paths, methods):
    """By method, the seconds of each round."""
    taken = {name: [] for name in methods}
    results = set()
    for number in range(ROUNDS + 1):
        # What comes first changes, and the first round only warms up.
        order = list(methods)[number % len(methods) :] + list(methods)[: number % len(methods)]
        for name in order:
            begun = time.perf_counter()
            results.add(sum(methods[name](path) for path in paths))
            if number > 0:
                taken[name].append(time.perf_counter() - begun)
    if len(results) != 1:
        raise SystemExit(f"the methods read different content: {results}")
    return taken


def processor():
    found = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return f"{found[1] if found else 'unknown'}, {len(os.sched_getaffinity(0))} processors"


def table(wheel):
    load = os.getloadavg()[0]
    package = " ".join(wheel.name.split("-")[:2])
    with tempfile.TemporaryDirectory() as directory:
        archives, size, count = inputs(wheel, pathlib.Path(directory))
        rows = []
        for name, (paths, kind) in archives.items():
            taken = measure(paths, OURS | {rival: RIVALS[rival] for rival in READERS[kind]})
            base = taken["memarchive"]
            cells = [f"{1000 * statistics.median(base):.0f} ms"]
            for method in [*list(OURS)[1:], *RIVALS]:
                # A round's own ratio: what slows the machine for seconds slows both.
                ratio = taken.get(method) and statistics.median(a / b for a, b in zip(taken[method], base))
                cells.append(f"{ratio:.2f}" if ratio else "–")
            rows.append(f"| {name} | {' | '.join(cells)} |")
            print(rows[-1], file=sys.stderr, flush=True)
    return "\n".join(
        [
            f"How many times as long as `memarchive`, in its sandbox, each takes; {package} has {count:,} files of "
            f"{size / 1e6:.0f} MB. Medians of {ROUNDS} rounds on {processor()}, Python {sys.version.split()[0]}; the load "
            f"average was {load:.1f} when it began.",
            "",
            f"| archive | {' | '.join([*OURS, *RIVALS])} |",
            f"|---|{'---|' * (len(OURS) + len(RIVALS))}",
            *rows,
        ]
    )


def main():
    wheel = pathlib.Path(sys.argv[1])
    found = table(wheel)
    print(found)
    for readme in map(pathlib.Path, sys.argv[2:]):
        text = readme.read_text()
        marks = ("<!-- Benchmarks/python.py writes from here -->\n", "\n<!-- to here -->")
        before, after = text.index(marks[0]) + len(marks[0]), text.index(marks[1])
        readme.write_text(text[:before] + found + text[after:])


if __name__ == "__main__":
    main()
