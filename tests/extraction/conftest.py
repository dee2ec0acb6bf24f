"""Tests of this folder share `dots.py`."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the user's cache out of it."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("SIGNGEN_CACHE", str(folder))
    return folder
