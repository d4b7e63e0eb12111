#!/usr/bin/env python3
"""Compares table.json with readers that had no part in making it: libarchive, and each format's own reader.

    Fixtures/check.py            every fixture
    Fixtures/check.py NAME...    these, with what each reader said

A fixture whose `libarchive` sentence is set must read differently through libarchive, and every other one must not,
so neither a new disagreement nor a vanished one goes unseen. The sentences describe libarchive 3.6.2.
"""

import base64
import contextlib
import ctypes
import ctypes.util
import hashlib
import io
import json
import locale
import os
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
EOF_STATUS, OK, WARN, FATAL = 1, 0, -20, -30
RAW = 0x90000
KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character",
    stat.S_IFBLK: "block",
}


def load_libarchive():
    library = ctypes.CDLL(ctypes.util.find_library("archive"))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64
    for name, result in {
        "archive_read_new": pointer,
        "archive_error_string": text,
        "archive_entry_pathname": text,
        "archive_entry_symlink": text,
        "archive_entry_hardlink": text,
        "archive_entry_size": number,
        "archive_entry_mtime": number,
        "archive_version_string": text,
    }.items():
        getattr(library, name).restype = result
    return library


LIBARCHIVE = load_libarchive()
FORMATS = ["tar", "zip", "7zip", "cpio", "ar", "empty", "raw"]
FILTERS = ["gzip", "bzip2", "xz", "lzma", "lzip", "zstd", "lz4", "compress", "uu", "rpm"]


def read_libarchive(path):
    """Every entry as libarchive gives it, and the notes it made on the way; a failed status ends the list."""
    archive, entry, entries, notes = ctypes.c_void_p(LIBARCHIVE.archive_read_new()), ctypes.c_void_p(), [], []

    def note(call, status):
        # A NULL text is libarchive's for a zip without a central directory.
        words = LIBARCHIVE.archive_error_string(archive) or b"(no text)"
        notes.append(f"{call} {status}: {words.decode(errors='replace')}")

    for name in FORMATS:
        getattr(LIBARCHIVE, f"archive_read_support_format_{name}")(archive)
    for name in FILTERS:
        getattr(LIBARCHIVE, f"archive_read_support_filter_{name}")(archive)
    status = LIBARCHIVE.archive_read_open_filename(archive, os.fsencode(path), ctypes.c_size_t(65536))
    if status != OK:
        note("open", status)
    while status != FATAL:
        status = LIBARCHIVE.archive_read_next_header(archive, ctypes.byref(entry))
        if status == EOF_STATUS:
            break
        if status != OK:
            note("header", status)
        if status not in (OK, WARN):
            break
        # The raw format knows no name but gzip's; ours is the archive's without its suffix.
        lone = LIBARCHIVE.archive_format(archive) == RAW
        name = LIBARCHIVE.archive_entry_pathname(entry)
        if lone and name == b"data":
            name = os.path.splitext(path.name)[0].encode()
        hardlink = LIBARCHIVE.archive_entry_hardlink(entry)
        filetype = LIBARCHIVE.archive_entry_filetype(entry)
        kind = "hardlink" if hardlink is not None else KINDS.get(filetype, f"type {filetype:o}")
        content = bytearray()
        block, size, offset = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_int64()
        # Only data_block tells holes: archive_read_data answers 0 for an entry that is one hole.
        while True:
            status = LIBARCHIVE.archive_read_data_block(
                archive, ctypes.byref(block), ctypes.byref(size), ctypes.byref(offset)
            )
            if status not in (OK, EOF_STATUS):
                note(f"data of {name}", status)
                break
            content.extend(bytes(max(offset.value - len(content), 0)))
            if status == EOF_STATUS:
                break
            content.extend(ctypes.string_at(block, size.value))
        entries.append(
            {
                "raw": name,
                "kind": kind,
                "content": bytes(content),
                "mode": LIBARCHIVE.archive_entry_perm(entry),
                "link": hardlink if hardlink is not None else LIBARCHIVE.archive_entry_symlink(entry),
                "mtime": LIBARCHIVE.archive_entry_mtime(entry)
                if LIBARCHIVE.archive_entry_mtime_is_set(entry)
                else None,
                "declared": LIBARCHIVE.archive_entry_size(entry)
                if LIBARCHIVE.archive_entry_size_is_set(entry)
                else None,
            }
        )
    LIBARCHIVE.archive_read_free(archive)
    return entries, notes


