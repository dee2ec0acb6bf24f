import pytest
import torch

from signgen.config.model import tiny_fpdm
from signgen.structures import Batch


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    height, width = tiny_fpdm().size
    shape = (2, 3, height, width)
    source, target, pose = (torch.rand(shape, generator=generator) for _ in range(3))
    hands = torch.zeros(2, 1, height, width)
    hands[:, :, 16:32, 8:24] = 1
    return Batch(source * 2 - 1, target * 2 - 1, pose, hands)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
