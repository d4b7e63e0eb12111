#!/usr/bin/env python3
"""ordinary.py DIRECTORY: packs a few trees with the system's own tools and their default flags, as people do.

Beside each archive lies what the tool itself unpacks it to, as JSON; manifest.json names them all. What is there and
would be made in the same way is kept. MEMARCHIVE_ORDINARY=all adds large ones that take long.
"""
import concurrent.futures
import hashlib
import inspect
import json
import os
import pathlib
import random
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import zipfile

KIB, MIB = 1 << 10, 1 << 20

# Each packs the directory "tree", or "bulk-0" of it, into $OUT, and unpacks $IN into the directory where it runs.
# family: the row of the table in Rules.swift by which the two are compared.
# threads: threads are started to read it, so that reading once does not show much.
# trees: by their names; one of 50 MiB where its size, and not only the format, decides how it is read.
# more: those for MEMARCHIVE_ORDINARY=all.

USUAL = "1k text-2m noise-2m many-2m"
LARGE = "text-50m noise-50m many-50m"
ALL = os.environ.get("MEMARCHIVE_ORDINARY") == "all"


def form(name, pack, unpack, family="tar", trees=USUAL, large="", more="", threads=False):
    trees = dict.fromkeys(" ".join([trees, large] + ([more] if ALL else [])).split())
    return {"name": name, "pack": pack, "unpack": unpack, "family": family, "trees": trees, "threads": threads}


def tar(name, pack, unpack="tar xf $IN", **more):
    return form(name, pack, unpack, **more)


def halves(first, second):
    """A tar of which each half is compressed by itself."""
    return ("tar cf whole tree; half=$(($(stat -c %s whole) / 2)); "
            f"(head -c $half whole | {first}; tail -c +$((half + 1)) whole | {second}) > $OUT; rm whole")


def lone(name, pack, unpack, **more):
    return form("lone." + name, f"{pack} < tree/bulk-0 > $OUT", f"{unpack} < $IN > bulk-0", "lone",
                "1k text-2m noise-2m", **more)


def seven(name, flags, family="7z", **more):
    """Without the link that leads up: newer versions store it and do not unpack it ("dangerous link path")."""
    return form(name, f"rm 'tree/sub/link up'; 7z a -bso0 {flags} $OUT tree", "7z x -bso0 $IN", family, **more)


def deb(name, flag):
    return form(f"{name}.deb", "mkdir -p pkg/DEBIAN; cp -a tree pkg/tree; chmod 755 pkg pkg/DEBIAN; printf '%s\\n' "
                "'Package: ordinary' 'Version: 1' 'Architecture: all' 'Maintainer: Nobody <nobody@example.com>' "
                f"'Description: An ordinary tree' > pkg/DEBIAN/control; dpkg-deb {flag} --build pkg $OUT; rm -r pkg",
                "dpkg-deb -x $IN .", "deb", threads=name != "gzip")


def rpm(name, payload):
    spec = ("Name: ordinary\\nVersion: 1\\nRelease: 1\\nSummary: An ordinary tree\\nLicense: none\\nBuildArch: noarch\\n"
            "AutoReqProv: no\\n%%description\\nAn ordinary tree\\n%%install\\ncp -a $PWD/tree %%{buildroot}/tree\\n"
            "%%files\\n/tree\\n")
    return form(f"{name}.rpm", f"printf \"{spec}\" > made.spec; rpmbuild --quiet -bb --define \"_topdir $PWD/rpm\" "
                f"--define '__os_install_post %{{nil}}' {payload} made.spec; "
                "cp rpm/RPMS/noarch/*.rpm $OUT; rm -r rpm made.spec",
                "rpm2cpio $IN > made.cpio; cpio -idm --quiet < made.cpio; rm made.cpio", "rpm", threads=True)


ZIP_INFO = "python3 $SCRIPT --as-zip-says $IN"

