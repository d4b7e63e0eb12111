#!/usr/bin/python3
"""What verification costs over plain reading, for the table of the article VerifyThenUnpack.

    Benchmarks/verified.py MEMARCHIVE

Whole processes in turn, as whole.py runs them, from the page cache: `memarchive test --hold` of an archive, the same with
`--sha256` and with `--verify`, and what each verification is made of, a digest and a copy. Needs minisign and openssl.
"""

import hashlib
import os
import random
import subprocess
import sys
import tarfile
import tempfile
import zipfile

import whole

MB = 1_000_000


def body(number):
    """1 MB that compresses to a third."""
    generator = random.Random(number)
    words = [generator.randbytes(8).hex()[:10].encode() for _ in range(4096)]
    return b" ".join(generator.choices(words, k=MB // 10))[:MB]


def tar(path, count):
    with tarfile.open(path, "w") as archive:
        for number in range(count):
            member = tarfile.TarInfo(f"d/{number}")
            member.size = MB
            with open("/dev/urandom", "rb") as source:
                archive.addfile(member, source)


def zipped(path, count):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            archive.writestr(f"d/{number}", body(number))


def ways(program, archive):
    test = [program, "test", "-q", "--hold"]
    with open(archive, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    signing = ["minisign", "-S", "-s", "key", "-m", archive]
    subprocess.run(signing, check=True, stdout=subprocess.DEVNULL)
    return {
        "plain": lambda _: [*test, archive],
        "--sha256": lambda _: [*test, "--sha256", digest, archive],
        "--verify": lambda _: [*test, "--verify", "key.pub", archive],
        "sha256sum": lambda _: ["sha256sum", archive],
        "openssl dgst -sha256": lambda _: ["openssl", "dgst", "-sha256", archive],
        "minisign -V": lambda _: ["minisign", "-V", "-q", "-p", "key.pub", "-m", archive],
        # Ours is freed within its process, too.
        "cp, rm": lambda target: ["sh", "-c", 'cp "$0" "$1" && rm "$1"', archive, f"{target}/copy"],
    }


def main(program):
    program = os.path.realpath(program)
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        subprocess.run(["minisign", "-G", "-W", "-p", "key.pub", "-s", "key"], check=True, stdout=subprocess.DEVNULL)
        for name, make, count in (("100.tar", tar, 100), ("1000.tar", tar, 1000), ("100.zip", zipped, 250)):
            make(name, count)
            measured = whole.summary(whole.measure(ways(program, name)))
            print(f"{name}: {os.path.getsize(name)} bytes, {measured['rounds']} rounds, others {measured['othersPercent']} %")
            for way, found in measured["ways"].items():
                if "failure" in found:
                    sys.exit(f"{way}: {found['failure']}")
                print(f"  {way:22} {found['seconds'] * 1000:8.1f} ms passed, {(found['user'] + found['system']) * 1000:8.1f} computed")
            os.remove(name)


if __name__ == "__main__":
    main(*sys.argv[1:])
