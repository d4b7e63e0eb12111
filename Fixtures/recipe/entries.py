"""What goes into the fixtures: contents, entries, and the row that table.json has for each."""

import base64
import hashlib
import re
from dataclasses import dataclass, replace

TIME = 1_700_000_000  # 2023-11-14 22:13:20 UTC; even, because zip counts in steps of two seconds
HELLO = b"Hello, sealed world.\n"
SCRIPT = b"#!/bin/sh\necho run\n"
POEM = b"".join(b"%2d green bottles hanging on the wall\n" % n for n in range(99, 59, -1))
# 3 MiB of which no two lines are equal, so that a block in the wrong place changes the digest.
BIG = b"".join(b"%04d" % n + b" and so on" * 102 + b"\n" for n in range(3072))
BIG = BIG.ljust(3 << 20, b".")


@dataclass(frozen=True)
class Entry:
    """One expected entry. A mode or time of None means that the format stores none."""

    name: str | bytes
    data: bytes = b""
    kind: str = "file"
    link: str | bytes | None = None
    mode: int | None = 0o644
    mtime: int | None = TIME
    carries: bool = False  # a hard link that holds its file's content

    @property
    def raw(self):
        return self.name if isinstance(self.name, bytes) else self.name.encode()

    @property
    def raw_link(self):
        return self.link if isinstance(self.link, bytes) or self.link is None else self.link.encode()

    def row(self):
        row = {"name": key(self.raw)}
        if row["name"].encode() != self.raw:
            row["raw"] = base64.b64encode(self.raw).decode()
        row["kind"] = self.kind
        has_content = self.kind == "file" or self.carries
        row["size"] = len(self.data) if has_content else 0
        if has_content:
            row["sha256"] = hashlib.sha256(self.data).hexdigest()
        if self.link is not None:
            row["link"] = key(self.raw_link)
            if row["link"].encode() != self.raw_link:
                row["rawLink"] = base64.b64encode(self.raw_link).decode()
        if self.mode is not None:
            row["mode"] = f"{self.mode:04o}"
        if self.mtime is not None:
            row["mtime"] = self.mtime
        return row


def key(raw):
    """The key of a raw name: UTF-8 as is, another byte b as U+F700+b, and what would look like that likewise."""
    text = raw.decode("utf-8", "surrogateescape")
    text = re.sub("[\uf780-\uf7ff]", lambda match: "".join(chr(0xF700 + b) for b in match[0].encode()), text)
    return re.sub("[\udc80-\udcff]", lambda match: chr(ord(match[0]) - 0xDC00 + 0xF700), text)


def directory(name, mode=0o755):
    return Entry(name, kind="directory", mode=mode)


def symlink(name, link):
    return Entry(name, kind="symlink", link=link, mode=0o777)


def hardlink(name, link, **fields):
    return Entry(name, kind="hardlink", link=link, **fields)


# The small tree that most fixtures hold; tar and zip write a directory's slash, cpio and rpm do not.
TREE = [
    directory("tree/"),
    Entry("tree/empty", mode=0o600),
    Entry("tree/hello.txt", HELLO),
    symlink("tree/link", "hello.txt"),
    Entry("tree/poem.txt", POEM, mode=0o640),
    Entry("tree/run.sh", SCRIPT, mode=0o755),
]


def without_slashes(entries):
    return [replace(entry, name=entry.name.rstrip("/")) for entry in entries]


def without(entries, *fields):
    return [replace(entry, **dict.fromkeys(fields)) for entry in entries]


def untold(name, data=b"", **fields):
    """A file without UTC time: zip's own is local to whoever wrote it, and a lone compressed file may have none."""
    return Entry(name, data, mtime=None, **fields)
