#!/usr/bin/python3
"""Whole processes: `memarchive test --hold` against what else unpacks an archive, into /dev/shm.

    Benchmarks/whole.py MEMARCHIVE ARCHIVE ...

Each round runs all of them once, in another order; the first round warms up. As many rounds as fit into a minute,
ROUNDS at least (environment; 5) and five times as many at most.
"""

import argparse
import ctypes
import os
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
COMPARE = HERE / ".build/release/compare"
LIMIT = HERE / ".build/release/limit"
ROUNDS = int(os.environ.get("ROUNDS", 5))
STORAGES = ("dedicated", "packed", "automatic")
# The same read by the locked worker, as the program does it unless it is told otherwise.
SANDBOXED = ("dedicated, sandboxed", "packed, sandboxed", "automatic, sandboxed")
# What most systems give a shell; `--storage dedicated` raises it for itself.
SOFT_LIMIT = 1024
# A command that does nothing gets all entries at real paths: read in this process, and by the locked worker.
TREES = {"tree": ["--sandbox", "off"], "tree, sandboxed": []}
ZIP, TAR = (".zip", ".whl"), (".tar", ".gz", ".bz2", ".zst", ".xz")
# What CLimit decodes on as many processors as the format lets work, and what it has to keep.
LIMITED = (*ZIP, ".tar", ".gz", ".zst", ".xz")
PROCESSORS = len(os.sched_getaffinity(0))

# What runs, and on which archives. None of them has more than its own defaults.
RIVALS = {
    "bsdtar": (lambda archive, target: ["bsdtar", "-xf", archive, "-C", target], ("",)),
    "GNU tar": (lambda archive, target: ["tar", "-xf", archive, "-C", target], TAR),
    "unzip": (lambda archive, target: ["unzip", "-q", archive, "-d", target], ZIP),
    "7z": (lambda archive, target: ["7z", "x", "-y", "-bd", f"-o{target}", archive], (*ZIP, ".7z")),
    "Python zipfile + memfd": (
        lambda archive, target: ["/usr/bin/python3", str(HERE / "zipfile_memfd.py"), archive], ZIP),
    # These decode and drop: less than all others do.
    "limit": (lambda archive, target: [str(LIMIT), archive], (*LIMITED, ".7z")),
    # These decode, copy the bytes into memory files, and do nothing else.
    "limit, packed": (lambda archive, target: [str(LIMIT), "--packed", archive], LIMITED),
    "limit, dedicated": (lambda archive, target: [str(LIMIT), "--dedicated", archive], LIMITED),
    "xz -dc -T2": (lambda archive, target: ["xz", "-dc", "-T2", archive], (".xz",)),
    "zstd -dc": (lambda archive, target: ["zstd", "-dcq", archive], (".zst",)),
    "pzstd -dc": (lambda archive, target: ["pzstd", "-dcq", archive], ("frames.tar.zst",)),
    "bgzip -dc": (lambda archive, target: ["bgzip", "-dc", "-@", str(PROCESSORS), archive], ("bgzf.tar.gz",)),
    "lbzip2 -dc": (lambda archive, target: ["lbzip2", "-dc", archive], (".bz2",)),
    "pbzip2 -dc": (lambda archive, target: ["pbzip2", "-dc", archive], (".bz2",)),
}


def own(program, way):
    """`packed`, or `packed, sandboxed`."""
    storage, _, sandboxed = way.partition(", ")
    return [program, "test", "-q", "--hold", "--sandbox", "required" if sandboxed else "off", "--storage", storage]


def commands(program, archive):
    """By name, what makes the arguments, given the directory that it may fill."""
    found = {way: lambda _, way=way: [*own(program, way), archive] for way in (*STORAGES, *SANDBOXED)}
    found |= {way: lambda _, options=options: [program, "run", "--tree", *options, archive, "--", "true"]
              for way, options in TREES.items()}
    if os.path.basename(archive) == "one.zip":
        found["run, sandboxed"] = lambda _: [program, "run", archive, "--", "true"]
    found |= {rival: lambda target, command=command: command(archive, target)
              for rival, (command, suffixes) in RIVALS.items() if archive.endswith(suffixes)}
    return found


class Trial(NamedTuple):
    """Seconds that passed until the command ended, and that it and all that it has started computed in user and kernel mode."""
    seconds: float
    user: float
    system: float
    text: str = ""


