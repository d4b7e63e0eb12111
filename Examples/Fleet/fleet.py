#!/usr/bin/env python3
"""Hashes and types each file of archives: what all engines share, and a program for those that start programs.

    fleet.py LIST OUT [--processes N] [--part I/N]

LIST names an archive a line. Results come into the directory OUT in shards of SHARD archives each, written whole or not
at all; those that are there are left as they are, so that what was ended, in whatever way, is started again by the same
command. With --part, only every N-th shard, beginning with the I-th from 0.
"""
import argparse
import concurrent.futures
import functools
import hashlib
import os
import pathlib
import sys
import time
import uuid

import magic
import memarchive
import pyarrow
import pyarrow.parquet

#: Archives in a shard: what is done again after a crash, and how many rows a process holds.
SHARD = 100
#: How much of a file libmagic looks at by default.
TYPED = 1 << 20
SCHEMA = pyarrow.schema(
    [
        pyarrow.field("archive", pyarrow.string(), nullable=False),
        # Null where the archive has no result but `error`.
        ("name", pyarrow.string()),
        ("size", pyarrow.int64()),
        ("sha256", pyarrow.string()),
        ("type", pyarrow.string()),
        # Why the archive could not be read, as memarchive.Error.code has it.
        ("error", pyarrow.string()),
    ]
)
#: What the machine lacks, or the path: no property of the archive, so that it is raised, and the shard done again.
SHORTAGES = (
    memarchive.DescriptorLimit,
    memarchive.OutOfMemory,
    memarchive.ProcessLimit,
    memarchive.SandboxUnavailable,
    memarchive.SystemFailure,
)


@functools.cache
def typist():
    """libmagic's table, loaded once by a process."""
    return magic.Magic(mime=True)


def row(archive, name=None, content=None, error=None):
    if content is None:
        return dict.fromkeys(SCHEMA.names) | {"archive": archive, "error": error}
    return {
        "archive": archive,
        # Bytes that are no UTF-8 are escaped: Parquet's strings have none.
        "name": os.fsencode(name).decode("utf-8", "backslashreplace"),
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "type": typist().from_buffer(bytes(content[:TYPED])),
        "error": None,
    }


def entries_of(path):
    """The rows of one archive: all its files, or why it cannot be read."""
    try:
        with memarchive.open(path, timeout=60) as archive, archive.extract() as files:
            return [row(path, name, file.view()) for name, file in files.items()]
    except SHORTAGES:
        raise
    except memarchive.Error as error:
        return [row(path, error=error.code)]


def paths_of(list_file):
    return pathlib.Path(list_file).read_text().splitlines()


def shards_of(paths):
    """(index, its archives) of each shard."""
    return list(enumerate(paths[begin : begin + SHARD] for begin in range(0, len(paths), SHARD)))


def write_shard(out, index, paths):
    """Writes the rows of a shard, unless they are there. Whoever does it twice at once writes the same."""
    target = pathlib.Path(out, f"part-{index:05}.parquet")
    if target.exists():
        return 0
    table = pyarrow.Table.from_pylist([row for path in paths for row in entries_of(path)], SCHEMA)
    # What reads a directory of Parquet files passes over names with a dot; a crash leaves such a file.
    unfinished = target.with_name(f".{target.name}-{uuid.uuid4()}")
    with open(unfinished, "xb") as file:
        pyarrow.parquet.write_table(table, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, target)
    return len(paths)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("list")
    parser.add_argument("out")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--part", default="0/1")
    arguments = parser.parse_args()
    part, parts = map(int, arguments.part.split("/"))
    os.makedirs(arguments.out, exist_ok=True)
    shards = shards_of(paths_of(arguments.list))[part::parts]

    began = time.monotonic()
    # Unlike multiprocessing.Pool, this one notices a process that was killed, and fails.
    with concurrent.futures.ProcessPoolExecutor(arguments.processes) as pool:
        jobs = [pool.submit(write_shard, arguments.out, index, paths) for index, paths in shards]
        done = sum(job.result() for job in jobs)
    seconds = time.monotonic() - began
    print(f"{done} archives in {seconds:.1f} s, {done / seconds:.0f} a second; processes: {arguments.processes}")


if __name__ == "__main__":
    sys.exit(main())
