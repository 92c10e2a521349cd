#!/bin/bash
# All checks, in the order of their cost. The first that fails ends the run; each says how long it took.
set -euo pipefail
cd "$(dirname "$0")/.."

started=$SECONDS
step() {
    local name=$1 began=$SECONDS
    shift
    printf '\n== %s\n' "$name"
    "$@" || { printf '\nFAILED: %s\n' "$name"; exit 1; }
    printf -- '-- %s: %d s\n' "$name" $((SECONDS - began))
}

lint() { swift format lint --strict --recursive --parallel Package.swift Sources Tests Examples; }
c_warnings() { clang -std=c11 -Wall -Wextra -Werror -fsyntax-only -ISources/CDRKernels/include -ISources/CDRShard/include Sources/CDRKernels/*.c Sources/CDRShard/*.c; }
build_debug() { swift build --build-tests --explicit-target-dependency-import-check error; }
build_release() { swift build -c release --build-tests; }
# Of the tests only failures and the sum are shown.
tests() { swift test --skip-build "$@" | awk '!/^◇ / && (!/^✔ / || /Test run with/)'; }
tests_debug() { tests; }
tests_release() { tests -c release; }
python_style() (cd Python && "$python" -m ruff check . && "$python" -m ruff format --check . && "$python" -m mypy)
spec_check() { "$python" Spec/check.py; }

step "packages" Scripts/install.sh
step "swift format" lint
step "words" Scripts/check_words.sh
step "warnings in C" c_warnings
# Tests of tokens need CLIP's vocabulary, which ships with open_clip.
DRSHARD_CLIP_VOCABULARY=$(Scripts/fetch_vocabulary.sh)
export DRSHARD_CLIP_VOCABULARY
python=$(Scripts/venv.sh)
step "ruff and mypy" python_style
step "build, debug" build_debug
step "tests, debug" tests_debug
step "specification and vectors" spec_check
drshard=$(swift build --show-bin-path)/drshard
step "cross-read by the independent decoder" Scripts/check_cross_read.sh "$drshard" "$python"
step "libdrshard, from C" Scripts/check_library.sh "$drshard"
step "the Python package" Scripts/check_package.sh "$drshard" "$python"
trainers=$(Scripts/venv.sh trainers)
step "the Python package where trainers are" Scripts/check_trainers.sh "$drshard" "$trainers"
step "exports, judged by the libraries they are for" Scripts/check_export.sh "$drshard" "$trainers"
step "a report in a browser" Scripts/check_report.sh "$drshard"
step "examples: packages that depend on this one" Scripts/check_examples.sh "$drshard"
step "build, release" build_release
step "tests, release" tests_release
step "thread sanitizer" Scripts/check_threads.sh
step "fuzzing, 30 s each" Fuzz/run.sh 30
printf '\nall checks passed in %d s\n' $((SECONDS - started))
