#!/usr/bin/env bash
# All of this directory, with the engines on this machine; `make fleet`.
#
#   run.sh WORK WHEELS     WORK gets the environment, the archives and all results; the directory WHEELS has memarchive's
set -euo pipefail
fleet=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
work=$(cd "$1" && pwd)
wheel=$(echo "$(realpath "$2")"/memarchive-*.whl)
cd "$work"

say() { printf '\n%s\n' "$*"; }
[ -d venv ] || "${PYTHON:-python3}" -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$fleet/requirements.txt"
venv/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$wheel"
export PYTHON=$work/venv/bin/python PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$fleet
export RAY_USAGE_STATS_ENABLED=0 SPARK_LOCAL_IP=127.0.0.1
# Ray keeps logs and sockets here, whose paths must be short, and a token at home.
RAY_TMPDIR=$(mktemp -d)
export RAY_TMPDIR
started=
trap 'rm -rf "$RAY_TMPDIR"; [ -z "$started" ] || kill -KILL -- "-$started" 2>/dev/null || true' EXIT
# What the extractions of a process hold together.
export MEMARCHIVE_MEMORY=512M
python=$PYTHON

say "The files for Slurm and Kubernetes"
shellcheck "$fleet"/*.sh
venv/bin/kubernetes-validate --strict "$fleet/job.yaml"

say "10,000 archives, and what Python reads from them"
rm -rf archives bombs listed tables results ./*.parquet
mkdir results
"$python" "$fleet/corpus.py" archives 10000
"$python" "$fleet/corpus.py" --bombs bombs
"$python" "$fleet/corpus.py" --tables tables
"$python" "$fleet/check.py" --expect archives/archives.txt all.parquet
head -1000 archives/archives.txt >few.txt
"$python" "$fleet/check.py" --expect few.txt few.parquet
"$python" "$fleet/check.py" --expect bombs/archives.txt bombs.parquet

say "One process"
"$python" "$fleet/fleet.py" archives/archives.txt results/one
"$python" "$fleet/check.py" all.parquet results/one

say "Two processes: one of them is killed, then both and what started them; started again each time"
shards() { find results/killed -name 'part-*' -printf '%f %i %T@\n' | sort; }
# start COUNT: starts it in a session of its own, until so many shards are there.
start() {
  setsid "$python" "$fleet/fleet.py" archives/archives.txt results/killed --processes 2 2>killed.log &
  started=$!
  until [ "$(shards | wc -l)" -ge "$1" ]; do
    kill -0 "$started"
    sleep 0.05
  done
}
mkdir results/killed
start 10
children=$(<"/proc/$started/task/$started/children")
kill -KILL "${children%% *}"
wait "$started" && exit 1
grep BrokenProcessPool killed.log
start 33
kill -KILL -- "-$started"
wait "$started" 2>/dev/null && exit 1
shards >before
echo "$(wc -l <before) shards, $(find results/killed -name '.part-*' | wc -l) unfinished"
"$python" "$fleet/fleet.py" archives/archives.txt results/killed --processes 2
if [ -n "$(comm -23 before <(shards))" ]; then
  echo "a shard that was there has been written again" >&2
  exit 1
fi
"$python" "$fleet/check.py" all.parquet results/killed

say "The check itself: a shard that is missing, and one that is there twice"
cp -r results/one results/wrong
rm results/wrong/part-00050.parquet
! "$python" "$fleet/check.py" all.parquet results/wrong || exit 1
cp results/one/part-00050.parquet results/wrong
cp results/one/part-00050.parquet results/wrong/part-99999.parquet
! "$python" "$fleet/check.py" all.parquet results/wrong || exit 1

say "The same shards by two at once, as where a lost node comes back"
"$python" "$fleet/fleet.py" few.txt results/both &
"$python" "$fleet/fleet.py" few.txt results/both
wait $!
"$python" "$fleet/check.py" few.parquet results/both

say "Memory: what unpacks to 600 MiB, with 512 MiB for each process, and in a control group of 512 MiB"
"$python" "$fleet/fleet.py" bombs/archives.txt results/bombs
"$python" "$fleet/check.py" bombs.parquet results/bombs
status=0
"$fleet/in_group.sh" $((512 << 20)) env -u MEMARCHIVE_MEMORY \
  "$python" "$fleet/fleet.py" bombs/archives.txt results/group || status=$?
case $status in
  0) "$python" "$fleet/check.py" bombs.parquet results/group ;;
  77) echo "no control group can be made here, so that none was tried" ;;
  *) exit "$status" ;;
esac
status=0
"$fleet/in_group.sh" $((4 << 30)) "$python" "$fleet/fleet.py" few.txt results/measured --processes 2 || status=$?
[ "$status" = 0 ] || [ "$status" = 77 ]

say "Processes that were forked"
"$python" "$fleet/after_fork.py" "$(tail -1 few.txt)"

# engine NAME COMMAND...: its time, its log where it fails, and its results.
engine() {
  local name=$1 began=$SECONDS
  shift
  say "$name"
  if ! "$@" >"$name.log" 2>&1; then
    cat "$name.log"
    exit 1
  fi
  echo "1,000 archives in $((SECONDS - began)) s, from start to end"
  "$python" "$fleet/check.py" few.parquet "results/$name"
}
engine spark "$python" "$fleet/on_spark.py" "$work/few.txt" "$work/results/spark"
"$python" "$fleet/on_spark.py" --tables "$work/tables" 2>tables.log | grep -x 49995000
engine ray env HOME="$RAY_TMPDIR" "$python" "$fleet/on_ray.py" few.txt "$work/results/ray"
engine dask "$python" "$fleet/on_dask.py" few.txt "$work/results/dask"

rm -f jobs.log
engine parallel "$fleet/parallel.sh" few.txt results/parallel jobs.log
# What has been logged as failed is done again, and nothing else.
rm results/parallel/part-00003.parquet
sed -i 's/^\(4\t.*\)\t0\t0\t/\1\t1\t0\t/' jobs.log
engine parallel "$fleet/parallel.sh" few.txt results/parallel jobs.log
[ "$(wc -l <parallel.log)" = 1 ]

slurm() {
  local index
  for index in {0..9}; do
    SLURM_ARRAY_TASK_ID=$index SLURM_ARRAY_TASK_COUNT=10 SLURM_CPUS_PER_TASK=1 SLURM_SUBMIT_DIR=$fleet \
      "$fleet/slurm.sh" few.txt results/slurm || return
  done
}
engine slurm slurm
mkdir results/kubernetes listed
cp few.txt listed/archives.txt
engine kubernetes "$python" "$fleet/run_job.py" "$fleet/job.yaml" listed results/kubernetes
