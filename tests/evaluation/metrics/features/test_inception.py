"""What Inception-v3 is given, which layers are run, and what is said where it is absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from signgen.errors import UserError
from signgen.evaluation.metrics.features import inception
from signgen.evaluation.metrics.features.inception import open_inception, pooled, scaled_as_cfld
from signgen.evaluation.metrics.networks import FeatureExtractor, Unavailable

RNG = np.random.default_rng(9)
HEAD = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "")
BLOCKS = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
MIXED = tuple(f"Mixed_{name}" for name in BLOCKS)


def torchvision_models():
    """Return torchvision's models, or skip where torchvision does not fit this torch."""
    try:
        import torchvision.models
    except Exception as error:
        pytest.skip(f"torchvision does not import here: {error}")
    return torchvision.models


def test_layers_run_in_the_order_of_inception() -> None:
    torch.manual_seed(0)
    layers = {name: nn.Conv2d(3, 3, 1) for name in HEAD + MIXED if name}
    network = nn.ModuleDict(layers)
    order = [layers[name] if name else nn.MaxPool2d(3, 2) for name in HEAD + MIXED]
    pixels = torch.rand(2, 3, 299, 299)
    with torch.no_grad():
        expected = nn.Sequential(*order)(pixels)
        assert expected.shape[-1] == 74
        torch.testing.assert_close(pooled(network, pixels), expected.mean(dim=(2, 3)))


def test_cfld_scales_pixels_as_if_they_had_been_normalised() -> None:
    """The ranges that the network then sees, in red, green and blue."""
    black, white = torch.zeros(1, 3, 40, 30), torch.ones(1, 3, 40, 30)
    low, high = (scaled_as_cfld(pixels)[0, :, 150, 150] for pixels in (black, white))
    torch.testing.assert_close(low, torch.tensor([-0.03, -0.088, -0.188]), atol=1e-6, rtol=0)
    torch.testing.assert_close(high, torch.tensor([0.428, 0.36, 0.262]), atol=1e-6, rtol=0)
    assert scaled_as_cfld(black).shape == (1, 3, 299, 299)


def test_cfld_resizes_without_antialiasing() -> None:
    """At 598 x 598 an output pixel is the mean of the 2 x 2 pixels at its centre."""
    pixels = torch.rand(1, 3, 598, 598)
    means = nn.functional.avg_pool2d(pixels, 2)
    expected = scaled_as_cfld(means)
    torch.testing.assert_close(scaled_as_cfld(pixels), expected, atol=1e-5, rtol=0)


def test_cleanfid_resizes_in_floating_point_with_antialiasing() -> None:
    stripes = np.zeros((1, 598, 598, 3), np.uint8)
    stripes[:, :, ::2] = 201
    pixels = inception._prepared("cleanfid", stripes, "cpu")
    assert pixels.shape == (1, 3, 299, 299)
    inner = pixels[:, :, 5:-5, 5:-5] * 128 + 128
    torch.testing.assert_close(inner, torch.full_like(inner, 100.5), atol=0.01, rtol=0)


def test_an_absent_package_is_named() -> None:
    assert inception._why_not("signgen_has_no_such_package") == Unavailable(
        "needs signgen_has_no_such_package, get it with: pip install signgen-has-no-such-package"
    )
    assert inception._why_not("numpy") is None


def test_torchvisions_network_gives_its_own_features(tmp_path: Path) -> None:
    models = torchvision_models()
    torch.manual_seed(0)
    network = models.inception_v3(weights=None, init_weights=False)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    extractor = open_inception("cfld", tmp_path / "weights.pth")
    assert isinstance(extractor, FeatureExtractor)
    assert extractor.signature.startswith("net:inception-cfld,weights:")
    frames = RNG.integers(0, 256, (1, 60, 50, 3), np.uint8)
    network.eval()
    network.fc = nn.Identity()
    with torch.no_grad():
        pixels = torch.from_numpy(frames / 255).permute(0, 3, 1, 2).float()
        expected = network(scaled_as_cfld(pixels))
    np.testing.assert_allclose(extractor(frames), expected.numpy(), rtol=1e-5)
    torch.save({"fc.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match="not weights of Inception-v3"):
        open_inception("cfld", tmp_path / "other.pth")
