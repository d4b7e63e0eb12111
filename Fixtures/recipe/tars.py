"""tar: every dialect, kind, odd name and sparse map."""

import base64
import io
import tarfile
import unicodedata
from dataclasses import replace

from recipe.entries import HELLO, POEM, SCRIPT, TIME, TREE, Entry, directory, hardlink, symlink
from recipe.table import add
from recipe.tools import gnu_tar, python_tar, run


def tars():
    add("tar-v7.tar", "no magic, no user names: the header of 1979", "GNU tar `--format=v7`", gnu_tar("v7", TREE), TREE)
    add("tar-ustar.tar", "nothing: plain ustar", "GNU tar `--format=ustar`", gnu_tar("ustar", TREE), TREE)

    deep = "a-directory-with-a-rather-long-name/" * 5
    entries = [Entry(deep + "leaf.txt", HELLO)]
    add(
        "tar-ustar-prefix.tar",
        "a path of 188 bytes, split into `prefix` and `name`",
        "GNU tar `--format=ustar`",
        gnu_tar("ustar", entries),
        entries,
    )

    entries = [
        Entry(deep * 2 + "leaf.txt", HELLO),
        symlink("long-link", deep * 2 + "leaf.txt"),
        hardlink("long-hardlink", deep * 2 + "leaf.txt"),
    ]
    add(
        "tar-gnu-long.tar",
        "long name (`L`) and long links (`K`) as GNU records",
        "GNU tar `--format=gnu`",
        gnu_tar("gnu", entries),
        entries,
    )

    long = "Überlänge-✓-" * 12
    entries = [Entry(long + "/日本語.txt", HELLO), symlink("Verknüpfung", long + "/日本語.txt")]
    add(
        "tar-pax-long-utf8.tar",
        "pax records for long UTF-8 name and link",
        "GNU tar `--format=pax`",
        gnu_tar("pax", entries),
        entries,
    )

    entries = [Entry("nanoseconds", HELLO), replace(Entry("before-1970", HELLO), mtime=-2)]
    times = {"nanoseconds": f"{TIME}.123456789", "before-1970": "-1.5"}
    add(
        "tar-pax-time.tar",
        "times with nanoseconds, one before 1970 (-1.5 s: second -2)",
        "Python tarfile",
        python_tar(
            entries,
            tarfile.PAX_FORMAT,
            members={name: lambda info, time=time: info.pax_headers.update(mtime=time) for name, time in times.items()},
        ),
        entries,
        libarchive="reads -1.5 as -1 s and 500,000,000 ns, so the second is -1",
    )

    entries = [Entry("tagged.txt", HELLO)]
    records = {
        "SCHILY.xattr.user.colour": "blue",
        "LIBARCHIVE.xattr.user.shape": base64.b64encode(b"round").decode().rstrip("="),
        "comment": "a comment",
        "VENDOR.unknown": "x",
    }
    add(
        "tar-pax-xattr.tar",
        "extended attributes in both spellings, an unknown vendor's record",
        "Python tarfile",
        python_tar(entries, tarfile.PAX_FORMAT, members={"tagged.txt": lambda info: info.pax_headers.update(records)}),
        entries,
    )

    add(
        "tar-pax-global.tar",
        "a global pax header in front, as git writes it",
        "Python tarfile",
        python_tar(TREE, tarfile.PAX_FORMAT, pax={"comment": "0123456789abcdef0123456789abcdef01234567"}),
        TREE,
    )

    entries = [
        Entry("first.txt", HELLO),
        hardlink("second.txt", "first.txt", data=HELLO, carries=True),
        Entry("third.txt", POEM),
    ]

    def give_body(info):
        info.type, info.linkname, info.size = tarfile.LNKTYPE, "first.txt", len(HELLO)
        info.pax_headers["comment"] = "a pax header is what allows a link to carry data"

    add(
        "tar-pax-hardlink-body.tar",
        "a hard link that carries its file's content (POSIX pax allows it)",
        "Python tarfile, a link given a body",
        hardlink_with_body(entries, give_body),
        entries,
        others="Python's tarfile takes the link's body for a header and stops",
    )

    entries = [
        directory("all/"),
        Entry("all/file", HELLO),
        symlink("all/symlink", "file"),
        hardlink("all/hardlink", "all/file"),
        replace(directory("all/sticky/"), mode=0o1777),
        Entry("all/setuid", SCRIPT, mode=0o4755),
        Entry("all/fifo", kind="fifo"),
        Entry("all/character", kind="character", mode=0o666),
        Entry("all/block", kind="block", mode=0o660),
        Entry("all/contiguous", POEM),
        Entry("all/last", HELLO),
    ]
    add(
        "tar-all-kinds.tar",
        "every kind: hard link, symlink, directory, fifo, character and block device, "
        "a contiguous file (type `7`), setuid and sticky bits",
        "Python tarfile",
        python_tar(
            entries,
            tarfile.USTAR_FORMAT,
            members={"all/contiguous": lambda info: setattr(info, "type", tarfile.CONTTYPE)},
        ),
        entries,
    )

    entries = [Entry("twice.txt", HELLO), Entry("between.txt", SCRIPT), Entry("twice.txt", POEM)]
    add(
        "tar-duplicate-name.tar",
        "one name twice, with different content",
        "Python tarfile",
        python_tar(entries, tarfile.USTAR_FORMAT),
        entries,
    )

    entries = [Entry(b"caf\xe9.txt", HELLO), symlink(b"th\xe9", b"caf\xe9.txt"), Entry(b"cut-\xe2\x82", SCRIPT)]
    add(
        "tar-latin1-name.tar",
        "names and a link target in Latin-1, and a name that ends inside a UTF-8 character",
        "GNU tar `--format=gnu`",
        gnu_tar("gnu", entries),
        entries,
    )
    add(
        "tar-pax-binary-name.tar",
        "the same in pax, whose records should be UTF-8: `hdrcharset=BINARY`",
        "Python tarfile",
        python_tar(entries, tarfile.PAX_FORMAT),
        entries,
    )

    entries = [Entry("caf\uf7e9".encode(), POEM), Entry(b"caf\xe9", HELLO)]
    add(
        "tar-escape-twins.tar",
        "a real U+F7E9 beside a byte E9, which is escaped as U+F7E9",
        "GNU tar `--format=gnu`",
        gnu_tar("gnu", entries),
        entries,
    )

    composed, apart = unicodedata.normalize("NFC", "für.txt"), unicodedata.normalize("NFD", "für.txt")
    entries = [Entry(composed, HELLO), Entry(apart, POEM)]
    add(
        "tar-gnu-nfc-nfd.tar",
        "two names that Unicode calls equal",
        "GNU tar `--format=gnu`",
        gnu_tar("gnu", entries),
        entries,
    )
    add(
        "tar-pax-nfc-nfd.tar",
        "the same in pax",
        "GNU tar `--format=pax`",
        gnu_tar("pax", entries),
        entries,
        libarchive="composes the second name, so that both are the first",
    )

    entries = [
        Entry("new\nline", HELLO),
        Entry("back\\slash", HELLO),
        Entry(" space ", HELLO),
        Entry("tab\t", HELLO),
        Entry("\x1b[31mred", HELLO),
        Entry("-rf", HELLO),
        Entry("quote'\"", HELLO),
    ]
    add(
        "tar-odd-names.tar",
        "newline, backslash, blanks, escape sequence, dash and quotes in names",
        "Python tarfile",
        python_tar(entries, tarfile.USTAR_FORMAT),
        entries,
    )

    entries = [Entry("before", HELLO), Entry("empty"), Entry("after", HELLO)]
    add(
        "tar-empty-body.tar",
        "an entry without a byte between two others",
        "GNU tar `--format=ustar`",
        gnu_tar("ustar", entries),
        entries,
    )

    entries = [
        Entry("../x", HELLO),
        Entry("/x", POEM),
        Entry("./x", SCRIPT),
        Entry("a/../b", HELLO),
        Entry("a//b", HELLO),
    ]
    add(
        "tar-escaping-names.tar",
        "names that lead out of a directory, and names that aren't canonical",
        "Python tarfile",
        python_tar(entries, tarfile.USTAR_FORMAT),
        entries,
    )

    entries = [replace(Entry("old", HELLO), mtime=-86400), replace(Entry("late", POEM), mtime=1 << 34)]
    add(
        "tar-gnu-base256.tar",
        "times and an owner in binary (base 256), because octal can't hold them",
        "Python tarfile",
        python_tar(entries, tarfile.GNU_FORMAT, members={"old": lambda info: setattr(info, "uid", 1 << 31)}),
        entries,
    )

    add(
        "tar-gnu-label.tar",
        "a volume label (`V`) in front",
        "GNU tar `--label`",
        gnu_tar("gnu", TREE, "--label=Label"),
        TREE,
        others="Python's tarfile lists the label as a file",
    )

    entries = [Entry(f"many/{n:03}.txt", b"entry %d\n" % n) for n in range(300)]
    add(
        "tar-300-entries.tar.gz",
        "300 small entries",
        "GNU tar, gzip",
        run("gzip", "-9nc", data=gnu_tar("ustar", entries)),
        entries,
    )

    whole = gnu_tar("ustar", TREE)
    add(
        "tar-no-end-marker.tar",
        "the two zero blocks at the end are missing",
        "GNU tar, 1024 bytes cut off",
        whole[:-1024],
        TREE,
        warnings=1,
    )
    add(
        "tar-empty.tar",
        "no entry: just an end marker, in a record of 10 KiB",
        "GNU tar of nothing",
        run("tar", "-c", "-T", "/dev/null"),
        [],
    )
    add("zeros-1024", "1,024 zero bytes: an empty tar without a name", "by hand", bytes(1024), [])
    add("empty", "an empty file", "by hand", b"", [], warnings=1)


