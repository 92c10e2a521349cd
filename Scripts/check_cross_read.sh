#!/bin/bash
# A freshly converted shard, and the same one packed again with every encoding of embeddings, read by drshard and by the
# independent decoder: the same dump, and no finding. With DRSHARD_CLIP_VOCABULARY it has tokens too.
#   check_cross_read.sh DRSHARD PYTHON
set -euo pipefail
cd "$(dirname "$0")/.."

drshard=$1 python=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tokenizer=()
[ -z "${DRSHARD_CLIP_VOCABULARY:-}" ] || tokenizer=(--tokenizer "$DRSHARD_CLIP_VOCABULARY")
for format in bfloat16 float32; do
    "$drshard" sample "$work/$format" --samples 48 --shards 1 --views 3 --dims 64 --format "$format" >"$work/log"
    "$drshard" convert "$work/$format/reinforced" --captions "$work/$format/captions" --rows-per-group 20 --keep-f32 \
        "${tokenizer[@]}" --output "$work/$format/shards" >"$work/log"
    shard=$work/$format/shards/00000000.drs
    "$drshard" dump "$shard" >"$work/ours"
    "$python" Spec/decoder.py dump "$shard" >"$work/theirs"
    cmp "$work/ours" "$work/theirs"
    "$python" Spec/decoder.py verify "$shard"
    echo "$format: $(wc -l <"$work/ours") lines of dump are equal"
    for encoding in plain fast balanced archive; do
        again=$work/$format/$encoding.drs
        "$drshard" repack "$shard" "$again" --encoding "$encoding" >"$work/log"
        "$drshard" verify --decode "$again" >"$work/log"
        # Chunks that span variants need a feature; nothing else that is shown may differ.
        "$python" Spec/decoder.py dump "$again" | sed 's/^features .*/features/' >"$work/theirs"
        sed 's/^features .*/features/' "$work/ours" | cmp - "$work/theirs"
        "$python" Spec/decoder.py verify "$again"
    done
    echo "$format: packed again as plain, fast, balanced and archive, and still equal"
    fewer=$work/$format/fewer.drs
    "$drshard" repack "$shard" "$fewer" --views 2 --captions 1 --drop image --encoding archive >"$work/log"
    "$drshard" dump "$fewer" >"$work/ours"
    "$python" Spec/decoder.py dump "$fewer" | cmp - "$work/ours"
    "$python" Spec/decoder.py verify "$fewer"
    echo "$format: with fewer views, captions and columns, and read alike"
done
