"""Builds libdrshard with Swift, and puts it into the wheel."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:
    BuildHookInterface = object  # hatch reads the version where hatchling is not installed

VERSION = "0.1.0"
NEEDS = (
    "building drshard from source needs Swift 6.2 or later (https://www.swift.org/install), libzstd and liblz4 with their"
    " headers (Debian: libzstd-dev, liblz4-dev, pkg-config), clang and binutils"
)


class SwiftLibrary(BuildHookInterface):
    """Of a wheel: any Python 3, on this system and processor."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        target = root / "src" / "drshard" / "libdrshard.so"
        if version == "editable" and target.exists() and os.environ.get("DRSHARD_KEEP_LIBRARY") == "1":
            return
        # A process may have the old one mapped: it is replaced, and not written to.
        part = target.with_suffix(".part")
        shutil.copyfile(self._built(root), part)
        part.chmod(0o755)
        part.replace(target)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sys.platform}_{platform.machine()}"
        build_data["artifacts"].append("src/drshard/libdrshard.so")

    def _built(self, root: Path) -> Path:
        """The library: `Scripts/library.sh` of the repository, or of the source distribution, says where."""
        sources = root / "swift" if (root / "swift" / "Package.swift").exists() else root.parent
        if shutil.which("swift") is None:
            raise RuntimeError(f"there is no swift on the PATH: {NEEDS}")
        run = subprocess.run(["bash", str(sources / "Scripts" / "library.sh")], capture_output=True, text=True)
        if run.returncode != 0:
            raise RuntimeError(f"the build of libdrshard failed; {NEEDS}\n{run.stderr[-4000:]}")
        return Path(run.stdout.strip().splitlines()[-1])


def get_build_hook() -> type:
    return SwiftLibrary
