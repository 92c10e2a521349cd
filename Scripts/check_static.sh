#!/bin/bash
# Links drshard with the archives of libzstd and liblz4, and looks that it then needs neither library.
set -euo pipefail
cd "$(dirname "$0")/.."

export DRSHARD_STATIC_CODECS=1
swift build -c release --product drshard
drshard=$(swift build -c release --show-bin-path)/drshard
"$drshard" --version
if command -v ldd >/dev/null && ldd "$drshard" | grep -E 'libzstd|liblz4'; then
    # libarchive may bring its own: then only the direct needs count.
    if readelf -d "$drshard" | grep NEEDED | grep -E 'libzstd|liblz4'; then
        echo "drshard still needs the shared libraries" >&2
        exit 1
    fi
    echo "(only libarchive needs them)"
fi