def differences(expected, found):
    """What a reader says otherwise, a sentence each; a reader that doesn't tell a field leaves it out."""
    lines = []
    names = [raw(entry) for entry in expected]
    if names != [entry["raw"] for entry in found]:
        return [f"names are {[entry['raw'] for entry in found]} instead of {names}"]
    for entry, other in zip(expected, found, strict=True):
        wanted = {"kind": entry["kind"], "mode": int(entry["mode"], 8) if "mode" in entry else None}
        wanted["link"] = (
            base64.b64decode(entry["rawLink"])
            if "rawLink" in entry
            else (entry["link"].encode() if "link" in entry else None)
        )
        wanted["mtime"] = entry.get("mtime")
        for key, value in wanted.items():
            if value is not None and key in other and other[key] != value:
                lines.append(f"{raw(entry)}: {key} is {other[key]!r} instead of {value!r}")
        if "sha256" in entry and "content" in other:
            if len(other["content"]) != entry["size"]:
                lines.append(f"{raw(entry)}: {len(other['content'])} bytes instead of {entry['size']}")
            elif hashlib.sha256(other["content"]).hexdigest() != entry["sha256"]:
                lines.append(f"{raw(entry)}: other content")
        elif entry["kind"] not in ("file", "symlink") and "sha256" not in entry and other.get("content"):
            lines.append(f"{raw(entry)}: {len(other['content'])} bytes of content instead of none")
    return lines


def raw(entry):
    return base64.b64decode(entry["raw"]) if "raw" in entry else entry["name"].encode()


# The formats' own readers. Each returns entries with the fields that it knows.


def run(*command, data=None):
    return subprocess.run(command, input=data, check=True, capture_output=True).stdout


