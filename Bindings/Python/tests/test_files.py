"""Files: paths, descriptors, views, and how long each lives."""

from __future__ import annotations

import fcntl
import gc
import hashlib
import mmap
import os
import pathlib
import pickle
import subprocess
import sys
import zlib
from typing import Any

import pytest
from conftest import FIXTURES, TREE, make_zip

import memarchive

STORAGES = ["automatic", "dedicated", "packed"]


@pytest.fixture(params=STORAGES)
def archive(request: pytest.FixtureRequest, zip_file: pathlib.Path) -> Any:
    with memarchive.open(zip_file, storage=request.param) as archive:
        yield archive


def test_a_path_opens_the_file(archive: memarchive.Archive) -> None:
    file = archive["sub/b.txt"]
    assert file.path.startswith("/proc/self/fd/")
    assert pathlib.Path(file.path).read_bytes() == b"second\n" * 1000
    assert os.stat(file.path).st_size == file.size == 7000
    with open(file, "rb") as opened:  # __fspath__
        assert opened.read(6) == b"second"
    assert os.fspath(file) == file.path


def test_a_path_is_valid_while_the_mapping_is_open_whoever_holds_the_file(archive: memarchive.Archive) -> None:
    path = archive["a.txt"].path
    gc.collect()
    assert pathlib.Path(path).read_bytes() == b"first"


def test_a_held_file_stays_when_the_archive_is_closed(archive: memarchive.Archive) -> None:
    file = archive["a.txt"]
    archive.close()
    assert pathlib.Path(file.path).read_bytes() == b"first"
    assert file.name == "a.txt"


def test_all_is_given_back_without_the_collector(zip_file: pathlib.Path) -> None:
    damaged = zip_file.read_bytes()[:-30]

    def use(sandbox: Any) -> None:
        with memarchive.open(zip_file.read_bytes(), storage="dedicated", sandbox=sandbox) as archive:
            files = [archive[name] for name in archive]
            assert len({file.fileno() for file in files}) == 3
            with archive["a.txt"].open() as opened:
                opened.read()
            archive["a.txt"].view()
            with pytest.raises(KeyError):
                archive["missing"]
            with archive.iter() as stream:
                for _ in stream:
                    stream.feed(len)
                with pytest.raises(memarchive.Error):
                    stream.extract()
        with memarchive.open(damaged, progress=lambda progress: None, sandbox=sandbox) as archive:
            with pytest.raises(memarchive.Error):
                archive.extract()

    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    for sandbox in ("required", "off"):
        use(sandbox)  # the pool of workers stays
        gc.collect()
        gc.disable()
        try:
            before = count()
            use(sandbox)
            assert count() == before
        finally:
            gc.enable()


def test_a_file_is_sealed(archive: memarchive.Archive) -> None:
    seals = fcntl.fcntl(archive["a.txt"].fileno(), fcntl.F_GET_SEALS)
    wanted = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    assert seals & wanted == wanted


def test_a_view_is_read_only_and_outlives_everything(archive: memarchive.Archive) -> None:
    file = archive["sub/b.txt"]
    view = file.view()
    assert (view.readonly, view.format, view.itemsize, view.shape) == (True, "B", 1, (7000,))
    part = view[7:14]
    del view, file
    archive.close()
    gc.collect()
    assert bytes(part) == b"second\n"
    assert part[0] == ord("s")
    with pytest.raises(TypeError):
        part[0] = 0


def test_a_view_is_no_copy(tmp_path: pathlib.Path) -> None:
    size = 64 << 20
    with memarchive.open(make_zip({"zeros": bytes(size)})) as archive:
        file = archive["zeros"]
        views = [file.view() for _ in range(1000)]
        # All are one mapping: copies would take 64 GB.
        assert sum(view.nbytes for view in views) == 1000 * size
        assert views[-1][-1] == 0


def test_an_empty_file_has_an_empty_view(archive: memarchive.Archive) -> None:
    assert archive["empty"].view().nbytes == 0
    assert archive["empty"].read_bytes() == b""
    with archive["empty"].open() as opened:
        assert opened.read() == b""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="PEP 688")
def test_a_file_is_a_buffer(archive: memarchive.Archive) -> None:
    file: Any = archive["a.txt"]
    assert memoryview(file) == b"first"
    assert hashlib.sha256(file).digest() == hashlib.sha256(b"first").digest()


def test_bytes_and_text(archive: memarchive.Archive) -> None:
    file = archive["a.txt"]
    assert file.read_bytes() == bytes(file) == b"first"
    assert file.read_text() == "first"
    assert archive.read("a.txt") == b"first"


def test_opened_files_have_offsets_of_their_own(archive: memarchive.Archive) -> None:
    file = archive["sub/b.txt"]
    with file.open() as one, file.open() as other:
        assert one.read(3) == b"sec"
        assert other.read(3) == b"sec"
        assert one.seek(-7, os.SEEK_END) == 6993
        assert one.read() == b"second\n"
        assert one.name == "sub/b.txt"
        file.close()
        archive.close()
        assert other.read(4) == b"ond\n"


