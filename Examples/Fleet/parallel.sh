#!/usr/bin/env bash
# GNU parallel: ten parts of the list by a process each, two at a time. With --resume-failed, what the log has as done is not
# started again; what it has as failed, and what it lacks, is.
#
#   parallel.sh LIST OUT LOG
set -euo pipefail
fleet=$(dirname "$0")/fleet.py
parallel --will-cite --jobs 2 --joblog "$3" --resume-failed "${PYTHON:-python3}" "$fleet" "$1" "$2" --part {}/10 ::: {0..9}
