"""zip: methods, streamed and zip64 forms, names, and what may lie around the entries."""

import io
import os
import struct
import unicodedata
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

from recipe.by_hand import Zipped, deflated, hand_zip
from recipe.entries import BIG, HELLO, POEM, SCRIPT, TREE, directory, untold, without
from recipe.table import add
from recipe.tools import OnDisk, gnu_tar, listing, run


def zips():
    def info_zip(entries, *options):
        with OnDisk(entries) as disk:
            run("zip", "-qy9", *options, "made.zip", "-@", cwd=disk.path, data=listing(entries))
            # Its field 0x7875 names the owner: root, whoever runs this.
            owner = struct.pack("<BBIBI", 1, 4, os.getuid(), 4, os.getgid())
            return Path(disk.path, "made.zip").read_bytes().replace(owner, struct.pack("<BBIBI", 1, 4, 0, 4, 0))

    timed, untimed = TREE, without(TREE, "mtime")
    add(
        "zip-deflated.zip",
        "nothing: deflate, UTC times, directory and symlink",
        "Info-ZIP `zip -y`",
        info_zip(TREE),
        timed,
    )
    add("zip-stored.zip", "nothing compressed, no UTC times", "Info-ZIP `zip -y0X`", info_zip(TREE, "-0X"), untimed)
    add("zip-bzip2.zip", "method 12", "Info-ZIP `zip -Z bzip2`", info_zip(TREE, "-XZ", "bzip2"), untimed)
    for name, odd, comment, more in [
        ("comment", "comments of an entry and of the archive", b"an archive's comment", {}),
        (
            "comment-like-end",
            "an archive comment that looks like an end record",
            b"PK\5\6 is not the end",
            {
                "others": "Python's zipfile takes the last `PK\\5\\6` for the end record and finds none; unzip and 7-Zip read it"
            },
        ),
    ]:
        add(
            f"zip-{name}.zip",
            odd,
            "by hand",
            hand_zip([Zipped(b"hello.txt", HELLO, comment=b"an entry's comment")], comment=comment),
            [untold("hello.txt", HELLO)],
            **more,
        )

    with OnDisk(TREE) as disk:
        piped = run("sh", "-c", "zip -qyX - -@ | cat", cwd=disk.path, data=listing(TREE))
        # From a tar, or it would store the times of last access and change.
        run("bsdtar", "-cf", "made.zip", "--format=zip", "@-", cwd=disk.path, data=gnu_tar("ustar", TREE))
        written = Path(disk.path, "made.zip").read_bytes()
    add(
        "zip-streamed.zip",
        "sizes follow the data (signed descriptors)",
        "Info-ZIP `zip -y` into a pipe",
        piped,
        untimed,
    )
    add("zip-streamed-libarchive.zip", "the same by another writer", "bsdtar `--format=zip`", written, timed)
    poem = deflated(POEM)
    add(
        "zip-streamed-unsigned.zip",
        "descriptors without a signature",
        "by hand",
        hand_zip(
            [
                Zipped(b"poem.txt", POEM, 8, poem, descriptor="unsigned"),
                Zipped(b"hello.txt", HELLO, 8, deflated(HELLO), descriptor="unsigned"),
            ]
        ),
        [untold("poem.txt", POEM), untold("hello.txt", HELLO)],
    )
    inner = hand_zip([Zipped(b"inner.txt", SCRIPT)])
    add(
        "zip-streamed-stored.zip",
        "a stored zip inside, its length known only from the central directory",
        "by hand",
        hand_zip([Zipped(b"inner.zip", inner, descriptor="signed"), Zipped(b"hello.txt", HELLO, descriptor="signed")]),
        [untold("inner.zip", inner), untold("hello.txt", HELLO)],
    )

    pair = [Zipped(b"poem.txt", POEM, 8, poem), Zipped(b"hello.txt", HELLO)]
    listed = [untold("poem.txt", POEM), untold("hello.txt", HELLO)]
    add(
        "zip-zip64.zip",
        "zip64 in every header and at the end, though nothing needs it",
        "by hand",
        hand_zip([replace(entry, zip64=True) for entry in pair], zip64_end=True),
        listed,
    )
    add(
        "zip-zip64-streamed.zip",
        "zip64 descriptors of 24 bytes",
        "by hand",
        hand_zip([replace(entry, zip64=True, descriptor="signed") for entry in pair], zip64_end=True),
        listed,
    )
    add("zip-zip64-forced.zip", "zip64 as a tool writes it", "Info-ZIP `zip -fz`", info_zip(TREE, "-Xfz"), untimed)

    utf8 = [Zipped("naïve/日本語.txt".encode(), HELLO, flags=0x800)]
    add("zip-utf8-flag.zip", "a UTF-8 name, flagged", "by hand", hand_zip(utf8), [untold("naïve/日本語.txt", HELLO)])
    add(
        "zip-utf8-no-flag.zip",
        "a UTF-8 name, not flagged",
        "by hand",
        hand_zip([replace(utf8[0], flags=0)]),
        [untold("naïve/日本語.txt", HELLO)],
    )
    add(
        "zip-cp437-name.zip",
        "a name in code page 437, as its missing flag says",
        "by hand",
        hand_zip([Zipped("für.txt".encode("cp437"), HELLO)]),
        [untold("für.txt".encode("cp437"), HELLO)],
    )
    unicode_path = struct.pack("<BI", 1, zlib.crc32(b"f?r.txt")) + "für.txt".encode()
    add(
        "zip-unicode-path.zip",
        "a plain name and, in extra field 0x7075, its UTF-8 form",
        "by hand",
        hand_zip([Zipped(b"f?r.txt", HELLO, extra=struct.pack("<HH", 0x7075, len(unicode_path)) + unicode_path)]),
        [untold("für.txt", HELLO)],
        others="Python's zipfile gives the plain name, `f?r.txt`",
    )
    twins = [unicodedata.normalize(form, "für.txt") for form in ("NFC", "NFD")]
    add(
        "zip-nfc-nfd.zip",
        "two flagged names that Unicode calls equal",
        "by hand",
        hand_zip([Zipped(twins[0].encode(), HELLO, flags=0x800), Zipped(twins[1].encode(), POEM, flags=0x800)]),
        [untold(twins[0], HELLO), untold(twins[1], POEM)],
        libarchive="composes the second name, so that both are the first",
    )
    add(
        "zip-backslash.zip",
        "a backslash in a name, written by Unix",
        "by hand",
        hand_zip([Zipped(name, HELLO) for name in (b"a\\b.txt", b"c/d\\e.txt")]),
        [untold(name, HELLO) for name in (b"a\\b.txt", b"c/d\\e.txt")],
        libarchive="gives `a/b.txt`: without a slash in a name its backslashes become slashes, whatever system wrote it",
    )
    add(
        "zip-backslash-dos.zip",
        "a backslash as separator, written by DOS",
        "by hand",
        hand_zip([Zipped(b"a\\b.txt", HELLO, made_by=20, attributes=0x20)]),
        [untold("a\\b.txt", HELLO, mode=None)],
        libarchive="gives `a/b.txt`",
    )
    add(
        "zip-dos.zip",
        "DOS attributes, no Unix modes",
        "by hand",
        hand_zip(
            [Zipped(b"DIR/", made_by=20, attributes=0x10), Zipped(b"DIR/HELLO.TXT", HELLO, made_by=20, attributes=0x20)]
        ),
        [replace(directory("DIR/"), mode=None, mtime=None), untold("DIR/HELLO.TXT", HELLO, mode=None)],
    )

    junk = b"#!/bin/sh\n# one hundred bytes in front, as a self-extracting archive has them\n".ljust(100, b"#")
    add(
        "zip-prefixed.zip",
        "100 bytes in front, offsets as if they weren't there",
        "by hand",
        hand_zip(pair, prefix=junk, counted_from=100),
        listed,
    )
    add(
        "zip-prefixed-adjusted.zip",
        "100 bytes in front, offsets corrected",
        "by hand",
        hand_zip(pair, prefix=junk),
        listed,
    )
    add(
        "zip-spanning-marker.zip",
        "`PK00` in front: a split archive that needed one part",
        "by hand",
        hand_zip(pair, prefix=b"PK00"),
        listed,
    )
    add("zip-trailing-bytes.zip", "100 bytes after the end record", "by hand", hand_zip(pair) + junk, listed)
    add(
        "zip-central-order.zip",
        "the central directory in another order than the bodies",
        "by hand",
        hand_zip(pair, order=[1, 0]),
        listed[::-1],
        libarchive="gives the bodies' order",
    )
    add(
        "zip-deleted-entry.zip",
        "a body that the central directory no longer lists",
        "by hand",
        hand_zip([Zipped(b"deleted.txt", SCRIPT, listed=False)] + pair),
        listed,
    )
    add(
        "zip-aligned.zip",
        "extra fields padded with zero bytes, as zipalign does",
        "by hand",
        hand_zip([replace(pair[0], local_extra=bytes(3)), replace(pair[1], local_extra=bytes(2))]),
        listed,
    )
    add(
        "zip-duplicate-name.zip",
        "one name twice, with different content",
        "by hand",
        hand_zip([Zipped(b"twice.txt", HELLO), Zipped(b"twice.txt", POEM, 8, poem)]),
        [untold("twice.txt", HELLO), untold("twice.txt", POEM)],
    )
    escaping = [b"../x", b"/x", b"a/../b"]
    add(
        "zip-escaping-names.zip",
        "names that lead out of a directory",
        "by hand",
        hand_zip([Zipped(name, HELLO) for name in escaping]),
        [untold(name, HELLO) for name in escaping],
    )
    add("zip-empty.zip", "no entry: just an end record", "by hand", hand_zip([]), [])
    add(
        "zip-empty-body.zip",
        "an empty entry stored, and one deflated to two bytes",
        "by hand",
        hand_zip([Zipped(b"stored"), Zipped(b"deflated", b"", 8, deflated(b""))]),
        [untold("stored"), untold("deflated")],
    )

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as archive:
        info = zipfile.ZipInfo("poem.txt", (2023, 11, 14, 22, 13, 20))
        info.compress_type, info.external_attr = zipfile.ZIP_LZMA, 0o100644 << 16
        archive.writestr(info, POEM)
    one = [untold("poem.txt", POEM)]
    add("zip-lzma.zip", "method 14, with an end mark", "Python zipfile", out.getvalue(), one)
    add(
        "zip-xz.zip",
        "method 95",
        "`xz`, by hand",
        hand_zip([Zipped(b"poem.txt", POEM, 95, run("xz", "-c", data=POEM))]),
        one,
    )
    add(
        "zip-zstd.zip",
        "method 93",
        "`zstd`, by hand",
        hand_zip([Zipped(b"poem.txt", POEM, 93, run("zstd", "-qc", data=POEM))]),
        one,
    )
    with OnDisk(one) as disk:
        run("7z", "a", "-tzip", "-mm=PPMd", "-mtc=off", "-mta=off", "-mtm=off", "made.zip", "poem.txt", cwd=disk.path)
        ppmd = Path(disk.path, "made.zip").read_bytes()
    add("zip-ppmd.zip", "method 98", "7-Zip `-mm=PPMd`", ppmd, one)
    add(
        "zip-3mib.zip",
        "one entry of 3 MiB",
        "by hand",
        hand_zip([Zipped(b"big.txt", BIG, 8, deflated(BIG))]),
        [untold("big.txt", BIG)],
    )
