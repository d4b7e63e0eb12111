#!/usr/bin/python3
"""Makes results.md, entries.svg and the table of what must be reached out of results/*.json, and prints the latter.

    Benchmarks/report.py [--readme]      README gets a short table, of this processor
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
    """Those of one processor."""

    def __init__(self, path):
        self.data = json.loads(path.read_text())
        self.processor = self.data["machine"]["processor"]

    def part(self, key):
        return self.data.get(key) or {}

    def time(self, name, way, key="released"):
        """Seconds of a way in process; None where it failed or was not run."""
        way = ((self.part("inProcess").get(name) or {}).get("ways") or {}).get(way, {})
        return statistics.median(trial[key] for trial in way["times"]) if way.get("times") else None

    def whole(self, name, way, part="whole"):
        return (self.part(part).get(name) or {"ways": {}})["ways"].get(way, {}).get("seconds")

    def computed(self, name, way, part="whole"):
        way = (self.part(part).get(name) or {"ways": {}})["ways"].get(way, {})
        return way["user"] + way["system"] if "user" in way else None

    def memory(self, name, storage):
        return (self.part("memory").get(name) or {}).get(storage)

    def names(self, prefixes=("",), part="inProcess"):
        return [name for name in self.part(part) if name.startswith(prefixes)]

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


def computing(name, way, rival):
    return lambda results: (ratio(results.computed(name, way), results.computed(name, rival)), None)


def most_computing(rival, suffixes):
    """How many times as much as a rival computes, where that is most."""
    return lambda results: worst(
        ((name, ratio(results.computed(name, "automatic"), results.computed(name, rival)))
         for name in results.names(part="whole") if name.endswith(suffixes) and name != "one.zip"), max)


def number(value):
    return lambda results: (value(results), None)


def milli(name, way):
    return number(lambda results: 1000 * (results.whole(name, way) or 0) or None)


def served(key, way="sandboxed"):
    return number(lambda results: ((results.part("server").get("ways") or {}).get(way) or {}).get(key))


def many(name, upper, lower):
    return number(lambda results: ratio(results.whole(name, upper, "many"), results.whole(name, lower, "many")))


def sandbox(name, storage):
    """What the worker costs beyond its start, for which there are 4 ms."""
    def cost(results):
        inside, outside = results.whole(name, f"{storage}, sandboxed"), results.whole(name, storage)
        return (ratio(inside and inside - 0.004, outside), None)
    return cost


def temporary(names, ours, lifetime="kept"):
    """How many times as long the fastest temporary file takes, where that is least."""
    def fastest(results, name):
        times = [results.time(name, f"stream {maker} {lifetime}") for maker in TEMPORARY]
        own = [results.time(name, way) for way in ours]
        times, own = [time for time in times if time], [time for time in own if time]
        return ratio(min(times), min(own)) if times and own else None
    return lambda results: worst(((name, fastest(results, name)) for name in results.names(names)), min)


def limit(names, way, kept=None):
    """To what decoding takes; or to that and the kernel's part."""
    return lambda results: worst(
        ((name, ratio(results.time(name, way, "extracted"),
                      results.time(name, f"limit {kept}", "extracted") if kept else results.limit(name)))
         for name in results.names(names)), max)


def an_entry(results):
    def cost(name):
        return ratio(results.time(name, "extract packed"), (results.part("inProcess").get(name) or {}).get("files"))
    return worst(((f"tiny-1m{kind}", ratio(cost(f"tiny-1m{kind}"), cost(f"tiny-10k{kind}")))
                  for kind in (".zip", ".tar")), max)


def heap_an_entry(results):
    def heap(name):
        memory = results.memory(name, "packed")
        return memory and memory["peakHeap"] / memory["entries"]
    return worst(((name, heap(name)) for name in results.names(("tiny-1m",))), max)


