#!/bin/bash
# Samples are converted and exported to every format, and numpy, torch, safetensors and webdataset read the originals
# and the exports: every bit must be equal (check_export.py). Exported tars and arrays, converted again, must give the
# same shards, and arrays that NumPy and safetensors wrote themselves must give what they were (check_arrays.py).
# With DRSHARD_CLIP_VOCABULARY there are tokens too.
#   check_export.sh DRSHARD PYTHON
set -euo pipefail
cd "$(dirname "$0")/.."

drshard=$1 python=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tokenizer=()
[ -z "${DRSHARD_CLIP_VOCABULARY:-}" ] || tokenizer=(--tokenizer "$DRSHARD_CLIP_VOCABULARY")
# What the schema says besides the data; it must be said again when exported tars are converted.
facts=(--teacher a:0:32:100 --teacher b:32:32 --captioner coca --licence "example=CC BY" "${tokenizer[@]}")

# one NAME FORMAT-OF-SAMPLE "arguments of convert" "arguments of check_export.py"
one() {
    local name=$1 format=$2 converting=$3 judging=$4
    local folder=$work/$1 export=$work/$1/export
    "$drshard" sample "$folder" --samples 24 --shards 2 --views 3 --dims 64 --format "$format" --seed 7 >"$work/log"
    "$python" Scripts/make_odd_sample.py "$folder"
    # shellcheck disable=SC2086
    "$drshard" convert "$folder/reinforced" --captions "$folder/captions" --rows-per-group 5 "${facts[@]}" $converting \
        --output "$folder/shards" >"$work/log" 2>&1
    to() {
        local target=$1
        shift
        "$drshard" export "$folder/shards" --output "$export/$target" "$@" >"$work/log" 2>&1 ||
            { cat "$work/log"; exit 1; }
    }
    to tars --to datacompdr --jobs 2
    to tars-f32 --to datacompdr --element f32 --level 1
    to npy --to npy
    to npy-u16 --to npy --bf16-as u16 --jobs 2
    to npz --to npz --jobs 2
    to npz-u16 --to npz --bf16-as u16
    to safetensors --to safetensors --with-jsonl --tokens --jobs 2
    to safetensors-f32 --to safetensors --element f32
    to lines --to jsonl --tokens
    # shellcheck disable=SC2086
    "$python" Scripts/check_export.py "$folder/reinforced" "$folder/captions" "$export" $judging

    # shellcheck disable=SC2086
    "$drshard" convert "$export/tars" --captions "$export/tars" --rows-per-group 5 "${facts[@]}" $converting \
        --output "$folder/again" >"$work/log" 2>&1
    for shard in "$folder"/shards/*.drs; do
        # Notes say where a shard came from.
        "$drshard" dump "$shard" | grep -v '^note ' >"$work/before"
        "$drshard" dump "$folder/again/${shard##*/}" | grep -v '^note ' >"$work/after"
        cmp "$work/before" "$work/after"
    done
    # However many shards are written at once, the bytes are the same.
    to tars-one --to datacompdr --jobs 1
    diff -r "$export/tars" "$export/tars-one"
    echo "$name: exported tars, converted again, have the same dump"

    # Arrays carry all but images.
    local columns=(sha256 url original_size augmentation image_emb text text_emb syn_text syn_text_emb)
    [ ${#tokenizer[@]} = 0 ] || columns+=(tokens syn_tokens)
    for target in npy npy-u16 npz npz-u16 safetensors safetensors-f32; do
        # In lines alone are texts, parameters and where things came from.
        rm -rf "$work/arrays"
        cp -r "$export/$target" "$work/arrays"
        cp "$export"/lines/*.jsonl "$work/arrays"
        # shellcheck disable=SC2086
        "$drshard" convert "$work/arrays" --rows-per-group 5 "${facts[@]}" $converting --verify --jobs 2 \
            --output "$folder/from-$target" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
        # Images and original sizes are joined with tars: the columns' order is another there.
        "$drshard" diff "$folder/shards" "$folder/from-$target" --full --columns "${columns[@]}" >"$work/log" 2>&1 ||
            { cat "$work/log"; exit 1; }
    done
    echo "$name: exported arrays, converted again, are equal in ${#columns[@]} columns"
}

one bf16 bfloat16 "" ""
one f32 float32 "--keep-f32" ""
one rounded float32 "" "--rounded"

"$python" Scripts/check_arrays.py "$drshard" "$work/arrays-of-others"
