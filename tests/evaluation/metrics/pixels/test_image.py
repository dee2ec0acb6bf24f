"""PSNR, L1 and MAE against known errors and independent implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from signgen.evaluation.metrics import PSNR, AbsoluteError

RNG = np.random.default_rng(5)


def pictures(count: int, height: int, width: int) -> np.ndarray:
    return RNG.integers(0, 256, (count, height, width, 3), np.uint8)


def noisy(frames: np.ndarray, scale: float) -> np.ndarray:
    return np.clip(frames + RNG.normal(0, scale, frames.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("error", [1, 5, 50])
def test_psnr_of_a_known_error_is_analytic(error: int) -> None:
    reference = np.full((2, 20, 20, 3), 100, np.uint8)
    metric = PSNR()
    metric.update(reference + np.uint8(error), reference)
    assert metric.compute().value == pytest.approx(20 * math.log10(255 / error))


def test_psnr_is_the_mean_of_frames_and_not_of_errors() -> None:
    reference = np.full((2, 20, 20, 3), 100, np.uint8)
    generated = reference.copy()
    generated[0] += 1
    generated[1] += 10
    metric = PSNR()
    metric.update(generated, reference)
    expected = (20 * math.log10(255) + 20 * math.log10(25.5)) / 2
    assert metric.compute().value == pytest.approx(expected)


def test_psnr_agrees_with_skimage() -> None:
    skimage_metrics = pytest.importorskip("skimage.metrics")
    frames = pictures(1, 40, 30)
    other = noisy(frames, 12)
    metric = PSNR()
    metric.update(other, frames)
    expected = skimage_metrics.peak_signal_noise_ratio(frames[0], other[0], data_range=255)
    assert metric.compute().value == pytest.approx(expected, abs=1e-9)


def test_psnr_of_identical_frames_is_the_cap_and_says_so() -> None:
    frames = pictures(1, 20, 20)
    metric = PSNR()
    metric.update(frames, frames)
    assert metric.compute().value == pytest.approx(100)
    assert "cap:100" in metric.compute().signature


def test_absolute_errors_of_a_known_difference() -> None:
    reference = np.full((2, 20, 20, 3), 100, np.uint8)
    generated = reference.copy()
    generated[0] += 51
    l1, mae = AbsoluteError(), AbsoluteError(relative=True)
    for metric in (l1, mae):
        metric.update(generated, reference)
    np.testing.assert_allclose(l1.latest, [0.2, 0])
    np.testing.assert_allclose(mae.latest, [51 / 251, 0])
    assert (l1.compute().name, mae.compute().name) == ("l1", "mae")


def test_absolute_errors_agree_with_the_formulas_of_cfld() -> None:
    frames = pictures(3, 40, 30)
    other = noisy(frames, 12)
    l1, mae = AbsoluteError(), AbsoluteError(relative=True)
    for metric in (l1, mae):
        metric.update(other, frames)
    for index, (a, b) in enumerate(zip(other / 255, frames / 255, strict=True)):
        assert l1.latest[index] == pytest.approx(np.abs(a - b).mean(), abs=1e-9)
        assert mae.latest[index] == pytest.approx(np.abs(a - b).sum() / (a + b).sum(), abs=1e-9)


def test_black_frames_have_no_relative_error() -> None:
    black = np.zeros((1, 12, 12, 3), np.uint8)
    metric = AbsoluteError(relative=True)
    metric.update(black, black)
    assert metric.compute().value == 0
