"""Archives put together byte by byte: what no tool writes on purpose."""

import stat
import struct
import zlib
from dataclasses import dataclass

from recipe.entries import TIME, Entry


@dataclass(frozen=True)
class Zipped:
    """One zip entry, every field of it free; APPNOTE 4.3 has the layout."""

    name: bytes
    data: bytes = b""
    method: int = 0
    body: bytes | None = None  # the data as the method compressed it
    flags: int = 0
    attributes: int = 0o100644 << 16
    made_by: int = 3 << 8 | 20  # Unix
    descriptor: str | None = None  # "signed" or "unsigned": sizes and CRC follow the body
    zip64: bool = False
    extra: bytes = b""  # in both headers
    local_extra: bytes = b""
    comment: bytes = b""
    listed: bool = True  # in the central directory


def deflated(data):
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(data) + deflate.flush()


DOS_TIME = struct.pack("<HH", 22 << 11 | 13 << 5 | 20 // 2, (2023 - 1980) << 9 | 11 << 5 | 14)


def hand_zip(entries, comment=b"", prefix=b"", counted_from=0, zip64_end=False, order=None):
    """`counted_from` is the file position that offsets count from; `order` rearranges the central directory."""
    out, central = bytearray(prefix), []
    for entry in entries:
        body = entry.data if entry.body is None else entry.body
        crc, offset = zlib.crc32(entry.data), len(out) - counted_from
        flags = entry.flags | (8 if entry.descriptor else 0)
        version = 45 if entry.zip64 else 20
        sizes = struct.pack("<III", crc, len(body), len(entry.data))
        local_sizes, local_extra = (bytes(12), b"") if entry.descriptor else (sizes, b"")
        central_sizes, central_extra, place = sizes, b"", struct.pack("<I", offset)
        if entry.zip64:
            full = struct.pack("<QQ", len(entry.data), len(body))
            known = struct.pack("<QQ", 0, 0) if entry.descriptor else full
            local_extra = struct.pack("<HH", 1, 16) + known
            local_sizes = local_sizes[:4] + b"\xff" * 8
            central_extra = struct.pack("<HH", 1, 24) + full + struct.pack("<Q", offset)
            central_sizes, place = sizes[:4] + b"\xff" * 8, b"\xff" * 4
        local_extra += entry.extra + entry.local_extra
        central_extra += entry.extra
        common = struct.pack("<HHH", version, flags, entry.method) + DOS_TIME
        out += b"PK\3\4" + common + local_sizes + struct.pack("<HH", len(entry.name), len(local_extra))
        out += entry.name + local_extra + body
        if entry.descriptor:
            out += b"PK\7\x08" if entry.descriptor == "signed" else b""
            out += struct.pack("<IQQ" if entry.zip64 else "<III", crc, len(body), len(entry.data))
        if entry.listed:
            central.append(
                b"PK\1\2"
                + struct.pack("<H", entry.made_by)
                + common
                + central_sizes
                + struct.pack(
                    "<HHHHHI", len(entry.name), len(central_extra), len(entry.comment), 0, 0, entry.attributes
                )
                + place
                + entry.name
                + central_extra
                + entry.comment
            )
    start = len(out) - counted_from
    central = [central[index] for index in order] if order else central
    directory = b"".join(central)
    count, size, begin = len(central), len(directory), start
    out += directory
    if zip64_end:
        at = len(out) - counted_from
        out += b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, size, begin)
        out += b"PK\6\7" + struct.pack("<IQI", 0, at, 1)
        count, size, begin = 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF
    out += b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, size, begin, len(comment)) + comment
    return bytes(out)


FILE_TYPES = {
    "file": stat.S_IFREG,
    "directory": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "fifo": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
    "character": stat.S_IFCHR,
    "block": stat.S_IFBLK,
}


def hand_newc(entries):
    """cpio's newc: thirteen numbers of eight hexadecimal digits, then name and data, each padded to four bytes."""
    out = b""
    for inode, entry in enumerate(entries + [Entry("TRAILER!!!", mode=0, mtime=0)], 1):
        last = entry.name == "TRAILER!!!"
        data = entry.raw_link if entry.kind == "symlink" else entry.data
        mode = 0 if last else FILE_TYPES[entry.kind] | entry.mode
        device = (1, 3) if entry.kind in ("character", "block") else (0, 0)
        numbers = (0 if last else inode, mode, 0, 0, 1, entry.mtime, len(data), 0, 0, *device, len(entry.raw) + 1, 0)
        for part in (b"070701" + b"".join(b"%08X" % n for n in numbers) + entry.raw + b"\0", data):
            out += part + bytes(-len(part) % 4)
    return out


def hand_binary_cpio(entries, byte_order):
    """The oldest cpio: thirteen 16-bit words in the writer's byte order, 32-bit values with the high word first."""
    out = b""
    for inode, entry in enumerate(entries + [Entry("TRAILER!!!", mode=0, mtime=0)], 1):
        last = entry.name == "TRAILER!!!"
        data = entry.raw_link if entry.kind == "symlink" else entry.data
        mode = 0 if last else FILE_TYPES[entry.kind] | entry.mode
        out += struct.pack(
            byte_order + "13H",
            0o070707,
            0,
            0 if last else inode,
            mode,
            0,
            0,
            1,
            0,
            entry.mtime >> 16,
            entry.mtime & 0xFFFF,
            len(entry.raw) + 1,
            len(data) >> 16,
            len(data) & 0xFFFF,
        )
        for part in (entry.raw + b"\0", data):
            out += part + bytes(len(part) % 2)
    return out


def ar_member(name, data, stored=None):
    stored = data if stored is None else stored
    return (
        b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (name, TIME, 0, 0, 0o100644, len(stored))
        + stored
        + b"\n"[: len(stored) % 2]
    )
