"""The tutorial runs, from its first cell to its last."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from heavy import need


def test_the_tutorial_runs(tmp_path):
    need("torch", "PIL")
    program = Path(__file__).parent.parent / "tutorial.py"
    done = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=120, env=_environment(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    assert "torch.bfloat16" in done.stdout and "ChecksumError in column" in done.stdout
    assert list(tmp_path.iterdir()) == []


def _environment(folder: Path) -> dict[str, str]:
    import os

    return os.environ | {"TMPDIR": str(folder)}
