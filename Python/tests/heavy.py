"""What tests do that need large packages, such as torch: skip, or fail where these have to be there."""

from __future__ import annotations

import importlib
import os
from typing import Any

import pytest


def need(*modules: str) -> Any:
    """Imports modules for a test, or for a whole file of tests.

    Without them the tests are skipped; with DRSHARD_TRAINERS=required in the environment they fail.

    Returns:
        The module, or a tuple if there are several.
    """
    found = []
    for name in modules:
        try:
            found.append(importlib.import_module(name))
        except ImportError as error:
            reason = f"needs the package of {name!r}, which cannot be imported: {error}"
            if os.environ.get("DRSHARD_TRAINERS") == "required":
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason, allow_module_level=True)
    return found[0] if len(found) == 1 else tuple(found)
