#!/usr/bin/env python3
"""Dask: shards by delayed functions on processes of one thread, which are started again as fleet.py's are.

    on_dask.py LIST OUT
"""
import os
import sys

import dask
import distributed

import fleet


def main(list_file, out):
    os.makedirs(out, exist_ok=True)
    with distributed.Client(n_workers=2, threads_per_worker=1, dashboard_address=None):
        write = dask.delayed(fleet.write_shard)
        dask.compute(*(write(out, index, paths) for index, paths in fleet.shards_of(fleet.paths_of(list_file))))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
