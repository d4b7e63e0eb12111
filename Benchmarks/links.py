#!/usr/bin/python3
"""Archives in which links are what there is: what each costs must not grow with their number. A part of bench.py.

`extract` is `ArchiveReader.extract()` in process (compare); the others are whole processes: `memarchive digest ARCHIVE` and
`memarchive run --tree ARCHIVE -- true`.
"""

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

import whole

COUNTS = (1_000, 10_000, 100_000)
BODY = b"content"


def tar(name, kind=b"0", body=b"", link=b""):
    header = bytearray(512)
    for offset, text in ((0, name), (100, b"0000644\0"), (108, b"0000000\0"), (116, b"0000000\0"),
                         (124, b"%011o\0" % len(body)), (136, b"00000000000\0"), (148, b"        "), (156, kind),
                         (157, link), (257, b"ustar\x0000")):
        header[offset:offset + len(text)] = text
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + body + bytes(-len(body) % 512)


def cpio(name, count, body, mode=0o100644):
    fields = (7, mode, 0, 0, count, 0, len(body), 0, 1, 0, 0, len(name) + 1, 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + name + b"\0"
    return header + bytes(-len(header) % 4) + body + bytes(-len(body) % 4)


def fan(count):
    yield tar(b"0", body=BODY)
    for number in range(1, count):
        yield tar(b"%d" % number, b"1", link=b"0")


def chain(count):
    for number in range(count - 1, 0, -1):
        yield tar(b"%d" % number, b"1", link=b"%d" % (number - 1))
    yield tar(b"0", body=BODY)


def symlinks(count):
    yield tar(b"d/file", body=BODY)
    yield tar(b"l0", b"2", link=b"d")
    for number in range(1, 30):
        yield tar(b"l%d" % number, b"2", link=b"l%d" % (number - 1))
    for number in range(count - 31):
        yield tar(b"%d" % number, b"2", link=b"l29/" + b"../d/" * 10 + b"file")


def inode(count):
    for number in range(count):
        yield cpio(b"%d" % number, count, BODY)
    yield cpio(b"TRAILER!!!", 1, b"", 0)


SHAPES = {
    "hard links to one file": fan,
    "hard links, each in front of its target": chain,
    "symbolic links over 30 others": symlinks,
    "names of one inode, each with content (cpio)": inode,
}


def each(program, path):
    """Medians by way, and the share of the processors' time that others took meanwhile."""
    times = whole.run(
        lambda _: [str(whole.COMPARE), "times", f"--rounds={whole.ROUNDS}", "--only=extract packed", path], wants_text=True)
    extract = json.loads(times.text)["ways"]["extract packed"]["times"]
    measured = whole.summary(whole.measure({
        "digest": lambda _: [program, "digest", "--sandbox", "off", path],
        "digest, sandboxed": lambda _: [program, "digest", "--sandbox", "required", path],
        "tree": lambda _: [program, "run", "--tree", "--sandbox", "off", path, "--", "true"],
        "tree, sandboxed": lambda _: [program, "run", "--tree", path, "--", "true"],
    }, seconds=0))
    return {"ways": {"extract": statistics.median(trial["released"] for trial in extract)} | {
                way: found.get("seconds") for way, found in measured["ways"].items()},
            "othersPercent": measured["othersPercent"]}


def measure(program):
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        for shape, entries in SHAPES.items():
            for count in COUNTS:
                path = os.path.join(directory, "links")
                Path(path).write_bytes(b"".join(entries(count)) + (b"" if entries is inode else bytes(1024)))
                print(f"{count:,} {shape} …", file=sys.stderr, flush=True)
                rows.append({"shape": shape, "count": count, **each(program, path)})
    return rows
