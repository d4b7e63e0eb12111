#!/usr/bin/env python3
"""Compares memarchive with what another reader found in archives that others wrote.

    conformance.py MEMARCHIVE CORPUS            every archive of CORPUS/MANIFEST.tsv
    conformance.py --formats standard ...       with the formats of strangers' archives only
    conformance.py --only 'zipdiff/*' ...       some of them

A row of the manifest says how its oracle, libarchive with all formats, ended, and tree_sha: the SHA-256 of the sorted
lines "name TAB size TAB sha256 LF" of all regular files. Where that differs from what memarchive prints, the archive is
read once more here, by libarchive in a child process, and compared entry by entry. The verdicts:

    agree     the same files, and the same good or bad end
    stricter  memarchive refuses, or hands out fewer files, where the other reader accepts
    laxer     memarchive accepts, or hands out more, where the other reader refuses
    wrong     both hand out a file of the same name, with different bytes
    crash     memarchive dies from a signal
    hang      memarchive is not done in time

Each verdict but the first has to stand in explained.tsv, with a reason that ../Conformance.md gives. The exit status is
0 when nothing is unexplained or explained in vain. A crash or a wrong file cannot be explained, and a hang only where
--formats all asks for the formats in which libarchive itself can hang.
"""

import argparse
import base64
import csv
import fnmatch
import hashlib
import json
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
VERDICTS = ["agree", "stricter", "laxer", "wrong", "crash", "hang"]
KINDS = {"files": "file", "dirs": "directory", "symlinks": "symlink", "hardlinks": "hardlink"}
# 7z-only: 7z read it with the passphrase of the manifest, and libarchive could not.
GOOD_ENDS = {"OK", "WARN", "7z-only"}
NOT_ALLOWED = "is not among the allowed formats"


class File(NamedTuple):
    name: bytes
    size: int
    sha256: str

    def __str__(self):
        return f"{self.name.decode(errors='backslashreplace')!r} ({self.size} bytes, {self.sha256[:8]})"


class Reading(NamedTuple):
    """What a reader found: the files that it hands out, and whether it was content with the archive."""

    files: list
    good: bool
    error: str = ""

    def tree(self, name=None):
        lines = sorted(b"%s\t%d\t%s\n" % (name or f.name, f.size, f.sha256.encode()) for f in self.files)
        return hashlib.sha256(b"".join(lines)).hexdigest()


class Failure(Exception):
    """A crash or a hang."""


class Program:
    """The memarchive under test."""

    def __init__(self, path, formats, timeout):
        self.path, self.formats, self.timeout = path, formats, timeout

    def read(self, archive, passphrase):
        status, output, error = self._run("digest", archive, passphrase)
        files = []
        for row in map(json.loads, output.splitlines()):
            if row["kind"] == "file":
                name = base64.b64decode(row["raw"]) if "raw" in row else row["name"].encode()
                files.append(File(name, row["size"], row["sha256"]))
        return Reading(files, status == 0, " ".join(error.replace(f"memarchive: {archive}: ", "").split()))

    def kinds(self, archive, passphrase):
        """How many entries of each kind `list` shows, and whether it was content."""
        status, output, _ = self._run("list", archive, passphrase)
        return Counter(json.loads(line)["kind"] for line in output.splitlines()), status == 0

    def _run(self, command, archive, passphrase):
        with tempfile.NamedTemporaryFile("w") as secrets:
            line = [self.path, command, "--json", "--keep-going", "-q", "--formats", self.formats]
            if passphrase:
                print(passphrase, file=secrets, flush=True)
                line += ["--passphrase-file", secrets.name]
            try:
                done = subprocess.run(line + [archive], capture_output=True, timeout=self.timeout)
            except subprocess.TimeoutExpired:
                raise Failure("hang", f"{command} was not done in {self.timeout:g} s") from None
        if done.returncode < 0:
            raise Failure("crash", f"{command} died from signal {-done.returncode}")
        return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def read_again(archive, row, timeout):
    """The other reader's files, from libarchive in a process of its own: it may crash or hang. None then."""
    command = [sys.executable, HERE / "reading.py", archive, row["passphrase"]]
    command += ["lone"] if row["tree_sha"].startswith("raw:") else []
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode != 0:
        return None
    result = json.loads(done.stdout)
    files = [File(base64.b64decode(name), size, sha256) for name, size, sha256 in result["files"]]
    return Reading(files, result["good"], result["error"])


def differences(ours, theirs):
    """The files that only we hand out, those that only they do, and the pairs of one name and different bytes."""
    more, fewer = Counter(ours), Counter(theirs)
    more, fewer = more - fewer, fewer - more
    wrong = []
    for one in list(more.elements()):
        other = next((f for f in fewer.elements() if f.name == one.name), None)
        if other:
            wrong.append((one, other))
            more[one] -= 1
            fewer[other] -= 1
    return list(more.elements()), list(fewer.elements()), wrong


def some(things):
    """A few of them, as text."""
    return ", ".join(map(str, things[:3])) + (f" and {len(things) - 3} more" if len(things) > 3 else "")


