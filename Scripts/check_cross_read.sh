#!/bin/bash
# A freshly converted shard, read by drshard and by the independent decoder: the same dump, and no finding.
#   check_cross_read.sh DRSHARD PYTHON
set -euo pipefail
cd "$(dirname "$0")/.."

drshard=$1 python=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for format in bfloat16 float32; do
    "$drshard" sample "$work/$format" --samples 48 --shards 1 --views 3 --dims 64 --format "$format" >"$work/log"
    "$drshard" convert "$work/$format/reinforced" --captions "$work/$format/captions" --rows-per-group 20 --keep-f32 \
        --output "$work/$format/shards" >"$work/log"
    shard=$work/$format/shards/00000000.drs
    "$drshard" dump "$shard" >"$work/ours"
    "$python" Spec/decoder.py dump "$shard" >"$work/theirs"
    cmp "$work/ours" "$work/theirs"
    "$python" Spec/decoder.py verify "$shard"
    echo "$format: $(wc -l <"$work/ours") lines of dump are equal"
done
