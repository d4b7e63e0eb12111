#!/usr/bin/python3
"""Runs the benchmark and writes results/PROCESSOR.json; `report.py` makes the tables and the plot of all such files.

    Benchmarks/bench.py [PART|INPUT ...]

By default everything; a part, or some inputs, replaces what this processor's results have of them. ROUNDS=9 in the
environment for more rounds than 5. Everything must be built: `make bench` does it all. Nothing else should run meanwhile.
"""

import contextlib
import datetime
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import links
import perf
import quick
import whole
from whole import COMPARE, HERE, ROUNDS

CACHE = HERE / "cache"
PROGRAM = HERE / ".build/program/bin/memarchive"
WORKER = HERE / ".build/program/libexec/memarchive/memarchive-worker"
INPUTS = [
    "one.zip", "arch.zip", "scipy.whl", "numpy.whl", "soundfont.zip", "large.zip", "large.tar", "arch.tar", "arch.tar.gz",
    "bgzf.tar.gz", "members.tar.gz", "arch.tar.bz2", "streams.tar.bz2", "arch.tar.zst", "frames.tar.zst", "seekable.tar.zst",
    "arch.tar.xz", "arch.7z", "blocks.7z",
    "size-64k.tar", "size-512k.tar", "size-4m.tar",
    "linux.tar", "linux.tar.gz", "linux.tar.zst", "linux.tar.xz",
    "tiny-10k.zip", "tiny-10k.tar", "tiny-100k.zip", "tiny-100k.tar", "tiny-1m.zip", "tiny-1m.tar",
]
# A million temporary files take minutes, and teach nothing that a hundred thousand don't.
ONLY = {"tiny-1m": ["extract automatic", "extract packed", "stream packed", "limit"]}
# Where memory files may have large folios without being asked to, if they are as large.
FOLIOS = Path("/sys/kernel/mm/transparent_hugepage/shmem_enabled")
WITHIN_SIZE = ["arch.zip", "arch.tar", "scipy.whl", "large.tar", "linux.tar", "linux.tar.gz"]
MANY = ["small-500", "one-2000"]
# What `make bench PART=short` runs, in about 20 minutes.
SHORT_INPUTS = ["one.zip", "arch.zip", "scipy.whl", "large.tar", "arch.tar", "arch.tar.gz", "bgzf.tar.gz", "frames.tar.zst",
                "linux.tar", "linux.tar.gz", "linux.tar.zst"]


def answer(command):
    """The JSON that a process prints, and the share of the processors' time that others took meanwhile."""
    before = whole.busy()
    try:
        trial = whole.run(lambda _: command, wants_text=True)
    except RuntimeError:
        return None, 0.0
    after = whole.busy()
    others = after[0] - before[0] - trial.user - trial.system
    return json.loads(trial.text), round(100 * max(0.0, others) / max(after[1] - before[1], 1e-9), 1)


def in_process(name):
    only = [f"--only={way}" for stem, ways in ONLY.items() if name.startswith(stem) for way in ways]
    # A /tmp that is an ext4 without a journal is no fair rival; see journaled.sh.
    wrapper = [str(HERE / "journaled.sh")] if needs_journal() else []
    result, others = answer([*wrapper, str(COMPARE), "times", f"--rounds={ROUNDS}", *only, str(CACHE / name)])
    return result and {**result, "othersPercent": others}


def memory(name):
    """Of the library in process, by storage; and of the program's processes."""
    program = whole.commands(str(PROGRAM), str(CACHE / name))
    return {storage: answer([str(COMPARE), "memory", f"--storage={storage}", str(CACHE / name)])[0]
            for storage in whole.STORAGES} | {
        "processes": {way: whole.peak(program[way]) for way in (*whole.STORAGES, *whole.SANDBOXED)}}


def many(name):
    """Every archive of a directory by one command, and by another program once for each."""
    archives = sorted(str(path) for path in (CACHE / name).iterdir())
    own = [str(PROGRAM), "test", "-q", "--sandbox"]
    each = ["sh", "-c", 'for archive; do bsdtar -xf "$archive" -C "$0"; done']
    return {"archives": len(archives), **whole.summary(whole.measure({
        "in process": lambda _: [*own, "off", *archives],
        "in process, --jobs 1": lambda _: [*own, "off", "--jobs", "1", *archives],
        "sandboxed": lambda _: [*own, "required", *archives],
        "sandboxed, --jobs 1": lambda _: [*own, "required", "--jobs", "1", *archives],
        "bsdtar, once for each": lambda target: [*each, target, *archives],
        "Python zipfile + memfd": lambda _: ["/usr/bin/python3", str(HERE / "zipfile_memfd.py"), *archives],
    }))}


def server():
    """200 asynchronous extractions at once, in process and sandboxed: medians of what `compare server` prints."""
    found = {}
    os.environ["MEMARCHIVE_WORKER"] = str(WORKER)
    command = [str(COMPARE), "server", str(CACHE / "small-500")]
    measured = whole.measure({"in process": lambda _: command, "sandboxed": lambda _: [*command, "--sandboxed"]}, wants_text=True)
    del os.environ["MEMARCHIVE_WORKER"]
    for way, trials in measured.trials.items():
        reports = [json.loads(trial.text) | {"computed": trial.user + trial.system} for trial in trials]
        found[way] = {key: statistics.median(report[key] for report in reports) for key in reports[0]} if reports else None
    return {"ways": found, "failures": measured.failures, "othersPercent": measured.others}