def judge(program, archive, row, timeout):
    """The verdict on one archive and its reasons."""
    ours = program.read(archive, row["passphrase"])
    kinds, _ = program.kinds(archive, row["passphrase"])
    # A lone compressed file is no archive to the oracle, which read it a second time as such and called it "data".
    lone = row["tree_sha"].startswith("raw:")
    good = row["end"] in GOOD_ENDS or lone
    if lone:
        same_tree = row["tree_sha"][4:] in (ours.tree(), ours.tree(b"data"))
    else:
        same_tree = row["tree_sha"] == ours.tree() or (row["tree_sha"] == "-" and not ours.files)
    if same_tree and ours.good == good:
        return compare_kinds(kinds, row) if good and not lone else ("agree", [])

    reasons = [f"we: {ours.error or 'good'}", f"oracle: {row['end']} {row['error']}".rstrip()]
    theirs = read_again(archive, row, timeout) if not same_tree else None
    more = fewer = wrong = []
    if theirs:
        good = theirs.good if lone else good
        if lone and len(ours.files) == len(theirs.files) == 1:
            theirs = Reading([theirs.files[0]._replace(name=ours.files[0].name)], *theirs[1:])
        more, fewer, wrong = differences(ours.files, theirs.files)
        if wrong:
            return "wrong", reasons + [f"ours {one}, theirs {other}" for one, other in wrong[:3]]
        if more:
            reasons.append(f"only ours: {some(more)}")
        if fewer:
            reasons.append(f"only theirs: {some(fewer)}")
        if not (more or fewer):
            if ours.good == good or not (ours.good or good):
                if not good:
                    return "agree", []  # The same whole files; the manifest counts the damaged ones too.
                reasons.append("libarchive read by blocks, links resolved, agrees with us")
    if ours.good != good:
        return ("laxer" if ours.good else "stricter"), reasons
    if fewer or (not more and sum(f.size for f in ours.files) < int(row["bytes"])):
        return "stricter", reasons
    return "laxer", reasons


def compare_kinds(kinds, row):
    """The same files: directories and links have to be the same in number too."""
    counts = [(column, kinds[kind], int(row[column])) for column, kind in KINDS.items()]
    counts.append(("entries", sum(kinds.values()), int(row["entries"])))
    reasons = [f"{ours} {column}, the oracle {theirs}" for column, ours, theirs in counts if ours != theirs]
    if not reasons:
        return "agree", []
    return ("stricter" if sum(kinds.values()) < int(row["entries"]) else "laxer"), reasons


class Explanations:
    """The rows of explained.tsv: path or glob, verdict, class of reason."""

    def __init__(self, path):
        with open(path, newline="") as file:
            lines = (line for line in file if line.strip() and not line.startswith("#"))
            self.rows = [tuple(row[:3]) for row in csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)]
        self.used = set()

    def reason(self, path, verdict, formats):
        """The class of reason why `path` may have this verdict; None if none is given."""
        if verdict in ("crash", "wrong") or (verdict == "hang" and formats != "all"):
            return None
        for row in self.rows:
            if row[1] == verdict and (row[0] == path or fnmatch.fnmatchcase(path, row[0])):
                self.used.add(row)
                return row[2]
        return None

    def stale(self, paths):
        """The rows for archives that were looked at, and that explained nothing."""
        return [r for r in self.rows if r not in self.used and any(fnmatch.fnmatchcase(p, r[0]) for p in paths)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("memarchive")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--formats", default="all", help="all, standard, or names; all by default")
    parser.add_argument("--only", default="*", metavar="GLOB", help="the archives to look at")
    parser.add_argument("--timeout", type=float, default=40, metavar="SECONDS")
    parser.add_argument("--jobs", type=int, default=2, metavar="NUMBER")
    parser.add_argument("--quiet", action="store_true", help="do not show what agrees or is explained")
    options = parser.parse_args()

    with open(options.corpus / "MANIFEST.tsv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    rows = [row for row in rows if fnmatch.fnmatchcase(row["path"], options.only)]
    program = Program(options.memarchive, options.formats, options.timeout)
    explanations = Explanations(HERE / "explained.tsv")

    def run(row):
        try:
            return row, *judge(program, str(options.corpus / row["path"]), row, options.timeout)
        except Failure as failure:
            return row, failure.args[0], [failure.args[1]]

    verdicts, unexplained, classes = Counter(), 0, Counter()
    with ThreadPoolExecutor(options.jobs) as pool:
        for row, verdict, reasons in pool.map(run, rows):
            verdicts[verdict] += 1
            note = ""
            if verdict != "agree":
                note = explanations.reason(row["path"], verdict, options.formats)
                if not note and options.formats != "all" and any(NOT_ALLOWED in reason for reason in reasons):
                    note = "format not allowed"
                classes[note] += 1
                unexplained += not note
                note = f" [{note or 'UNEXPLAINED'}]"
            if not options.quiet or "UNEXPLAINED" in note:
                print(f"{verdict:8} {row['path']}{note}", *reasons, sep="\n         ", flush=True)

    # With fewer formats, many archives are refused before the difference that is explained could show.
    stale = explanations.stale([row["path"] for row in rows]) if options.formats == "all" else []
    for path, verdict, reason in stale:
        print(f"STALE: {path} is explained as {verdict} [{reason}], and is not")
    print(", ".join(f"{verdicts[verdict]} {verdict}" for verdict in VERDICTS), f"of {len(rows)}")
    print("explained:", ", ".join(f"{count} {name}" for name, count in classes.most_common() if name) or "none")
    print(f"{unexplained} unexplained, {len(stale)} stale")
    return 1 if unexplained or stale else 0


if __name__ == "__main__":
    sys.exit(main())
