#!/usr/bin/python3
"""Makes results.md, entries.svg and the table of what must be reached out of results.json, and prints the latter.

    Benchmarks/report.py [--readme] [RESULTS]      by default Benchmarks/results.json; README gets a short table
"""

import json
import statistics
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
MIB = 1 << 20
TEMPORARY = ("mkstemp /tmp", "O_TMPFILE /tmp", "O_TMPFILE /dev/shm")
SMALL = ("arch.", "tiny-10k", "tiny-100k", "linux.")
LARGE = ("large.zip", "large.tar")


class Results:
    def __init__(self, data):
        self.data = data

    def time(self, name, way, key="released"):
        """Seconds of a way in process; None where it failed or was not run."""
        way = ((self.data["inProcess"].get(name) or {}).get("ways") or {}).get(way, {})
        return statistics.median(trial[key] for trial in way["times"]) if way.get("times") else None

    def whole(self, name, way):
        return (self.data["whole"].get(name) or {"ways": {}})["ways"].get(way, {}).get("seconds")

    def memory(self, name, storage):
        return (self.data["memory"].get(name) or {}).get(storage)

    def names(self, prefixes=("",)):
        return [name for name in self.data["inProcess"] if name.startswith(prefixes)]

    def limit(self, name):
        """Of a tar, with its entries found: no extraction can do without."""
        return self.time(name, "limit parsed") or self.time(name, "limit decoded")


def ratio(upper, lower):
    return upper / lower if upper and lower else None


def worst(pairs, pick):
    """The extreme of what is known, and whose it is."""
    known = [(value, name) for name, value in pairs if value is not None]
    return pick(known) if known else (None, None)


def against(name, storage, rival):
    return lambda results: (ratio(results.whole(name, rival), results.whole(name, storage)), None)


def sandbox(name, storage):
    """What the worker costs beyond its start, for which there are 8 ms."""
    def cost(results):
        inside, outside = results.whole(name, f"{storage}, sandboxed"), results.whole(name, storage)
        return (ratio(inside and inside - 0.008, outside), None)
    return cost


def temporary(names, ours, lifetime="kept"):
    """How many times as long the fastest temporary file takes, where that is least."""
    def fastest(results, name):
        times = [results.time(name, f"stream {maker} {lifetime}") for maker in TEMPORARY]
        own = [results.time(name, way) for way in ours]
        times, own = [time for time in times if time], [time for time in own if time]
        return ratio(min(times), min(own)) if times and own else None
    return lambda results: worst(((name, fastest(results, name)) for name in results.names(names)), min)


def limit(names, way):
    return lambda results: worst(
        ((name, ratio(results.time(name, way, "extracted"), results.limit(name)))
         for name in results.names(names)), max)


def an_entry(results):
    def cost(name):
        return ratio(results.time(name, "extract packed"), (results.data["inProcess"].get(name) or {}).get("files"))
    return worst(((f"tiny-1m{kind}", ratio(cost(f"tiny-1m{kind}"), cost(f"tiny-10k{kind}")))
                  for kind in (".zip", ".tar")), max)


def heap_an_entry(results):
    def heap(name):
        memory = results.memory(name, "packed")
        return memory and memory["peakHeap"] / memory["entries"]
    return worst(((name, heap(name)) for name in results.names(("tiny-1m",))), max)


def heap(cap, storages, xz):
    """Peak heap in MiB, less 1 KiB an entry, which the files themselves may take."""
    def peak(results, name):
        reports = [results.memory(name, storage) for storage in storages]
        return max(((r["peakHeap"] - 1024 * r["entries"]) / MIB for r in reports if r), default=None)
    return lambda results: worst(
        ((name, peak(results, name)) for name in results.names() if name.endswith(".xz") == xz), max)


