#!/bin/bash
# Makes a virtual environment of Python in .build/python with what the independent decoder needs, and prints its Python.
set -euo pipefail
cd "$(dirname "$0")/.."

python=.build/python/bin/python
wanted="zstandard lz4 google-crc32c numpy"
if [ "$(cat .build/python/installed 2>/dev/null)" != "$wanted" ]; then
    rm -rf .build/python
    python3 -m venv .build/python
    # shellcheck disable=SC2086
    "$python" -m pip install --quiet --disable-pip-version-check $wanted
    echo "$wanted" >.build/python/installed
fi
echo "$PWD/$python"
