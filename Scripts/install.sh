#!/bin/bash
# Installs the system packages that are missing, on Debian and its kin; elsewhere says what is needed.
set -euo pipefail

if ! command -v swift >/dev/null; then
    echo "Swift 6.2 or later is needed and not on the PATH: see https://www.swift.org/install" >&2
    exit 1
fi

has_library() { pkg-config --exists "$1" 2>/dev/null; }
missing=()
command -v pkg-config >/dev/null || missing+=(pkg-config)
has_library libzstd || missing+=(libzstd-dev)
has_library liblz4 || missing+=(liblz4-dev)
has_library libarchive || missing+=(libarchive-dev)
has_library libdeflate || missing+=(libdeflate-dev)
command -v python3 >/dev/null || missing+=(python3)
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
if ! command -v apt-get >/dev/null || { [ ${#as_root[@]} -gt 0 ] && ! command -v sudo >/dev/null; }; then
    echo "These are missing; install them by their names on this system, then start again: ${missing[*]}" >&2
    exit 1
fi
echo "installing ${missing[*]}"
"${as_root[@]}" apt-get update -q
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