FORMS = [
    tar("tar", "tar cf $OUT tree", large="many-50m", more=LARGE),
    tar("bsdtar.tar", "bsdtar cf $OUT tree", "bsdtar xf $IN"),
    tar("tar.gz", "tar czf $OUT tree", large="light-50m", more=LARGE, threads=True),
    tar("tar.bz2", "tar cjf $OUT tree", large="light-50m", more=LARGE, threads=True),
    tar("tar.xz", "tar cJf $OUT tree", large="light-50m", more="noise-50m", threads=True),
    tar("T1.tar.xz", "tar cf - tree | xz -T1 > $OUT", threads=True),
    tar("T2.tar.xz", "tar cf - tree | xz -T2 > $OUT", large="light-50m", more="text-50m", threads=True),
    tar("sized-unsized.tar.xz", halves("xz -0 -T2", "xz -0 -T1"), large="light-50m", more="noise-50m", threads=True),
    tar("unsized-sized.tar.xz", halves("xz -0 -T1", "xz -0 -T2"), large="light-50m", more="noise-50m", threads=True),
    tar("beyond.tar.xz", "tar --sort=name -cf - tree | xz -0 -T2 --block-size=200MiB > $OUT", trees="beyond", threads=True),
    tar("tar.zst", "tar --zstd -cf $OUT tree", large="noise-50m", more=LARGE, threads=True),
    tar("long.tar.zst", "tar cf - tree | zstd -q --long > $OUT", large="light-50m", more=LARGE, threads=True),
    tar("19.tar.zst", "tar cf - tree | zstd -q -19 > $OUT", threads=True),
    tar("tar.lz4", "tar cf - tree | lz4 -q > $OUT", "lz4 -dc $IN | tar x", threads=True),
    tar("tar.lz", "tar --lzip -cf $OUT tree", threads=True),
    tar("tar.lzma", "tar --lzma -cf $OUT tree", threads=True),
    tar("tar.Z", "tar cf - tree | compress -f > $OUT", threads=True),

    lone("gz", "gzip", "gzip -dc", threads=True),
    lone("bz2", "bzip2", "bzip2 -dc", threads=True),
    lone("xz", "xz", "xz -dc", threads=True),
    lone("zst", "zstd -q", "zstd -dcq", threads=True),
    lone("lz4", "lz4 -q", "lz4 -dc", threads=True),
    lone("lz", "lzip", "lzip -dc", threads=True),
    lone("lzma", "lzma", "lzma -dc", threads=True),
    lone("Z", "compress -f", "uncompress -c"),

    form("zip", "zip -qr $OUT tree", "unzip -q $IN", "zip", large="many-50m", more=LARGE, threads=True),
    form("links.zip", "zip -qry $OUT tree", "unzip -q $IN", "zip"),
    form("streamed.zip", "zip -qr - tree | cat > $OUT", "unzip -q $IN", "zip", threads=True),
    form("python.zip", "python3 -m zipfile -c $OUT tree", "python3 -m zipfile -e $IN .; " + ZIP_INFO, "zip",
         threads=True),
    form("bsdtar.zip", "bsdtar -a -cf $OUT tree", "bsdtar xf $IN", "zip"),
    form("bsdtar-streamed.zip", "bsdtar --format zip -cf - tree | cat > $OUT", "bsdtar xf $IN", "zip"),
    seven("7z.zip", "", "zip"),
    form("whl", "mkdir -p made-1/made-1.dist-info; cp -a tree made-1/tree; "
         "printf 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n' > made-1/made-1.dist-info/WHEEL; "
         "printf 'Metadata-Version: 2.1\\nName: made\\nVersion: 1\\n' > made-1/made-1.dist-info/METADATA; "
         "printf '' > made-1/made-1.dist-info/RECORD; mkdir -p packed; /usr/bin/python3 -m wheel pack -d packed made-1 >&2; "
         "mv packed/*.whl $OUT; rm -r made-1 packed",
         "mkdir packed; cp $IN packed/made-1-py3-none-any.whl; /usr/bin/python3 -m wheel unpack packed/*.whl >&2; "
         "rm -r packed; mv made-1/* .; rmdir made-1; " + ZIP_INFO, "whl", threads=True),
    form("jar", "fastjar cf $OUT tree", "fastjar xf $IN", "jar"),
    form("odt", "printf application/vnd.oasis.opendocument.text > mimetype; zip -qX0 $OUT mimetype; "
         "zip -qrX9D $OUT tree; rm mimetype", "unzip -q $IN", "document"),

    seven("7z", "", large="many-50m", threads=True),
    seven("loose.7z", "-ms=off"),
    seven("ppmd.7z", "-m0=PPMd"),
    seven("loose-ppmd.7z", "-ms=off -m0=PPMd"),

    form("newc.cpio", "find tree | cpio -o -H newc --quiet > $OUT", "cpio -idm --quiet < $IN", "cpio"),
    form("odc.cpio", "find tree | cpio -o -H odc --quiet > $OUT", "cpio -idm --quiet < $IN", "cpio"),
    form("bin.cpio", "find tree | cpio -o --quiet > $OUT", "cpio -idm --quiet < $IN", "cpio"),
    form("cpio.gz", "find tree | cpio -o -H newc --quiet | gzip > $OUT", "gzip -dc $IN | cpio -idm --quiet", "cpio",
         threads=True),
    form("a", "find tree -maxdepth 1 -type f -print0 | xargs -0 ar rc $OUT", "ar xo $IN", "ar"),
    deb("default", ""),
    deb("gzip", "-Zgzip"),
    deb("xz", "-Zxz"),
    deb("zstd", "-Zzstd"),
    rpm("default", ""),
    rpm("gzip", "--define '_binary_payload w9.gzdio'"),
    rpm("xz", "--define '_binary_payload w6.xzdio'"),
    rpm("zstd", "--define '_binary_payload w19.zstdio'"),
    form("genisoimage.iso", "genisoimage -quiet -R -J -o $OUT tree",
         "xorriso -report_about WARNING -osirrox on -indev $IN -extract / .", "iso"),
    form("xorriso.iso", "xorrisofs -quiet -o $OUT tree",
         "xorriso -report_about WARNING -osirrox on -indev $IN -extract / .", "iso"),
    *[form(f"{compressor}.squashfs",
           f"mksquashfs tree $OUT -keep-as-directory -comp {compressor} -quiet -no-progress -no-xattrs >/dev/null",
           "unsquashfs -quiet -no-progress -force -dest . $IN >/dev/null", "squashfs")
      for compressor in ("gzip", "lzma", "xz", "lz4", "zstd")],
]


