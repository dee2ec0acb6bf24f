import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def samples() -> ModuleType:
    """The module beside this file that makes small files of every format."""
    return sys.modules["pose_samples"]


def _load() -> None:
    spec = importlib.util.spec_from_file_location(
        "pose_samples", Path(__file__).with_name("pose_samples.py")
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["pose_samples"] = module
    spec.loader.exec_module(module)


_load()
