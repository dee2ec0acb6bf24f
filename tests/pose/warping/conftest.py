"""Paper dolls to warp."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.material.paper_doll import Doll, paper_doll


@pytest.fixture
def make_doll() -> Callable[..., Doll]:
    """Makes dolls of any size and stance."""
    return paper_doll


@pytest.fixture
def doll() -> Doll:
    return paper_doll()
