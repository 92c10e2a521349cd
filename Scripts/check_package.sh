#!/bin/bash
# The Python package as pip makes it: installed in an empty environment, its wheel looked at, its tests that need no torch.
#   check_package.sh DRSHARD PYTHON
set -euo pipefail
cd "$(dirname "$0")/.."

drshard=$1
python=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check ./Python
packages=$("$work/venv/bin/python" -m pip list --disable-pip-version-check --format freeze | cut -d= -f1 | sort | tr '\n' ' ')
echo "an empty environment has: $packages"
grep -qE '^drshard (@ file[^ ]* )?numpy pip (setuptools )?$' <<<"$packages" || { echo "NumPy is all that it may need" >&2; exit 1; }
"$drshard" sample "$work/sample" --samples 40 --dims 32 >"$work/log"
"$drshard" convert "$work/sample/reinforced" --captions "$work/sample/captions" --output "$work/shards" >"$work/log"
# Away from the sources, so that it is the installed package.
(cd "$work" && env -i "$work/venv/bin/python" - <<'PYTHON'
import drshard

loader = drshard.Loader("shards", batch_size=8, content=("embeddings", "texts"))
batches = list(loader)
assert len(batches) == 5 and batches[0]["image_emb"].dtype.name == "uint16", batches[0]["image_emb"].dtype
print(f"drshard {drshard.__version__} runs with NumPy alone")
PYTHON
)

"$work/venv/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$work/wheels" ./Python
wheel=$(echo "$work"/wheels/drshard-*.whl)
echo "$(basename "$wheel"): $(stat -c %s "$wheel") bytes"
(cd "$work" && "$python" -m auditwheel show "$wheel" | tr '\n' ' ' | sed 's/  */ /g' | tee audit | cut -c1-300; echo)
grep -qE 'manylinux_2_[0-9]+_' "$work/audit" || { echo "the wheel has no manylinux tag" >&2; exit 1; }
mkdir -p .build/wheels
rm -f .build/wheels/drshard-*.whl
cp "$wheel" .build/wheels/

"$python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$wheel"
cd Python
DRSHARD_CLI=$drshard "$python" -m pytest -q -n 2 tests/test_augment.py tests/test_dataset.py tests/test_writer.py \
    tests/test_loader*.py tests/test_processes.py tests/test_schema.py tests/test_readme.py
