"""An archive as a mapping, what is chosen of it, its options and its limits."""

from __future__ import annotations

import ast
import gc
import math
import os
import pathlib
import pickle
import pydoc
import re
import shutil
import subprocess
import sys
import threading
import warnings
from typing import Any

import pytest
from conftest import FIXTURES, TREE, make_tar, make_zip

import memarchive
from memarchive import _abi, _options


def test_an_archive_is_a_mapping_in_its_own_order(zip_file: pathlib.Path) -> None:
    with memarchive.open(zip_file) as archive:
        assert list(archive) == list(archive.keys()) == ["a.txt", "sub/b.txt", "empty"]
        assert len(archive) == 3
        assert {name: file.size for name, file in archive.items()} == {"a.txt": 5, "sub/b.txt": 7000, "empty": 0}
        assert "a.txt" in archive and "./a.txt" in archive and "A.TXT" not in archive
        assert archive.get("missing") is None
        for name in ("missing", "sub", "\udcff", "\ud800", "a.txt\0", ""):
            assert name not in archive
        assert 5 not in archive
        with pytest.raises(KeyError) as caught:
            archive["missing"]
        assert isinstance(caught.value, memarchive.NoSuchEntry) and caught.value.entry == "missing"
        assert archive == archive and archive != dict(archive) and len({archive}) == 1


def test_a_missing_name_is_told_with_similar_ones() -> None:
    with memarchive.open(make_zip({"notes.txt": b"", "sub/read me\x1b.md": b"", "\u00e9": b""})) as archive:
        for name, question in (
            ("Notes.txt", "Did you mean 'notes.txt'? "),
            ("read me.md", r"Did you mean 'sub/read me\x1b.md'? "),
            ("another", ""),
        ):
            with pytest.raises(memarchive.NoSuchEntry) as caught:
                archive[name]
            error = caught.value
            assert error.advice == f"{question}List the names; they are compared byte by byte."
            assert str(error) == f"there is no file {name!r}. {error.advice}"
            assert str(pickle.loads(pickle.dumps(error))) == str(error)
        with pytest.raises(memarchive.NoSuchEntry) as caught:
            archive["NOTES"]
    # It is asked for once the archive is closed, too.
    assert "'notes.txt'" in str(caught.value)


def test_names_that_are_no_utf8_are_as_os_fsdecode_has_them() -> None:
    with memarchive.open(FIXTURES / "tar-latin1-name.tar") as archive:
        assert list(archive) == ["caf\udce9.txt", "th\udce9", "cut-\udce2\udc82"]
        assert [entry.raw_name for entry in archive.list()] == [os.fsencode(name) for name in archive]
        for name in archive:
            assert archive[name].name == name
            assert archive.extract(name)[name].size == archive[name].size


def test_names_and_patterns() -> None:
    with memarchive.open(FIXTURES / "tree.tar.gz") as archive:
        assert list(archive.extract("tree/run.sh")) == ["tree/run.sh"]
        assert list(archive.extract(["tree/empty", "tree/run.sh"])) == ["tree/empty", "tree/run.sh"]
        assert list(archive.extract(patterns="*.txt")) == ["tree/hello.txt", "tree/poem.txt"]
        assert list(archive.extract(patterns=["*.sh", "*empty"])) == ["tree/empty", "tree/run.sh"]
        assert "tree/poem.txt" not in archive.extract(exclude=["*poem*"])
        assert len(archive.extract(exclude=[])) == len(archive)
        assert [entry.name for entry in archive.list(patterns="*.txt")] == ["tree/hello.txt", "tree/poem.txt"]
        with pytest.raises(memarchive.NoSuchEntry) as caught:
            archive.extract("tree/hello")
        assert caught.value.entry == "tree/hello" and caught.value.advice
        with pytest.raises(KeyError):
            archive.extract(patterns="*.exe")
        for nothing in ({"names": []}, {"patterns": []}):
            with pytest.raises(ValueError, match="is empty"):
                archive.extract(**nothing)
        with pytest.raises(memarchive.InvalidArgument):
            archive.extract("a", patterns="b")
    with memarchive.open(FIXTURES / "tree.tar.gz", allow_unmatched=True) as archive:
        files = archive.extract(["tree/hello", "tree/run.sh"])
        assert list(files) == ["tree/run.sh"]
        assert [(warning.code, warning.entry) for warning in files.listing.warnings] == [("noMatch", "tree/hello")]


