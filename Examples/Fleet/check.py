#!/usr/bin/env python3
"""Compares results with what Python's own zipfile and tarfile read.

    check.py --expect LIST FILE     writes what is right into a Parquet file
    check.py FILE OUT...            fails if a directory of results has anything else, lacks a row, or has one twice
"""
import collections
import concurrent.futures
import itertools
import os
import sys
import tarfile
import time
import zipfile

import pyarrow
import pyarrow.dataset
import pyarrow.parquet

import fleet


def read(path):
    """The rows of an archive. What is damaged, or too large, has no files and one error."""
    made = os.path.basename(path)
    if made.startswith("damaged-"):
        return [fleet.row(path, error="damaged")]
    if made.startswith("bomb."):
        return [fleet.row(path, error="limitExceeded")]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return [fleet.row(path, name, archive.read(name)) for name in archive.namelist()]
    with tarfile.open(path) as archive:
        return [fleet.row(path, member.name, archive.extractfile(member).read()) for member in archive]


def expect(list_file, file):
    began = time.monotonic()
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        rows = list(itertools.chain(*pool.map(read, fleet.paths_of(list_file), chunksize=fleet.SHARD)))
    print(f"zipfile and tarfile took {time.monotonic() - began:.1f} s in {os.cpu_count()} processes")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, fleet.SCHEMA), file)


def rows_of(table):
    """How often each row is there. Which of two errors an archive has that is cut short depends on where it is cut."""
    columns = {name: table.column(name).to_pylist() for name in fleet.SCHEMA.names}
    columns["error"] = ["damaged" if error in ("corrupt", "truncated") else error for error in columns["error"]]
    return collections.Counter(zip(*columns.values(), strict=True))


def main(arguments):
    if arguments[0] == "--expect":
        return expect(*arguments[1:])
    expected = rows_of(pyarrow.parquet.read_table(arguments[0]))
    for out in arguments[1:]:
        found = rows_of(pyarrow.dataset.dataset(out).to_table())
        missing, more = expected - found, found - expected
        if missing or more:
            example = next(iter(missing or more))
            return f"{out}: {missing.total()} rows are missing, {more.total()} are wrong or there twice, as {example}"
        print(f"{out}: all {found.total()} rows are right, and there once")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