def read_tarfile(data):
    kinds = {
        tarfile.DIRTYPE: "directory",
        tarfile.SYMTYPE: "symlink",
        tarfile.LNKTYPE: "hardlink",
        tarfile.FIFOTYPE: "fifo",
        tarfile.CHRTYPE: "character",
        tarfile.BLKTYPE: "block",
    }
    found = []
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:", errors="surrogateescape") as archive:
        for member in archive:
            kind = kinds.get(member.type, "file")
            entry = {"kind": kind, "mode": member.mode & 0o7777, "mtime": int(member.mtime // 1)}
            # tarfile drops a directory's slashes.
            entry["raw"] = member.name.encode(errors="surrogateescape")
            entry["link"] = member.linkname.encode(errors="surrogateescape") or None
            if kind == "file":
                entry["content"] = archive.extractfile(member).read()
            found.append(entry)
    return found


def read_zipfile(path):
    found = []
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            encoding = "utf-8" if info.flag_bits & 0x800 else "cp437"
            mode = info.external_attr >> 16
            kind = KINDS.get(stat.S_IFMT(mode), "directory" if info.orig_filename.endswith("/") else "file")
            entry = {"raw": info.orig_filename.encode(encoding), "kind": kind}
            if mode:
                entry["mode"] = stat.S_IMODE(mode)
            with contextlib.suppress(NotImplementedError):  # zip methods that Python lacks
                content = archive.read(info)
                entry["link" if kind == "symlink" else "content"] = content
            found.append(entry)
    return found


def read_7z(path):
    """Names, kinds, modes and times from 7-Zip's listing, contents from its extraction."""
    found = []
    listing = run("7z", "l", "-slt", "-sccUTF-8", str(path)).decode().split("----------\n", 1)[-1]
    for part in filter(None, listing.strip().split("\n\n")):
        fields = dict(line.partition(" = ")[::2] for line in part.splitlines() if " = " in line)
        kind = {"d": "directory", "l": "symlink"}.get(fields["Attributes"].split()[-1][0], "file")
        name = fields["Path"]
        entry = {"kind": kind, "raw": name.encode()}
        if kind != "directory":
            content = run("7z", "x", "-so", str(path), name)
            entry["link" if kind == "symlink" else "content"] = content
        found.append(entry)
    return found


def read_by_unpacking(path, *command):
    """Unpacks below a private directory with the format's own tool; hard links can't be told from files there."""
    with tempfile.TemporaryDirectory() as directory, open(path, "rb") as archive:
        subprocess.run(command, stdin=archive, cwd=directory, check=True, capture_output=True)
        found = {}
        for parent, directories, files in os.walk(os.fsencode(directory)):
            for name in directories + files:
                full = os.path.join(parent, name)
                info = os.lstat(full)
                entry = {"mode": stat.S_IMODE(info.st_mode), "mtime": int(info.st_mtime)}
                entry["kind"] = KINDS[stat.S_IFMT(info.st_mode)]
                if entry["kind"] == "file":
                    entry["content"] = Path(os.fsdecode(full)).read_bytes()
                elif entry["kind"] == "symlink":
                    entry["link"] = os.readlink(full)
                found[os.path.relpath(full, os.fsencode(directory))] = entry
        return found


DECODERS = {
    ".gz": ["gzip", "-dcq"],
    ".bz2": ["bzip2", "-dc"],
    ".xz": ["xz", "-dc"],
    ".lzma": ["xz", "-dc", "--format=lzma"],
    ".lz": ["lzip", "-dc"],
    ".zst": ["zstd", "-dcq"],
    ".lz4": ["lz4", "-dcq"],
    ".Z": ["uncompress", "-c"],
    ".uu": ["uudecode", "-o", "/dev/stdout"],
}


def decode(path):
    """Peels the filters that the file's suffixes name, with the filters' own tools."""
    data, name = path.read_bytes(), path.name
    while (suffix := os.path.splitext(name)[1]) in DECODERS:
        done = subprocess.run(DECODERS[suffix], input=data, capture_output=True)
        # gzip answers 2 for garbage after the last member, a mere warning.
        if done.returncode not in (0, 2) or (done.returncode == 2 and suffix != ".gz"):
            raise ValueError(f"{DECODERS[suffix]}: {done.stderr.decode()}")
        data, name = done.stdout, os.path.splitext(name)[0]
    return data, os.path.splitext(name)[1]


def second_opinion(fixture):
    """What a reader other than libarchive says: the differences, or None where there is no such reader."""
    path, expected = HERE / fixture["file"], fixture["entries"]
    if path.suffix in (".zip", ".7z"):
        found = read_zipfile(path) if path.suffix == ".zip" else read_7z(path)
        if path.suffix == ".7z":
            # 7-Zip lists in the order stored, without a directory's slash.
            expected = [dict(entry, name=entry["name"].rstrip("/")) for entry in expected]
        return differences(expected, found)
    if path.suffix == ".rpm":
        with tempfile.NamedTemporaryFile() as payload:
            payload.write(run("rpm2cpio", str(path)))
            payload.flush()
            return unpacked(expected, payload.name, "cpio", "-idm", "--quiet")
    data, kind = decode(path)
    if kind == ".tar":
        without_slash = []
        for entry in expected:
            entry = dict(entry)
            if entry["kind"] == "directory":
                entry["name"] = entry["name"].rstrip("/")
            if entry["kind"] == "hardlink":
                entry.pop("sha256", None)
            without_slash.append(entry)
        return differences(without_slash, read_tarfile(data))
    if kind == ".cpio":
        if os.geteuid() and any(entry["kind"] in ("character", "block") for entry in expected):
            return []
        with tempfile.NamedTemporaryFile() as plain:
            plain.write(data)
            plain.flush()
            return unpacked(expected, plain.name, "cpio", "-idm", "--quiet")
    if kind in (".a", ".deb"):
        found = [
            {"raw": name.encode(), "content": run("ar", "p", str(path), name)}
            for name in run("ar", "t", str(path)).decode().splitlines()
        ]
        return differences([entry for entry in expected if entry["name"] != "//"], found)
    if not expected:
        return [f"{len(data)} bytes instead of nothing"] if data.strip(b"\0") else []
    return differences(expected, [{"raw": raw(expected[0]), "kind": "file", "content": data}])


def unpacked(expected, path, *command):
    found = read_by_unpacking(path, *command)
    links = {raw(entry): entry for entry in expected if entry["kind"] == "hardlink"}
    # By the name that a link names: the one that brings the content along.
    carriers = {entry["link"]: entry for entry in links.values() if "sha256" in entry}
    lines = []
    for entry in expected:
        name = raw(entry)
        # On disk every name of a linked file has the content, whichever of them carried it.
        plain = dict(entry, kind="file") if name in links else dict(entry)
        if name in links:
            plain.pop("link")
        if entry["kind"] in ("directory", "symlink"):
            plain.pop("mtime")  # cpio doesn't set these
        carrier = carriers.get(entry.get("link", entry["name"]))
        if carrier:
            plain.update(size=carrier["size"], sha256=carrier["sha256"])
        disk = found.get(os.path.normpath(name))
        lines += [f"{name}: missing"] if disk is None else differences([plain], [dict(disk, raw=name)])
    return lines


def main(only):
    locale.setlocale(locale.LC_CTYPE, "C.UTF-8")  # without a locale libarchive answers NULL for UTF-8 zip names
    os.environ["TZ"] = "UTC"
    time.tzset()
    print(LIBARCHIVE.archive_version_string().decode())
    table = json.loads((HERE / "table.json").read_text())
    failures = 0
    listed = {fixture["file"] for fixture in table}
    skip = {"make.py", "check.py", "README.md", "table.json"}
    for path in sorted(HERE.iterdir()):
        if path.is_file() and path.name not in listed | skip:
            print(f"FAIL {path.name}: not in the table")
            failures += 1
    for fixture in table:
        if only and fixture["file"] not in only:
            continue
        found, notes = read_libarchive(HERE / fixture["file"])
        told = differences(fixture["entries"], found) + notes
        try:
            other = second_opinion(fixture)
        except (OSError, ValueError, tarfile.TarError, zipfile.BadZipFile, subprocess.CalledProcessError) as error:
            other = [repr(error)]
        bad = bool(told) != ("libarchive" in fixture) or bool(other) != ("others" in fixture)
        failures += bad
        if only or bad:
            print("FAIL" if bad else "ok  ", fixture["file"])
            for title, lines in (("libarchive", told), ("other", other)):
                for line in lines:
                    print(f"     {title}: {line}")
            if only:
                for entry in found:
                    print("    ", {**entry, "content": len(entry["content"])})
    print(f"{len(table)} fixtures, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(set(sys.argv[1:])))