# The trees.


def text(size, seed):
    """Words, as many and as often as in a book."""
    source = random.Random(seed)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = ["".join(source.choices(letters, range(26, 0, -1), k=source.randint(2, 9))) for _ in range(3000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    out = b""
    while len(out) < size:
        out += " ".join(source.choices(words, weights, k=200_000 if size > MIB else 200)).encode() + b"\n"
    return out[:size]


def noise(size, seed):
    return random.Random(seed).randbytes(size)


def bulk(kind, size):
    """The contents that make up most of a tree."""
    if kind == "text":
        return [text(size * 3 // 4, 1), text(size // 4, 2)]
    if kind == "light":
        # As many blocks and as much memory as text, for a seventh of a tool's time: words, and then one letter again and again.
        words, piece = text(size // 8, 8), 8 * KIB
        pages = [words[i:i + piece] + bytes([33 + i // piece % 90]) * (56 * KIB) for i in range(0, len(words), piece)]
        whole = b"".join(pages)
        return [whole[:size * 3 // 4], whole[size * 3 // 4:]]
    if kind == "noise":
        return [noise(size * 3 // 4, 3), noise(size // 4, 4)]
    if kind == "many":
        # As large as a source file, or an icon.
        each = 4 * KIB if size <= 4 * MIB else 24 * KIB
        words, bytes_ = text(2 * each, 5), noise(each * 2, 6)
        return [(words[i % each:] if i % 2 else bytes_[i % each:])[:each - i % 997] for i in range(size // each)]
    # More in one block of 200 MiB than a decoder's threads may take, packed and unpacked, together; then another block.
    return [noise(64 * MIB, 7), bytes(size - 64 * MIB)]


TREES = {
    "1k": ("text", KIB), "text-2m": ("text", 2 * MIB), "noise-2m": ("noise", 2 * MIB), "many-2m": ("many", 2 * MIB),
    "light-50m": ("light", 50 * MIB), "text-50m": ("text", 50 * MIB), "noise-50m": ("noise", 50 * MIB), "many-50m": ("many", 50 * MIB),
    "beyond": ("beyond", 224 * MIB),
}


def grow(root, kind, size):
    """A tree with one of everything, and the contents of its kind."""
    contents = {
        "readme.txt": b"An ordinary file.\n", "run": b"#!/bin/sh\necho ran\n", "empty": b"",
        "with spaces/in its name.txt": b"spaces\n", "größe/naïve α 日本語.txt": "ünïcödé\n".encode(),
        "sub/deeper/still/file": b"deep down\n", "private": b"mode 0600\n",
    }
    many = bulk(kind, size)
    for number, content in enumerate(many):
        contents[f"bulk-{number}" if number < 2 else f"many/{number // 100}/f{number}"] = content
    for name, content in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o644)
    (root / "run").chmod(0o755)
    (root / "private").chmod(0o600)
    (root / "empty directory").mkdir()
    (root / "closed").mkdir()
    (root / "closed/inside").write_bytes(b"inside\n")
    os.link(root / "readme.txt", root / "sub/hard link")
    os.symlink("sub/deeper/still/file", root / "link")
    os.symlink("../readme.txt", root / "sub/link up")
    os.symlink("sub/deeper", root / "link to directory")
    for path in root.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    (root / "closed/inside").chmod(0o640)
    (root / "closed").chmod(0o700)
    root.chmod(0o755)
    # A second of its own for each, some odd, none whole.
    paths = sorted(root.rglob("*"), key=lambda path: (-len(path.parts), str(path))) + [root]
    for number, path in enumerate(paths):
        modified = (1_700_000_000 + 101 * number) * 1_000_000_000 + 123_456_789
        os.utime(path, ns=(modified, modified), follow_symlinks=False)


# What was unpacked.

def listing(root):
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}
    found = []
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        kind = kinds[stat.S_IFMT(status.st_mode)]
        entry = {"name": str(path.relative_to(root)), "kind": kind, "mode": stat.S_IMODE(status.st_mode),
                 "seconds": status.st_mtime_ns // 10**9, "nanoseconds": status.st_mtime_ns % 10**9}
        if kind == "file":
            entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
            if status.st_nlink > 1:
                entry["inode"] = status.st_ino
        if kind == "symlink":
            entry["link"] = os.readlink(path)
        found.append(entry)
    return found


def as_zip_says(archive):
    """Python's unpackers leave out modes and times: those are as its zipfile reads them."""
    with zipfile.ZipFile(archive) as entries:
        for entry in reversed(entries.infolist()):
            path = entry.filename.rstrip("/")
            if path and entry.external_attr >> 16:
                os.chmod(path, stat.S_IMODE(entry.external_attr >> 16))
            if path:
                modified = time.mktime(entry.date_time + (0, 0, -1))
                os.utime(path, (modified, modified))


def shell(command, cwd, **variables):
    environment = os.environ | {"LC_ALL": "C.UTF-8", "SCRIPT": os.path.abspath(__file__)} | variables
    outcome = subprocess.run(["bash", "-o", "pipefail", "-euc", command], cwd=cwd, env=environment,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if outcome.returncode:
        raise RuntimeError(f"{command}\nended with {outcome.returncode}:\n{outcome.stdout.decode(errors='replace')}")


def recipe(tree, form):
    """What an archive depends on: it is made again when that changes."""
    functions = [text, noise, bulk, grow, listing] + ([as_zip_says] if "$SCRIPT" in form["unpack"] else [])
    source = "".join(inspect.getsource(function) for function in functions)
    return hashlib.sha256(repr((TREES[tree], form["pack"], form["unpack"], source)).encode()).hexdigest()


def is_made(directory, name, recipe):
    beside = directory / f"{name}.json"
    return (directory / name).exists() and beside.exists() and json.loads(beside.read_text())["recipe"] == recipe


def make(directory, trees, tree, form):
    """One archive, and beside it what its own tool makes of it. Returns why it could not be made, if so."""
    name = f"{tree}.{form['name']}"
    with tempfile.TemporaryDirectory(dir=directory) as work:
        packing, unpacking, out = pathlib.Path(work, "packing"), pathlib.Path(work, "unpacking"), pathlib.Path(work, name)
        packing.mkdir()
        unpacking.mkdir()
        try:
            shell("cp -a $TREE tree", packing, TREE=str(trees / tree))
            shell(form["pack"], packing, OUT=str(out))
            shell(form["unpack"], unpacking, IN=str(out))
        except RuntimeError as error:
            return str(error)
        found = {"recipe": recipe(tree, form), "entries": listing(unpacking)}
        out.rename(directory / name)
        (directory / f"{name}.json").write_text(json.dumps(found))


def packed(archive):
    return archive.stat().st_size if archive.exists() else 0


def main():
    os.umask(0)
    directory = pathlib.Path(sys.argv[1]).resolve()
    directory.mkdir(parents=True, exist_ok=True, mode=0o755)
    rows = [(tree, form) for form in FORMS for tree in form["trees"]]
    missing = [row for row in rows if not is_made(directory, f"{row[0]}.{row[1]['name']}", recipe(*row))]
    # The longest first.
    missing.sort(key=lambda row: -TREES[row[0]][1])
    failures = {}
    with tempfile.TemporaryDirectory() as temporary:
        trees = pathlib.Path(temporary)
        for name in {tree for tree, _ in missing}:
            grow(trees / name, *TREES[name])
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for (tree, form), failure in zip(missing, pool.map(lambda row: make(directory, trees, *row), missing)):
                if failure:
                    failures[f"{tree}.{form['name']}"] = failure
                    print(f"{tree}.{form['name']} could not be made: {failure}", file=sys.stderr)
    (directory / "manifest.json").write_text(json.dumps([
        {"archive": name, "family": form["family"], "threads": form["threads"], "size": TREES[tree][1],
         "packed": packed(directory / name), "failure": failures.get(name)}
        for tree, form in rows for name in [f"{tree}.{form['name']}"]], indent=1))


if sys.argv[1] == "--as-zip-says":
    as_zip_says(sys.argv[2])
else:
    main()
