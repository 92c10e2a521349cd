#!/bin/sh
# Fills Fuzz/Seeds from the test vectors and from a small made-up sample: see make_seeds.py.
set -eu
cd "$(dirname "$0")/.."
swift build --product drshard
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
drshard=.build/debug/drshard
for format in bfloat16 float32; do
    "$drshard" sample "$folder/$format" --samples 3 --shards 1 --views 2 --captions 2 --dims 8 --format $format >/dev/null
    "$drshard" convert "$folder/$format/reinforced" -o "$folder/$format/shards" --captions "$folder/$format/captions" \
        --rows-per-group 2 >/dev/null
    for target in "safetensors --with-jsonl" npy; do
        # shellcheck disable=SC2086
        "$drshard" export "$folder/$format/shards" --to $target -o "$folder/$format/export" >/dev/null 2>&1
    done
done
python3 Fuzz/make_seeds.py "$folder" Fuzz/Seeds