def test_files_stay_when_their_archive_goes(zip_file: pathlib.Path) -> None:
    with memarchive.open(zip_file) as archive:
        files = archive.extract()
    assert files["a.txt"].read_text() == "first"
    with files:
        assert repr(files) == "<memarchive.Files: 3 files>"
    with pytest.raises(ValueError, match=r"memarchive\.Files are|is closed"):
        len(files)


def test_a_closed_archive_says_so(zip_file: pathlib.Path) -> None:
    archive = memarchive.open(zip_file)
    archive.close()
    assert archive.closed and repr(archive) == "<memarchive.Archive, closed>"
    for use in (archive.extract, archive.list, archive.iter, archive.tree, lambda: archive["a.txt"]):
        with pytest.raises(ValueError, match="is closed"):
            use()


def test_what_is_not_closed_is_told(zip_file: pathlib.Path) -> None:
    def drop(make: Any) -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            make()
            gc.collect()
        return [str(warning.message) for warning in caught if warning.category is ResourceWarning]

    assert drop(lambda: memarchive.open(zip_file)) == ["unclosed <memarchive.Archive>"]
    with memarchive.open(zip_file) as archive:
        assert drop(archive.iter) == ["unclosed <memarchive.Stream>"]
        assert drop(archive.extract) == []
    with pytest.raises(FileNotFoundError):
        drop(lambda: memarchive.open("/missing"))


def test_a_listing() -> None:
    with memarchive.open(FIXTURES / "tar-all-kinds.tar") as archive:
        listing = archive.list()
    assert {entry.kind for entry in listing} >= {"file", "directory", "symlink", "hardlink", "fifo"}
    assert listing[-1] == listing[len(listing) - 1] == list(listing)[-1]
    assert listing[1:3] == list(listing)[1:3]
    with pytest.raises(IndexError):
        listing[len(listing)]
    for sandbox, is_protected in (("required", True), ("off", False)):
        with memarchive.open(FIXTURES / "zip-comment.zip", sandbox=sandbox) as archive:
            assert bool(archive.files.listing.protection) == is_protected
    with memarchive.open(FIXTURES / "zip-comment.zip") as archive, archive.iter() as stream:
        list(stream)
        assert stream.listing.comment


def test_warnings() -> None:
    with memarchive.open(FIXTURES / "tar-duplicate-name.tar") as archive:
        codes = {warning.code for warning in archive.extract().listing.warnings}
    assert "duplicate" in codes
    with memarchive.open(FIXTURES / "tar-duplicate-name.tar", duplicates="reject") as archive:
        with pytest.raises(memarchive.DuplicateEntry):
            archive.extract()


def test_duplicates() -> None:
    archive = make_tar({"a": b"1"})[:1024] + make_tar({"a": b"22"})
    sizes = {}
    for choice in ("first", "last"):
        with memarchive.open(archive, duplicates=choice) as opened:
            sizes[choice] = opened["a"].size
    assert sizes == {"first": 1, "last": 2}


def damaged(name: str) -> bytes:
    """A zip of which one entry's content is not what its checksum says."""
    archive = bytearray(make_zip({"good": b"good" * 100, name: os.urandom(1000)}))
    place = archive.index(name.encode()) + len(name) + 500
    archive[place] ^= 1
    return bytes(archive)


@pytest.mark.parametrize("sandbox", ["required", "off"])
def test_damage_is_told_with_its_entry(sandbox: Any) -> None:
    with memarchive.open(damaged("bad"), sandbox=sandbox) as archive, pytest.raises(memarchive.CorruptError) as caught:
        archive.extract()
    error = caught.value
    assert (error.code, error.entry) == ("corrupt", "bad")
    assert error.reason and error.advice and error.errno is None
    assert "bad" in str(error) and error.reason in str(error)


def test_what_is_intact_is_kept_on_request() -> None:
    with memarchive.open(damaged("bad"), keep_going=True) as archive:
        files = archive.extract()
        assert list(files) == ["good"]
        (error,) = files.listing.errors
        assert isinstance(error, memarchive.CorruptError) and error.entry == "bad"


