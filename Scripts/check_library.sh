#!/bin/bash
# libdrshard, with static codecs, as its users get it: what it needs, what it exports, and a program in C that uses all of
# it under the address sanitizer.
#   check_library.sh DRSHARD
set -euo pipefail
cd "$(dirname "$0")/.."

drshard=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
library=$(Scripts/library.sh "$work/lib" 2>"$work/log") || { cat "$work/log" >&2; exit 1; }

# Nothing but the C and C++ libraries, and no place of this machine's.
needed=$(readelf -d "$library" | grep -E 'NEEDED|RUNPATH|RPATH|SONAME' | sed 's/.*[[]\(.*\)[]].*/\1/' | sort | tr '\n' ' ')
echo "libdrshard.so.1: $(stat -c %s "$library") bytes; $needed"
if grep -qE 'swift|zstd|lz4|dispatch|Foundation|/opt|/usr' <<<"$needed"; then
    echo "it needs more than it should" >&2
    exit 1
fi
# Its symbols are the functions of the header, with a version.
declared=$(grep -oE '\bdrs_[a-z_]+\(' Sources/CDRShard/include/drshard.h | tr -d '(' | sort -u)
exported=$(nm -D --defined-only "$library" | awk '$2 == "T" {print $3}' | sed 's/@@DRSHARD_1$//' | sort -u)
others=$(nm -D --defined-only "$library" | awk '$2 != "T" && $3 != "DRSHARD_1" {print $3}')
if ! diff <(echo "$declared") <(echo "$exported") || [ -n "$others" ]; then
    echo "its symbols are not the functions of drshard.h: $others" >&2
    exit 1
fi

"$drshard" sample "$work/sample" --samples 60 --dims 32 >"$work/log"
vocabulary=()
[ -z "${DRSHARD_CLIP_VOCABULARY:-}" ] || vocabulary=(--tokenizer "$DRSHARD_CLIP_VOCABULARY")
if [ ${#vocabulary[@]} -eq 0 ]; then
    echo "CLIP's vocabulary is missing: its tokens are part of this" >&2
    exit 1
fi
"$drshard" convert "$work/sample/reinforced" --captions "$work/sample/captions" "${vocabulary[@]}" \
    --output "$work/shards" >"$work/log"
mkdir "$work/out"
clang -std=c11 -Wall -Wextra -Wno-missing-field-initializers -Werror -g -fsanitize=address -fuse-ld=lld -I "$work/lib" \
    Tests/C/library_test.c -o "$work/library_test" -L "$work/lib" -ldrshard -lpthread -Wl,-rpath,"$work/lib"
# Objects that Swift makes once for the whole process are none of ours.
SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=1 timeout 300 "$work/library_test" "$work/shards" "$work/out"
[ -z "$(ls "$work/out")" ] || { echo "it left files: $(ls "$work/out")" >&2; exit 1; }
# The header is one for C++ as well.
printf '#include "drshard.h"\nint main() { return drs_version() == nullptr; }\n' >"$work/header.cpp"
clang++ -std=c++17 -Wall -Wextra -pedantic -Werror -fsyntax-only -I "$work/lib" "$work/header.cpp"