def heap(storages, xz):
    """Peak heap in MiB, less 1 KiB an entry, which the files themselves may take."""
    def peak(results, name):
        reports = [results.memory(name, storage) for storage in storages]
        return max(((r["peakHeap"] - 1024 * r["entries"]) / MIB for r in reports if r), default=None)
    return lambda results: worst(
        ((name, peak(results, name)) for name in results.names() if name.endswith(".xz") == xz), max)


def together(xz):
    """Anonymous memory of the program and its sandbox in MiB; a million entries have a goal of their own."""
    def peak(results, name):
        return max((way["together"] for way in (results.memory(name, "processes") or {}).values() if way), default=None)
    return lambda results: worst(
        ((name, peak(results, name)) for name in results.names(part="memory")
         if name.endswith(".xz") == xz and not name.startswith("tiny-")), max)


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
    ("linux.tar: GNU tar ÷ automatic", AT_LEAST, 3, against("linux.tar", "automatic", "GNU tar")),
    ("linux.tar: automatic ÷ limit, packed", AT_MOST, 1.4, against("linux.tar", "limit, packed", "automatic")),
    ("linux.tar.gz: automatic ÷ limit", AT_MOST, 1.08, against("linux.tar.gz", "limit", "automatic")),
    ("linux.tar.gz: computed, automatic ÷ limit", AT_MOST, 1.45, computing("linux.tar.gz", "automatic", "limit")),
    ("linux.tar.zst: automatic ÷ zstd -dc", AT_MOST, 1.08, against("linux.tar.zst", "zstd -dc", "automatic")),
    ("linux.tar.xz: automatic ÷ xz -dc -T2", AT_MOST, 1.08, against("linux.tar.xz", "xz -dc -T2", "automatic")),
    ("arch.tar: packed, ms", AT_MOST, 80, milli("arch.tar", "packed")),
    ("any tar: computed, automatic ÷ GNU tar", AT_MOST, 1, most_computing("GNU tar", (".tar", ".gz", ".zst", ".xz", ".bz2"))),
    ("any zip: computed, automatic ÷ unzip", AT_MOST, 1, most_computing("unzip", (".zip", ".whl"))),
    ("streams.tar.bz2: automatic ÷ lbzip2 -dc", AT_MOST, 1.1, against("streams.tar.bz2", "lbzip2 -dc", "automatic")),
    ("blocks.7z: 7z ÷ automatic", AT_LEAST, 1, against("blocks.7z", "automatic", "7z")),
    ("bgzf.tar.gz: automatic ÷ bgzip -dc", AT_MOST, 1.1, against("bgzf.tar.gz", "bgzip -dc", "automatic")),
    ("members.tar.gz: limit on one processor ÷ automatic", AT_LEAST, 1, against("members.tar.gz", "automatic", "limit")),
    ("frames.tar.zst: zstd -dc ÷ automatic", AT_LEAST, 1, against("frames.tar.zst", "automatic", "zstd -dc")),
    ("seekable.tar.zst: zstd -dc ÷ automatic", AT_LEAST, 1, against("seekable.tar.zst", "automatic", "zstd -dc")),
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
    ("in process, large.tar, kept: fastest temporary file ÷ extract dedicated", AT_LEAST, 1.7,
     temporary(("large.tar",), ["extract dedicated"])),
    ("in process, size-512k.tar, kept: fastest temporary file ÷ extract dedicated", AT_LEAST, 1.5,
     temporary(("size-512k",), ["extract dedicated"])),
    ("in process, one 148 MB entry: extract dedicated ÷ limit", AT_MOST, 1.25,
     limit(("soundfont.zip",), "extract dedicated")),
    ("in process, packed, compressed: extract packed ÷ limit", AT_MOST, 1.25,
     limit(("arch.zip", "arch.tar.", "arch.7z", "scipy", "linux.tar."), "extract packed")),
    ("in process: extract packed ÷ limit with the kernel's part", AT_MOST, 1.1,
     limit(("arch.", "scipy", "linux.", "large."), "extract packed", "packed")),
    ("in process: extract dedicated ÷ limit with the kernel's part", AT_MOST, 1.1,
     limit(("arch.", "scipy", "soundfont", "large."), "extract dedicated", "dedicated")),
    *((f"{name}: ({storage} in the sandbox − 4 ms) ÷ {storage}", AT_MOST, 1.1, sandbox(name, storage))
      for storage, names in (
          ("dedicated", ("arch.zip", "arch.tar", "arch.tar.gz", "arch.tar.zst", "arch.tar.xz", "arch.7z")),
          ("packed", ("arch.zip", "arch.tar", "arch.tar.gz", "linux.tar")),
          ("automatic", ("arch.zip", "arch.tar", "arch.tar.gz", "arch.tar.zst", "arch.tar.xz", "arch.7z", "scipy.whl",
                         "soundfont.zip", "large.zip", "large.tar", "linux.tar", "linux.tar.gz", "linux.tar.zst",
                         "linux.tar.xz")))
      for name in names),
    ("small-500: sandboxed ÷ in process", AT_MOST, 2.5, many("small-500", "sandboxed", "in process")),
    ("small-500: bsdtar ÷ sandboxed", AT_LEAST, 2.5, many("small-500", "bsdtar, once for each", "sandboxed")),
    ("one-2000: archives a second, sandboxed", AT_LEAST, 1000,
     number(lambda results: ratio(2000, results.whole("one-2000", "sandboxed", "many")))),
    ("200 at once in a server: sandboxed ÷ in process", AT_MOST, 2.5,
     number(lambda results: ratio(served("seconds")(results)[0], served("seconds", "in process")(results)[0]))),
    ("200 at once in a server, sandboxed: most threads", AT_MOST, 16, served("threads")),
    ("200 at once in a server, sandboxed: most descriptors", AT_MOST, 200, served("descriptors")),
    ("one.zip, ms", AT_MOST, 5, milli("one.zip", "automatic")),
    ("one.zip, sandboxed, ms", AT_MOST, 9, milli("one.zip", "automatic, sandboxed")),
    ("run, sandboxed, true, ms", AT_MOST, 10, milli("one.zip", "run, sandboxed")),
    ("one.zip: in process, µs", AT_MOST, 150,
     lambda results: (1e6 * (results.time("one.zip", "extract automatic") or 0) or None, None)),
    ("1M tiny entries: cost an entry ÷ that at 10k, packed", AT_MOST, 1.3, an_entry),
    ("1M tiny entries: bytes of heap an entry, packed", AT_MOST, 1024, heap_an_entry),
    ("heap beside the content and 1 KiB an entry, MiB", AT_MOST, 64, heap(("dedicated", "packed", "automatic"), False)),
    ("the same of parallel xz, MiB", AT_MOST, 64 + 256, heap(("dedicated", "packed", "automatic"), True)),
    ("anonymous memory of the program and its sandbox, MiB", AT_MOST, 64, together(False)),
    ("the same of parallel xz, MiB", AT_MOST, 64 + 256, together(True)),
]


