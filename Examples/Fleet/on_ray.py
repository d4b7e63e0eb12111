#!/usr/bin/env python3
"""Ray Data: rows of archives by actors.

    on_ray.py LIST OUT      as fleet.py, into a Parquet file for each block
"""
import shutil
import sys

import pyarrow
import ray

import fleet


class Reader:
    """An actor is a process: libmagic's table, and the template that workers are forked from, serve all its batches."""

    def __init__(self):
        fleet.typist()

    def __call__(self, batch):
        found = [row for path in batch["path"].to_pylist() for row in fleet.entries_of(path)]
        return pyarrow.Table.from_pylist(found, fleet.SCHEMA)


def main(list_file, out):
    # Half-written files of a run before are no results of this one.
    shutil.rmtree(out, ignore_errors=True)
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=256 << 20)
    paths = ray.data.from_arrow(pyarrow.table({"path": fleet.paths_of(list_file)})).repartition(16)
    # With a whole processor for each actor, reading and writing would find none left.
    paths.map_batches(
        Reader,
        batch_size=fleet.SHARD,
        batch_format="pyarrow",
        num_cpus=0.5,
        compute=ray.data.ActorPoolStrategy(size=2),
    ).write_parquet(out)
    ray.shutdown()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
