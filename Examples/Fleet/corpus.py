#!/usr/bin/env python3
"""Makes archives of a few thousand bytes, always the same ones: wheels, jars, zips and tars, some of them damaged.

    corpus.py OUT COUNT      the archives, and archives.txt, which lists them
    corpus.py --bombs OUT    two that unpack to 600 MiB, with their list
    corpus.py --tables OUT   zips with a Parquet table each
"""
import bz2
import concurrent.futures
import gzip
import io
import itertools
import json
import lzma
import os
import pathlib
import random
import struct
import sys
import tarfile
import zipfile
import zlib

WORDS = "archive entry memory seal path worker limit format block header table column shard engine result".split()
#: One in so many is cut short; a prime, so that every kind of archive is.
DAMAGED = 499


def text(dice, count):
    return "\n".join(" ".join(dice.choices(WORDS, k=8)) for _ in range(count)) + "\n"


def module(dice):
    functions = (f"def {dice.choice(WORDS)}_{n}(value):\n    return value * {dice.random()}\n" for n in range(12))
    return ("#!/usr/bin/env python3\nimport os\n\n" + "\n\n".join(functions)).encode()


def java_class(dice):
    return struct.pack(">IHH", 0xCAFEBABE, 0, 61) + dice.randbytes(700)


def image(dice):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = b"".join(b"\0" + dice.randbytes(16) for _ in range(16))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def shared_object(dice):
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 3, 62, 1, 0, 0, 0, 0, 64, 56, 0, 64, 0, 0)
    return header + dice.randbytes(900)


def wheel(dice):
    name = f"pkg{dice.randrange(1000)}"
    files = {f"{name}/{word}.py": module(dice) for word in dice.sample(WORDS, 2)}
    files[f"{name}/_native.so"] = shared_object(dice)
    files[f"{name}/py.typed"] = b""
    files[f"{name}-1.0.dist-info/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\n\n{text(dice, 10)}".encode()
    files[f"{name}-1.0.dist-info/RECORD"] = "".join(f"{path},,\n" for path in files).encode()
    return files


def jar(dice):
    files = {"META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\r\nCreated-By: 17\r\n\r\n"}
    files |= {f"org/example/{word.title()}.class": java_class(dice) for word in dice.sample(WORDS, 3)}
    files["pom.xml"] = f'<?xml version="1.0"?>\n<project><!-- {text(dice, 5)} --></project>\n'.encode()
    return files


def sources(dice):
    files = {f"src/{word}.py": module(dice) for word in dice.sample(WORDS, 2)}
    files["data.json"] = json.dumps({word: dice.random() for word in WORDS}).encode()
    files["caf\u00e9/logo.png"] = image(dice)
    files["README"] = text(dice, 20).encode()
    return files


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def tarred(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("LICENSE")
        link.type, link.linkname = tarfile.SYMTYPE, "README"
        archive.addfile(link)
    return out.getvalue()


def archive(index):
    """The name and the bytes of an archive."""
    dice = random.Random(index)
    kind = index % 20
    if kind < 8:
        suffix, data = "whl", zipped(wheel(dice))
    elif kind < 13:
        suffix, data = "jar", zipped(jar(dice))
    elif kind < 14:
        suffix, data = "zip", zipped(sources(dice))
    elif kind < 17:
        suffix, data = "tar.gz", gzip.compress(tarred(sources(dice)), mtime=0)
    elif kind < 18:
        suffix, data = "tar", tarred(sources(dice))
    elif kind < 19:
        suffix, data = "tar.xz", lzma.compress(tarred(sources(dice)), preset=0)
    else:
        suffix, data = "tar.bz2", bz2.compress(tarred(sources(dice)))
    if index % DAMAGED == 0:
        return f"damaged-{index:05}.{suffix}", data[: len(data) // 3]
    return f"{index:05}.{suffix}", data


def write(directory, name, data):
    path = directory.resolve() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def write_range(out, begin, end):
    return [write(out / f"{index // 1000:02}", *archive(index)) for index in range(begin, end)]


def write_list(out, paths):
    (out / "archives.txt").write_text("".join(f"{path}\n" for path in paths))


def corpus(out, count):
    begins = range(0, count, 100)
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        ends = (min(begin + 100, count) for begin in begins)
        made = list(itertools.chain(*pool.map(write_range, itertools.repeat(out), begins, ends)))
    write_list(out, made)


def bombs(out):
    """One that says how large it is, and one that does not."""
    packed = io.BytesIO()
    zeros = bytes(1 << 20)
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as file:
        for _ in range(600):
            file.write(zeros)
    declared = zipped({"zeros": bytes(600 << 20)})
    write_list(out, [write(out, "bomb.zip", declared), write(out, "bomb.gz", packed.getvalue())])


def tables(out):
    """Ten tables of 1,000 rows, whose column n counts from 0 to 9,999."""
    import pyarrow
    import pyarrow.parquet

    for index in range(10):
        content = io.BytesIO()
        table = pyarrow.table({"n": range(1000 * index, 1000 * (index + 1)), "word": WORDS * 66 + WORDS[:10]})
        pyarrow.parquet.write_table(table, content)
        write(out, f"table-{index}.zip", zipped({"README": b"a table\n", "data/table.parquet": content.getvalue()}))


def main(arguments):
    if arguments[0] == "--bombs":
        bombs(pathlib.Path(arguments[1]))
    elif arguments[0] == "--tables":
        tables(pathlib.Path(arguments[1]))
    else:
        corpus(pathlib.Path(arguments[0]), int(arguments[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