def verdicts(all_results):
    """A column for each processor."""
    def cell(direction, want, measured):
        value, where = measured
        if value is None:
            return "–"
        reached = value >= want if direction == AT_LEAST else value <= want
        text = f"{value:.2f}" if value < 100 else f"{value:.0f}"
        return f"{text if reached else f'**{text}**'}{f' ({where})' if where else ''}"

    rows = [[label, f"{direction} {want}", *(cell(direction, want, measure(results)) for results in all_results)]
            for label, direction, want, measure in WANTED]
    return table(["what", "wanted", *(results.processor for results in all_results)], rows)


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
        cells = [milliseconds(results.time(name, f"limit {kind}")) for kind in ("decoded", "parsed", "fastest", "packed", "dedicated")]
        for storage, base in (("dedicated", results.limit(name)), ("packed", results.limit(name)), ("automatic", results.limit(name)),
                              ("packed", results.time(name, "limit packed", "extracted")),
                              ("dedicated", results.time(name, "limit dedicated", "extracted"))):
            value = ratio(results.time(name, f"extract {storage}", "extracted"), base)
            cells.append("–" if value is None else f"{value:.2f}")
        rows.append([name, *cells])
    return table(["archive", "decoders", "and entries", "fastest", "and the kernel's part, packed", "dedicated",
                  "dedicated ÷ decoders", "packed ÷", "automatic ÷", "packed ÷ with the kernel's part", "dedicated ÷"], rows)


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


