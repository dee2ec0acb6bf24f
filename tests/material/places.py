"""Where things are that tests share: this checkout, and samples beside it that not everyone has."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
REAL = SHARED / "real"
GOLDENS = SHARED / "goldens"

needs_real = pytest.mark.skipif(
    not REAL.is_dir(), reason="the genuine samples are not beside this checkout"
)
