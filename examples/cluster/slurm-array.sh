#!/bin/sh
# Judges very many pictures in an array of tasks, each of which does a share:
#
#   export MODEL=runs/first PICTURES=/archive SHARDS=shards
#   job=$(sbatch --parsable examples/cluster/slurm-array.sh)
#   sbatch --dependency=afterok:"$job" --wrap "beltnet merge $SHARDS --csv > predictions.csv"
#
# Tasks that failed: submit the same line again, the whole array. Shards that are done are told by their files and skipped.
#SBATCH --array=0-7
#SBATCH --cpus-per-task=4
#SBATCH --requeue
set -eu
exec ${BELTNET:-beltnet} predict "$MODEL" "$PICTURES" --shard auto --out "$SHARDS" \
  --device cpu --threads "${SLURM_CPUS_PER_TASK:-1}" --workers "${SLURM_CPUS_PER_TASK:-1}"
