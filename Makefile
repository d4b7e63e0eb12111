# quick [FILTER=Zip]   debug build, and the tests that take a second or less
# check  before a commit: lint, and all tests of the library
# test   all tests                             demo   the main job on real input
# bench [PART=short]   the benchmark; `short` takes 20 minutes, and PART= may also be its parts and inputs (Benchmarks/bench.py)
# bench-python   the package for Python against Python's own; writes the table in Bindings/Python/README.md
# bench-quick   a dozen of its rows in three minutes, and what has moved
# docs   the documentation as a web site, in docs/
# test-minimal   the library's tests without the fast decoders
# test-sanitized   the library's tests under the address and the thread sanitizers
# fuzz TARGET=zip|gzip|xz|lzma|lzip|zstd|lz4|names|worker|rar|archive|abi MINUTES=   libFuzzer, from its previous corpus
# soak MINUTES=   mixed extractions and cancellations under the address and then the thread sanitizer, MINUTES each
# appliance   the program in a bare root, statically linked with Swift
# aarch64   compiles the C code for aarch64
# kernels [KERNELS=all]   the program on Debian 12's kernel, or on Debian 13's too and in more ways, each booted in QEMU
# debian13 [FILTER=]   builds and tests in a root of Debian 13
# conformance CORPUS=DIR   every archive of a corpus against its manifest
# test-consumers   real programs with each kind of path: as this user, as nobody, and with every file system read-only
# consumers   the same with more and larger programs, and the example for swift-subprocess
# server   the example for a server, with its tests
# fleet [PYTHON=python3]   10,000 archives by Spark, Ray, Dask, GNU parallel and others, with the wheel that `make wheel` made, or
#           makes if there is none; Python 3.11 or later
# newcomer   the four programs that newcomers wrote, debug and release, on real archives
# ordinary   every large archive of the system's tools, in each way
# fuzzer, benchmarks   build what `fuzz` and `bench` run, which nothing else compiles
# nightly   what takes longer than each change is worth: sanitizers, soak, both kernels, Debian 13, consumers, server, fleet,
#           newcomer, ordinary, fuzzer, the tarball twice, benchmarks
# lint   the formatter's rules, whether the documentation's examples are those that tests compile, and what clients resolve
# abi   the library for C and C++: what it exports, its tests under the sanitizers, and examples, from an installation
# wheel [PYTHON=python3]   the package for Python, with all that it needs, in .build/python/wheel; tested as it is installed
# install PREFIX=/usr/local [LIBDIR=lib] [DESTDIR=]   all; install-program and install-library a part
# tarball   the program for any Linux with what it names, in .build/tarball: the same bytes whenever it is made
# reproducible   whether a clone elsewhere makes the same tarball
# image-root ROOT=DIR   a root with the program and what it loads alone, for the Dockerfile
# deb [RELEASES='bookworm trixie']   the Debian packages, built, checked and tried in clean roots
# api   whether the public API has all that the last release had
# clean
# manual   writes man/memarchive.1 again, from the program's help and Scripts/manual.in
#
# Each target installs the Debian packages that it misses (by sudo when not root). MEMARCHIVE_SEED=, which each run prints,
# makes the random numbers of tests the same again.

export SWIFT ?= swift
PREFIX ?= /usr/local
# Where libraries are, below PREFIX.
LIBDIR ?= lib
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

# The number of test cases run at once. Otherwise all start together, and on a busy machine some exceed their time limits.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 4

MINIMAL_PACKAGES = libarchive-dev libbz2-dev liblz4-dev zlib1g-dev
BUILD_PACKAGES = $(MINIMAL_PACKAGES) libisal-dev liblzma-dev libsodium-dev libsquashfs-dev libzstd-dev nettle-dev
TEST_PACKAGES = $(BUILD_PACKAGES) bsdutils bubblewrap curl groff-base libarchive-tools minisign openssl p7zip-full procps python3 strace \
  xz-utils zip zsh $(CONSUMER_PACKAGES) $(ORDINARY_PACKAGES)
# The tools that make ordinary archives.
ORDINARY_PACKAGES = binutils bzip2 cpio dpkg fastjar genisoimage gzip lz4 lzip ncompress python3-wheel rpm squashfs-tools tar unzip \
  xorriso zstd
