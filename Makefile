# quick [FILTER=Zip]   debug build, and the library's tests without the slow suites
# demo   the library's purpose on real input   test   all tests        check  lint and the library's tests
# bench  the benchmark                         docs   the documentation as a web site, in docs/
# test-minimal   the library's tests without the fast decoders
# test-sanitized   the library's tests under the address and the thread sanitizers
# fuzz TARGET=zip|gzip|xz|lzma|lzip|zstd|lz4|names|worker|rar|archive MINUTES=   libFuzzer, from its previous corpus
# soak MINUTES=   mixed extractions and cancellations under the address and then the thread sanitizer, MINUTES each
# appliance   the program in a bare root, statically linked with Swift
# aarch64   compiles the C code for aarch64
# kernels [KERNELS=all]   the program on Debian 12's kernel, or on Debian 13's too, each booted in QEMU
# debian13 [FILTER=]   builds and tests in a root of Debian 13
# conformance CORPUS=DIR   every archive of a corpus against its manifest
# test-consumers   real programs with each kind of path: as this user, as nobody, and with every file system read-only
# consumers   the same with more and larger programs, and the example for swift-subprocess
# lint   the formatter's rules                 install PREFIX=/usr/local [DESTDIR=]               clean
#
# Each target installs missing Debian packages (with sudo when not root).

SWIFT ?= swift
PREFIX ?= /usr/local
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

# The number of test cases run at once. Otherwise all start together, and on a busy machine some exceed their time limits.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 4

MINIMAL_PACKAGES = libarchive-dev liblz4-dev zlib1g-dev
BUILD_PACKAGES = $(MINIMAL_PACKAGES) libisal-dev liblzma-dev libzstd-dev
TEST_PACKAGES = $(BUILD_PACKAGES) bsdutils bubblewrap libarchive-tools openssl p7zip-full procps python3 strace xz-utils zip \
  $(CONSUMER_PACKAGES) $(ORDINARY_PACKAGES)
# The tools that make ordinary archives.
ORDINARY_PACKAGES = binutils bzip2 cpio dpkg fastjar genisoimage gzip lz4 lzip ncompress python3-wheel rpm tar unzip \
  xorriso zstd
CONSUMER_PACKAGES = file fluidsynth fontconfig librsvg2-bin libsndfile1 libxml2-utils sndfile-programs sqlite3 util-linux
BENCH_PACKAGES = $(BUILD_PACKAGES) libarchive-tools libdeflate-dev p7zip-full python3-matplotlib python3-pip unzip xz-utils zip zstd
MORE_PACKAGES = default-jre-headless ffmpeg gcc gdal-bin git libc6-dev libcdio-utils mmdb-bin nodejs poppler-utils
DEMO_PACKAGES = $(BUILD_PACKAGES) bubblewrap fluidsynth fontconfig libfluidsynth-dev libfreetype-dev openssl python3 strace

define need
@missing=; for package in $(1); do \
  dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
done; \
if [ -n "$$missing" ]; then \
  echo "Installing:$$missing"; \
  $(SUDO) apt-get update -qq && \
  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing >/dev/null; \
fi
endef

# Repeats failures at the end of a run, whose log has thousands of lines.
define tested
@echo '$(strip $(1))'; bash -o pipefail -c '$(strip $(1)) 2>&1 | tee .build/test.log' \
  || { echo; echo 'What failed:'; grep -a -A 3 -e '✘' -e 'error:' .build/test.log; exit 1; }
endef

# Runs the consumers' tests as this user, as nobody if this user is root, and with every file system read-only.
# Nobody uses only the system's programs, because root's own are closed to others.
define everywhere
rm -rf $(1) && python3 Tests/ConsumerTests/archives.py $(1) $(2) && chmod -R a+rX $(1)
$(call consumers,$(1),$(2))
if [ "$$(id -u)" = 0 ]; then \
  setpriv --reuid=65534 --regid=65534 --clear-groups \
    env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/nonexistent $(call consumers,$(1),$(2)); fi
bwrap --ro-bind / / --dev /dev --remount-ro /dev --die-with-parent $(call consumers,$(1),$(2))
endef
consumers = env MEMARCHIVE_CONSUMER_ARCHIVES=$(1) MEMARCHIVE_CONSUMERS=$(2) \
  $(CURDIR)/.build/debug/MemArchivePackageTests.xctest --testing-library swift-testing --filter ConsumerTests

# The ordinary archives, made once. `swift test` makes missing ones too, but without progress output.
ordinary = python3 Tests/OrdinaryTests/ordinary.py .build/ordinary

# Flags for programs that run on machines without Swift.
STATIC = -c release --static-swift-stdlib --scratch-path .build/static

# Installs a shell's completions, which the program itself generates.
complete = .build/static/release/memarchive --generate-completion-script $(1) > .build/completions.$(1) \
  && install -D -m 644 .build/completions.$(1) $(DESTDIR)$(PREFIX)/share/$(2)

.PHONY: quick demo test test-consumers consumers test-minimal test-sanitized aarch64 appliance kernels debian13 check bench conformance fuzz \
  soak docs lint install clean

