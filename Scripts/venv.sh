#!/bin/bash
# Makes a virtual environment of Python in .build, and prints its Python. It is made again when its list changes.
#   venv.sh          .build/python: what the independent decoder needs
#   venv.sh judges   .build/judges: the libraries that exports are for, torch among them (200 MB)
set -euo pipefail
cd "$(dirname "$0")/.."

name=${1:-python}
case $name in
python) wanted="zstandard lz4 google-crc32c numpy" ;;
judges) wanted="numpy ml_dtypes safetensors webdataset==1.0.2 pillow torch==2.13.0+cpu" ;;
*) echo "there is no environment $name" >&2 && exit 2 ;;
esac
folder=.build/$name
python=$folder/bin/python
if [ "$(cat "$folder/installed" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$folder"
    python3 -m venv "$folder"
    # shellcheck disable=SC2086
    "$python" -m pip install --quiet --disable-pip-version-check $wanted
    echo "$wanted" >"$folder/installed"
fi
echo "$PWD/$python"
