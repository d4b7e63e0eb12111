#!/usr/bin/env python3
"""Runs the statically linked program on kernels that Debian ships, each in a machine of its own, and compares.

    kernels.py PROGRAM HOST WORK KERNEL...     KERNEL: 6.1, 6.12 or all, and then each format in each way; for root

In a root of busybox, PROGRAM (memarchive), HOST (the library in a program that is its own worker) and the libraries
they name, cells.sh reads archives of each format, as the usual tools make them by default, in each way: here first,
then on each kernel. What `--sandbox off` gave here is what is right; the exit status is 0 when each cell is that.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import textwrap
import threading
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
# The Debian whose kernel it is.
SUITES = {"6.1": "bookworm", "6.12": "trixie"}
SANDBOXES = ["off", "auto", "required"]
# A machine that says nothing for so long, in seconds, hangs; a cell has 120.
LONGEST_SILENCE = 600
# What the program's commands ask of a kernel depends little on the format: those that are read in each way, one of them with
# an archive in it. Emulation takes its time.
FORMATS = "MEMARCHIVE_FORMATS=deb zip"


class Cell(NamedTuple):
    status: str
    digest: str
    error: str


def run(*command, cwd=None, **options):
    return subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def make_archives(work, target):
    """Of a tree with 1.4 MB that no filter makes smaller, by each format's own tool and its default flags."""
    tree = work / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "bin").mkdir(parents=True)
    chance = random.Random(17)
    (tree / "noise").write_bytes(chance.randbytes(1_400_000))
    (tree / "text").write_text("".join(f"line {number} of a text\n" for number in range(20_000)))
    (tree / "small").mkdir()
    for number in range(40):
        (tree / "small" / f"{number}").write_bytes(chance.randbytes(number * 50))
    shutil.copy(shutil.which("echo"), tree / "bin/echo")
    (tree / "bin/script").write_text('#!/bin/sh\necho "a script: $@"\n')
    (tree / "bin/script").chmod(0o755)
    target.mkdir()
    names = sorted(path.name for path in tree.iterdir())
    for ending, option in [("tar.gz", "-z"), ("tar.bz2", "-j"), ("tar.xz", "-J"), ("tar.zst", "--zstd")]:
        run("tar", "-c", option, "-f", target / f"ordinary.{ending}", *names, cwd=tree)
    run("zip", "-qr", target / "ordinary.zip", *names, cwd=tree)
    run("7z", "a", target / "ordinary.7z", *names, cwd=tree)
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(
        "Package: ordinary\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: none\n")
    run("dpkg-deb", "--build", tree, target / "ordinary.deb")


def make_root(work, program, host):
    root = work / "root"
    shutil.rmtree(root, ignore_errors=True)
    for name in ["bin", "dev", "etc", "mnt", "proc", "root", "sys", "tmp"]:
        (root / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), root / "bin/busybox")
    for applet in run(root / "bin/busybox", "--list").split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n")
    (root / "tmp").chmod(0o1777)
    for name, file in [("memarchive", program), ("library", host)]:
        run("strip", "-o", root / "bin" / name, file)
        # libarchive is loaded when it is needed.
        libarchive = re.search(r"/.*/libarchive\.so\.13$", run("/sbin/ldconfig", "-p"), re.M).group()
        libraries = {libarchive, *re.findall(r"/\S+(?= \()", run("ldd", file, libarchive))}
        if any("libswift" in library for library in libraries):
            sys.exit(f"{file} needs Swift's runtime: build it by Scripts/static")
        run("cp", "--parents", "-L", *libraries, root)
    run("cp", "--parents", "-r", "/usr/lib/locale/C.utf8", root)
    shutil.copy(HERE / "cells.sh", root)
    shutil.copy(HERE / "init", root)
    make_archives(work, root / "archives")
    return root


def kernel_image(version, work):
    """Debian's own, by the mirror that apt has been told of here."""
    state = work / "apt" / version
    for name in ["state/lists/partial", "cache/archives/partial"]:
        (state / name).mkdir(parents=True, exist_ok=True)
    mirror = run("apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", "Origin: Debian",
                 "Label: Debian").split()[0]
    (state / "sources.list").write_text(f"deb {mirror} {SUITES[version]} main\n")
    options = ["-o", f"Dir::State={state}/state", "-o", f"Dir::Cache={state}/cache", "-o", "Dir::Etc::sourceparts=-",
               "-o", f"Dir::Etc::sourcelist={state}/sources.list"]
    run("apt-get", *options, "update", "-qq")
    depends = run("apt-cache", *options, "depends", "--important", "linux-image-amd64")
    package = re.search(r"Depends: (linux-image-\S+)", depends).group(1)
    unpacked = state / package
    if not unpacked.exists():
        for old in state.glob("*.deb"):
            old.unlink()
        run("apt-get", *options, "download", "-qq", package, cwd=state, stderr=subprocess.DEVNULL)
        run("dpkg-deb", "-x", next(state.glob("*.deb")), state / "partial")
        (state / "partial").rename(unpacked)
    return next((unpacked / "boot").glob("vmlinuz-*"))


