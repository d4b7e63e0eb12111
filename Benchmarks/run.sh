#!/usr/bin/env bash
# Measures everything that results.md and README tell, or some parts or inputs, and writes it there.
#
#     Benchmarks/run.sh [PART|INPUT ...]      as bench.py takes them; `make bench` builds first
set -euo pipefail
cd "$(dirname "$0")/.."

Benchmarks/packages.sh
Benchmarks/inputs.py
Benchmarks/bench.py "$@"
Benchmarks/report.py --readme
