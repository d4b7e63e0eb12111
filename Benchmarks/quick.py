#!/usr/bin/python3
"""A dozen rows in three minutes: how many times as long as a rival ours takes, both in the same rounds.

    Benchmarks/quick.py MEMARCHIVE

Prints what has moved beyond noise against the results of the same processor. Nothing fails by a time.
"""

import statistics
import sys

import whole
from whole import HERE

CACHE = HERE / "cache"
SECONDS = 8


def test(program, archives, *options):
    return lambda _: [program, "test", "-q", *options, *archives]


def rows(program):
    """By name: ours, and the rival."""
    def path(name):
        return str(CACHE / name)

    def own(name, way):
        return lambda _: [*whole.own(program, way), path(name)]

    def rival(command, name):
        return lambda target: whole.RIVALS[command][0](path(name), target)

    zips = [str(path) for path in sorted((CACHE / "small-500").iterdir())[:100]]
    each = ["sh", "-c", 'for archive; do bsdtar -xf "$archive" -C "$0"; done']
    return {
        "one.zip ÷ bsdtar": (own("one.zip", "automatic"), rival("bsdtar", "one.zip")),
        "one.zip, sandboxed ÷ bsdtar": (own("one.zip", "automatic, sandboxed"), rival("bsdtar", "one.zip")),
        "run, sandboxed ÷ bsdtar": (lambda _: [program, "run", path("one.zip"), "--", "true"], rival("bsdtar", "one.zip")),
        "100 zips ÷ bsdtar": (
            test(program, zips, "--sandbox", "off"), lambda target: [*each, target, *zips]),
        "100 zips, sandboxed ÷ bsdtar": (
            test(program, zips, "--sandbox", "required"), lambda target: [*each, target, *zips]),
        "text.zip, dedicated ÷ unzip": (own("text.zip", "dedicated"), rival("unzip", "text.zip")),
        "text.zip, packed ÷ unzip": (own("text.zip", "packed"), rival("unzip", "text.zip")),
        "text.zip, packed, sandboxed ÷ unzip": (own("text.zip", "packed, sandboxed"), rival("unzip", "text.zip")),
        "text.zip, tree, sandboxed ÷ unzip": (
            lambda _: [program, "run", "--tree", path("text.zip"), "--", "true"], rival("unzip", "text.zip")),
        "text.tar, packed ÷ GNU tar": (own("text.tar", "packed"), rival("GNU tar", "text.tar")),
        "text.tar, packed, sandboxed ÷ GNU tar": (own("text.tar", "packed, sandboxed"), rival("GNU tar", "text.tar")),
        "text.tar.gz, packed ÷ GNU tar": (own("text.tar.gz", "packed"), rival("GNU tar", "text.tar.gz")),
        "text.tar.zst, packed ÷ zstd -dc": (own("text.tar.zst", "packed"), rival("zstd -dc", "text.tar.zst")),
        "text.tar.xz, packed ÷ xz -dc -T2": (own("text.tar.xz", "packed"), rival("xz -dc -T2", "text.tar.xz")),
        "size-4m.tar, dedicated ÷ GNU tar": (own("size-4m.tar", "dedicated"), rival("GNU tar", "size-4m.tar")),
    }


def spread(values):
    """The median, and the bounds of four fifths of the values."""
    ordered = sorted(values)
    return {"median": statistics.median(ordered), "low": ordered[len(ordered) // 10], "high": ordered[-1 - len(ordered) // 10]}


def measure(program):
    """By row, the ratio of times and that of computed times, and the milliseconds of ours."""
    found = {}
    for name, (own, rival) in rows(program).items():
        measured = whole.measure({"own": own, "rival": rival}, seconds=SECONDS)
        if measured.failures:
            found[name] = {"failure": "; ".join(measured.failures.values())}
            continue
        # A round's own ratio: what slows the machine for seconds slows both.
        pairs = list(zip(measured.trials["own"], measured.trials["rival"]))
        found[name] = {
            "time": spread([own.seconds / rival.seconds for own, rival in pairs]),
            "computed": spread([(own.user + own.system) / max(rival.user + rival.system, 1e-4) for own, rival in pairs]),
            "milliseconds": 1000 * statistics.median(own.seconds for own, _ in pairs),
            "rounds": measured.rounds, "othersPercent": measured.others}
    return found


def moved(now, before):
    """The change in percent, where four fifths of the rounds lie apart."""
    if before and (now["low"] > before["high"] or now["high"] < before["low"]):
        return f"{100 * (now['median'] / before['median'] - 1):+.0f} %"
    return ""


def table(found, before):
    lines = ["| ours ÷ rival | time | computed | ms | others | time moved | computed moved |", "|---" * 7 + "|"]
    for name, row in found.items():
        if "failure" in row:
            lines.append(f"| {name} | {row['failure']} | | | | | |")
            continue
        earlier = before.get(name, {})
        lines.append(f"| {name} | {cell(row['time'])} | {cell(row['computed'])} | {row['milliseconds']:.1f} | {row['othersPercent']} % "
                     f"| {moved(row['time'], earlier.get('time'))} | {moved(row['computed'], earlier.get('computed'))} |")
    return "\n".join(lines)


def cell(values):
    return f"{values['median']:.2f} ({values['low']:.2f} to {values['high']:.2f})"


def main():
    import bench
    found = measure(sys.argv[1])
    before = bench.Results().data
    print(table(found, before.get("quick", {})))
    if "quick" in before:
        print(f"\nMoved: against {before['runs']['quick']}, on the same processor, where four fifths of the rounds lie apart.")
    else:
        print(f"\nThere are no results of {bench.processor()} to compare with: `make bench PART=quick` makes them.")


if __name__ == "__main__":
    main()
