#!/usr/bin/python3
"""Where the time of whole processes goes, by perf(1), for `dedicated` and `packed`.

    Benchmarks/perf.py MEMARCHIVE ARCHIVE ...

perf is in the package linux-perf of the running kernel; as an ordinary user it wants kernel.perf_event_paranoid at most 1.
Where there is none, nothing is done. The program is the static one, with its symbols.
"""

import os
import shutil
import subprocess
import sys
import tempfile

import report
import whole

# What bench.py profiles.
ARCHIVES = ["arch.zip", "scipy.whl", "soundfont.zip", "arch.tar", "arch.tar.gz", "arch.tar.xz", "arch.tar.zst", "large.tar",
            "size-512k.tar", "linux.tar", "linux.tar.gz", "linux.tar.zst", "linux.tar.xz"]

# What a symbol or a shared object counts as; the first that fits.
DECODERS = ("libisal", "liblzma", "libzstd", "libz.", "libbz2")
CLEARING = ("clear_page", "clear_huge")
COPYING = ("copy_to_iter", "copy_folio_from_iter", "copy_mc", "copy_user", "rep_movs")
# The standard library's own code that was not specialized for ours is in modules s (Swift) and the like.
RUNTIME = ("swift_", "_swift", "swift::", "(anonymous namespace)::", "$ss", "$sS")
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
    if dso == "memarchive":
        return "Swift's runtime" if symbol.startswith(RUNTIME) else "this library"
    return "all else"


def profile(command):
    """Shares by column, and what share of all processors' time the process computed."""
    trial = whole.run(lambda _: command)
    with tempfile.NamedTemporaryFile(suffix=".data") as data:
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
    return shares, (trial.user + trial.system) / trial.seconds / whole.PROCESSORS


def profiles(program, archives):
    """None where there is no perf."""
    if not shutil.which("perf"):
        return []
    rows = []
    for archive in archives:
        for storage in ("dedicated", "packed"):
            try:
                shares, busy = profile([*whole.own(program, storage), str(archive)])
            except (subprocess.CalledProcessError, RuntimeError):
                continue  # Such as dedicated files where there are more of them than descriptors.
            # In the order of the columns.
            rows.append({"archive": os.path.basename(archive), "storage": storage, "busy": busy,
                         "shares": list(shares.items())})
    return rows


def main():
    print(report.profiles(profiles(sys.argv[1], sys.argv[2:])))


if __name__ == "__main__":
    main()