demo:
	$(call need,$(DEMO_PACKAGES))
	$(SWIFT) build -c release --product memarchive
	$(SWIFT) build -c release --package-path Examples
	Examples/demo.sh .build/release/memarchive Examples/.build/release/Demo

# The second run is optimized, because only then is a MemFile released after its last use, and because a fault at each
# system call takes thousands of extractions; the third has no writable file system at all.
test:
	$(call need,$(TEST_PACKAGES))
	$(SWIFT) build --build-tests
	$(ordinary)
	$(call tested,$(SWIFT) test --skip-build)
	$(SWIFT) build -c release --build-tests
	$(call tested,$(SWIFT) test -c release --skip-build --filter LifetimeTests --filter FaultTests)
	bwrap --ro-bind / / --die-with-parent \
	  .build/debug/MemArchivePackageTests.xctest --testing-library swift-testing --filter ReadOnlyTests
	$(MAKE) test-consumers

test-consumers:
	$(call need,$(TEST_PACKAGES))
	$(SWIFT) build --build-tests
	$(call everywhere,$(CURDIR)/.build/consumers,)

consumers:
	$(call need,$(TEST_PACKAGES) $(MORE_PACKAGES))
	$(SWIFT) build --build-tests
	$(call everywhere,$(CURDIR)/.build/consumers-more,more)
	$(SWIFT) run --package-path Examples/Subprocess

# Without the trait FastDecoders: only zlib, liblz4 and libarchive. Tests that do not depend on decoders are skipped.
WHOEVER_DECODES = SweepTests ManyLinksTests ExhaustionTests HostileWorkerTests SupervisorTests ManyEntriesTests
test-minimal:
	$(call need,$(TEST_PACKAGES))
	$(SWIFT) build --build-tests --disable-default-traits --scratch-path .build/minimal
	$(call tested,$(SWIFT) test --skip-build --disable-default-traits --scratch-path .build/minimal \
	  --filter MemArchiveTests $(WHOEVER_DECODES:%=--skip %))

# The tests under a sanitizer. A worker built with a sanitizer makes system calls that its filter does not know, so these
# tests use a plain one.
PLAIN_WORKER = MEMARCHIVE_WORKER=$(CURDIR)/.build/debug/memarchive-worker
ADDRESS = --sanitize=address --scratch-path .build/address
THREAD = --sanitize=thread --scratch-path .build/thread
# Tells the thread sanitizer about Swift's Mutex.
SEEN_MUTEX = .build/mutex.so
# As without a sanitizer, malloc(3) fails if far too much is requested.
ADDRESS_OPTIONS = allocator_may_return_null=1
under-address = $(PLAIN_WORKER) ASAN_OPTIONS=$(ADDRESS_OPTIONS) LSAN_OPTIONS=suppressions=$(CURDIR)/Tests/Sanitizers/leaks.supp \
  $(SWIFT) test --skip-build $(ADDRESS)
under-thread = $(PLAIN_WORKER) TSAN_OPTIONS=allocator_may_return_null=1 LD_PRELOAD=$(CURDIR)/$(SEEN_MUTEX) \
  $(SWIFT) test --skip-build $(THREAD)

$(SEEN_MUTEX): Tests/Sanitizers/mutex.c
	mkdir -p $(@D)
	clang -Wall -Werror -O1 -shared -fPIC $< -o $@

# Leaves out the program's tests: they start it as a separate process, whose exit status could be the sanitizer's.
test-sanitized: $(SEEN_MUTEX)
	$(call need,$(TEST_PACKAGES))
	$(SWIFT) build --product memarchive-worker
	$(SWIFT) build --build-tests $(ADDRESS)
	$(call tested,$(under-address) --filter MemArchiveTests --filter FoundationTests)
	$(SWIFT) build --build-tests $(THREAD)
	$(call tested,$(under-thread) --filter MemArchiveTests --filter FoundationTests --skip SweepTests)

