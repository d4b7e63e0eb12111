"""Every good fixture reads as Fixtures/table.json says, which no reader wrote."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Callable

import pytest
from conftest import FIXTURES, key, sha256, table

import memarchive

ROWS = table()


@pytest.mark.parametrize("row", ROWS, ids=[row["file"] for row in ROWS])
def test_a_fixture_reads_as_the_table_says(row: dict[str, Any]) -> None:
    with memarchive.open(FIXTURES / row["file"]) as archive:
        listing = in_order(row, archive.list(), lambda entry: entry.name)
        assert [entry.name for entry in listing] == [key(entry["name"]) for entry in row["entries"]]
        for entry, expected in zip(listing, row["entries"]):
            assert entry.kind == expected["kind"]
            assert entry.link == (key(expected["link"]) if "link" in expected else None)
            if "mode" in expected:
                assert entry.mode == int(expected["mode"], 8)
            if "mtime" in expected:
                assert entry.mtime is not None and entry.mtime // 1 == expected["mtime"]
        # A cpio has a file's content in the last of its names, which all are names of it.
        linked = {entry["link"] for entry in row["entries"] if entry["kind"] == "hardlink" and "sha256" in entry}
        contents = {key(entry["name"]): entry for entry in row["entries"] if "sha256" in entry}
        for name, expected in contents.items():
            if name in linked and expected["size"] == 0:
                continue
            assert archive[name].size == expected["size"]
            assert sha256(archive[name].view()) == expected["sha256"]


@pytest.mark.parametrize("sandbox", ["required", "off"])
@pytest.mark.parametrize("row", ROWS, ids=[row["file"] for row in ROWS])
def test_a_fixture_streams_as_the_table_says(row: dict[str, Any], sandbox: Any) -> None:
    found: list[tuple[str, str | None]] = []
    with memarchive.open(FIXTURES / row["file"], sandbox=sandbox) as archive, archive.iter() as stream:
        for entry in stream:
            parts: list[bytes] = []
            digest = None
            if entry.has_content:
                assert stream.feed(parts.append) == sum(map(len, parts))
                digest = sha256(b"".join(parts))
            found.append((entry.name, digest))
    found = in_order(row, found, lambda entry: entry[0])
    assert found == [(key(entry["name"]), entry.get("sha256")) for entry in row["entries"]]


def in_order(row: dict[str, Any], entries: Iterable[Any], name: Callable[[Any], str]) -> list[Any]:
    """Of zip-central-order.zip the order is that of the contents."""
    return sorted(entries, key=name) if row["file"] == "zip-central-order.zip" else list(entries)