def processes(results):
    import whole
    rows = []
    for name in results.names(part="memory"):
        ways = results.memory(name, "processes") or {}
        if ways:
            cells = [ways.get(way) for way in (*whole.STORAGES, *whole.SANDBOXED)]
            rows.append([name, *(f"{each['host']:.1f} + {each['others']:.1f}: {each['together']:.1f}" if each else "–" for each in cells)])
    return rows and table(["archive", *whole.STORAGES, *whole.SANDBOXED], rows)


def wholes(results, part):
    import whole
    rows = list(results.part(part).values())
    return rows and "\n".join([whole.heading(), *(whole.line(row) for row in rows)])


def start(results):
    import whole
    row = results.part("whole").get("one.zip")
    ways = ["automatic", "automatic, sandboxed", "run, sandboxed", "tree, sandboxed", "bsdtar", "unzip", "7z"]
    return row and table(ways, [[whole.time_of(row["ways"].get(way, {})) for way in ways]])


def manies(results):
    import whole
    rows = results.part("many")
    ways = list(next(iter(rows.values()))["ways"]) if rows else []
    return rows and table(["archives", *ways, "sandboxed, archives a second", "others"], [
        [name, *(whole.time_of(row["ways"].get(way, {})) for way in ways),
         f"{ratio(row['archives'], row['ways']['sandboxed'].get('seconds')) or 0:.0f}", f"{row['othersPercent']} %"]
        for name, row in rows.items()])


def server(results):
    found = results.part("server")
    return found and table(["", "ms / computed", "99 of 100 within, ms", "longest delay of another task, ms", "most threads", "most descriptors"], [
        [name, f"{1000 * way['seconds']:.0f} / {1000 * way['computed']:.0f}", milliseconds(way["p99"]), milliseconds(way["delay"]),
         f"{way['threads']:.0f}", f"{way['descriptors']:.0f}"] if way else [name, "fails", "", "", "", ""]
        for name, way in found["ways"].items()])


def quick_rows(results):
    import quick
    return results.part("quick") and quick.table(results.data["quick"], {})


def profiles(rows):
    columns = [name for name, _ in rows[0]["shares"]] if rows else []
    return rows and table(["archive", "storage", "processors busy", *columns], [
        [row["archive"], row["storage"], f"{100 * row['busy']:.0f} %", *(f"{share:.0f} %" for _, share in row["shares"])]
        for row in rows])


def micro(results):
    rows = results.part("micro")
    return rows and table(["", "median", "99th percentile"], [
        [name, f"{found['p50']} {found['unit']}", f"{found['p99']} {found['unit']}"] for name, found in sorted(rows.items())])


def links(results):
    rows = results.data.get("links")
    ways = list(rows[0]["ways"]) if rows else []
    return rows and table(["", *ways, "others"], [
        [f"{row['count']:,} {row['shape']}",
         *(f"{milliseconds(row['ways'][way])}, {1e6 * row['ways'][way] / row['count']:.1f}" if row["ways"][way] else "fails"
           for way in ways), f"{row['othersPercent']} %"] for row in rows])


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


def conditions(results):
    machine = results.data["machine"]
    return (f"{machine['kernel']}; {machine['processor']}; {'; '.join(machine['libraries'])}; /tmp: {machine['tmp']}; "
            f"huge pages for memory files: {machine['hugePages']}; a soft limit of 1,024 descriptors. Medians of {results.data['rounds']} rounds or more after a warm-up.")


