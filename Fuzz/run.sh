#!/bin/sh
# Usage: Fuzz/run.sh SECONDS [FuzzShard|FuzzForeign|FuzzKernels]
# Builds the fuzz targets with libFuzzer and the address sanitizer, makes sure that both are really there, and runs each
# target for SECONDS. What it finds goes to Fuzz/Findings, its corpus to Fuzz/Corpus (both are not committed).
set -eu
seconds=${1:?usage: Fuzz/run.sh SECONDS [TARGET]}
targets=${2:-FuzzShard FuzzForeign FuzzKernels}
cd "$(dirname "$0")"

# On a crash Swift's backtracer may hang and hold standard output.
export SWIFT_BACKTRACE=enable=no
[ -d Seeds/FuzzForeign ] || ./seeds.sh

for target in $targets; do
    # One -sanitize flag with both: of two, the compiler heeds only the last, and SwiftPM's order varies.
    swift build -c release --sanitize fuzzer -Xswiftc -sanitize=fuzzer,address \
        -Xcc -fsanitize=fuzzer-no-link,address --product "$target" 2>&1 | grep -v 'Cannot export local symbol' || true
    binary=.build/release/$target
    [ -x "$binary" ] || { echo "$target was not built" >&2; exit 1; }
    # Our own code must call the sanitizer, not only the runtime be there.
    for module in DRShardFormat CDRKernels; do
        # No grep -q: it would close the pipe under nm.
        find .build/release/$module.build -name '*.o' -exec nm {} + | grep __asan_report >/dev/null ||
            { echo "$module has no address sanitizer" >&2; exit 1; }
    done

    mkdir -p "Corpus/$target" "Seeds/$target" Findings
    log=Findings/$target.log
    status=0
    timeout -k 10 $((seconds + 120)) "$binary" "Corpus/$target" "Seeds/$target" "FailCases/$target" \
        -max_total_time="$seconds" -max_len=16384 -rss_limit_mb=2048 -malloc_limit_mb=1024 -timeout=10 \
        -artifact_prefix="Findings/$target-" -print_final_stats=1 -use_value_profile=1 \
        </dev/null >"$log" 2>&1 || status=$?
    grep -q 'INFO: Loaded 1 modules' "$log" || { echo "$target has no coverage: see $log" >&2; exit 1; }
    grep -E 'INFO: Loaded|stat::|SUMMARY|Fatal error' "$log" || true
    grep 'cov:' "$log" | tail -n 1
    [ "$status" -eq 0 ] || { echo "$target: status $status, see $log" >&2; exit 1; }
done
