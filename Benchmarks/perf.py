#!/usr/bin/python3
"""Where the time of whole processes goes, by perf(1), for `dedicated` and `packed`: into results.json, or a table.

    Benchmarks/perf.py [--save] MEMARCHIVE ARCHIVE ...

perf is in the package linux-perf of the running kernel; as an ordinary user it wants kernel.perf_event_paranoid at most 1.
Where there is none, nothing is done.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import bench
import report

# What a symbol or a shared object counts as; the first that fits.
DECODERS = ("libisal", "liblzma", "libzstd", "libz.", "libbz2")
CLEARING = ("clear_page", "clear_huge")
COPYING = ("copy_to_iter", "copy_folio_from_iter", "copy_mc", "copy_user", "rep_movs")
COLUMNS = ("decoders", "kernel: clearing pages", "kernel: copying", "kernel: all else", "libarchive", "copying (libc)",
           "Swift's runtime", "this library", "all else")


def column(dso, symbol):
    if any(dso.startswith(name) for name in DECODERS):
        return "decoders"
    if dso.startswith("[kernel"):
        if symbol.startswith(CLEARING):
            return "kernel: clearing pages"
        return "kernel: copying" if any(part in symbol for part in COPYING) else "kernel: all else"
    if dso.startswith("libarchive"):
        return "libarchive"
    if dso.startswith("libc."):
        return "copying (libc)" if symbol.startswith("__mem") else "all else"
    if dso.startswith("libswift"):
        return "Swift's runtime"
    return "this library" if dso == "memarchive" else "all else"


def profile(command):
    """Shares by column, and what share of all processors' time the process computed."""
    with tempfile.NamedTemporaryFile(suffix=".data") as data:
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        computed = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        subprocess.run(["perf", "record", "-q", "-F", "5000", "-o", data.name, "--", *command],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        report = subprocess.run(
            ["perf", "report", "-i", data.name, "--sort", "dso,sym", "--field-separator", "|", "--stdio"],
            check=True, capture_output=True, text=True).stdout
    shares = dict.fromkeys(COLUMNS, 0.0)
    for line in report.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if line.startswith("#") or len(cells) < 3:
            continue
        symbol = cells[2].split("]", 1)[-1].strip()
        shares[column(cells[1], symbol)] += float(cells[0].rstrip("%"))
    return shares, computed / taken / len(os.sched_getaffinity(0))


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--save"]
    program, archives = arguments[0], arguments[1:]
    if not shutil.which("perf"):
        return print("There is no perf here.", file=sys.stderr)
    rows = []
    for archive in archives:
        for storage in ("dedicated", "packed"):
            command = [program, "test", "-q", "--hold", "--sandbox", "off", "--storage", storage, archive]
            try:
                shares, busy = profile(command)
            except subprocess.CalledProcessError:
                continue  # Such as dedicated files where there are more of them than descriptors.
            # In the order of the columns.
            rows.append({"archive": os.path.basename(archive), "storage": storage, "busy": busy,
                         "shares": list(shares.items())})
    if "--save" in sys.argv:
        bench.save(json.loads(bench.RESULTS.read_text()) | {"profile": rows})
    else:
        print(report.profiles(rows))


if __name__ == "__main__":
    main()
