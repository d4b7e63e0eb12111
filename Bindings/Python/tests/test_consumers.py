"""What Python programs do with an archive: each library reads its own kind of file from one."""

from __future__ import annotations

import contextlib
import importlib
import importlib.resources
import io
import os
import pathlib
import sqlite3
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import make_rar, make_tar, make_zip

import memarchive

LETTER = {
    "letter.dtd": b"<!ELEMENT letter (to, text)>\n<!ELEMENT to (#PCDATA)>\n<!ELEMENT text (#PCDATA)>\n"
    b"<!ENTITY greeting 'from the DTD beside it'>\n",
    "letter.xml": b'<?xml version="1.0"?>\n<!DOCTYPE letter SYSTEM "letter.dtd">\n'
    b"<letter><to>you</to><text>&greeting;</text></letter>\n",
}


def test_lxml_reads_a_dtd_beside_its_document_in_a_tree() -> None:
    etree = pytest.importorskip("lxml.etree")
    parser = etree.XMLParser(load_dtd=True, dtd_validation=True, no_network=True, resolve_entities=True)
    with memarchive.open(make_zip(LETTER)) as archive, archive.tree() as tree:
        document = etree.parse(str(tree / "letter.xml"), parser)
    assert document.findtext("text") == "from the DTD beside it"


def test_lxml_validates_by_a_dtd_at_a_path() -> None:
    etree = pytest.importorskip("lxml.etree")
    with memarchive.open(make_tar(LETTER, "w:gz")) as archive:
        dtd = etree.DTD(archive["letter.dtd"].path)
        assert dtd.validate(etree.fromstring("<letter><to>x</to><text>y</text></letter>"))
        assert not dtd.validate(etree.fromstring("<letter/>"))


def test_numpy_maps_an_array_inside_a_rar() -> None:
    numpy = pytest.importorskip("numpy")
    numbers = numpy.arange(100_000, dtype="<i8").reshape(100, 1000)
    out = io.BytesIO()
    numpy.save(out, numbers)
    with memarchive.open(make_rar({"numbers.npy": out.getvalue()}), formats=["rar5"]) as archive:
        file = archive["numbers.npy"]
        mapped = numpy.load(file.path, mmap_mode="r")
        opened = numpy.load(file)
        # Without a path, and without a copy: the header of an NPY of version 1.0 is as long as bytes 8 and 9 say.
        view = file.view()
        raw = numpy.frombuffer(view, "<i8", offset=10 + int.from_bytes(view[8:10], "little"))
    assert (mapped == numbers).all() and (opened == numbers).all() and (raw == numbers.ravel()).all()
    assert not raw.flags.writeable


def database(path: pathlib.Path) -> bytes:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript("create table t(n integer); insert into t values (6), (36);")
    return path.read_bytes()


@pytest.mark.skipif(not hasattr(sqlite3.Connection, "deserialize"), reason="Python 3.11")
def test_sqlite_takes_the_bytes_of_a_database(tmp_path: pathlib.Path) -> None:
    # It resolves a path's links before it opens it, so that none of /proc will do.
    with memarchive.open(make_zip({"data.db": database(tmp_path / "data.db")})) as archive:
        with contextlib.closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(archive["data.db"].view())
            archive.close()
            assert connection.execute("select sum(n) from t").fetchone() == (42,)


def test_pillow_draws_with_a_font_at_a_path() -> None:
    font_of = pytest.importorskip("PIL.ImageFont")
    drawing, image_of = importlib.import_module("PIL.ImageDraw"), importlib.import_module("PIL.Image")
    content = font_of.load_default(20).font_bytes
    with memarchive.open(make_zip({"fonts/sans.ttf": content})) as archive:
        font = font_of.truetype(archive["fonts/sans.ttf"].path, 20)
        image = image_of.new("L", (200, 40))
        drawing.Draw(image).text((5, 5), "by path", font=font, fill=255)
        assert image.getbbox() is not None
        out = io.BytesIO()
        image.save(out, "png")
    with memarchive.open(make_tar({"picture.png": out.getvalue()})) as archive:
        with image_of.open(archive["picture.png"]) as opened:
            assert opened.size == (200, 40)


def test_h5py_reads_a_file_in_a_tree_or_by_an_object() -> None:
    # HDF5 resolves a path that is a link, as those of /proc are.
    h5py = pytest.importorskip("h5py")
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file["n"] = [6, 36]
    with memarchive.open(make_zip({"data.h5": out.getvalue()})) as archive:
        with archive.tree() as tree, h5py.File(tree / "data.h5", "r") as file:
            assert sum(file["n"]) == 42
        with archive["data.h5"].open() as opened, h5py.File(opened, "r") as file:
            assert sum(file["n"]) == 42


@pytest.fixture
def imported() -> Iterator[list[str]]:
    """Names of modules that are forgotten afterwards, and a search path that is put back."""
    names: list[str] = []
    path = list(sys.path)
    yield names
    sys.path[:] = path
    for name in [module for module in sys.modules if module.partition(".")[0] in names]:
        del sys.modules[name]
    importlib.invalidate_caches()


@pytest.mark.skipif("MEMARCHIVE_WHEELS" not in os.environ, reason="MEMARCHIVE_WHEELS names no directory with a wheel")
def test_an_extension_module_is_loaded_from_its_wheel(imported: list[str]) -> None:
    (wheel,) = pathlib.Path(os.environ["MEMARCHIVE_WHEELS"]).glob("xxhash-*.whl")
    imported.append("xxhash")
    with memarchive.open(wheel) as archive, archive.tree() as tree:
        sys.path.insert(0, tree.path)
        xxhash: Any = importlib.import_module("xxhash")
        assert xxhash.__file__.startswith(tree.path)
        assert sys.modules["xxhash._xxhash"].__file__.startswith(tree.path)  # type: ignore[union-attr]
    # What is loaded stays when the tree has gone.
    assert xxhash.xxh32(b"").hexdigest() == "02cc5d05"


def test_a_package_and_its_resources_in_a_tree(imported: list[str]) -> None:
    imported.append("talkative")
    package = {
        "talkative/__init__.py": b"from .words import say\n",
        "talkative/words.py": b"def say(name):\n    return 'a package says hello to ' + name\n",
        "talkative/data/words.txt": b"one two\n",
    }
    with memarchive.open(make_tar(package, "w:xz")) as archive, archive.tree() as tree:
        sys.path.insert(0, tree.path)
        talkative: Any = importlib.import_module("talkative")
        assert talkative.say("python") == "a package says hello to python"
        resource = importlib.resources.files("talkative") / "data/words.txt"
        assert resource.read_text() == "one two\n"
        with importlib.resources.as_file(resource) as path:
            assert str(path).startswith(tree.path)
        # A path of a tree is all that importlib asks of a resource.
        assert [item.name for item in (tree / "talkative/data").iterdir()] == ["words.txt"]
