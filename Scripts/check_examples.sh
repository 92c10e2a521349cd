#!/bin/bash
# Builds the Swift examples as a package that depends on this one, and runs them: that of README.md on a converted sample,
# and the paired loss, which fails if it does not fall.
#   check_examples.sh DRSHARD
set -euo pipefail
cd "$(dirname "$0")/.."

drshard=$1
diff <(sed -n '/^```swift$/,/^```$/p' README.md | sed '/^```/d') Examples/Sources/Reader/main.swift ||
    { echo "README.md has another example than Examples/Sources/Reader/main.swift" >&2; exit 1; }
scratch=.build-examples
swift build --package-path Examples --scratch-path "$scratch"
built=$(swift build --package-path Examples --scratch-path "$scratch" --show-bin-path)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$drshard" sample "$work/sample" --samples 20 --dims 32 >"$work/log"
"$drshard" convert "$work/sample/reinforced" --captions "$work/sample/captions" --output "$work/shards" >"$work/log"
"$built/Reader" "$work/shards"
"$built/PairedLoss" "$work"
"$drshard" verify --decode "$work/paired-loss.drs"
