"""Extractors of features: each item once, in any batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from signgen.errors import ExitCode, UserError
from signgen.evaluation.metrics.networks import (
    ALEXNET_WEIGHTS,
    FIDELITY_WEIGHTS,
    TORCHVISION_WEIGHTS,
    FeatureExtractor,
    Unavailable,
    published_file,
    to_tensor,
)

RNG = np.random.default_rng(2)


def frames(count: int) -> np.ndarray:
    return RNG.integers(0, 256, (count, 20, 16, 3), np.uint8)


@pytest.mark.parametrize("batch", [1, 3, 16])
def test_batches_change_nothing(batch: int) -> None:
    pictures = frames(7)
    sizes: list[int] = []

    def mean(items: np.ndarray) -> np.ndarray:
        sizes.append(len(items))
        return items.mean(axis=(1, 2))

    found = FeatureExtractor(mean, "net:mean", batch=batch)(pictures)
    np.testing.assert_array_equal(found, pictures.mean(axis=(1, 2)))
    assert max(sizes) == min(batch, 7)


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
    np.testing.assert_allclose(extractor(copies), copies.mean(axis=(1, 2)))
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


def test_absent_weights_say_how_to_get_them(no_caches: Path) -> None:
    for published in (ALEXNET_WEIGHTS, FIDELITY_WEIGHTS, TORCHVISION_WEIGHTS):
        absent = published_file(None, published)
        also = published_file(None, published, ("signgen_no_such", "numpy"))
        assert isinstance(absent, Unavailable)
        assert isinstance(also, Unavailable)
        both = "needs signgen-no-such, get with: pip install signgen-no-such; and it "
        assert also.reason == both + absent.reason
        assert absent.reason.startswith(f"needs {published.file}, get it with: curl -fL")
        assert f"{published.address} " in absent.reason
        assert "\n" not in absent.reason
        with pytest.raises(UserError, match="no such file") as caught:
            published_file(Path("absent.pth"), published)
        assert caught.value.code == ExitCode.NO_INPUT


def test_frames_become_tensors_with_colours_first() -> None:
    stacks = RNG.integers(0, 256, (2, 5, 4, 6, 3), np.uint8)
    assert torch.equal(to_tensor(stacks, "cpu"), torch.from_numpy(stacks).movedim(-1, -3).float())
