"""What the tests share."""

from __future__ import annotations

import hashlib
import io
import json
import pathlib
import struct
import tarfile
import zipfile
import zlib
from typing import Any

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
FIXTURES = REPOSITORY / "Fixtures"
HEADER = REPOSITORY / "Sources/CMemArchive/include/memarchive.h"

#: The files of many fixtures, by name.
TREE = {"tree/empty": 0, "tree/hello.txt": 21, "tree/poem.txt": 1480, "tree/run.sh": 19}


def table() -> list[dict[str, Any]]:
    return json.loads((FIXTURES / "table.json").read_text())


def key(name: str) -> str:
    """A name of the table, in which a byte b that is no UTF-8 is U+F700+b, as Python has it."""
    parts = [bytes([ord(c) - 0xF700]) if 0xF780 <= ord(c) <= 0xF7FF else c.encode() for c in name]
    return b"".join(parts).decode("utf-8", "surrogateescape")


def sha256(data: Any) -> str:
    return hashlib.sha256(data).hexdigest()


def make_zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def make_tar(files: dict[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def make_rar(files: dict[str, bytes]) -> bytes:
    """A RAR 5 whose files are stored (RAR 5.0 archive format, by its publisher)."""

    def number(value: int) -> bytes:
        out = bytearray()
        while value > 0x7F:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)
        return bytes(out)

    def header(body: bytes) -> bytes:
        sized = number(len(body)) + body
        return struct.pack("<I", zlib.crc32(sized)) + sized

    out = b"Rar!\x1a\x07\x01\x00" + header(number(1) + number(0) + number(0))
    for name, content in files.items():
        fields = [2, 2, len(content), 4, len(content), 0o644]  # a file with a data area and a CRC32
        body = b"".join(map(number, fields)) + struct.pack("<I", zlib.crc32(content))
        body += number(0) + number(1) + number(len(name.encode())) + name.encode()  # stored; by Unix
        out += header(body) + content
    return out + header(number(5) + number(0) + number(0))


@pytest.fixture
def zip_file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "words.zip"
    path.write_bytes(make_zip({"a.txt": b"first", "sub/b.txt": b"second\n" * 1000, "empty": b""}))
    return path
