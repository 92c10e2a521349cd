#!/bin/bash
# Everything once, on made-up data: builds drshard, makes a sample in ./try, converts, verifies, shows and loads it.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$1"; }
show() {
    printf '$ drshard %s\n' "$*"
    "$drshard" "$@"
}

Scripts/install.sh
step "build"
swift build -c release --product drshard
drshard=$(swift build -c release --show-bin-path)/drshard

step "vocabulary of CLIP's tokenizer"
tokens=()
if vocabulary=$(Scripts/fetch_vocabulary.sh); then
    echo "$vocabulary"
    tokens=(--tokenizer "$vocabulary")
else
    echo "It could not be fetched (is there a network?): texts will be stored, and no tokens."
fi

rm -rf try
step "a sample: two tars of 32 images each, 10 views, 5 synthetic captions"
show sample try/sample
step "convert"
show convert try/sample/reinforced --captions try/sample/captions "${tokens[@]}" --output try/shards \
    --teacher made-up-a:0:768:100 --teacher made-up-b:768:768:100 --captioner word-salad --exchangeable-views --exchangeable-captions \
    --licence sample=none
step "verify: every checksum, every value"
show verify --decode try/shards
step "inspect"
show inspect try/shards
step "stats"
show stats try/shards
step "the first row"
show head try/shards --rows 1 --variant 0
step "plan: what an epoch will read and hold"
show plan try/shards --batch-size 16
step "load: one epoch of paired batches"
show load try/shards --batch-size 16
step "explain: where the samples of a step come from"
show explain try/shards --batch-size 4 --step 3
