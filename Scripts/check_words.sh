#!/bin/bash
# Words that may stand only where this says: `unsafe` in the files listed in Scripts/unsafe_files.txt, Foundation
# nowhere in what libdrshard is made of.
set -euo pipefail
cd "$(dirname "$0")/.."

status=0
found=$(grep -rlw --include='*.swift' unsafe Sources | sort)
listed=$(grep -v '^#' Scripts/unsafe_files.txt | sort)
if ! diff <(echo "$listed") <(echo "$found"); then
    echo "Scripts/unsafe_files.txt (<) and the files with the word \`unsafe\` (>) differ" >&2
    status=1
fi
for file in $found; do
    if ! grep -q 'SAFETY:' "$file"; then
        echo "$file: \`unsafe\` without a comment \`SAFETY:\`" >&2
        status=1
    fi
done
# It would make libdrshard twice as large.
if grep -rn --include='*.swift' 'import Foundation' Sources/DRShardFormat Sources/DRShard Sources/DRLoader \
    Sources/DRText Sources/DRShardC; then
    echo "libdrshard has no use for Foundation" >&2
    status=1
fi
exit $status
