"""SSIM and PSNR against slow references and known errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.metrics import PSNR, SSIM
from signgen.metrics.image import ssim

RNG = np.random.default_rng(5)


def blobs(count: int, height: int, width: int) -> np.ndarray:
    """Frames with smooth structure, edges and flat parts, as pictures of signers have."""
    y, x = np.mgrid[:height, :width]
    frames = []
    for _ in range(count):
        cx, cy = RNG.uniform(0, width), RNG.uniform(0, height)
        glow = 200 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (0.05 * height * width))
        frame = np.stack([glow, 40 + 0.5 * glow, np.where(x > cx, 220.0, 30.0)], -1)
        frames.append(frame)
    return np.clip(frames, 0, 255).astype(np.uint8)


def noisy(frames: np.ndarray, scale: float) -> np.ndarray:
    return np.clip(frames + RNG.normal(0, scale, frames.shape), 0, 255).astype(np.uint8)


def slow_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Wang et al. 2004, Eq. 13, one window at a time."""
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    window = (window / window.sum())[..., None]
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for top in range(a.shape[0] - 10):
        for left in range(a.shape[1] - 10):
            x = a[top : top + 11, left : left + 11].astype(float)
            y = b[top : top + 11, left : left + 11].astype(float)
            mx, my = (window * x).sum((0, 1)), (window * y).sum((0, 1))
            vx, vy = (window * (x - mx) ** 2).sum((0, 1)), (window * (y - my) ** 2).sum((0, 1))
            cov = (window * (x - mx) * (y - my)).sum((0, 1))
            value = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
            values.append(value.mean())
    return float(np.mean(values))


@pytest.mark.parametrize("scale", [2, 10, 40])
def test_ssim_equals_the_slow_reference(scale: float) -> None:
    frames = blobs(1, 30, 26)
    other = noisy(frames, scale)
    assert ssim(frames, other)[0] == pytest.approx(slow_ssim(frames[0], other[0]), abs=1e-9)


@pytest.mark.parametrize("scale", [2, 10, 40])
def test_ssim_agrees_with_skimage(scale: float) -> None:
    skimage_metrics = pytest.importorskip("skimage.metrics")
    frames = blobs(3, 130, 105)
    other = noisy(frames, scale)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = [
        skimage_metrics.structural_similarity(a, b, channel_axis=2, data_range=255, **options)
        for a, b in zip(frames, other, strict=True)
    ]
    np.testing.assert_allclose(ssim(frames, other), expected, atol=1e-9)


def test_ssim_of_a_bright_and_nearly_flat_frame_is_precise() -> None:
    """Where a variance is the small difference of large numbers."""
    skimage_metrics = pytest.importorskip("skimage.metrics")
    frames = RNG.integers(249, 252, (1, 60, 60, 3), np.uint8)
    other = RNG.integers(249, 252, (1, 60, 60, 3), np.uint8)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = skimage_metrics.structural_similarity(
        frames[0], other[0], channel_axis=2, data_range=255, **options
    )
    assert ssim(frames, other)[0] == pytest.approx(expected, abs=1e-9)


def test_ssim_agrees_with_torchmetrics_apart_from_the_border() -> None:
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.image")
    frames = blobs(1, 60, 50)
    other = noisy(frames, 10)
    pair = [torch.from_numpy(x).permute(0, 3, 1, 2).double() for x in (frames, other)]
    _, whole_map = functional.structural_similarity_index_measure(
        *pair, sigma=1.5, data_range=255.0, return_full_image=True
    )
    expected = float(whole_map[..., 5:-5, 5:-5].mean())
    assert ssim(frames, other)[0] == pytest.approx(expected, abs=1e-9)


def test_ssim_of_small_frames_is_a_user_error() -> None:
    small = np.zeros((1, 10, 40, 3), np.uint8)
    with pytest.raises(UserError, match="40 x 10"):
        SSIM().update(small, small)


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
    frames = blobs(1, 40, 30)
    other = noisy(frames, 12)
    metric = PSNR()
    metric.update(other, frames)
    expected = skimage_metrics.peak_signal_noise_ratio(frames[0], other[0], data_range=255)
    assert metric.compute().value == pytest.approx(expected, abs=1e-9)


def test_psnr_of_identical_frames_is_the_cap_and_says_so() -> None:
    frames = blobs(1, 20, 20)
    metric = PSNR()
    metric.update(frames, frames)
    assert metric.compute().value == pytest.approx(100)
    assert "cap:100" in metric.compute().signature
