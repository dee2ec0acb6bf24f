"""PSNR, L1 and MAE against known errors and independent implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from signgen.evaluation.metrics.pixels.image import PSNR, l1, mae, psnr
from tests.material.scoring import score_of

RNG = np.random.default_rng(5)
FRAMES = RNG.integers(0, 256, (3, 40, 30, 3), np.uint8)
NOISY = np.clip(FRAMES + RNG.normal(0, 12, FRAMES.shape), 0, 255).astype(np.uint8)
GREY = np.full((2, 20, 20, 3), 100, np.uint8)


@pytest.mark.parametrize("error", [1, 5, 50])
def test_psnr_of_a_known_error_is_analytic(error: int) -> None:
    assert psnr(GREY + np.uint8(error), GREY) == pytest.approx([20 * math.log10(255 / error)] * 2)


def test_psnr_is_the_mean_of_frames_and_not_of_errors() -> None:
    generated = GREY + np.array([1, 10], np.uint8)[:, None, None, None]
    expected = (20 * math.log10(255) + 20 * math.log10(25.5)) / 2
    assert score_of(PSNR, generated, GREY).value == pytest.approx(expected)


def test_psnr_agrees_with_skimage_and_torchmetrics() -> None:
    skimage_metrics = pytest.importorskip("skimage.metrics")
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.image")
    pair = [torch.from_numpy(frames).double() for frames in (NOISY, FRAMES)]
    theirs = functional.peak_signal_noise_ratio(
        *pair, data_range=255.0, dim=(1, 2, 3), reduction="none"
    )
    for index, value in enumerate(psnr(NOISY, FRAMES)):
        expected = skimage_metrics.peak_signal_noise_ratio(
            FRAMES[index], NOISY[index], data_range=255
        )
        assert value == pytest.approx(expected, abs=1e-9)
        assert value == pytest.approx(float(theirs[index]), abs=1e-5), "in float32"


def test_psnr_of_identical_frames_is_the_cap_and_says_so() -> None:
    score = score_of(PSNR, FRAMES, FRAMES)
    assert score.value == pytest.approx(100)
    assert "cap:100" in score.signature


def test_absolute_errors_are_those_of_the_formulas_of_cfld() -> None:
    for value, a, b in zip(l1(NOISY, FRAMES), NOISY / 255, FRAMES / 255, strict=True):
        assert value == pytest.approx(np.abs(a - b).mean(), abs=1e-9)
    for value, a, b in zip(mae(NOISY, FRAMES), NOISY / 255, FRAMES / 255, strict=True):
        assert value == pytest.approx(np.abs(a - b).sum() / (a + b).sum(), abs=1e-9)
    known = GREY + np.array([51, 0], np.uint8)[:, None, None, None]
    np.testing.assert_allclose(l1(known, GREY), [0.2, 0])
    np.testing.assert_allclose(mae(known, GREY), [51 / 251, 0])
    assert mae(GREY * 0, GREY * 0).tolist() == [0, 0], "of black frames"
