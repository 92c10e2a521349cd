#!/bin/bash
# The tests in which threads meet, under the thread sanitizer, which makes them ten times as slow. It cannot follow a
# process that forks with threads, so that test is left out here.
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=.build-tsan
swift build --build-tests --sanitize thread --scratch-path "$scratch"
TSAN_OPTIONS="halt_on_error=1 exitcode=66" swift test --skip-build --sanitize thread --scratch-path "$scratch" \
    --filter 'EngineTests|DamagedLoadTests|KeptPagesTests|PackBehindTests|TarRowSourceTests|asynchronousSequenceIsTheSameStream' \
    --skip 'aForkedChild|estimatesAreAbout|shortLastBatches|explanationsAre' | awk '!/^◇ / && (!/^✔ / || /Test run with/)'