AT_LEAST, AT_MOST = "≥", "≤"
# The goals: what is compared, how, the goal, and the function that measures it.
WANTED = [
    ("arch.zip: bsdtar ÷ dedicated", AT_LEAST, 3, against("arch.zip", "dedicated", "bsdtar")),
    ("arch.zip: bsdtar ÷ packed", AT_LEAST, 8, against("arch.zip", "packed", "bsdtar")),
    ("arch.zip: unzip ÷ dedicated", AT_LEAST, 3, against("arch.zip", "dedicated", "unzip")),
    ("arch.zip: unzip ÷ packed", AT_LEAST, 8, against("arch.zip", "packed", "unzip")),
    ("arch.zip: 7z ÷ dedicated", AT_LEAST, 3, against("arch.zip", "dedicated", "7z")),
    ("arch.zip: 7z ÷ packed", AT_LEAST, 8, against("arch.zip", "packed", "7z")),
    ("arch.zip: bsdtar ÷ tree", AT_LEAST, 3, against("arch.zip", "tree", "bsdtar")),
    *((f"{name}: unzip ÷ tree, sandboxed", AT_LEAST, 3, against(name, "tree, sandboxed", "unzip"))
      for name in ("scipy.whl", "numpy.whl")),
    *((f"{name}: tree, sandboxed ÷ tree", AT_MOST, 1.15, against(name, "tree", "tree, sandboxed"))
      for name in ("scipy.whl", "numpy.whl", "linux.tar", "linux.tar.gz", "linux.tar.xz")),
    ("scipy.whl: bsdtar ÷ dedicated", AT_LEAST, 2.5, against("scipy.whl", "dedicated", "bsdtar")),
    ("scipy.whl: bsdtar ÷ packed", AT_LEAST, 4, against("scipy.whl", "packed", "bsdtar")),
    ("scipy.whl: unzip ÷ packed", AT_LEAST, 5, against("scipy.whl", "packed", "unzip")),
    ("soundfont.zip: bsdtar ÷ dedicated", AT_LEAST, 1.4, against("soundfont.zip", "dedicated", "bsdtar")),
    ("soundfont.zip: dedicated ÷ limit", AT_MOST, 1.15,
     lambda results: (ratio(results.whole("soundfont.zip", "dedicated"), results.whole("soundfont.zip", "limit")), None)),
    ("arch.tar.gz: bsdtar ÷ dedicated", AT_LEAST, 2.5, against("arch.tar.gz", "dedicated", "bsdtar")),
    ("arch.tar.gz: bsdtar ÷ packed", AT_LEAST, 5, against("arch.tar.gz", "packed", "bsdtar")),
    ("linux.tar.gz: bsdtar ÷ automatic", AT_LEAST, 6, against("linux.tar.gz", "automatic", "bsdtar")),
    ("linux.tar.zst: bsdtar ÷ automatic", AT_LEAST, 4, against("linux.tar.zst", "automatic", "bsdtar")),
    ("linux.tar.xz: bsdtar ÷ automatic", AT_LEAST, 3, against("linux.tar.xz", "automatic", "bsdtar")),
    ("linux.tar: bsdtar ÷ automatic", AT_LEAST, 5, against("linux.tar", "automatic", "bsdtar")),
    ("linux.tar.gz: GNU tar ÷ automatic", AT_LEAST, 5, against("linux.tar.gz", "automatic", "GNU tar")),
    ("linux.tar.zst: GNU tar ÷ automatic", AT_LEAST, 2.5, against("linux.tar.zst", "automatic", "GNU tar")),
    ("linux.tar.xz: GNU tar ÷ automatic", AT_LEAST, 2.2, against("linux.tar.xz", "automatic", "GNU tar")),
    ("linux.tar: GNU tar ÷ automatic", AT_LEAST, 2, against("linux.tar", "automatic", "GNU tar")),
    ("linux.tar.xz: automatic ÷ xz -dc -T2", AT_MOST, 1.15,
     lambda results: (ratio(results.whole("linux.tar.xz", "automatic"), results.whole("linux.tar.xz", "xz -dc -T2")), None)),
    ("in process, any input, kept: fastest temporary file ÷ extract dedicated", AT_LEAST, 1,
     temporary(("",), ["extract dedicated"])),
    ("in process, any input, closed at once: fastest temporary file ÷ stream", AT_LEAST, 1,
     temporary(("",), ["stream dedicated closed", "stream packed closed"], "closed")),
    ("in process, small files: fastest temporary file ÷ extract dedicated", AT_LEAST, 1.5,
     temporary(SMALL, ["extract dedicated"])),
    ("in process, small files: fastest temporary file ÷ extract packed", AT_LEAST, 3,
     temporary(SMALL, ["extract packed"])),
    ("in process, large stored: fastest temporary file ÷ extract dedicated", AT_LEAST, 3,
     temporary(LARGE, ["extract dedicated"])),
    ("in process, one 148 MB entry: extract dedicated ÷ limit", AT_MOST, 1.25,
     limit(("soundfont.zip",), "extract dedicated")),
    ("in process, packed, compressed: extract packed ÷ limit", AT_MOST, 1.25,
     limit(("arch.zip", "arch.tar.", "arch.7z", "scipy", "linux.tar."), "extract packed")),
    *((f"{name}: (dedicated in the sandbox − 8 ms) ÷ dedicated", AT_MOST, 1.25, sandbox(name, "dedicated"))
      for name in ("arch.zip", "arch.tar", "arch.tar.gz", "arch.tar.zst", "arch.tar.xz", "arch.7z")),
    *((f"{name}: (automatic in the sandbox − 8 ms) ÷ automatic", AT_MOST, 1.1, sandbox(name, "automatic"))
      for name in ("one.zip", "arch.zip", "arch.tar", "arch.tar.gz", "arch.tar.zst", "arch.tar.xz", "arch.7z",
                   "scipy.whl", "soundfont.zip", "large.zip", "large.tar",
                   "linux.tar", "linux.tar.gz", "linux.tar.zst", "linux.tar.xz")),
    ("one.zip: whole process, ms", AT_MOST, 10,
     lambda results: (1000 * (results.whole("one.zip", "automatic") or 0) or None, None)),
    ("one.zip: in process, µs", AT_MOST, 150,
     lambda results: (1e6 * (results.time("one.zip", "extract automatic") or 0) or None, None)),
    ("1M tiny entries: cost an entry ÷ that at 10k, packed", AT_MOST, 1.3, an_entry),
    ("1M tiny entries: bytes of heap an entry, packed", AT_MOST, 1024, heap_an_entry),
    ("heap beside the content and 1 KiB an entry, MiB", AT_MOST, 64, heap(64, ("dedicated", "packed", "automatic"), False)),
    ("the same of parallel xz, MiB", AT_MOST, 64 + 256, heap(320, ("dedicated", "packed", "automatic"), True)),
]


