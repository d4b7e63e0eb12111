#!/usr/bin/python3
"""Whole processes: `memarchive test --hold` against what else unpacks an archive, into /dev/shm.

    Benchmarks/whole.py MEMARCHIVE ARCHIVE ...

Each round runs all of them once, in another order; the first round warms up. As many rounds as fit into a minute,
ROUNDS at least (environment; 5) and five times as many at most.
"""

import argparse
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMPARE = HERE / ".build/release/compare"
ROUNDS = int(os.environ.get("ROUNDS", 5))
STORAGES = ("dedicated", "packed", "automatic")
# The same read by the locked worker, as the program does it unless it is told otherwise.
SANDBOXED = ("dedicated, sandboxed", "automatic, sandboxed")
# What most systems give a shell; `--storage dedicated` raises it for itself.
SOFT_LIMIT = 1024
# A command that does nothing gets all entries at real paths: read in this process, and by the locked worker.
TREES = {"tree": ["--sandbox", "off"], "tree, sandboxed": []}
ZIP, TAR = (".zip", ".whl"), (".tar", ".gz", ".bz2", ".zst", ".xz")

# What runs, and on which archives. None of them has more than its own defaults.
RIVALS = {
    "bsdtar": (lambda archive, target: ["bsdtar", "-xf", archive, "-C", target], ("",)),
    "GNU tar": (lambda archive, target: ["tar", "-xf", archive, "-C", target], TAR),
    "unzip": (lambda archive, target: ["unzip", "-q", archive, "-d", target], ZIP),
    "7z": (lambda archive, target: ["7z", "x", "-y", "-bd", f"-o{target}", archive], (*ZIP, ".7z")),
    "Python zipfile + memfd": (
        lambda archive, target: ["/usr/bin/python3", str(HERE / "zipfile_memfd.py"), archive], ZIP),
    # These decode and drop: less than all others do.
    "limit": (lambda archive, target: [str(COMPARE), "limit", archive], ("",)),
    "xz -dc -T2": (lambda archive, target: ["xz", "-dc", "-T2", archive], (".xz",)),
    "lbzip2 -dc": (lambda archive, target: ["lbzip2", "-dc", archive], (".bz2",)),
    "pbzip2 -dc": (lambda archive, target: ["pbzip2", "-dc", archive], (".bz2",)),
}


def own(program, storage, sandbox="off"):
    return lambda archive, target: [program, "test", "-q", "--hold", "--sandbox", sandbox, "--storage", storage, archive]


def tree(program, options):
    return lambda archive, target: [program, "run", "--tree", *options, archive, "--", "true"]


def run(command, archive):
    """Seconds that passed, and that the process and its children computed, in user and kernel mode."""
    target = tempfile.mkdtemp(dir="/dev/shm")
    complaints = tempfile.TemporaryFile()
    try:
        start = time.perf_counter()
        process = subprocess.Popen(command(archive, target), stdout=subprocess.DEVNULL, stderr=complaints)
        _, status, usage = os.wait4(process.pid, 0)
        taken = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        complaints.seek(0)
        complaint = complaints.read().decode(errors="replace").strip()
        if process.returncode != 0:
            # What ails it, and not where it lies here.
            complaint = complaint.replace(archive, os.path.basename(archive))
            raise RuntimeError(complaint.splitlines()[0] if complaint else f"exit status {process.returncode}")
        return taken, usage.ru_utime, usage.ru_stime
    finally:
        complaints.close()
        shutil.rmtree(target)