CONSUMER_PACKAGES = busybox-static clamav-daemon clamdscan espeak-ng file fluidsynth fontconfig git gpg gpg-agent gstreamer1.0-plugins-base \
  gstreamer1.0-tools hdf5-tools hunspell librsvg2-bin libsndfile1 libxml2-utils mosquitto mosquitto-clients netcdf-bin \
  nginx-light openssh-client openssh-server proj-bin qemu-utils skopeo sndfile-programs sqlite3 squashfs-tools \
  umoci util-linux yara
QUICK_PACKAGES = $(BUILD_PACKAGES) binutils gzip libarchive-tools python3 tar unzip xz-utils zstd
BENCH_PACKAGES = $(QUICK_PACKAGES) bzip2 lbzip2 libdeflate-dev p7zip-full pbzip2 python3-matplotlib python3-pip tabix zip
MORE_PACKAGES = debootstrap default-jdk-headless ffmpeg fonts-dejavu-core gcc gdal-bin imagemagick libc6-dev libcdio-utils \
  mmdb-bin nodejs openssl poppler-utils postgresql python3-venv tesseract-ocr
DEMO_PACKAGES = $(BUILD_PACKAGES) bubblewrap fluidsynth fontconfig libfluidsynth-dev libfreetype-dev minisign openssl python3 strace
PYTHON ?= python3
WHEEL_PACKAGES = $(BUILD_PACKAGES) binutils bubblewrap gcc libc-bin libc6-dev python3 python3-venv
ABI_PACKAGES = $(BUILD_PACKAGES) binutils cmake g++ gcc libfreetype-dev libsndfile1-dev pkg-config python3
FLEET_PACKAGES = default-jre-headless file findutils parallel python3-venv shellcheck util-linux
KERNEL_PACKAGES = $(BUILD_PACKAGES) binutils busybox-static bzip2 p7zip-full python3 qemu-system-x86 util-linux xz-utils zip zstd

need = @Scripts/need

# The library and its own tests alone.
LIBRARY = MEMARCHIVE_LIBRARY=1

.PHONY: quick check test newcomer test-consumers consumers ordinary test-minimal test-sanitized soak nightly aarch64 \
  appliance kernels debian13 conformance fuzz fuzzer demo fleet bench-program benchmarks bench bench-python bench-quick docs lint \
  server abi wheel install install-program install-library tarball reproducible image-root deb api manual clean

quick: export MEMARCHIVE_QUICK = 1
quick:
	$(need) $(TEST_PACKAGES)
	$(SWIFT) build --build-tests
	Scripts/test --filter '$(or $(FILTER),MemArchiveTests)'

# Tests run optimised, as users have the library, in a third of the time. The debug build is tested without the fast decoders
# (`test-minimal`).
TESTED = -c release --scratch-path .build/tests
check test test-consumers consumers ordinary: export MEMARCHIVE_TESTED = 1
check: lint
	$(need) $(TEST_PACKAGES)
	$(SWIFT) build $(TESTED) --build-tests
	Scripts/test $(TESTED) --filter MemArchiveTests --skip SweepTests

test:
	$(need) $(TEST_PACKAGES)
	$(SWIFT) build $(TESTED) --build-tests
	python3 Tests/OrdinaryTests/ordinary.py .build/ordinary
	Scripts/test $(TESTED) --skip '^ConsumerTests\.'
	bwrap --ro-bind / / --die-with-parent \
	  .build/tests/release/MemArchivePackageTests.xctest --testing-library swift-testing --filter ReadOnlyTests
	Scripts/consumers .build/consumers

ordinary: export MEMARCHIVE_ORDINARY = all
ordinary:
	$(need) $(TEST_PACKAGES)
	$(SWIFT) build $(TESTED) --build-tests
	Scripts/test $(TESTED) --filter OrdinaryTests

test-consumers:
	$(need) $(TEST_PACKAGES)
	$(SWIFT) build $(TESTED) --build-tests
	Scripts/consumers .build/consumers

consumers:
	$(need) $(TEST_PACKAGES) $(MORE_PACKAGES)
	$(SWIFT) build $(TESTED) --build-tests
	Scripts/consumers .build/consumers-more more
	$(SWIFT) run --package-path Examples/Subprocess

abi:
	$(need) $(ABI_PACKAGES)
	$(MAKE) install-library PREFIX='$(CURDIR)/.build/abi' DESTDIR=
	Tests/ABI/run.sh .build/abi

server:
	$(need) $(BUILD_PACKAGES) openssl python3
	$(SWIFT) test --package-path Examples/Server
	$(SWIFT) test --package-path Examples/Remote