def test_duplicates_share_an_offset_and_reopened_descriptors_do_not(archive: memarchive.Archive) -> None:
    file = archive["a.txt"]
    duplicate, reopened = file.dup(), file.reopen()
    try:
        assert os.read(duplicate, 2) == b"fi"
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 2
        assert os.read(reopened, 2) == b"fi"
        assert not os.get_inheritable(duplicate) and not os.get_inheritable(reopened)
    finally:
        os.lseek(duplicate, 0, os.SEEK_SET)
        os.close(duplicate)
        os.close(reopened)
    inherited = file.dup(inheritable=True)
    assert os.get_inheritable(inherited)
    os.close(inherited)


def test_a_child_process_opens_an_inherited_path(archive: memarchive.Archive) -> None:
    file = archive["a.txt"]
    done = subprocess.run(["cat", file.path], pass_fds=[file.fileno()], capture_output=True, check=True)
    assert done.stdout == b"first"


def test_a_descriptor_can_be_mapped(archive: memarchive.Archive) -> None:
    with mmap.mmap(archive["sub/b.txt"].fileno(), 0, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE) as mapped:
        assert mapped[:6] == b"second"


def test_a_closed_file_says_so(archive: memarchive.Archive) -> None:
    with archive["a.txt"] as file:
        assert not file.closed
    assert file.closed
    for use in (lambda: file.path, lambda: file.size, lambda: file.view(), lambda: file.name, lambda: file.fileno()):
        with pytest.raises(ValueError, match=r"memarchive\.File is closed"):
            use()
    assert repr(file) == "<memarchive.File, closed>"
    file.close()
    assert archive["a.txt"].read_bytes() == b"first"


def test_metadata(zip_file: pathlib.Path) -> None:
    with memarchive.open(FIXTURES / "tar-ustar.tar") as archive:
        file = archive["tree/run.sh"]
        assert (file.name, file.size, file.mode, file.mtime) == ("tree/run.sh", 19, 0o755, 1700000000.0)
        assert repr(file) == "<memarchive.File 'tree/run.sh', 19 bytes>"
        assert file.entry is not None
        assert (file.entry.kind, file.entry.link, file.entry.is_safe_relative) == ("file", None, True)
        assert file.entry.mtime_ns == 1700000000 * 10**9
        # A link that ends at a file is another name of its content.
        assert archive["tree/link"].read_bytes() == archive["tree/hello.txt"].read_bytes()
        assert {name: archive[name].size for name in TREE} == TREE
    with memarchive.open(zip_file) as archive:
        entry = archive["a.txt"].entry
        assert entry is not None
        assert (entry.compression, entry.crc32, entry.is_encrypted) == ("deflate", zlib.crc32(b"first"), False)


def test_entries_are_values(zip_file: pathlib.Path) -> None:
    with memarchive.open(zip_file) as archive:
        entry = archive.list()[0]
    assert pickle.loads(pickle.dumps(entry)) == entry
    assert len({entry, entry}) == 1


def test_files_are_sent_and_received(archive: memarchive.Archive) -> None:
    import socket

    left, right = socket.socketpair()
    with left, right:
        archive.files.send(left)
        with memarchive.receive(right) as received:  # type: ignore[union-attr]
            assert {name: received[name].read_bytes() for name in received} == {
                name: archive[name].read_bytes() for name in archive
            }
            assert received["a.txt"].entry is None
            assert len(received.listing) == 0
        archive["a.txt"].send(left.fileno())
        with memarchive.receive(right.fileno(), limit_entry_bytes=5) as received:  # type: ignore[union-attr]
            assert list(received) == ["a.txt"]
        archive["sub/b.txt"].send(left)
        with pytest.raises(memarchive.LimitExceeded):
            memarchive.receive(right, limit_entry_bytes=5)
    left, right = socket.socketpair()
    with right:
        left.close()
        assert memarchive.receive(right) is None
        with pytest.raises(BrokenPipeError):
            archive["a.txt"].send(right)


def test_paths_of_more_files_than_descriptors_are_to_be_had(tmp_path: pathlib.Path) -> None:
    """As README says: all at once they are too many; one after another, and in a tree, they are not."""
    path = tmp_path / "many.zip"
    path.write_bytes(make_zip({f"{number}": b"%d" % number for number in range(400)}))
    code = f"""
import memarchive, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
def content(path):
    with open(path, "rb") as file:
        return file.read()
with memarchive.open({str(path)!r}) as archive:
    try:
        [file.path for file in archive.values()]
    except memarchive.DescriptorLimit as error:
        print(error.code)
    print(sum(len(file.view()) for file in archive.values()))
with memarchive.open({str(path)!r}) as archive:
    with archive.iter() as stream:
        print(sum(content(stream.extract()) == entry.name.encode() for entry in stream))
    with archive.tree() as tree:
        print(sum(content(tree / str(number)) == b"%d" % number for number in range(400)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("descriptorLimit\n1090\n400\n400\n", "")
