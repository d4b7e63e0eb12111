#!/usr/bin/env bash
# Measures everything that results.md and README tell, and writes it there.
set -euo pipefail
cd "$(dirname "$0")/.."

# Where the time of these goes is told too, where perf is installed.
profiled="arch.zip scipy.whl soundfont.zip arch.tar.gz arch.tar.xz arch.tar.zst large.tar size-512k.tar
  linux.tar linux.tar.gz linux.tar.zst linux.tar.xz"

Benchmarks/packages.sh
Benchmarks/inputs.py
swift build -c release --product memarchive
swift build -c release --product memarchive-worker
swift build -c release --package-path Benchmarks
Benchmarks/bench.py
Benchmarks/links.py
# shellcheck disable=SC2086
Benchmarks/perf.py --save .build/release/memarchive $(printf 'Benchmarks/cache/%s ' $profiled)
Benchmarks/report.py --readme
