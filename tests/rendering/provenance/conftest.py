"""Here what is signed is signed, where c2pa-python is installed."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def signing() -> None:
    """Leave signatures on, unlike the tests beside."""
