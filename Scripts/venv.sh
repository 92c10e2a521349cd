#!/bin/bash
# Makes a virtual environment of Python in .build, and prints its Python. It is made again when its list changes.
#   venv.sh            .build/python: what the independent decoder and the tests of the package need
#   venv.sh trainers   .build/trainers: what trainers have, and the libraries that exports are for: torch, torchvision and
#                      open_clip in versions that work together without a GPU (5 GB)
set -euo pipefail
cd "$(dirname "$0")/.."

name=${1:-python}
case $name in
python) wanted="zstandard lz4 google-crc32c numpy ml_dtypes pytest pytest-xdist pyarrow pandas ruff==0.17.6 mypy==2.4.1 auditwheel" ;;
trainers) wanted="torch==2.12.1 torchvision==0.27.1 open_clip_torch==3.3.0 torchdata webdataset==1.0.2 numpy ml_dtypes
    safetensors pillow pyarrow pandas pytest pytest-xdist" ;;
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