# Compiles the library's C code for aarch64, without running it.
aarch64:
	$(call need,libc6-dev-arm64-cross)
	for file in Sources/CLinux/*.c Tests/CTrying/*.c; do \
	  clang --target=aarch64-linux-gnu -isystem /usr/aarch64-linux-gnu/include -ISources/CLinux/include -ITests/CTrying/include -Wall -Werror \
	    -O1 -c $$file -o /dev/null || exit 1; \
	done

appliance:
	$(call need,$(BUILD_PACKAGES) bubblewrap binutils)
	$(SWIFT) build $(STATIC) --product memarchive
	Tests/appliance.sh .build/static/release/memarchive Fixtures

# Debian's kernels are downloaded by apt-get from this machine's sources.
KERNELS ?= 6.1
KERNEL_PACKAGES = $(BUILD_PACKAGES) binutils busybox-static bzip2 p7zip-full python3 qemu-system-x86 util-linux xz-utils zip zstd

kernels: export MEMARCHIVE_KERNELS = 1
kernels:
	$(call need,$(KERNEL_PACKAGES))
	$(SWIFT) build $(STATIC) --product memarchive
	$(SWIFT) build $(STATIC) --product KernelHost
	$(SUDO) Tests/Kernels/kernels.py .build/static/release/memarchive .build/static/release/KernelHost .build/kernels \
	  $(KERNELS)

debian13:
	$(call need,debootstrap git util-linux)
	$(SUDO) env "PATH=$$PATH" "FILTER=$(FILTER)" Tests/debian13.sh $(TEST_PACKAGES)

# Suites whose tests mostly take more than a second: thousands of archives, or processes to wait for.
SLOW = SweepTests AttackTests ExhaustionTests FaultTests FilterReachTests HostileWorkerTests LeakTests ManyEntriesTests \
  ManyLinksTests MemoryGroupTests SoakTests TreeGuestTests SupervisorTests
quick:
	$(call need,$(TEST_PACKAGES))
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --filter '$(or $(FILTER),MemArchiveTests)' $(SLOW:%=--skip %)

check: lint
	$(call need,$(TEST_PACKAGES))
	$(SWIFT) build --build-tests
	$(call tested,$(SWIFT) test --skip-build --filter MemArchiveTests --skip SweepTests)

lint:
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Tests Examples/Package.swift \
	  Examples/Sources Examples/Subprocess/Package.swift Examples/Subprocess/Sources Benchmarks/Package.swift \
	  Benchmarks/Sources Benchmarks/Benchmarks

# Inputs that are profiled too, if perf is installed.
PROFILED = arch.zip scipy.whl soundfont.zip arch.tar.gz arch.tar.xz arch.tar.zst large.tar size-512k.tar \
  linux.tar linux.tar.gz linux.tar.zst linux.tar.xz

bench:
	$(call need,$(BENCH_PACKAGES))
	Benchmarks/packages.sh
	Benchmarks/inputs.py
	$(SWIFT) build -c release --product memarchive
	$(SWIFT) build -c release --product memarchive-worker
	$(SWIFT) build -c release --package-path Benchmarks
	Benchmarks/bench.py
	Benchmarks/links.py
	Benchmarks/perf.py --save .build/release/memarchive $(addprefix Benchmarks/cache/,$(PROFILED))
	Benchmarks/report.py --readme

# Every archive of a corpus directory against its MANIFEST.tsv; Tests/Conformance.md explains differences.
conformance:
	$(call need,$(BUILD_PACKAGES) libarchive-tools p7zip-full python3 unzip)
	$(SWIFT) build -c release --product memarchive
	python3 Tests/Conformance/conformance.py .build/release/memarchive $(CORPUS)

# Coverage is that of this package's code; the C libraries are only covered by the address sanitizer's interceptors.
MINUTES ?= 1
TARGET ?= zip

# swiftc uses only the last of several -sanitize= options, and the package manager passes one each: hence both in one.
fuzz:
	$(call need,$(BUILD_PACKAGES))
	MEMARCHIVE_FUZZ=1 $(SWIFT) build -c release --sanitize=fuzzer --sanitize=address \
	  -Xswiftc -sanitize=fuzzer,address --product Fuzz --scratch-path .build/fuzz
	Tests/Fuzz/run.sh .build/fuzz/release/Fuzz $(TARGET) $(MINUTES)

soak: ADDRESS_OPTIONS := $(ADDRESS_OPTIONS):quarantine_size_mb=32
soak: $(SEEN_MUTEX)
	$(call need,$(TEST_PACKAGES))
	$(SWIFT) build --product memarchive-worker
	$(SWIFT) build --build-tests $(ADDRESS)
	SOAK_SECONDS=$$(($(MINUTES) * 60)) $(under-address) --filter SoakTests
	cat .build/soak.log
	$(SWIFT) build --build-tests $(THREAD)
	SOAK_SECONDS=$$(($(MINUTES) * 60)) $(under-thread) --filter SoakTests
	cat .build/soak.log

docs:
	$(call need,$(BUILD_PACKAGES))
	$(SWIFT) package --allow-writing-to-directory docs generate-documentation --target MemArchive \
	  --target MemArchiveFoundation --enable-experimental-combined-documentation --warnings-as-errors --disable-indexing --transform-for-static-hosting --output-path docs

install:
	$(call need,$(BUILD_PACKAGES))
	$(SWIFT) build $(STATIC) --product memarchive
	$(SWIFT) build $(STATIC) --product memarchive-worker
	install -D -m 755 .build/static/release/memarchive $(DESTDIR)$(PREFIX)/bin/memarchive
	install -D -m 755 .build/static/release/memarchive-worker $(DESTDIR)$(PREFIX)/libexec/memarchive/memarchive-worker
	$(SWIFT) package generate-manual
	install -D -m 644 .build/plugins/GenerateManual/outputs/MemArchiveCommand/memarchive.1 \
	  $(DESTDIR)$(PREFIX)/share/man/man1/memarchive.1
	@$(call complete,bash,bash-completion/completions/memarchive)
	@$(call complete,zsh,zsh/site-functions/_memarchive)
	@$(call complete,fish,fish/vendor_completions.d/memarchive.fish)

clean:
	rm -rf .build docs Examples/.build Examples/Subprocess/.build Benchmarks/.build Benchmarks/cache
