import hashlib
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from signgen.pose.estimators.hrnet.network import (
    HAND,
    WHOLE_BODY,
    ExchangeModule,
    HeatmapNetwork,
    HRNetSize,
)


def names_digest(state: Mapping[str, Tensor]) -> str:
    lines = sorted(f"{name} {tuple(value.shape)}" for name, value in state.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def test_every_branch_reaches_every_output_of_an_exchange() -> None:
    exchange = ExchangeModule((4, 8, 16), blocks=1, outputs=3, upsampling="nearest").eval()
    maps = [torch.rand(1, 4 << b, 16 >> b, 16 >> b) for b in range(3)]
    with torch.inference_mode():
        before = exchange(maps)
        for changed in range(3):
            other = [x + (i == changed) for i, x in enumerate(maps)]
            after = exchange(other)
            assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("size", "millions", "digest"),
    [(WHOLE_BODY, 63.6, "0db1444bce9fd6ed"), (HAND, 9.6, "07f1a89e18603e7c")],
    ids=["whole-body", "hand"],
)
def test_full_size_is_the_published_one(size: HRNetSize, millions: float, digest: str) -> None:
    with torch.device("meta"):
        network = HeatmapNetwork(size)
    count = sum(p.numel() for p in network.parameters())
    assert count / 1e6 == pytest.approx(millions, rel=0.01)
    # Names and shapes of the models that MMPose 1.1.0 builds from its configurations.
    assert names_digest(network.state_dict()) == digest
    height, width = size.input_size
    with torch.device("meta"):
        heatmaps = network(torch.zeros(1, 3, height, width))
    assert heatmaps.shape == (1, size.num_keypoints, height // 4, width // 4)