def hardlink_with_body(entries, give_body):
    """tarfile never writes a body after a link, so the link is written as a file and its header changed after."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry.name)
            info.mode, info.mtime, info.size = entry.mode, entry.mtime, len(entry.data)
            if entry.kind == "hardlink":
                give_body(info)
                out.write(info.tobuf(tarfile.PAX_FORMAT) + entry.data + bytes(-len(entry.data) % 512))
                archive.offset = out.tell()
            else:
                archive.addfile(info, io.BytesIO(entry.data))
    return out.getvalue()


def sparse_tars():
    # Raw detection finds zero blocks of 512 bytes wherever they are, so the archive doesn't depend on the file system.
    holes = ["--sparse", "--hole-detection=raw"]
    mebibyte = bytearray(1 << 20)
    for place in (8192, 300 * 1024, (1 << 20) - 700):
        mebibyte[place : place + 600] = POEM[:600]
    ends_in_hole = bytes(4096) + POEM + bytes(200_000 - 4096 - len(POEM))
    pair = [Entry("sparse", bytes(mebibyte)), Entry("trailing-hole", ends_in_hole), Entry("after", HELLO)]
    for name, odd, options in [
        ("old-gnu", "the map inside GNU's old header", ["gnu"]),
        ("pax-0.0", "the map as repeated pax records", ["pax", "--sparse-version=0.0"]),
        ("pax-0.1", "the map in one pax record, the name in another", ["pax", "--sparse-version=0.1"]),
        ("pax-1.0", "the map in front of the data", ["pax", "--sparse-version=1.0"]),
    ]:
        made = f"GNU tar `--sparse --format={' '.join(options)}`"
        add(
            f"tar-sparse-{name}.tar",
            f"holes, one at the end: {odd}",
            made,
            gnu_tar(options[0], pair, *options[1:], *holes),
            pair,
        )
        hole = [Entry("hole", bytes(100_000)), Entry("after", HELLO)]
        add(
            f"tar-sparse-{name}-all-hole.tar",
            f"a file of 100,000 bytes that is one hole: {odd}",
            made,
            gnu_tar(options[0], hole, *options[1:], *holes),
            hole,
        )
    many = bytearray(64 * 8192)
    for n in range(64):
        many[n * 8192 : n * 8192 + 40] = b"extent %032d\n" % n
    entries = [Entry("many", bytes(many)), Entry("after", HELLO)]
    add(
        "tar-sparse-old-gnu-many.tar.gz",
        "64 extents: the old map goes on in three further blocks",
        "GNU tar, gzip",
        run("gzip", "-9nc", data=gnu_tar("gnu", entries, *holes)),
        entries,
    )
    add(
        "tar-sparse-pax-1.0-many.tar.gz",
        "64 extents: the map fills more than a block",
        "GNU tar, gzip",
        run("gzip", "-9nc", data=gnu_tar("pax", entries, "--sparse-version=1.0", *holes)),
        entries,
    )