def test_nested_archives() -> None:
    inner = make_tar({"x/y": b"inside"}, "w:gz")
    with memarchive.open(make_zip({"data.tar.gz": inner}), nested=True) as archive:
        assert archive["data.tar.gz/x/y"].read_bytes() == b"inside"


def test_passphrases() -> None:
    encrypted = FIXTURES / "odd/7z/aes.7z"
    with memarchive.open(encrypted) as archive, pytest.raises(memarchive.PassphraseRequired):
        archive.extract()
    for wrong in ("wrong", [b"wrong", "also wrong"]):
        with memarchive.open(encrypted, passphrases=wrong) as archive, pytest.raises(memarchive.WrongPassphrase):
            archive.extract()
    for right in ("secret", b"secret", ["wrong", "secret"]):
        with memarchive.open(encrypted, passphrases=right) as archive:
            assert any(file.size for file in archive.values())


def test_modes_and_execution() -> None:
    with memarchive.open(FIXTURES / "tar-ustar.tar", mode=0o640) as archive:
        assert os.fstat(archive["tree/run.sh"].fileno()).st_mode & 0o777 == 0o640
    with memarchive.open(FIXTURES / "tar-ustar.tar", executable=True) as archive:
        assert os.fstat(archive["tree/run.sh"].fileno()).st_mode & 0o777 == 0o555


def test_formats() -> None:
    rar = FIXTURES / "odd/rar/rar5-solid.rar"
    with memarchive.open(rar) as archive, pytest.raises(memarchive.UnsupportedFormat):
        archive.list()
    for formats in ("all", ["zip", "rar5"]):
        with memarchive.open(rar, formats=formats) as archive:
            assert len(archive.list()) > 0
    with memarchive.open(FIXTURES / "odd/squashfs/program.AppImage", formats="all") as archive:
        assert archive["d/f"].read_bytes() == b"hello\n"
    with memarchive.open(FIXTURES / "zip-stored.zip", formats=["tar"]) as archive:
        with pytest.raises(memarchive.UnsupportedFormat):
            archive.list()


@pytest.mark.parametrize(
    ("limits", "kind"),
    [
        ({"limit_total_bytes": 1000}, memarchive.LimitExceeded),
        ({"limit_held_bytes": 1000}, memarchive.LimitExceeded),
        ({"limit_entry_bytes": 1000}, memarchive.LimitExceeded),
        ({"limit_entries": 2}, memarchive.LimitExceeded),
        ({"limit_name_bytes": 5}, memarchive.LimitExceeded),
        ({"limit_depth": 1, "nested": True}, memarchive.TooManyLayers),
    ],
)
def test_limits(limits: Any, kind: type[memarchive.Error]) -> None:
    inner = make_tar({"x": make_tar({"y": b"z"}, "w:gz")}, "w:gz")
    with memarchive.open(make_zip({"large": bytes(2000), "b": inner, "longer name": b""}), **limits) as archive:
        with pytest.raises(kind):
            archive.extract()


def test_no_limit(zip_file: pathlib.Path) -> None:
    names = ("total_bytes", "held_bytes", "entry_bytes", "entries", "name_bytes", "attribute_bytes", "depth", "ratio")
    options: Any = {f"limit_{name}": math.inf for name in names}
    with memarchive.open(zip_file, timeout=math.inf, **options) as archive:
        assert len(archive) == 3


