"""Programs of `tools/` as modules."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from tests.material.places import ROOT


def load_tool(name: str) -> ModuleType:
    """Import `tools/NAME.py`, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
