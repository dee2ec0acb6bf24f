from types import ModuleType

import pytest

from tests.material import pose_samples


@pytest.fixture(scope="session")
def samples() -> ModuleType:
    """Return the module that makes small files of every format."""
    return pose_samples