@pytest.mark.parametrize(
    "options",
    [
        {"sandbox": "maybe"},
        {"storage": 1},
        {"duplicates": ""},
        {"formats": "zip,tar"},
        {"formats": ["zip", "gz"]},
        {"formats": []},
        {"formats": [["zip"]]},
        {"sandbox": ["off"]},
        {"timeout": math.nan},
        {"limit_entries": math.nan},
        {"parallelism": math.inf},
        {"parallelism": 0},
        {"descriptor_budget": -1},
        {"timeout": 0},
        {"timeout": -1},
        {"limit_entries": 0},
        {"limit_entries": 1.5},
        {"limit_ratio": 0},
        {"passphrases": "a\0b"},
        {"encoding": "latin\0"},
    ],
)
def test_options_that_make_no_sense(options: Any, zip_file: pathlib.Path) -> None:
    with pytest.raises(ValueError):
        memarchive.open(zip_file, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": "5"},
        {"limit_entries": "5"},
        {"limit_ratio": "5"},
        {"parallelism": [2]},
        {"formats": 5},
        {"nested": "yes"},
        {"keep_going": 1},
        {"passphrases": 5},
        {"passphrases": [None]},
        {"encoding": 5},
        {"worker": 5},
        {"progress": 3},
        {"cancellation": True},
    ],
    ids=str,
)
def test_options_of_a_wrong_type_are_named(options: Any, zip_file: pathlib.Path) -> None:
    with pytest.raises(TypeError, match=f"{next(iter(options))} must be "):
        memarchive.open(zip_file, **options)


def test_a_wrong_passphrase_is_not_told(zip_file: pathlib.Path) -> None:
    with pytest.raises(TypeError) as caught:
        memarchive.open(zip_file, passphrases=[["secret"]])  # type: ignore[list-item]
    assert "secret" not in str(caught.value)


def test_numbers_that_are_too_large_for_c_are_no_small_ones(zip_file: pathlib.Path) -> None:
    with memarchive.open(zip_file, timeout=1e30, limit_entries=1 << 64, parallelism=1 << 32) as archive:
        assert len(archive) == 3
    with pytest.raises(memarchive.InvalidArgument):
        memarchive.open(zip_file, mode=1 << 32 | 0o600)


@pytest.mark.parametrize("what", [memarchive.open, memarchive.Options])
def test_help_has_every_option_with_its_default(what: Any) -> None:
    text = pydoc.plain(pydoc.render_doc(what))
    told = dict(re.findall(r"^[ |]*``(\w+)=(.*)``$", text, re.M))
    assert list(told) == list(memarchive.Options.__annotations__)
    # Each is what is told: no option is the same as all of them so.
    defaults = {name: ast.literal_eval(default) for name, default in told.items()}
    given, none = (_options.Settings(options) for options in (defaults, {}))  # type: ignore[arg-type]
    for field, _ in _abi.Options._fields_:
        ours, theirs = getattr(given.c, field), getattr(none.c, field)
        if isinstance(ours, (int, float, bytes, str)) and field not in ("user", "cancellation", "formats"):
            assert ours == theirs, field
    assert given.c.formats == _abi.FORMATS["standard"]


def test_options_that_do_not_exist(zip_file: pathlib.Path) -> None:
    with pytest.raises(TypeError, match="there is no option 'sandboxed'"):
        memarchive.open(zip_file, sandboxed=True)  # type: ignore[call-arg]


def test_a_budget_of_descriptors() -> None:
    archive = make_zip({str(number): b"x" for number in range(100)})
    counts = {}
    for budget in (0, 10, None):
        with memarchive.open(archive, descriptor_budget=budget) as opened:
            before = len(os.listdir("/proc/self/fd"))
            assert len(opened) == 100
            counts[budget] = len(os.listdir("/proc/self/fd")) - before
    assert counts[0] < counts[10] < counts[None]


def test_progress_tells_how_far_reading_is(zip_file: pathlib.Path) -> None:
    told: list[memarchive.Progress] = []
    with memarchive.open(zip_file, progress=told.append) as archive:
        archive.extract()
    assert told
    assert all(progress.bytes_total == zip_file.stat().st_size for progress in told)


@pytest.mark.parametrize("sandbox", ["required", "off"])
def test_what_progress_raises_is_raised(zip_file: pathlib.Path, sandbox: Any) -> None:
    def stop(_: memarchive.Progress) -> None:
        raise ZeroDivisionError("enough")

    with memarchive.open(zip_file, progress=stop, sandbox=sandbox) as archive:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError, match="enough"):
                archive.extract()


def test_what_begins_after_a_cancellation_is_cancelled(zip_file: pathlib.Path) -> None:
    cancellation = memarchive.Cancellation()
    archives = [memarchive.open(zip_file, cancellation=cancellation) for _ in range(2)]
    cancellation.cancel()
    archives.append(memarchive.open(zip_file, cancellation=cancellation))
    for archive in archives:
        with archive, pytest.raises(memarchive.Cancelled):
            archive.list()


