"""Extractors of features: each item once, in any batches."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from signgen.evaluation.metrics.networks import FeatureExtractor

RNG = np.random.default_rng(2)


class Tiny(nn.Module):
    """A network of the size of a test: (N, 3, H, W) uint8 to (N, 6)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 6, 5, stride=3)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.conv(pixels.float() / 255).relu().mean(dim=(2, 3))


def frames(count: int) -> np.ndarray:
    return RNG.integers(0, 256, (count, 20, 16, 3), np.uint8)


@pytest.mark.parametrize("batch", [1, 3, 16])
def test_batches_change_nothing(batch: int) -> None:
    pictures = frames(7)
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = Tiny()(pixels).numpy()
    extractor = FeatureExtractor.of_module(Tiny(), "net:tiny", batch=batch)
    np.testing.assert_allclose(extractor(pictures), expected, atol=1e-6)


def test_an_item_that_comes_again_is_not_computed_again() -> None:
    computed = []

    def mean(items: np.ndarray) -> np.ndarray:
        computed.append(len(items))
        return items.mean(axis=(1, 2))

    extractor = FeatureExtractor(mean, "net:mean", keep=4)
    pictures = frames(3)
    twice = np.concatenate([pictures, pictures[:1]])
    np.testing.assert_allclose(extractor(twice), twice.mean(axis=(1, 2)))
    assert sum(computed) == 3
    copies = np.broadcast_to(pictures[1], pictures.shape)
    np.testing.assert_allclose(copy.deepcopy(extractor)(copies), copies.mean(axis=(1, 2)))
    assert sum(computed) == 3
    extractor(frames(4))
    np.testing.assert_allclose(extractor(pictures), pictures.mean(axis=(1, 2)))
    assert sum(computed) == 3 + 4 + 3, "old ones are forgotten"


def test_items_of_equal_bytes_and_another_shape_are_told_apart() -> None:
    extractor = FeatureExtractor(lambda items: items.max(axis=1)[:, 0, :], "net:columns")
    wide = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(1, 2, 4, 3)
    tall = wide.reshape(1, 4, 2, 3)
    assert extractor(wide)[0, 0] == 12
    assert extractor(tall)[0, 0] == 18


def test_features_of_another_shape_are_refused() -> None:
    extractor = FeatureExtractor(lambda items: items.mean(axis=(1, 2, 3)), "net:flat")
    with pytest.raises(ValueError, match=r"expected \(2, D\)"):
        extractor(frames(2))
