#!/bin/bash
# Fetches CLIP's vocabulary out of the Python package that ships it, into .build/vocabulary, and prints its path.
set -euo pipefail
cd "$(dirname "$0")/.."

name=bpe_simple_vocab_16e6.txt.gz
sum=924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a
folder=.build/vocabulary
if [ ! -f "$folder/$name" ]; then
    mkdir -p "$folder"
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$folder" \
        open_clip_torch==3.3.0
    python3 - "$folder" "$name" "$sum" <<'PYTHON'
import glob, hashlib, pathlib, sys, zipfile
folder, name, expected = sys.argv[1:]
with zipfile.ZipFile(glob.glob(f"{folder}/open_clip_torch-*.whl")[0]) as wheel:
    data = wheel.read(f"open_clip/{name}")
if hashlib.sha256(data).hexdigest() != expected:
    sys.exit(f"{name} is not the file that was expected")
pathlib.Path(folder, name).write_bytes(data)
PYTHON
    rm -rf "$folder/venv" "$folder"/*.whl
fi
echo "$PWD/$folder/$name"
