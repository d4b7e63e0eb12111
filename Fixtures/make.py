#!/usr/bin/env python3
"""Makes every fixture of this directory, table.json and the table inside README.md.

    Fixtures/make.py             all of them
    Fixtures/make.py DIRECTORY   somewhere else, to compare

The table is written from what goes *into* an archive, never read back out of one. Real tools make what they can;
what no tool makes on purpose is put together here byte by byte. Names, owners, times and order are fixed, so that
the same tools make the same bytes; README.md names their versions. Needs no privilege.
"""

import json
import os
import re
import sys
from pathlib import Path

from recipe.filters import filters
from recipe.others import ars, cpios, rpms, sevens
from recipe.table import FIXTURES
from recipe.tars import sparse_tars, tars
from recipe.zips import zips

HERE = Path(__file__).resolve().parent


def rows():
    """table.json, an entry a line."""
    for fixture in FIXTURES:
        row = {"file": fixture["file"], "why": fixture["odd"]}
        row |= {name: fixture[name] for name in ("warnings", "libarchive", "others") if name in fixture}
        entries = [json.dumps(entry.row(), ensure_ascii=False) for entry in fixture["entries"]]
        listed = "\n    " + ",\n    ".join(entries) + "\n  " if entries else ""
        yield json.dumps(row, ensure_ascii=False)[:-1] + f', "entries": [{listed}]' + "}"


def write(directory):
    for fixture in FIXTURES:
        (directory / fixture["file"]).write_bytes(fixture["data"])
    (directory / "table.json").write_text("[\n  " + ",\n  ".join(rows()) + "\n]\n")
    readme = directory / "README.md"
    if readme.exists():
        table = "| fixture | what is odd about it | how it is made |\n|---|---|---|\n"
        table += "".join(f"| `{f['file']}` | {f['odd']} | {f['made']} |\n" for f in FIXTURES)
        differ = "| fixture | libarchive 3.6.2 | another reader |\n|---|---|---|\n"
        differ += "".join(
            f"| `{f['file']}` | {f.get('libarchive', '')} | {f.get('others', '')} |\n"
            for f in FIXTURES
            if "libarchive" in f or "others" in f
        )
        text = readme.read_text()
        for name, part in (("fixtures", table), ("differences", differ)):
            text = re.sub(f"(?s)(<!-- {name} -->\n).*?(<!-- end -->)", lambda m, part=part: m[1] + part + m[2], text)
        readme.write_text(text)


def main():
    os.umask(0o022)
    for section in (tars, sparse_tars, zips, sevens, cpios, ars, filters, rpms):
        section()
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    write(directory)
    print(len(FIXTURES), "fixtures,", sum(len(fixture["data"]) for fixture in FIXTURES), "bytes")


if __name__ == "__main__":
    main()