def busy():
    """Seconds that all processors computed since the system started, and seconds in all (proc_stat(5))."""
    ticks = [int(word) / os.sysconf("SC_CLK_TCK") for word in Path("/proc/stat").read_text().split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def foreign():
    """The same, without what this process computed itself."""
    computed, passed = busy()
    return computed - time.process_time(), passed


def rest():
    """Waits until what the last command left behind is done, such as the freeing of a tree: two seconds at most. Computing,
    as a processor that has slept starts slowly."""
    latest = time.perf_counter() + 2
    while (start := time.perf_counter()) < latest:
        before, _ = foreign()
        while time.perf_counter() < start + 0.1:
            pass
        if foreign()[0] - before < 0.02:
            return


def compare(program, archive):
    """Medians by name, and the failures; with the share of the processors' time that others took meanwhile."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(SOFT_LIMIT, before[1]), before[1]))
    try:
        return measure(program, archive)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def measure(program, archive):
    commands = {storage: own(program, storage) for storage in STORAGES}
    commands |= {name: own(program, name.split(",")[0], "required") for name in SANDBOXED}
    commands |= {name: tree(program, options) for name, options in TREES.items()}
    for rival, (command, suffixes) in RIVALS.items():
        if archive.endswith(suffixes):
            commands[rival] = command
    trials = {name: [] for name in commands}
    failures = {}
    others = passed = 0.0
    turn, rounds, start = 0, ROUNDS, time.perf_counter()
    while turn <= rounds:
        names = [name for name in commands if name not in failures]
        # The order changes, so that what one command leaves behind does not always affect the same next one.
        random.Random(turn).shuffle(names)
        for name in names:
            rest()
            before = foreign()
            try:
                trial = run(commands[name], archive)
            except RuntimeError as failure:
                # Such as dedicated files where there are more of them than descriptors.
                failures[name] = str(failure)
                continue
            after = foreign()
            if turn > 0:
                trials[name].append(trial)
                passed += after[1] - before[1]
                others += after[0] - before[0] - trial[1] - trial[2]
        if turn == 0:
            # The shorter they take, the more rounds for a median that holds: a minute's worth.
            rounds = max(ROUNDS, min(5 * ROUNDS, int(60 / (time.perf_counter() - start))))
        turn += 1
    result = {}
    for name, values in trials.items():
        if name in failures:
            result[name] = {"failure": failures[name]}
        else:
            seconds, user, system = (statistics.median(column) for column in zip(*values))
            result[name] = {
                "seconds": seconds, "user": user, "system": system,
                "min": min(v[0] for v in values), "max": max(v[0] for v in values)}
    return {"archive": os.path.basename(archive), "rounds": rounds, "ways": result,
            "othersPercent": round(100 * max(0, others) / max(passed, 1e-9), 1)}


def heading():
    columns = [*STORAGES, *SANDBOXED, *TREES, *RIVALS]
    return f"| archive | {' | '.join(columns)} |\n" + "|---" * (1 + len(columns)) + "|"


def line(row):
    """Our times, and how many times as long each rival takes as dedicated, packed, automatic."""
    def cell(way):
        return f"{way['seconds'] * 1000:.{1 if way['seconds'] < 0.1 else 0}f} ms" if "seconds" in way else "fails"

    ways = row["ways"]
    cells = [row["archive"]] + [cell(ways.get(way, {})) for way in (*STORAGES, *SANDBOXED, *TREES)]
    for rival in RIVALS:
        if rival not in ways:
            cells.append("–")
            continue
        ratios = [f"{ways[rival]['seconds'] / ways[storage]['seconds']:.2f}"
                  if "seconds" in ways[rival] and "seconds" in ways[storage] else "–" for storage in STORAGES]
        cells.append(f"{cell(ways[rival])}: {' · '.join(ratios)}")
    return f"| {' | '.join(cells)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", metavar="MEMARCHIVE")
    parser.add_argument("archives", metavar="ARCHIVE", nargs="+")
    arguments = parser.parse_args()
    print(heading())
    for archive in arguments.archives:
        row = compare(os.path.abspath(arguments.program), archive)
        print(line(row), flush=True)
        print(f"{row['archive']}: others took {row['othersPercent']} % of the processors' time", file=sys.stderr)


if __name__ == "__main__":
    main()
