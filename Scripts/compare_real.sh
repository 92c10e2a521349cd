#!/bin/bash
# Converts the fixture sets, verifies and loads them, and compares every value with what torch, numpy, json and
# open_clip read from the same tars. Says so, and does nothing, where the fixtures are not there.
#
#   DRSHARD_FIXTURES  their folder (default ../shared/data)
#   PYTHON            a Python with torch, numpy, pillow, open_clip, zstandard and lz4; without it a virtual
#                     environment is made in .build/compare (several GB)
set -euo pipefail
cd "$(dirname "$0")/.."

fixtures=${DRSHARD_FIXTURES:-../shared/data}
if [ ! -d "$fixtures/datacompdr-bf16" ]; then
    echo "SKIPPED: there is no folder $fixtures/datacompdr-bf16; set DRSHARD_FIXTURES to where the fixtures are"
    exit 0
fi
if [ -z "${PYTHON:-}" ]; then
    PYTHON=.build/compare/bin/python
    [ -x "$PYTHON" ] || python3 -m venv .build/compare
    "$PYTHON" -m pip install --quiet torch==2.12.1 torchvision==0.27.1 open_clip_torch==3.3.0 numpy pillow zstandard lz4
fi
vocabulary=$("$PYTHON" -c 'from open_clip.tokenizer import default_bpe; print(default_bpe())')

swift build -c release --product drshard
drshard=$(swift build -c release --show-bin-path)/drshard
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# one NAME "compare_real.py arguments" convert-arguments...: converts into $work/NAME, and looks at what came of it.
one() {
    local name=$1 compared=$2
    shift 2
    echo "== $name"
    "$drshard" convert "$@" --output "$work/$name"
    "$drshard" verify --decode "$work/$name"
    # shellcheck disable=SC2086
    "$PYTHON" Scripts/compare_real.py --shards "$work/$name" $compared
    "$drshard" load "$work/$name" --batch-size 32
}

one bf16 "--tars $fixtures/datacompdr-bf16 --captions $fixtures/datacomp-captions --tokens" \
    "$fixtures/datacompdr-bf16" --captions "$fixtures/datacomp-captions" --tokenizer "$vocabulary"
one fp32 "--tars $fixtures/datacompdr-fp32 --tokens" "$fixtures/datacompdr-fp32" --tokenizer "$vocabulary"
one fp32-kept "--tars $fixtures/datacompdr-fp32 --tokens --keep-f32" \
    "$fixtures/datacompdr-fp32" --tokenizer "$vocabulary" --keep-f32
echo "all values are equal"