@contextlib.contextmanager
def folios(setting):
    """The kernel's setting for memory files while something runs, which root alone may change."""
    before = FOLIOS.read_text().split("[")[1].split("]")[0]
    # So that what is below runs then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        FOLIOS.write_text(setting)
        yield
    finally:
        FOLIOS.write_text(before)


def needs_journal():
    source = subprocess.run(
        ["findmnt", "--noheadings", "--output", "SOURCE", "--target", "/tmp"], capture_output=True, text=True).stdout
    options = Path("/proc/fs/ext4", source.strip().rsplit("/", 1)[-1], "options")
    return os.geteuid() == 0 and options.exists() and "data=" not in options.read_text()


def processor():
    # Debian names no model for aarch64.
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").open() if line.startswith("model name")),
                 platform.machine())
    return f"{os.cpu_count()} cores of {model}"


def machine():
    """What the numbers depend on; nothing that tells whose machine it is."""
    version = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True).stdout.splitlines()
    return {
        "kernel": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])} {platform.machine()}",
        "processor": processor(),
        "libraries": [line.strip() for line in version[:version.index(next(line for line in version if "JSON" in line))]][1:],
        "tmp": "ext4 with a journal on a loop device" if needs_journal() else subprocess.run(
            ["stat", "-f", "-c", "%T", "/tmp"], capture_output=True, text=True).stdout.strip(),
        "hugePages": FOLIOS.read_text().split("[")[1].split("]")[0],
    }


def micro():
    """What package-benchmark measures: the median and the 99th percentile, with their unit, by name."""
    text = subprocess.run(
        ["swift", "package", "--package-path", str(HERE), "benchmark", "--target", "Micro", "--format", "markdown",
         "--no-progress"], stdout=subprocess.PIPE, text=True, check=True).stdout
    found, name = {}, ""
    for line in text.splitlines():
        if line.startswith("### "):
            name = line[4:]
        elif line.startswith("| Time (wall clock)"):
            cells = [cell.strip() for cell in line.split("|")]
            found[name] = {"unit": cells[1].split("(")[2].split(")")[0], "p50": int(float(cells[4])), "p99": int(float(cells[7]))}
    return found


# What is measured of each of some inputs: those, and how.
OF_INPUTS = {
    "whole": ([name for name in INPUTS if not name.startswith(("tiny-", "size-"))],
              lambda name: whole.compare(str(PROGRAM), str(CACHE / name))),
    "withinSize": (WITHIN_SIZE, lambda name: whole.compare(str(PROGRAM), str(CACHE / name))),
    "many": (MANY, many),
    "inProcess": (INPUTS, in_process),
    "memory": (INPUTS, memory),
}
# What is measured as a whole.
OTHERS = {
    "server": server,
    "quick": lambda: quick.measure(str(PROGRAM)),
    "links": lambda: links.measure(str(PROGRAM)),
    "micro": micro,
    "profile": lambda: perf.profiles(
        str(HERE.parent / ".build/static/release/memarchive"), [str(CACHE / name) for name in perf.ARCHIVES]),
}


class Results:
    """One file for each processor, as times of different ones have nothing to do with each other."""

    def __init__(self):
        self.path = HERE / "results" / (re.sub(r"[^a-z0-9]+", "-", processor().lower()).strip("-") + ".json")
        self.data = json.loads(self.path.read_text()) if self.path.exists() else {"runs": {}}
        self.data |= {"machine": machine(), "rounds": ROUNDS}
        state = subprocess.run(["git", "-C", HERE, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout
        self.run = f"{datetime.date.today()} at {state.strip() or 'an unknown commit'}"

    def save(self, part, value, name=None):
        """In one piece or not at all; with the run that each row is of."""
        if name:
            self.data.setdefault(part, {})[name] = value
            self.data["runs"].setdefault(part, {})[name] = self.run
        else:
            self.data[part], self.data["runs"][part] = value, self.run
        self.path.parent.mkdir(exist_ok=True)
        unfinished = self.path.with_suffix(".json.part")
        unfinished.write_text(json.dumps(self.data, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
        unfinished.rename(self.path)


def main():
    wanted = sys.argv[1:]
    results = Results()
    parts = [part for part in wanted if part in OF_INPUTS or part in OTHERS]
    names = [name for name in wanted if name in INPUTS or name in MANY]
    if unknown := set(wanted) - set(parts) - set(names) - {"short"}:
        sys.exit(f"neither a part nor an input: {', '.join(unknown)}; parts are short, {', '.join([*OF_INPUTS, *OTHERS])}")
    if "short" in wanted:
        parts, names = ["many", "server", "quick", "whole"], SHORT_INPUTS + MANY
    parts = parts or [*OF_INPUTS, *(() if names else OTHERS)]
    if not (os.access(FOLIOS, os.W_OK) and "within_size" in FOLIOS.read_text()):
        parts = [part for part in parts if part != "withinSize"]
    for part in parts:
        inputs, measure = OF_INPUTS.get(part, ([None], None))
        with folios("within_size") if part == "withinSize" else contextlib.nullcontext():
            for name in inputs:
                if name is None or not names or name in names:
                    print(f"{part} {name or ''} …", file=sys.stderr, flush=True)
                    results.save(part, measure(name) if name else OTHERS[part](), name)


if __name__ == "__main__":
    main()
