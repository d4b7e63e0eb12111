#!/usr/bin/python3
"""Runs the whole benchmark and writes results.json; `report.py` makes the tables and the plot of it.

    Benchmarks/bench.py [--whole|--in-process|--micro] [INPUT ...]

By default everything; a part, or some inputs, replaces what results.json has of them. ROUNDS=9 in the environment for more
rounds than 5.

Everything must be built: `make bench` does it all. Nothing else should run meanwhile.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import whole
from whole import COMPARE, HERE, ROUNDS, busy

RESULTS = HERE / "results.json"
PROGRAM = HERE.parent / ".build/release/memarchive"
INPUTS = [
    "one.zip", "arch.zip", "scipy.whl", "numpy.whl", "soundfont.zip", "large.zip", "large.tar", "arch.tar", "arch.tar.gz",
    "arch.tar.bz2", "streams.tar.bz2", "arch.tar.zst", "arch.tar.xz", "arch.7z",
    "size-64k.tar", "size-512k.tar", "size-4m.tar",
    "linux.tar", "linux.tar.gz", "linux.tar.zst", "linux.tar.xz",
    "tiny-10k.zip", "tiny-10k.tar", "tiny-100k.zip", "tiny-100k.tar", "tiny-1m.zip", "tiny-1m.tar",
]
# A million temporary files take minutes, and teach nothing that a hundred thousand don't.
ONLY = {"tiny-1m": ["extract automatic", "extract packed", "stream packed", "limit"]}
STORAGES = ("dedicated", "packed", "automatic")


def answer(command):
    """The JSON that a process prints, and the share of the processors' time that others took meanwhile."""
    before = busy()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    after = busy()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        return None, 0.0
    others = after[0] - before[0] - usage.ru_utime - usage.ru_stime
    return json.loads(text), round(100 * max(0.0, others) / max(after[1] - before[1], 1e-9), 1)


def in_process(name):
    only = [f"--only={way}" for stem, ways in ONLY.items() if name.startswith(stem) for way in ways]
    # A /tmp that is an ext4 without a journal is no fair rival; see journaled.sh.
    wrapper = [str(HERE / "journaled.sh")] if needs_journal() else []
    result, others = answer(
        [*wrapper, str(COMPARE), "times", f"--rounds={ROUNDS}", *only, str(HERE / "cache" / name)])
    return result and {**result, "othersPercent": others}


def memory(name):
    return {storage: answer([str(COMPARE), "memory", f"--storage={storage}", str(HERE / "cache" / name)])[0]
            for storage in STORAGES}


def needs_journal():
    source = subprocess.run(
        ["findmnt", "--noheadings", "--output", "SOURCE", "--target", "/tmp"], capture_output=True, text=True).stdout
    options = Path("/proc/fs/ext4", source.strip().rsplit("/", 1)[-1], "options")
    return os.geteuid() == 0 and options.exists() and "data=" not in options.read_text()


def machine():
    """What the numbers depend on; nothing that tells whose machine it is."""
    processor = next(line.split(":")[1].strip() for line in Path("/proc/cpuinfo").open() if line.startswith("model name"))
    version = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True).stdout.splitlines()
    return {
        "kernel": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])} {platform.machine()}",
        "processor": f"{os.cpu_count()} cores of {processor}",
        "libraries": [line.strip() for line in version if line.startswith("  ")][:5],
        "tmp": "ext4 with a journal on a loop device" if needs_journal() else subprocess.run(
            ["stat", "-f", "-c", "%T", "/tmp"], capture_output=True, text=True).stdout.strip(),
        "hugePages": Path("/sys/kernel/mm/transparent_hugepage/shmem_enabled").read_text().split("[")[1].split("]")[0],
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


def save(results):
    # In one piece or not at all.
    part = RESULTS.with_suffix(".json.part")
    part.write_text(json.dumps(results, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    part.rename(RESULTS)


def main():
    parser = argparse.ArgumentParser()
    for part in ("--whole", "--in-process", "--micro"):
        parser.add_argument(part, dest="part", action="store_const", const=part)
    parser.add_argument("inputs", nargs="*", metavar="INPUT")
    part, names = (arguments := parser.parse_args()).part, arguments.inputs or INPUTS
    results = {"machine": machine(), "rounds": ROUNDS, "inProcess": {}, "memory": {}, "whole": {}, "micro": {}}
    if (part or arguments.inputs) and RESULTS.exists():
        results = json.loads(RESULTS.read_text()) | {"machine": results["machine"]}
    for name in names if part in (None, "--whole") else ():
        if not name.startswith(("tiny-", "size-")):
            print(f"{name}, whole processes …", file=sys.stderr, flush=True)
            results["whole"][name] = whole.compare(str(PROGRAM), str(HERE / "cache" / name))
            save(results)
    for name in names if part in (None, "--in-process") else ():
        print(f"{name}, in process …", file=sys.stderr, flush=True)
        results["inProcess"][name] = in_process(name)
        results["memory"][name] = memory(name)
        save(results)
    if part == "--micro" or (part is None and not arguments.inputs):
        results["micro"] = micro()
        save(results)


if __name__ == "__main__":
    main()
