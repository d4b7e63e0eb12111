"""Runs the real tools over entries, with everything fixed that would change from run to run."""

import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile

from recipe.entries import TIME

tarfile.RECORDSIZE = tarfile.BLOCKSIZE  # two zero blocks at the end are enough, no 10 KiB

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "SOURCE_DATE_EPOCH": str(TIME),
    "HOME": "/nonexistent",
}


def run(*command, data=b"", cwd=None, environment=None):
    done = subprocess.run(command, input=data, cwd=cwd, env=ENVIRONMENT | (environment or {}), capture_output=True)
    if done.returncode:
        sys.exit(f"{command}: {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done.stdout


class OnDisk:
    """Entries as real files below a temporary directory, with their modes and times, for the tools to read."""

    def __init__(self, entries):
        self.temporary = tempfile.TemporaryDirectory(prefix="fixture-")
        self.path = self.temporary.name
        for entry in entries:
            full = self.full(entry)
            os.makedirs(os.path.dirname(full.rstrip(b"/")), exist_ok=True)
            if entry.kind == "directory":
                os.makedirs(full, exist_ok=True)
            elif entry.kind == "symlink":
                os.symlink(entry.raw_link, full)
            elif entry.kind == "hardlink":
                os.link(os.path.join(os.fsencode(self.path), entry.raw_link), full)
            elif entry.kind == "file":
                write_with_holes(full, entry.data)
            else:
                raise ValueError(entry.kind)
        for entry in reversed(entries):  # a directory's time last, after its content is there
            if entry.kind != "symlink" and entry.mode is not None:
                os.chmod(self.full(entry), entry.mode)
            time = entry.mtime or TIME
            os.utime(self.full(entry), (time, time), follow_symlinks=False)

    def full(self, entry):
        return os.path.join(os.fsencode(self.path), entry.raw)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.temporary.cleanup()


def write_with_holes(path, data):
    """Leaves whole zero pages out, so that tar finds a sparse file where there is one to find."""
    with open(path, "wb") as file:
        for start in range(0, len(data), 4096):
            page = data[start : start + 4096]
            if page.strip(b"\0"):
                file.seek(start)
                file.write(page)
        file.truncate(len(data))


def listing(entries, end=b"\n"):
    return b"".join(entry.raw.rstrip(b"/") + end for entry in entries)


def gnu_tar(format, entries, *options):
    # %d and %f: GNU tar names pax headers after its process id otherwise. atime and ctime change with each run.
    pax = ["--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"] if format in ("pax", "posix") else []
    with OnDisk(entries) as disk:
        return without_process(
            run(
                "tar",
                "-c",
                f"--format={format}",
                *pax,
                "-b1",
                "--owner=0",
                "--group=0",
                "--numeric-owner",
                "--no-recursion",
                "--null",
                "-T-",
                *options,
                cwd=disk.path,
                data=listing(entries, b"\0"),
            )
        )


def without_process(tar):
    """Takes out what GNU tar has no option for: its process id in sparse files' stand-in names, a label's time."""
    out = bytearray(tar)
    for match in re.finditer(rb"(\./GNUSparseFile\.)\d+(/[^\0]*)\0*|(Label\0{95})", tar):
        start = match.start()
        if start % 512 == 0:
            if match[1]:
                out[start : start + 100] = (match[1] + b"0" + match[2]).ljust(100, b"\0")
            else:
                out[start + 136 : start + 148] = b"%011o\0" % TIME
            out[start + 148 : start + 156] = b" " * 8
            out[start + 148 : start + 156] = b"%06o\0 " % sum(out[start : start + 512])
    return bytes(out)


def python_tar(entries, format, pax=None, members=None):
    """A tar of headers that need no files on disk: any kind, any name."""
    types = {
        "file": tarfile.REGTYPE,
        "directory": tarfile.DIRTYPE,
        "symlink": tarfile.SYMTYPE,
        "hardlink": tarfile.LNKTYPE,
        "fifo": tarfile.FIFOTYPE,
        "character": tarfile.CHRTYPE,
        "block": tarfile.BLKTYPE,
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=format, errors="surrogateescape", pax_headers=pax) as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry.raw.decode(errors="surrogateescape"))
            info.type, info.mode, info.mtime = types[entry.kind], entry.mode, entry.mtime
            info.linkname = (entry.raw_link or b"").decode(errors="surrogateescape")
            if entry.kind in ("character", "block"):
                info.devmajor, info.devminor = 1, 3
            if entry.kind == "file":
                info.size = len(entry.data)
            if members and entry.name in members:
                members[entry.name](info)
            archive.addfile(info, io.BytesIO(entry.data))
    return out.getvalue()