WHEEL = $(wildcard .build/python/wheel/*.whl)
fleet:
	$(need) $(FLEET_PACKAGES)
	$(if $(WHEEL),,$(MAKE) wheel)
	Examples/Fleet/run.sh .build/fleet .build/python/wheel

newcomer:
	$(need) $(DEMO_PACKAGES)
	for configuration in debug release; do \
	  $(SWIFT) build -c $$configuration --package-path Examples && \
	  Examples/newcomer.sh Examples/.build/$$configuration || exit 1; \
	done

# Without the trait FastDecoders: zlib, liblz4 and libarchive alone. Of the slow suites, those in which it matters who decodes.
MINIMAL = --disable-default-traits --scratch-path .build/minimal
test-minimal:
	$(need) $(TEST_PACKAGES)
	$(LIBRARY) $(SWIFT) build --build-tests $(MINIMAL)
	$(LIBRARY) MEMARCHIVE_QUICK=1 Scripts/test $(MINIMAL) --filter MemArchiveTests
	$(LIBRARY) Scripts/test $(MINIMAL) --filter AttackTests --filter FilterReachTests --filter MalformedTests \
	  --filter MemoryGroupTests

# The program's tests start it as a process of its own, where the sanitizers' exit status would be taken for its.
test-sanitized:
	$(need) $(TEST_PACKAGES)
	Scripts/sanitize address --filter MemArchiveTests --filter FoundationTests
	Scripts/sanitize thread --filter MemArchiveTests --filter FoundationTests --skip SweepTests

MINUTES ?= 1
soak: export SOAK_SECONDS = $(shell expr $(MINUTES) \* 60)
soak:
	$(need) $(TEST_PACKAGES)
	ASAN_OPTIONS=quarantine_size_mb=32 Scripts/sanitize address --filter SoakTests && cat .build/soak.log
	Scripts/sanitize thread --filter SoakTests && cat .build/soak.log

nightly: KERNELS = all
nightly: MINUTES = 10
nightly: test-sanitized soak kernels debian13 consumers server fleet newcomer ordinary fuzzer reproducible benchmarks

aarch64:
	$(need) libc6-dev-arm64-cross
	Scripts/aarch64

appliance:
	$(need) $(BUILD_PACKAGES) bubblewrap binutils
	Scripts/static memarchive
	Scripts/static memarchive-worker
	Tests/appliance.sh .build/static/release Fixtures

# Debian's kernels are downloaded by apt-get from this machine's sources.
KERNELS ?= 6.1
kernels: export MEMARCHIVE_KERNELS = 1
kernels:
	$(need) $(KERNEL_PACKAGES)
	Scripts/static memarchive
	Scripts/static KernelHost
	$(SUDO) Tests/Kernels/kernels.py .build/static/release/memarchive .build/static/release/KernelHost .build/kernels \
	  $(KERNELS)

debian13:
	$(need) debootstrap git util-linux
	$(SUDO) env "PATH=$$PATH" "FILTER=$(FILTER)" Tests/debian13.sh $(TEST_PACKAGES)

# Every archive of a corpus directory against its MANIFEST.tsv; what differs is explained in Tests/Conformance.md.
conformance:
	$(need) $(BUILD_PACKAGES) libarchive-tools p7zip-full python3 unzip
	$(SWIFT) build -c release --product memarchive
	python3 Tests/Conformance/conformance.py .build/release/memarchive $(CORPUS)

# Coverage is that of our own code; the C libraries beneath are watched by the address sanitizer where they touch memory.
# Of several -sanitize= swiftc takes the last alone, and the package manager gives it one each: hence both in one.
TARGET ?= zip
fuzzer:
	$(need) $(BUILD_PACKAGES)
	MEMARCHIVE_FUZZ=1 $(SWIFT) build -c release --sanitize=fuzzer --sanitize=address \
	  -Xswiftc -sanitize=fuzzer,address --product Fuzz --scratch-path .build/fuzz

fuzz: fuzzer
	Tests/Fuzz/run.sh .build/fuzz/release/Fuzz $(TARGET) $(MINUTES)

demo: export MEMARCHIVE_DEMO = 1
demo:
	$(need) $(DEMO_PACKAGES)
	Scripts/static memarchive
	Scripts/static Demo
	Examples/demo.sh .build/static/release/memarchive .build/static/release/Demo

wheel:
	$(need) $(WHEEL_PACKAGES)
	Scripts/static MemArchiveC
	Scripts/static memarchive-worker
	PYTHON='$(PYTHON)' Scripts/python .build/static/release .build/python

# As `make install` puts it in place.
bench-program:
	$(need) $(QUICK_PACKAGES)
	$(MAKE) install-program PREFIX=Benchmarks/.build/program DESTDIR=

benchmarks:
	$(need) $(BENCH_PACKAGES)
	$(SWIFT) build -c release --package-path Benchmarks

bench: bench-program benchmarks
	Benchmarks/run.sh $(PART)

bench-quick: bench-program
	Benchmarks/inputs.py --quick
	Benchmarks/quick.py Benchmarks/.build/program/bin/memarchive

BENCH_PYTHON = .build/python/bench
bench-python:
	$(need) $(WHEEL_PACKAGES) libarchive13
	$(PYTHON) -m venv --clear $(BENCH_PYTHON)
	$(BENCH_PYTHON)/bin/pip install --quiet .build/python/wheel/*.whl libarchive-c py7zr
	$(BENCH_PYTHON)/bin/pip download --quiet --no-deps --dest $(BENCH_PYTHON)/wheels numpy
	$(BENCH_PYTHON)/bin/python Benchmarks/python.py $(BENCH_PYTHON)/wheels/numpy-*.whl Bindings/Python/README.md

# Traits change nothing of what is public.
docs: export MEMARCHIVE_DOCS = 1
docs:
	$(need) $(BUILD_PACKAGES)
	$(LIBRARY) $(SWIFT) package $(MINIMAL) --allow-writing-to-directory docs generate-documentation --target MemArchive \
	  --target MemArchiveFoundation --target MemArchiveVerification --enable-experimental-combined-documentation --warnings-as-errors --disable-indexing --transform-for-static-hosting --output-path docs
	@echo 'To read it: python3 -m http.server -d docs, then http://localhost:8000/documentation/memarchive/'

lint:
	$(need) python3
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Tests \
	  Examples/Sources Examples/Subprocess/Package.swift Examples/Subprocess/Sources Examples/Server Examples/Remote Benchmarks/Package.swift \
	  Benchmarks/Sources Benchmarks/Benchmarks
	Scripts/snippets --check
	Scripts/client

manual:
	$(need) $(BUILD_PACKAGES) groff-base python3
	$(SWIFT) build --product memarchive
	Scripts/manual .build/debug/memarchive >man/memarchive.1
	groff -man -ww -z man/memarchive.1

install: install-program install-library

install-program:
	$(need) $(BUILD_PACKAGES) binutils
	Scripts/static memarchive
	Scripts/static memarchive-worker
	Scripts/install .build/static/release '$(DESTDIR)' '$(PREFIX)' '$(LIBDIR)' program worker

install-library:
	$(need) $(BUILD_PACKAGES) binutils
	Scripts/static MemArchiveC
	Scripts/static memarchive-worker
	Scripts/install .build/static/release '$(DESTDIR)' '$(PREFIX)' '$(LIBDIR)' worker library development

tarball:
	$(need) $(BUILD_PACKAGES) binutils xz-utils
	Scripts/static memarchive
	Scripts/static memarchive-worker
	Scripts/tarball .build/static/release .build/tarball

# The clone has what was committed.
reproducible: tarball
	elsewhere=$$(mktemp -d) && trap 'rm -rf "$$elsewhere"' EXIT && git clone --quiet . "$$elsewhere" && \
	  $(MAKE) -C "$$elsewhere" tarball && \
	  for made in .build/tarball/*.tar.xz; do cmp "$$made" "$$elsewhere/$$made" || exit 1; done

image-root:
	$(need) $(BUILD_PACKAGES) binutils
	Scripts/static memarchive
	Scripts/static memarchive-worker
	Scripts/image-root .build/static/release '$(ROOT)'

RELEASES ?= bookworm trixie
deb:
	$(need) debootstrap git util-linux
	for release in $(RELEASES); do $(SUDO) env "PATH=$$PATH" Tests/packages.sh $$release || exit 1; done

api:
	$(need) $(BUILD_PACKAGES)
	Scripts/api

clean:
	rm -rf .build docs Examples/Subprocess/.build Examples/Server/.build Examples/Remote/.build Benchmarks/.build Benchmarks/cache
