#!/bin/bash
# All tests of the Python package and its examples, beside torch, torchvision and open_clip: training among them.
#   check_trainers.sh DRSHARD PYTHON
set -euo pipefail
cd "$(dirname "$0")/.."

drshard=$1
python=$2
"$python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps .build/wheels/drshard-*.whl
cd Python
# What is missing is an error, and nothing is asked from a hub.
DRSHARD_TRAINERS=required HF_HUB_OFFLINE=1 DRSHARD_CLI=$drshard OMP_NUM_THREADS=1 \
    "$python" -m pytest -q -n 2 --durations=8 tests
