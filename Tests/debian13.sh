#!/usr/bin/env bash
# Builds and tests the library on Debian 13 (glibc 2.41, libarchive 3.7.4, liblzma 5.8): in a root of that system below
# .build, which is made once, with this machine's kernel, Swift toolchain and Git repositories.
#
#   debian13.sh PACKAGE...             what the tests need there; for root
#
# FILTER='REGEX...' runs those tests alone.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$PWD/.build/debian13
Tests/debian-root.sh trixie "$work" swift "$@"

inside() {
  Tests/debian-run.sh "$work" env MEMARCHIVE_TESTED=1 \
    SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH="${SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH:-4}" "$@"
}

filters=()
for filter in ${FILTER:-MemArchiveTests CommandTests FoundationTests}; do filters+=(--filter "$filter"); done
inside sh -c 'echo "Debian $(cat /etc/debian_version), $(getconf GNU_LIBC_VERSION)"; dpkg-query -W libarchive-dev liblzma-dev'
inside swift build -c release --build-tests --scratch-path "$work/build"
inside swift test -c release --skip-build --scratch-path "$work/build" "${filters[@]}"
