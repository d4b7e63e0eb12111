"""Compression around a tar, around a lone file, and around itself."""

import os
import struct
import zlib

from recipe.by_hand import deflated
from recipe.entries import BIG, HELLO, POEM, TIME, TREE, Entry, untold
from recipe.table import add
from recipe.tools import OnDisk, gnu_tar, run

# compress wants -f, or it refuses what doesn't get smaller.
FILTERS = {
    "gz": ["gzip", "-9nc"],
    "bz2": ["bzip2", "-9c"],
    "xz": ["xz", "-c"],
    "lzma": ["xz", "-c", "--format=lzma"],
    "lz": ["lzip", "-9c"],
    "zst": ["zstd", "-19qc"],
    "lz4": ["lz4", "-9qc"],
    "Z": ["compress", "-cf"],
}


def filters():
    tar = gnu_tar("ustar", TREE)

    def pack(suffix, data):
        return run(*FILTERS[suffix], data=data)

    def lone(name, data):
        return [untold(name, data, mode=None)]

    def named(name, data):
        with OnDisk([Entry(name, data)]) as disk:
            return run("gzip", "-9c", name, cwd=disk.path)

    for suffix, command in FILTERS.items():
        made = f"`{' '.join(command)}`"
        add(f"tree.tar.{suffix}", f"tar below {suffix}", f"GNU tar, {made}", pack(suffix, tar), TREE)
        if suffix == "gz":
            add(
                "hello.txt.gz",
                "a lone file; the header has its name and time",
                "`gzip -9c hello.txt`",
                named("hello.txt", HELLO),
                [Entry("hello.txt", HELLO, mode=None)],
            )
        else:
            add(
                f"hello.txt.{suffix}",
                "a lone file, named after the archive",
                made,
                pack(suffix, HELLO),
                lone("hello.txt", HELLO),
            )
    add(
        "gzip-other-name.gz",
        "the header's name isn't the file's",
        "`gzip -9c called-poem.txt`",
        named("called-poem.txt", POEM),
        [Entry("called-poem.txt", POEM, mode=None)],
    )
    add(
        "gzip-no-name.txt.gz",
        "no name and no time in the header",
        "`gzip -9nc`",
        pack("gz", POEM),
        lone("gzip-no-name.txt", POEM),
    )
    add(
        "gzip-latin1-name.gz",
        "the name in Latin-1, as RFC 1952 wants it",
        "`gzip -9c`",
        named(b"caf\xe9.txt", HELLO),
        [Entry(b"caf\xe9.txt", HELLO, mode=None)],
    )
    header = (
        b"\x1f\x8b\x08\x1e"
        + struct.pack("<I", TIME)
        + b"\2\3"
        + struct.pack("<H", 8)
        + b"ME\4\0four"
        + b"full.txt\0a comment\0"
    )
    full = (
        header
        + struct.pack("<H", zlib.crc32(header) & 0xFFFF)
        + deflated(POEM)
        + struct.pack("<II", zlib.crc32(POEM), len(POEM))
    )
    add(
        "gzip-full-header.gz",
        "extra field, name, comment and header CRC",
        "by hand",
        full,
        [Entry("full.txt", POEM, mode=None)],
    )
    add(
        "gzip-empty-body.txt.gz",
        "a lone file without a byte",
        "`gzip -9nc`",
        pack("gz", b""),
        lone("gzip-empty-body.txt", b""),
        libarchive="gives no entry: its empty format claims what decodes to nothing",
    )

    half = len(tar) // 2 + 100  # inside a block
    garbage = b"garbage behind the last member"
    for kind, whole, left, right, entries in [
        ("txt", POEM, POEM[:1000], POEM[1000:], None),
        ("tar", tar, tar[:half], tar[half:], TREE),
    ]:

        def put(name, odd, made, data, entries=entries, **more):
            add(name, odd, made, data, entries or lone(os.path.splitext(name)[0], POEM), **more)

        put(f"gzip-two-members.{kind}.gz", "two members", "`gzip` twice", pack("gz", left) + pack("gz", right))
        put(f"gzip-padded.{kind}.gz", "512 zero bytes follow", "`gzip`, by hand", pack("gz", whole) + bytes(512))
        put(f"gzip-garbage.{kind}.gz", "garbage follows", "`gzip`, by hand", pack("gz", whole) + garbage, warnings=1)
        put(f"bzip2-two-streams.{kind}.bz2", "two streams", "`bzip2` twice", pack("bz2", left) + pack("bz2", right))
        put(
            f"xz-two-streams.{kind}.xz",
            "two streams, eight zero bytes between them",
            "`xz` twice",
            pack("xz", left) + bytes(8) + pack("xz", right),
        )
        put(f"lzip-two-members.{kind}.lz", "two members", "`lzip` twice", pack("lz", left) + pack("lz", right))
        put(
            f"zstd-two-frames.{kind}.zst",
            "two frames and a skippable one between them",
            "`zstd` twice, by hand",
            pack("zst", left) + skippable() + pack("zst", right),
        )
        put(
            f"zstd-skippable-first.{kind}.zst",
            "a skippable frame in front, as pzstd writes",
            "`zstd`, by hand",
            skippable() + pack("zst", whole),
        )
        put(
            f"lz4-two-frames.{kind}.lz4",
            "two frames and a skippable one between them",
            "`lz4` twice, by hand",
            pack("lz4", left) + skippable() + pack("lz4", right),
        )
    add(
        "lz4-legacy.txt.lz4",
        "the format before frames",
        "`lz4 -l`",
        run("lz4", "-lqc", data=POEM),
        lone("lz4-legacy.txt", POEM),
    )
    add("gzip-in-gzip.tar.gz.gz", "gzip around gzip around a tar", "`gzip` twice", pack("gz", pack("gz", tar)), TREE)
    add(
        "tar-in-every-filter.tar.gz.bz2.xz.zst",
        "four filters deep",
        "`gzip`, `bzip2`, `xz`, `zstd`",
        pack("zst", pack("xz", pack("bz2", pack("gz", tar)))),
        TREE,
    )
    packed = pack("gz", tar)
    add("uu.tar.gz.uu", "uuencoded tar.gz", "sharutils `uuencode`", uu(packed), TREE)
    add("uu-base64.tar.gz.uu", "base64 in uuencode's clothes", "sharutils `uuencode -m`", uu(packed, "-m"), TREE)
    add(
        "uu-preamble.tar.gz.uu",
        "a letter's text in front",
        "sharutils `uuencode`, by hand",
        b"Dear reader,\nhere it is:\n\n" + uu(packed),
        TREE,
    )

    entries = [Entry("before.txt", HELLO), Entry("big.txt", BIG), Entry("after.txt", POEM)]
    big = gnu_tar("ustar", entries)
    add(
        "big-blocks.tar.xz",
        "3 MiB between two small entries, in seven blocks of xz, their sizes in the block headers",
        "`xz -T2 --block-size=512KiB`",
        run("xz", "-9c", "-T2", "--block-size=524288", data=big),
        entries,
    )
    add("big.tar.zst", "3 MiB between two small entries", "`zstd -19`", pack("zst", big), entries)
    add(
        "xz-sha256.txt.xz",
        "SHA-256 as the check",
        "`xz --check=sha256`",
        run("xz", "-c", "--check=sha256", data=POEM),
        lone("xz-sha256.txt", POEM),
    )


def uu(data, *options):
    return run("uuencode", *options, "tree.tar.gz", data=data)


def skippable():
    return struct.pack("<II", 0x184D2A50, 11) + b"please skip"
