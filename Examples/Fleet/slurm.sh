#!/usr/bin/env bash
# Slurm: an array, each job of which makes a part of the shards.
#
#   sbatch slurm.sh LIST OUT          both on a file system that all nodes have
#
#SBATCH --job-name=fleet
#SBATCH --array=0-9
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --time=01:00:00
#SBATCH --requeue
#SBATCH --output=fleet-%A_%a.log
set -euo pipefail
# Less than --mem: the interpreter and the decoders need some, too.
export MEMARCHIVE_MEMORY=${MEMARCHIVE_MEMORY:-512M}
# Slurm runs a copy of this file, so that what lies beside it is where sbatch was called.
exec "${PYTHON:-python3}" "${FLEET:-$SLURM_SUBMIT_DIR/fleet.py}" "$1" "$2" \
  --processes "$SLURM_CPUS_PER_TASK" --part "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
