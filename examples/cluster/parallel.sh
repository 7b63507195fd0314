#!/bin/sh
# Judges very many pictures in shares, several at a time on one machine, with GNU parallel:
#
#   sh examples/cluster/parallel.sh runs/first /archive shards 8 > predictions.csv
#
# After a failure the same line again does only what is missing: parallel's log (SHARDS.log) and the shards themselves tell.
# JOBS (default 2) are run at a time, each with one thread.
set -eu
model=$1 pictures=$2 shards=$3 of=$4
beltnet=${BELTNET:-beltnet}
seq 0 $((of - 1)) | parallel --jobs "${JOBS:-2}" --joblog "$shards.log" --resume-failed \
  "$beltnet" predict "$model" "$pictures" --shard "{}/$of" --out "$shards" --device cpu --threads 1 --workers 1 >&2
exec $beltnet merge "$shards" --csv
