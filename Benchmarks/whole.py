#!/usr/bin/env python3
"""Whole processes: `memarchive test --hold` against what else unpacks an archive, into /dev/shm.

    Benchmarks/whole.py MEMARCHIVE [ARCHIVE ...]     by default those of Benchmarks/cache

Each round runs all of them once, in turn; the first round is not counted. Prints medians as a Markdown table; a ratio
above 1 says how many times as long the rival takes.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = int(os.environ.get("ROUNDS", 5))
SHARED = "/dev/shm"


def own(program, storage):
    return lambda archive, _: [program, "test", "-q", "--hold", "--storage", storage, archive]


RIVALS = {
    "bsdtar": (lambda archive, target: ["bsdtar", "-xf", archive, "-C", target], ("",)),
    "GNU tar": (lambda archive, target: ["tar", "-xf", archive, "-C", target], (".tar", ".gz", ".zst", ".xz")),
    "unzip": (lambda archive, target: ["unzip", "-q", archive, "-d", target], (".zip", ".whl")),
    "7z": (lambda archive, target: ["7z", "x", "-y", "-bd", f"-o{target}", archive], (".zip", ".whl", ".7z")),
}


def seconds(command, archive):
    target = tempfile.mkdtemp(dir=SHARED)
    try:
        start = time.perf_counter()
        subprocess.run(command(archive, target), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - start
    finally:
        shutil.rmtree(target)


def main():
    program = os.path.abspath(sys.argv[1])
    archives = sys.argv[2:] or sorted(map(str, (Path(__file__).parent / "cache").glob("[als]*.[tz]*")))
    ways = {storage: own(program, storage) for storage in ("dedicated", "packed", "automatic")}
    print(f"| archive | {' | '.join(ways)} | {' | '.join(f'{rival} ÷ dedicated, packed' for rival in RIVALS)} |")
    print("|---" * (1 + len(ways) + len(RIVALS)) + "|")
    for archive in archives:
        commands = dict(ways)
        for rival, (command, suffixes) in RIVALS.items():
            if archive.endswith(suffixes) and shutil.which(command("", "")[0]):
                commands[rival] = command
        times = {name: [] for name in commands}
        for turn in range(ROUNDS + 1):
            for name, command in list(commands.items()):
                try:
                    taken = seconds(command, archive)
                    if turn > 0:
                        times[name].append(taken)
                except subprocess.CalledProcessError:
                    # As dedicated files where there are more of them than descriptors, for one.
                    del commands[name], times[name]
        medians = {name: statistics.median(values) for name, values in times.items()}
        cells = [f"{medians[way] * 1000:.0f} ms" if way in medians else "fails" for way in ways]
        for rival in RIVALS:
            ratios = [f"{medians[rival] / medians[way]:.2f}" if way in medians and rival in medians else "–"
                      for way in ("dedicated", "packed")]
            cells.append(", ".join(ratios))
        print(f"| {os.path.basename(archive)} | {' | '.join(cells)} |", flush=True)


main()
