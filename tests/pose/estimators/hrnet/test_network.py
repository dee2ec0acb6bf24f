import hashlib
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from signgen.pose.estimators.hrnet.network import (
    HAND,
    STRIDE,
    WHOLE_BODY,
    ExchangeModule,
    HeatmapNetwork,
    HRNetSize,
)
from tests.material.hrnet_weights import draw_weights

TINY = HRNetSize("tiny", 4, 5, (64, 96), all_branches=False, modules=(1, 1, 1), blocks=1, stem=8)
TINY_HAND = replace(TINY, all_branches=True, modules=(1, 2, 1))


def network_of(size: HRNetSize) -> HeatmapNetwork:
    network = HeatmapNetwork(size).eval()
    network.load_state_dict(draw_weights(network, 0))
    return network


def names_digest(state: Mapping[str, Tensor]) -> str:
    lines = sorted(f"{name} {tuple(value.shape)}" for name, value in state.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@pytest.mark.parametrize("size", [TINY, TINY_HAND])
def test_heatmaps_are_a_quarter_of_the_input(size: HRNetSize) -> None:
    with torch.inference_mode():
        heatmaps = network_of(size)(torch.randn(2, 3, 64, 96))
    assert heatmaps.shape == (2, 5, 64 // STRIDE, 96 // STRIDE)
    assert heatmaps.std() > 1e-3


def test_each_branch_halves_the_size_and_doubles_the_channels() -> None:
    with torch.inference_mode():
        maps = network_of(TINY_HAND).backbone(torch.randn(1, 3, 64, 96))
    assert [tuple(x.shape[1:]) for x in maps] == [(4, 16, 24), (8, 8, 12), (16, 4, 6), (32, 2, 3)]


def test_finest_branch_alone_feeds_the_head_of_version_one() -> None:
    with torch.inference_mode():
        assert len(network_of(TINY).backbone(torch.randn(1, 3, 64, 96))) == 1


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