def adopt():
    """Makes this process the parent of all that a command leaves behind: prctl(2), PR_SET_CHILD_SUBREAPER."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def run(command, wants_text=False):
    """
    The time of a process that nobody waits for is counted with its parent's when that one waits for it (getrusage(2)): the
    worker's with its supervisor's, and of what has lost its parent, here. Hence everything that the command has started is
    counted, once it has ended, and nothing has to be a cgroup's, which an ordinary user cannot make.
    """
    target = tempfile.mkdtemp(dir="/dev/shm")
    complaints, answer = tempfile.TemporaryFile(), tempfile.TemporaryFile() if wants_text else open(os.devnull, "w+b")
    adopt()
    try:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        process = spawn(command(target), answer, complaints)
        _, status = os.waitpid(process, 0)
        taken = time.perf_counter() - start
        status = os.waitstatus_to_exitcode(status)
        wait_for_all()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        complaints.seek(0)
        complaint = complaints.read().decode(errors="replace").strip()
        if status != 0:
            # What ails it, and not where it lies here.
            complaint = complaint.replace(f"{HERE}/cache/", "")
            raise RuntimeError(complaint.splitlines()[0] if complaint else f"exit status {status}")
        answer.seek(0)
        return Trial(taken, after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime, answer.read().decode())
    finally:
        complaints.close()
        answer.close()
        shutil.rmtree(target)


def spawn(arguments, output, complaints):
    """posix_spawn(3): what subprocess does around it takes time of its own."""
    return os.posix_spawnp(
        arguments[0], arguments, os.environ, setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        file_actions=[(os.POSIX_SPAWN_DUP2, output.fileno(), 1), (os.POSIX_SPAWN_DUP2, complaints.fileno(), 2)])


def wait_for_all():
    try:
        while True:
            os.waitpid(-1, 0x40000000)  # __WALL: whatever signal it ends with
    except ChildProcessError:
        pass


def peak(command):
    """MiB of anonymous memory (proc_pid_status(5), RssAnon), the most at any time: of the command's own process, of all that it
    has started, and of both together. What forked processes share counts for each."""
    target = tempfile.mkdtemp(dir="/dev/shm")
    adopt()
    most = [0, 0, 0]
    try:
        process = subprocess.Popen(command(target), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            host, others = anonymous(process.pid), sum(map(anonymous, offspring(process.pid)))
            most = list(map(max, most, (host, others, host + others)))
        wait_for_all()
    finally:
        shutil.rmtree(target)
    return {name: value / 1024 for name, value in zip(("host", "others", "together"), most)} if process.returncode == 0 else None


def anonymous(pid):
    """KiB; 0 where there is none any more."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:")), 0)


def offspring(root):
    """What descends from a process, without what runs on its memory, as a supervisor does (kcmp(2), KCMP_VM)."""
    family = {root}
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) > root):
        try:
            parent = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if parent in family or parent == os.getpid():
            family.add(pid)
    library = ctypes.CDLL(None)
    return [pid for pid in family - {root} if library.syscall(KCMP, root, pid, 1, 0, 0) != 0]


KCMP = {"x86_64": 312, "aarch64": 272}[os.uname().machine]


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


class Measured(NamedTuple):
    rounds: int
    # By name, one a round.
    trials: dict
    # By name, what was said.
    failures: dict
    # What others took of the processors' time meanwhile.
    others: float


def measure(commands, seconds=60, wants_text=False):
    """Runs all commands in turn, in as many rounds as fit into so many seconds."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(SOFT_LIMIT, limit[1]), limit[1]))
    trials, failures = {name: [] for name in commands}, {}
    others = passed = 0.0
    turn, rounds, start = 0, ROUNDS, time.perf_counter()
    try:
        while turn <= rounds:
            names = [name for name in commands if name not in failures]
            # The order changes, so that what one command leaves behind does not always affect the same next one.
            random.Random(turn).shuffle(names)
            for name in names:
                rest()
                before = foreign()
                try:
                    trial = run(commands[name], wants_text)
                except RuntimeError as failure:
                    # Such as dedicated files where there are more of them than descriptors.
                    failures[name] = str(failure)
                    continue
                after = foreign()
                if turn > 0:
                    trials[name].append(trial)
                    passed += after[1] - before[1]
                    others += after[0] - before[0] - trial.user - trial.system
            if turn == 0:
                # The shorter they take, the more rounds for a median that holds.
                rounds = max(ROUNDS, min(5 * ROUNDS, int(seconds / (time.perf_counter() - start))))
            turn += 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    return Measured(rounds, trials, failures, round(100 * max(0, others) / max(passed, 1e-9), 1))


def summary(measured):
    """Medians by name, and the failures; with the share of the processors' time that others took meanwhile."""
    ways = {name: {"failure": failure} for name, failure in measured.failures.items()}
    for name, trials in measured.trials.items():
        if name not in ways:
            seconds, user, system, _ = zip(*trials)
            ways[name] = {"seconds": statistics.median(seconds), "user": statistics.median(user),
                          "system": statistics.median(system), "min": min(seconds), "max": max(seconds)}
    return {"rounds": measured.rounds, "ways": ways, "othersPercent": measured.others}


def compare(program, archive):
    return {"archive": os.path.basename(archive), **summary(measure(commands(program, archive)))}


def time_of(way):
    """Milliseconds, and those computed beside them, by one processor or several."""
    if "seconds" not in way:
        return "fails"
    return " / ".join(f"{1000 * value:.{1 if value < 0.1 else 0}f}" for value in (way["seconds"], way["user"] + way["system"]))


def heading():
    columns = [*STORAGES, *SANDBOXED, *TREES, *RIVALS]
    return f"| archive | {' | '.join(columns)} | others |\n" + "|---" * (2 + len(columns)) + "|"


def line(row):
    """Our times, and how many times as long each rival takes as dedicated, packed, automatic."""
    ways = row["ways"]
    cells = [row["archive"]] + [time_of(ways[way]) if way in ways else "–" for way in (*STORAGES, *SANDBOXED, *TREES)]
    for rival in RIVALS:
        if rival not in ways:
            cells.append("–")
            continue
        ratios = [f"{ways[rival]['seconds'] / ways[storage]['seconds']:.2f}"
                  if "seconds" in ways[rival] and "seconds" in ways[storage] else "–" for storage in STORAGES]
        cells.append(f"{time_of(ways[rival])}: {' · '.join(ratios)}")
    return f"| {' | '.join(cells)} | {row['othersPercent']} % |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", metavar="MEMARCHIVE")
    parser.add_argument("archives", metavar="ARCHIVE", nargs="+")
    arguments = parser.parse_args()
    print(heading())
    for archive in arguments.archives:
        print(line(compare(os.path.abspath(arguments.program), archive)), flush=True)


if __name__ == "__main__":
    main()
