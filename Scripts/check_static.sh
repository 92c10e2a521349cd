#!/bin/bash
# Links drshard with the archives of libzstd and liblz4, and looks that it then asks for neither library itself
# (Debian's libarchive does).
set -euo pipefail
cd "$(dirname "$0")/.."

export DRSHARD_STATIC_CODECS=1
swift build -c release --product drshard
drshard=$(swift build -c release --show-bin-path)/drshard
"$drshard" --version
needed=$(readelf -d "$drshard" | grep NEEDED)
if grep -E 'libzstd|liblz4' <<<"$needed"; then
    echo "drshard still needs the shared libraries" >&2
    exit 1
fi