def verdicts(results):
    lines = ["| what | wanted | measured | |", "|---|---|---|---|"]
    for label, direction, want, measure in WANTED:
        value, where = measure(results)
        if value is None:
            lines.append(f"| {label} | {direction} {want} | not measured | – |")
            continue
        reached = value >= want if direction == AT_LEAST else value <= want
        text = f"{value:.2f}" if value < 100 else f"{value:.0f}"
        lines.append(f"| {label} | {direction} {want} | {text}{f' ({where})' if where else ''} "
                     f"| {'reached' if reached else '**missed**'} |")
    return "\n".join(lines)


def table(heading, rows):
    return "\n".join([f"| {' | '.join(heading)} |", "|---" * len(heading) + "|"]
                     + [f"| {' | '.join(row)} |" for row in rows])


def milliseconds(seconds):
    return "–" if seconds is None else f"{seconds * 1000:.{3 if seconds < 1e-3 else 1 if seconds < 0.1 else 0}f}"


def times(results, lifetime):
    ways = ["extract dedicated", "extract packed", "extract automatic"] if lifetime == "kept" else []
    ways += [f"stream {maker} {lifetime}" for maker in ("dedicated", "packed", "mapped", *TEMPORARY)]
    rows = [[name, *(milliseconds(results.time(name, way)) for way in ways)] for name in results.names()]
    return table(["archive", *(way.removesuffix(" " + lifetime) for way in ways)], rows)


def limits(results):
    rows = []
    for name in results.names():
        base = results.limit(name)
        cells = [milliseconds(results.time(name, f"limit {kind}")) for kind in ("decoded", "parsed", "fastest")]
        for storage in ("dedicated", "packed", "automatic"):
            value = ratio(results.time(name, f"extract {storage}", "extracted"), base)
            cells.append("–" if value is None else f"{value:.2f}")
        rows.append([name, *cells])
    return table(["archive", "decoders", "and entries", "fastest", "dedicated ÷", "packed ÷", "automatic ÷"], rows)


def memories(results):
    rows = []
    for name in results.names():
        for storage in ("dedicated", "packed"):
            report = results.memory(name, storage)
            if report:
                rows.append([name, storage, str(report["files"]), f"{report['bytes'] / MIB:.1f}",
                             f"{report['peakHeap'] / MIB:.1f}", f"{report['content'] / report['bytes']:.2f}", f"{report['kernel'] / report['files']:.0f}",
                             f"{100 * (report['content'] - report['bytes']) / report['bytes']:.1f} %"])
    return table(["archive", "storage", "files", "MiB", "peak heap, MiB", "held per byte", "kernel memory, bytes per file", "slack"], rows)


def wholes(results):
    import whole
    return "\n".join([whole.heading(), *(whole.line(row) for row in results.data["whole"].values())])


def computed(results):
    ways = ["dedicated", "packed", "automatic", "automatic, sandboxed", "tree", "tree, sandboxed", "bsdtar", "GNU tar", "unzip", "7z"]
    rows = []
    for name, row in results.data["whole"].items():
        found = [row["ways"].get(way, {}) for way in ways]
        rows.append([name, *(f"{milliseconds(way['user'])} + {milliseconds(way['system'])}" if "user" in way else "–"
                             for way in found), f"{row['othersPercent']} %"])
    return table(["archive", *ways, "others"], rows)


