#!/usr/bin/env python3
"""A process keeps its template; one that was forked from it starts its own, and so does one that was not.

    after_fork.py ARCHIVE
"""
import multiprocessing
import sys

import psutil

import fleet


def templates():
    """The processes that workers of this process are forked from."""
    return {child.pid for child in psutil.Process().children(recursive=True) if child.name() == "memarchive-tmpl"}


def read(archive):
    return fleet.entries_of(archive), templates()


def main(archive):
    (rows, here), again = read(archive), read(archive)
    assert rows and len(here) == 1 and again == (rows, here), (rows, here, again)
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            first, second = (pool.apply(read, (archive,)) for _ in range(2))
        assert first == second and first[0] == rows, (method, first, second)
        assert len(first[1]) == 1 and not first[1] & here, (method, first[1], here)
    assert read(archive) == (rows, here)
    print("each process has a template of its own, however it was started")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
