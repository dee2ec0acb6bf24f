"""Weights that nobody trained, as a file."""

from pathlib import Path

import pytest

from signgen.pose.estimators.hrnet.network import HAND
from tests.material.hrnet_weights import drawn_file


@pytest.fixture(scope="session")
def hand_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_file(HAND, tmp_path_factory.mktemp("hand"))