def profiles(rows):
    columns = [name for name, _ in rows[0]["shares"]] if rows else []
    return table(["archive", "storage", "processors busy", *columns], [
        [row["archive"], row["storage"], f"{100 * row['busy']:.0f} %", *(f"{share:.0f} %" for _, share in row["shares"])]
        for row in rows])


def micro(results):
    return table(["", "median", "99th percentile"], [
        [name, f"{found['p50']} {found['unit']}", f"{found['p99']} {found['unit']}"]
        for name, found in sorted(results.data["micro"].items())])


def links(data):
    """Milliseconds, and what that is for each link."""
    if not data:
        return "Not measured."
    ways = list(data["rows"][0]["ways"])
    rows = [[f"{row['count']:,} {row['shape']}",
             *(f"{milliseconds(row['ways'][way])}, {1e6 * row['ways'][way] / row['count']:.1f}" for way in ways),
             f"{row['othersPercent']} %"] for row in data["rows"]]
    return (f"Milliseconds, and microseconds for each link; medians of {data['rounds']} rounds on "
            f"{data['processor']}.\n\n{table(['', *ways, 'others'], rows)}")


def plot(results, path):
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot
    # The same picture of the same numbers.
    matplotlib.rcParams["svg.hashsalt"] = "memarchive"
    figure, axes = pyplot.subplots(figsize=(7, 4))
    for kind, line in ((".zip", "-"), (".tar", "--")):
        for way, label, color in (("extract packed", "packed", "C0"), ("extract dedicated", "dedicated", "C1"),
                                  ("stream O_TMPFILE /dev/shm closed", "O_TMPFILE in /dev/shm, closed at once", "C2"),
                                  ("stream mkstemp /tmp closed", "mkstemp in /tmp, closed at once", "C3")):
            points = []
            for stem in ("tiny-10k", "tiny-100k", "tiny-1m"):
                time = results.time(stem + kind, way)
                if time:
                    count = results.data["inProcess"][stem + kind]["files"]
                    points.append((count, 1e6 * time / count))
            if points:
                axes.plot(*zip(*points), line, marker="o", color=color, label=f"{label} ({kind})")
    axes.set(xscale="log", yscale="log", xlabel="entries of 100 bytes", ylabel="µs an entry, until all are closed")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def heading(results):
    machine = results.data["machine"]
    return (f"{machine['kernel']}; {machine['processor']}; {'; '.join(machine['libraries'])}; /tmp: {machine['tmp']}; "
            f"huge pages for memory files: {machine['hugePages']}; a soft limit of 1,024 descriptors. Medians of {results.data['rounds']} rounds or more after a warm-up.")


def short(results):
    """For the README: whole processes in milliseconds."""
    ways = ["dedicated", "packed", "automatic", "automatic, sandboxed", "bsdtar", "GNU tar", "unzip", "7z"]
    rows = [[name, *(milliseconds(results.whole(name, way)) for way in ways)] for name in results.data["whole"]]
    return f"{table(['milliseconds', *ways], rows)}\n\n{heading(results)}"


def put_into_readme(results):
    path = HERE.parent / "README.md"
    begin, end = "<!-- make bench writes from here -->\n", "<!-- to here -->\n"
    before, rest = path.read_text().split(begin)
    path.write_text(f"{before}{begin}{short(results)}\n{end}{rest.split(end)[1]}")


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--readme"]
    path = Path(arguments[0]) if arguments else HERE / "results.json"
    results = Results(json.loads(path.read_text()))
    others = [part.get("othersPercent", 0) for key in ("inProcess", "whole") for part in results.data[key].values() if part]
    section = verdicts(results)
    text = f"""# Results

{heading(results)} Other processes took up to
{max(others, default=0)} % of the processors' time, {statistics.median(others or [0])} % in the median.

## Goals

{section}

## Where the time goes

For `memarchive test --hold --sandbox off`, by perf(1): the share of computing by part, and how busy the processors were from
the start of the process to its end.

{profiles(results.data.get("profile", []))}

## Whole processes, into /dev/shm

Each rival's time, and its ratio to dedicated · packed · automatic.

{wholes(results)}

Milliseconds computed in user and kernel mode:

{computed(results)}

## In process, all files kept open, in milliseconds until the last is closed

{times(results, "kept")}

## In process, each file closed before the next, in milliseconds

{times(results, "closed")}

## The limit, in milliseconds, and the ratio of extracting to it

{limits(results)}

## Memory

{memories(results)}

![Cost of an entry](entries.svg)

## Links

{links(results.data.get("links"))}

## Small operations

{micro(results)}
"""
    (HERE / "results.md").write_text(text)
    plot(results, HERE / "entries.svg")
    if "--readme" in sys.argv:
        put_into_readme(results)
    print(section)


if __name__ == "__main__":
    main()
