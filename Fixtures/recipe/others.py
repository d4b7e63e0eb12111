"""7z, cpio, ar and rpm."""

import os
import struct
import tempfile
import unicodedata
from dataclasses import replace
from pathlib import Path

from recipe.by_hand import ar_member, hand_binary_cpio, hand_newc
from recipe.entries import HELLO, POEM, SCRIPT, TREE, Entry, directory, hardlink, symlink, without_slashes
from recipe.table import add
from recipe.tools import OnDisk, gnu_tar, listing, run


def sevens():
    def seven(entries, *options):
        with OnDisk(entries) as disk:
            tops = [entry.name for entry in entries if "/" not in entry.name.rstrip("/")]
            run("7z", "a", "-mmt=1", "-snl", "-mtc=off", "-mta=off", *options, "made.7z", *tops, cwd=disk.path)
            return Path(disk.path, "made.7z").read_bytes()

    for name, odd, options in [
        ("lzma2", "several entries in one solid block, an empty file, a directory, a symlink", ["-m0=lzma2"]),
        ("lzma", "LZMA 1", ["-m0=lzma"]),
        ("copy", "nothing compressed", ["-m0=copy"]),
        ("bzip2", "bzip2", ["-m0=bzip2"]),
        ("deflate", "deflate", ["-m0=deflate"]),
        ("ppmd", "PPMd", ["-m0=ppmd"]),
        ("bcj", "the x86 filter before LZMA2", ["-m0=bcj", "-m1=lzma2"]),
        ("delta", "the delta filter before LZMA2", ["-m0=delta:4", "-m1=lzma2"]),
        ("not-solid", "a block for each entry", ["-ms=off"]),
        ("plain-header", "the header isn't compressed", ["-mhc=off"]),
    ]:
        add(f"7z-{name}.7z", odd, f"7-Zip `{' '.join(options)}`", seven(TREE, *options), TREE)
    twins = [
        Entry(unicodedata.normalize("NFD", "für.txt"), POEM),
        Entry(unicodedata.normalize("NFC", "für.txt"), HELLO),
    ]
    add(
        "7z-nfc-nfd.7z",
        "two names that Unicode calls equal",
        "7-Zip",
        seven(twins),
        twins,
        libarchive="composes the first name, so that both are the second",
    )
    empty = [Entry("nothing.txt"), Entry("also-nothing.txt")]
    add("7z-only-empty.7z", "two empty files, so that there is no block at all", "7-Zip", seven(empty), empty[::-1])


def cpios():
    flat = without_slashes(TREE)

    def cpio(format, entries):
        with OnDisk(entries) as disk:
            return run(
                "cpio",
                "-oH",
                format,
                "--reproducible",
                "-R0:0",
                "-C512",
                "--quiet",
                cwd=disk.path,
                data=listing(entries),
            )

    for format, odd in [
        ("newc", "what the kernel's initramfs uses"),
        ("crc", "newc with a sum of the bytes"),
        ("odc", "POSIX's octal format"),
        ("bin", "16-bit words, little-endian"),
    ]:
        add(f"cpio-{format}.cpio", odd, f"GNU cpio `-H {format}`", cpio(format, flat), flat)
    add("cpio-bin-big-endian.cpio", "16-bit words, big-endian", "by hand", hand_binary_cpio(flat, ">"), flat)
    one, between, two, three = disk = [
        Entry("one", POEM),
        Entry("between", SCRIPT),
        hardlink("two", "one"),
        hardlink("three", "one", data=POEM, carries=True),
    ]
    # GNU cpio holds the names back until the last one comes, and writes the one held back last first.
    last = [between, replace(one, name="two", data=b""), hardlink("one", "two"), replace(three, link="two")]
    add(
        "cpio-newc-hardlink.cpio",
        "three names of one file: the last one carries the content",
        "GNU cpio `-H newc`",
        cpio("newc", disk),
        last,
    )
    every = [one, between, replace(three, name="two"), three]
    add(
        "cpio-odc-hardlink.cpio",
        "three names of one file: each carries the content",
        "GNU cpio `-H odc`",
        cpio("odc", disk),
        every,
    )
    entries = [
        directory("all"),
        Entry("all/file", HELLO),
        symlink("all/symlink", "file"),
        Entry("all/fifo", kind="fifo"),
        Entry("all/socket", kind="socket", mode=0o755),
        Entry("all/character", kind="character", mode=0o666),
        Entry("all/block", kind="block", mode=0o660),
        Entry(b"all/caf\xe9", HELLO),
        Entry("all/last", POEM),
    ]
    add("cpio-newc-all-kinds.cpio", "every kind, a socket too", "by hand", hand_newc(entries), entries)
    add("cpio-newc.cpio.gz", "newc below gzip", "GNU cpio, gzip", run("gzip", "-9nc", data=cpio("newc", flat)), flat)
    add("cpio-empty.cpio", "no entry: just a trailer", "by hand", hand_newc([]), [])


