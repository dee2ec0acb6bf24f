"""Every variant of SSIM against a slow reference, scikit-image and published frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.evaluation.metrics.pixels.image import psnr
from signgen.evaluation.metrics.pixels.ssim import (
    GAUSSIAN,
    SSIM_256,
    SSIM_256_PIDM,
    WINDOW_7,
    WINDOW_51,
    SSIMOptions,
    ssim,
    ssim_metric,
)
from signgen.media import read_video

RNG = np.random.default_rng(5)
STRIPS = Path(__file__).parents[5] / "shared" / "real" / "fpdm_phoenix_strips"

# The arguments that the papers' programs give to skimage's structural_similarity.
GAUSS = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
VARIANTS = {
    GAUSSIAN: GAUSS,
    WINDOW_7: {},
    WINDOW_51: {"win_size": 51},
    SSIM_256: GAUSS,
    SSIM_256_PIDM: {**GAUSS, "sigma": 1.2},
}
variants = pytest.mark.parametrize("options", VARIANTS, ids=lambda options: options.name)


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


def of_skimage(generated: np.ndarray, reference: np.ndarray, options: SSIMOptions) -> np.ndarray:
    """What skimage gives for (T, H, W, 3) frames, called as the papers' programs call it."""
    metrics = pytest.importorskip("skimage.metrics")
    values = []
    for one, other in zip(generated.astype(float), reference.astype(float), strict=True):
        data_range = one.max() - one.min() if options.data_range is None else 255
        arguments = {"channel_axis": 2, "data_range": data_range, **VARIANTS[options]}
        values.append(metrics.structural_similarity(other, one, **arguments))
    return np.array(values)


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
    assert ssim(frames, other)[0] == pytest.approx(slow_ssim(frames[0], other[0]), abs=1e-6)


@variants
@pytest.mark.parametrize("scale", [2, 10, 40])
def test_ssim_agrees_with_skimage(options: SSIMOptions, scale: float) -> None:
    frames = blobs(3, 130, 105)
    other = noisy(frames, scale)
    expected = of_skimage(other, frames, options)
    np.testing.assert_allclose(ssim(other, frames, options), expected, rtol=0, atol=5e-6)


@variants
@pytest.mark.parametrize("lowest", [0, 249])
def test_ssim_of_a_nearly_flat_frame_is_precise(options: SSIMOptions, lowest: int) -> None:
    """Where a variance is the small difference of large numbers."""
    frames, other = RNG.integers(lowest, lowest + 3, (2, 1, 60, 60, 3), np.uint8)
    expected = of_skimage(other, frames, options)
    np.testing.assert_allclose(ssim(other, frames, options), expected, rtol=0, atol=1e-5)


def test_the_range_is_that_of_the_generated_frame() -> None:
    frames = blobs(1, 40, 40)
    pale = (frames // 4).astype(np.uint8)
    assert ssim(pale, frames, SSIM_256)[0] != pytest.approx(ssim(frames, pale, SSIM_256)[0])
    flat, noise = np.full_like(frames, 7), RNG.integers(0, 256, frames.shape, np.uint8)
    assert ssim(flat, noise, SSIM_256)[0] == pytest.approx(0, abs=1e-5)
    assert ssim(flat, flat, SSIM_256)[0] == pytest.approx(1)


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
    assert ssim(frames, other)[0] == pytest.approx(expected, abs=5e-6)


def test_frames_may_be_views_of_larger_ones() -> None:
    frames = blobs(2, 60, 60)
    other = noisy(frames, 10)
    part = np.s_[:, 3:50, 5:58]
    expected = ssim(frames[part].copy(), other[part].copy())
    np.testing.assert_array_equal(ssim(frames[part], other[part]), expected)
    copies = np.broadcast_to(frames[0], frames.shape)
    np.testing.assert_array_equal(ssim(copies, other)[0], ssim(frames[:1], other[:1])[0])


@variants
def test_large_frames_are_measured_in_bands(
    options: SSIMOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 256, (2, 1, 400, 60, 3), np.uint8)
    whole = ssim(one, other, options)
    monkeypatch.setattr("signgen.evaluation.metrics.pixels.ssim.BAND", 60 * 130)
    np.testing.assert_allclose(ssim(one, other, options), whole, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("options", "side"), [(GAUSSIAN, 10), (WINDOW_51, 50)])
def test_ssim_of_small_frames_is_a_user_error(options: SSIMOptions, side: int) -> None:
    small = np.zeros((1, side, 64, 3), np.uint8)
    with pytest.raises(UserError, match=f"64 x {side}; {options.name} expects"):
        ssim(small, small, options)


def test_signatures_tell_the_variants_apart() -> None:
    signatures = {options: ssim_metric(options).signature for options in VARIANTS}
    assert len(set(signatures.values())) == len(VARIANTS)
    assert signatures[WINDOW_51].startswith("win:uniform51|covariance:sample|")
    assert "win:gauss9-1.2|" in signatures[SSIM_256_PIDM]
    assert "range:generated" in signatures[SSIM_256]


@pytest.mark.skipif(not STRIPS.is_dir(), reason="FPDM's published strips are not here")
@pytest.mark.parametrize(
    ("clip", "expected", "decibels", "copied"),
    [
        ("10December", (0.8880, 0.8900, 0.9296), 25.36, 0.7506),
        ("21November", (0.8658, 0.8635, 0.9285), 25.07, 0.6599),
    ],
)
def test_fpdms_published_frames_have_the_known_scores(
    clip: str, expected: tuple[float, ...], decibels: float, copied: float
) -> None:
    """Four columns of 210 pixels: source, pose, truth, and what FPDM made; measured by skimage."""
    (strip,) = STRIPS.glob(f"{clip}*.gif")
    frames = np.stack(list(read_video(strip)))
    source, truth, generated = (frames[:, :, start : start + 210] for start in (0, 420, 630))
    for options, value in zip((GAUSSIAN, WINDOW_7, WINDOW_51), expected, strict=True):
        assert round(ssim(generated, truth, options).mean(), 4) == value
    assert round(psnr(generated, truth).mean(), 2) == decibels
    assert round(ssim(source, truth, WINDOW_7).mean(), 4) == copied