def copy_overlayfs(image, root):
    """overlayfs of the package that the kernel is of, for that kernel to load."""
    release = image.name.removeprefix("vmlinuz-")
    module = next(image.parent.parent.glob(f"**/{release}/kernel/fs/overlayfs/overlay.ko*"))
    (root / "modules").mkdir(exist_ok=True)
    with open(root / "modules" / f"{release}.ko", "wb") as out:
        subprocess.run(["xz", "-dc", "--", module] if module.suffix == ".xz" else ["cat", module], check=True, stdout=out)


def can_accelerate():
    """Where the processor does it; /dev/kvm alone may be one that does not come to an end."""
    if not re.search(r"^flags\b.*\b(vmx|svm)\b", Path("/proc/cpuinfo").read_text(), re.MULTILINE):
        return False
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
        return True
    except OSError:
        return False


def booted(image, initramfs, variables):
    accelerator = ["kvm", "host"] if can_accelerate() else ["tcg,thread=multi", "max"]
    return ["qemu-system-x86_64", "-accel", accelerator[0], "-cpu", accelerator[1], "-smp", "2", "-m", "2G", "-kernel",
            image, "-initrd", initramfs, "-append", " ".join(["console=ttyS0 panic=-1 quiet loglevel=1", *(f'"{each}"' for each in variables)]),
            "-nographic", "-no-reboot", "-nic", "none"]


def read_cells(command, log, kernel):
    """The kernel and what cells.sh says, from the marked lines of `command`'s output, all of which goes into `log`."""
    cells, ended = {}, False
    with open(log, "w") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        while True:
            watch = threading.Timer(LONGEST_SILENCE, process.kill)
            watch.start()
            line = process.stdout.readline().decode(errors="replace")
            watch.cancel()
            if not line:
                break
            out.write(line)
            out.flush()
            words = line.strip().split(" ", 6)
            if words[0] == "@cell" and len(words) > 5:
                cells[tuple(words[1:4])] = Cell(words[4], words[5], words[6] if len(words) > 6 else "")
            elif words[0] == "@kernel":
                kernel = words[1]
            ended = ended or words[0] == "@end"
        process.wait()
    if not ended:
        print(f"\nLinux {kernel} did not come to its end; see {log}")
    return kernel, cells


def compare(title, cells, right):
    """A table of `cells`; says what is wrong with those that are not `right`, and returns how many these are."""
    commands = list(dict.fromkeys(command for _, command, _ in right))
    print(f"\nLinux {title}: {', '.join(SANDBOXES)}; + as it should be, x not, . no answer")
    print("  ".join(["format "] + commands))
    wrong = defaultdict(list)
    for form in dict.fromkeys(form for form, _, _ in right):
        row = [form.ljust(7)]
        for command in commands:
            marks = ""
            for sandbox in SANDBOXES if (form, command, "off") in right else []:
                found, expected = cells.get((form, command, sandbox)), right[form, command, "off"]
                if found is None:
                    problem = "no answer"
                elif found.error or found.status != "0":
                    problem = f"exit status {found.status}: {found.error.replace('ordinary.' + form, '…')}"
                else:
                    problem = "another output" if found != expected else ""
                marks += "." if found is None else "x" if problem else "+"
                if problem:
                    wrong[problem].append(f"{form} {command} {sandbox}")
            row.append(marks.ljust(len(command)))
        print("  ".join(row).rstrip())
    for problem, places in wrong.items():
        named = ", ".join(places[:24]) + (f" and {len(places) - 24} more" if len(places) > 24 else "")
        print(textwrap.fill(f"{problem}: {named}", 120, initial_indent="  ", subsequent_indent="    ",
                            break_on_hyphens=False))
    return sum(map(len, wrong.values()))


def main():
    program, host, work, *kernels = sys.argv[1:]
    work = Path(work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    for name in ["GZIP", "TAR_OPTIONS", "XZ_DEFAULTS", "XZ_OPT", "ZIPOPT", "ZSTD_CLEVEL"]:
        os.environ.pop(name, None)
    kernels, variables = (list(SUITES), []) if kernels == ["all"] else (kernels, [FORMATS])
    root = make_root(work, program, host)
    images = {version: kernel_image(version, work) for version in kernels}
    for image in images.values():
        copy_overlayfs(image, root)
    initramfs = work / "initramfs"
    with open(initramfs, "wb") as out:
        subprocess.run("find . | busybox cpio -o -H newc", shell=True, cwd=root, check=True, stdout=out,
                       stderr=subprocess.DEVNULL)
    enter = ["env", *variables, HERE.parent / "enter-root.sh", root, "--", "/cells.sh"]
    release, here = read_cells(enter, work / "here.log", os.uname().release)
    if not here:
        sys.exit(f"cells.sh said nothing here; see {work / 'here.log'}")
    wrong = compare(f"{release}, here", here, here)
    for version in kernels:
        release, cells = read_cells(booted(images[version], initramfs, variables), work / f"{version}.log", version)
        wrong += compare(release, cells, here)
    print(f"\n{wrong} cells are not as they should be." if wrong else "\nEach cell is as it should be.")
    sys.exit(1 if wrong else 0)


main()