def ars():
    long = "a-member-with-a-name-of-more-than-sixteen-bytes.txt"
    entries = [
        Entry("short.txt", HELLO),
        Entry(long, POEM),
        Entry("x" * 15, SCRIPT),
        Entry("with space.txt", HELLO),
        Entry("empty"),
    ]

    def gnu_ar(entries):
        with OnDisk(entries) as disk:
            run("ar", "qcSU", "made.a", *(entry.name for entry in entries), cwd=disk.path)
            owner = b"%-6d%-6d" % (os.getuid(), os.getgid())
            return Path(disk.path, "made.a").read_bytes().replace(owner, b"%-6d%-6d" % (0, 0))

    add(
        "ar-gnu-long.a",
        "long names in a table of their own, `//`",
        "binutils `ar`",
        gnu_ar(entries),
        entries,
        libarchive="gives the table first, as a file `//`",
    )
    bsd = (
        b"!<arch>\n"
        + ar_member(b"short.txt", HELLO)
        + b"".join(ar_member(b"#1/%d" % len(entry.raw), entry.data, entry.raw + entry.data) for entry in entries[1:])
    )
    add("ar-bsd-long.a", "long names in front of the data, `#1/51`", "by hand", bsd, entries)
    member = [Entry("member.o", POEM)]
    index = struct.pack(">II", 1, 8 + 60 + 20) + b"a_symbol\0\0\0\0"
    add(
        "ar-gnu-symbols.a",
        "a static library's symbol index, `/`, in front",
        "by hand",
        b"!<arch>\n" + ar_member(b"/", index) + ar_member(b"member.o/", POEM),
        member,
        libarchive="gives the index first, as a file `/` of 20 bytes",
    )
    index = struct.pack("<IIII", 8, 0, 8 + 60 + 28, 12) + b"a_symbol\0\0\0\0"
    add(
        "ar-bsd-symbols.a",
        "the same in BSD's way, `__.SYMDEF`",
        "by hand",
        b"!<arch>\n" + ar_member(b"__.SYMDEF", index) + ar_member(b"member.o", POEM),
        member,
        libarchive="gives the index first, as a file `__.SYMDEF` of 28 bytes",
    )
    control = run("gzip", "-9nc", data=gnu_tar("gnu", [Entry("./control", b"Package: demo\nVersion: 1\n")]))
    data = run("xz", "-c", data=gnu_tar("gnu", TREE))
    entries = [Entry("debian-binary", b"2.0\n"), Entry("control.tar.gz", control), Entry("data.tar.xz", data)]
    add(
        "ar-package.deb",
        "an ar that holds tars, as Debian packages do",
        "binutils `ar`, GNU tar, gzip, xz",
        gnu_ar(entries),
        entries,
    )


SPEC = """
Name: demo
Version: 1
Release: 1
Summary: A fixture
License: none
BuildArch: noarch
%description
A fixture.
%install
mkdir -p %{buildroot}/usr/share/demo
cd %{buildroot}/usr/share/demo
printf 'Hello, sealed world.\\n' > hello.txt
: > empty
ln -s hello.txt link
chmod 600 empty
%files
%defattr(-,root,root)
/usr/share/demo
"""


def rpms():
    entries = [
        directory("./usr/share/demo"),
        Entry("./usr/share/demo/empty", mode=0o600),
        Entry("./usr/share/demo/hello.txt", HELLO),
        symlink("./usr/share/demo/link", "hello.txt"),
    ]
    for name, payload in [("gzip", "w9.gzdio"), ("xz", "w6.xzdio"), ("zstd", "w19.zstdio")]:
        with tempfile.TemporaryDirectory() as top:
            Path(top, "demo.spec").write_text(SPEC)
            defines = {
                "_topdir": top,
                "_binary_payload": payload,
                "_buildhost": "localhost",
                "__os_install_post": "%{nil}",
                "use_source_date_epoch_as_buildtime": "1",
                "clamp_mtime_to_source_date_epoch": "1",
                "build_mtime_policy": "clamp_to_source_date_epoch",
                "_rpmfilename": "made.rpm",
                "_tmppath": top,
                "_dbpath": top + "/db",
            }
            options = [part for key, value in defines.items() for part in ("-D", f"{key} {value}")]
            run("rpmbuild", "-bb", "--quiet", *options, "demo.spec", cwd=top)
            data = Path(top, "RPMS", "made.rpm").read_bytes()
        add(
            f"rpm-{name}.rpm",
            f"an rpm whose cpio is compressed by {name}",
            f"rpmbuild, `_binary_payload {payload}`",
            data,
            entries,
        )