def test_cancellation(zip_file: pathlib.Path) -> None:
    cancellation = memarchive.Cancellation()
    with memarchive.open(zip_file, cancellation=cancellation) as archive:
        archive.list()
        assert not cancellation.is_cancelled
        cancellation.cancel()
        assert cancellation.is_cancelled
        with pytest.raises(memarchive.Cancelled):
            archive.list()
    with memarchive.open(zip_file) as archive:
        archive.list()


def test_a_timeout() -> None:
    out, into = os.pipe()
    with open(out, "rb", buffering=0) as pipe, memarchive.open(pipe, timeout=0.05) as archive:
        with pytest.raises(TimeoutError) as caught:
            archive.extract()
    os.close(into)
    assert isinstance(caught.value, memarchive.TimedOut)


def test_threads_share_an_archive() -> None:
    files = {f"{number}.bin": os.urandom(10_000) for number in range(50)}
    failures: list[BaseException] = []
    with memarchive.open(make_zip(files)) as archive:

        def work() -> None:
            try:
                assert {name: file.read_bytes() for name, file in archive.items()} == files
                with archive.extract(patterns="1*") as some:
                    assert some["1.bin"].read_bytes() == files["1.bin"]
                assert len(archive.list()) == 50
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def test_other_threads_run_during_an_extraction() -> None:
    # The reader waits for what another thread of Python's writes: with the interpreter locked neither would go on.
    out, into = os.pipe()
    archive = make_tar({"large": bytes(10 << 20)})

    def write() -> None:
        with open(into, "wb") as pipe:
            pipe.write(archive)

    writer = threading.Thread(target=write)
    with open(out, "rb", buffering=0) as pipe, memarchive.open(pipe) as opened:
        writer.start()
        assert opened["large"].size == 10 << 20
    writer.join()


@pytest.mark.filterwarnings("error::DeprecationWarning")
def test_files_and_archives_after_fork(zip_file: pathlib.Path) -> None:
    with memarchive.open(zip_file) as archive:
        file = archive["a.txt"]
        child = os.fork()
        if child == 0:
            status = 1
            try:
                same = file.read_bytes() == b"first" and pathlib.Path(file.path).read_bytes() == b"first"
                again = archive.extract("sub/b.txt")["sub/b.txt"].size == 7000
                status = 0 if same and again else 2
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert archive.extract("a.txt")["a.txt"].read_bytes() == file.read_bytes()


def test_the_pool_can_be_ended(zip_file: pathlib.Path) -> None:
    for _ in range(2):
        with memarchive.open(zip_file) as archive:
            assert len(archive) == 3
        memarchive.end_pool()


def test_the_platform() -> None:
    platform = memarchive.platform()
    assert platform.kernel in platform.description and memarchive.__version__ in platform.description
    assert platform.has_worker
    assert any(feature.name and feature.meaning for feature in platform.features)


def test_the_names_of_the_fixture_tree() -> None:
    with memarchive.open(FIXTURES / "tree.tar.xz") as archive:
        assert {name: archive[name].size for name in TREE} == TREE


def test_the_platform_has_the_worker_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMARCHIVE_WORKER", "/missing/worker")
    assert "/missing/worker" in memarchive.platform().sandbox


@pytest.mark.skipif(_abi.WORKER is None, reason="no wheel")
def test_the_worker_of_a_wheel_is_used_whoever_owns_it(zip_file: pathlib.Path, tmp_path: pathlib.Path) -> None:
    package = tmp_path / "memarchive"
    shutil.copytree(pathlib.Path(memarchive.__file__).parent, package)
    worker = package / "memarchive-worker"
    worker.chmod(0o775)
    if os.geteuid() == 0:
        os.chown(worker, 12345, 12345)
    code = (
        f"import memarchive as m; p = m.platform(); w = m.open({str(zip_file)!r}, worker=None);"
        "print(m.__file__, len(w), p.sandbox, p.has_worker)"
    )
    environment = {key: value for key, value in os.environ.items() if key != "MEMARCHIVE_WORKER"}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**environment, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == (f"{package}/__init__.py 3 {worker} True\n", "")