def runs(results):
    """Which parts, or which rows of a part, are of one run."""
    found = {}
    for part, run in results.data["runs"].items():
        rows = {}
        for name, of in (run.items() if isinstance(run, dict) else [("", run)]):
            rows.setdefault(of, []).append(name)
        for of, names in rows.items():
            found.setdefault(of, []).append(part if len(rows) == 1 else f"{part} of {', '.join(names)}")
    return "\n".join(f"- {run}: {'; '.join(parts)}" for run, parts in sorted(found.items()))


def short(results):
    """For the README: whole processes in milliseconds."""
    ways = ["dedicated", "packed", "automatic", "automatic, sandboxed", "bsdtar", "GNU tar", "unzip", "7z"]
    rows = [[name, *(milliseconds(results.whole(name, way)) for way in ways)] for name in results.part("whole")]
    return f"{table(['milliseconds', *ways], rows)}\n\n{conditions(results)}"


def put_into_readme(results):
    path = HERE.parent / "README.md"
    begin, end = "<!-- make bench writes from here -->\n", "<!-- to here -->\n"
    before, rest = path.read_text().split(begin)
    path.write_text(f"{before}{begin}{short(results)}\n{end}{rest.split(end)[1]}")


# What a processor's results are told in: heading, explanation, the text or nothing.
SECTIONS = [
    ("Starting", "Whole processes on one.zip: milliseconds / milliseconds computed.", start),
    ("Many small archives", "One process for all of ours: milliseconds / milliseconds computed.", manies),
    ("200 at once in a server", "", server),
    ("Where the time goes", "For `memarchive test --hold --sandbox off`, by perf(1): the share of computing by part, and how busy "
     "the processors were from the start of the process to its end.", lambda results: profiles(results.data.get("profile", []))),
    ("Whole processes, into /dev/shm", "Milliseconds / milliseconds computed by all that the command has started; behind each "
     "rival, the ratio of its time to dedicated · packed · automatic.", lambda results: wholes(results, "whole")),
    ("Whole processes, with huge pages for memory files (within_size)", "", lambda results: wholes(results, "withinSize")),
    ("In process, all files kept open, in milliseconds until the last is closed", "",
     lambda results: results.names() and times(results, "kept")),
    ("In process, each file closed before the next, in milliseconds", "",
     lambda results: results.names() and times(results, "closed")),
    ("The limit, in milliseconds, and the ratio of extracting to it", "", lambda results: results.names() and limits(results)),
    ("Memory", "", lambda results: results.part("memory") and memories(results)),
    ("Memory of the program and its sandbox", "Most anonymous memory in MiB: the program's + the sandbox's: both at one time.", processes),
    ("Links", "Milliseconds, and microseconds for each link.", links),
    ("Small operations", "", micro),
    ("Quick", "", quick_rows),
]


def told(results):
    others = [part.get("othersPercent", 0) for key in ("inProcess", "whole") for part in results.part(key).values() if part]
    text = (f"# {results.processor}\n\n{conditions(results)} Other processes took up to {max(others, default=0)} % of the "
            f"processors' time, {statistics.median(others or [0])} % in the median.\n\nOf one run each:\n\n{runs(results)}\n")
    for heading, explanation, section in SECTIONS:
        if found := section(results):
            text += f"\n## {heading}\n\n{explanation + chr(10) * 2 if explanation else ''}{found}\n"
    return text


def main():
    all_results = [Results(path) for path in sorted((HERE / "results").glob("*.json"))]
    goals = verdicts(all_results)
    most = max(all_results, key=lambda results: len(results.names()))
    plot(most, HERE / "entries.svg")
    (HERE / "results.md").write_text(f"""# Results

## Goals

Bold is what was missed.

{goals}

![Cost of an entry, on {most.processor}](entries.svg)

{chr(10).join(map(told, all_results))}""")
    if "--readme" in sys.argv:
        import bench
        put_into_readme(Results(bench.Results().path))
    print(goals)


if __name__ == "__main__":
    main()
