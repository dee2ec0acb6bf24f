"""Metrics of single frames: SSIM and PSNR."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.metrics.base import ClipMeans, FrameSizes, Score, check_frames
from signgen.structures import PoseSequence, UserError

SSIM_WINDOW = 11
"""Side of the Gaussian window (sigma 1.5) in pixels, and so the smallest picture."""
VERSION = "1"
"""Version of the definitions in this file; part of every signature."""


class SSIM:
    """Structural similarity with the Gaussian window: Wang et al. 2004, Eq. 13.

    RGB channels are measured apart and averaged, population statistics, data range 255, windows
    that lie wholly in the frame: skimage's `gaussian_weights=True, use_sample_covariance=False`.
    One value per frame; the score is their mean. Not computed by torchmetrics, whose SSIM also
    counts windows over mirrored borders: up to 0.008 apart at 130 x 105, more on hand patches.
    """

    name = "ssim"

    def __init__(self) -> None:
        self._means = ClipMeans()
        self._sizes = FrameSizes()
        self.latest: NDArray[np.float64] | None = None

    def update(
        self,
        generated: NDArray[np.uint8],
        reference: NDArray[np.uint8],
        poses: PoseSequence | None = None,
        *,
        clip: str = "",
    ) -> None:
        """Take frames of one clip; see `Metric.update`. Poses are not used.

        Raises:
            UserError: If frames are smaller than the window.
        """
        check_frames(generated, reference)
        self._sizes.add(generated)
        self.latest = ssim(generated, reference)
        self._means.add(clip, self.latest)

    def compute(self) -> Score:
        """Return the mean over frames."""
        signature = ("win:gauss11-1.5", "border:none", "range:255", "channels:rgb")
        return self._means.score(
            self.name,
            (*signature, f"size:{self._sizes}", "mean:frames", f"version:{VERSION}"),
            higher_is_better=True,
        )


def ssim(generated: NDArray[np.uint8], reference: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the SSIM of each frame, computed in float64.

    Args:
        generated: (T, H, W, 3) uint8.
        reference: (T, H, W, 3) uint8.

    Returns:
        (T,) values in [-1, 1].

    Raises:
        UserError: If frames are smaller than the 11 x 11 window.
    """
    height, width = generated.shape[1:3]
    if min(height, width) < SSIM_WINDOW:
        raise UserError(
            f"SSIM cannot measure frames of {width} x {height}; expected at least "
            f"{SSIM_WINDOW} x {SSIM_WINDOW} pixels."
        )
    pairs = zip(generated.astype(np.float64), reference.astype(np.float64), strict=True)
    return np.array([_ssim_map(one, other).mean() for one, other in pairs], np.float64)


def _ssim_map(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (H - 10, W - 10, 3) SSIM of every whole window: Wang et al. 2004, Eq. 13."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_one, mean_other = _window_mean(one), _window_mean(other)
    variance_one = _window_mean(one**2) - mean_one**2
    variance_other = _window_mean(other**2) - mean_other**2
    covariance = _window_mean(one * other) - mean_one * mean_other
    similar = (2 * mean_one * mean_other + c1) * (2 * covariance + c2)
    energy = (mean_one**2 + mean_other**2 + c1) * (variance_one + variance_other + c2)
    return np.asarray(similar / energy, np.float64)


def _window_mean(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Gaussian mean of every whole window of an (H, W, 3) image."""
    kernel = cv2.getGaussianKernel(SSIM_WINDOW, 1.5)
    edge = SSIM_WINDOW // 2
    filtered = cv2.sepFilter2D(image, -1, kernel, kernel)
    return np.asarray(filtered[edge:-edge, edge:-edge], np.float64)


class PSNR:
    """Peak signal-to-noise ratio in dB: 10 log10(255^2 / mean squared error).

    One value per frame over all pixels and channels; the score is their mean. Identical frames,
    whose ratio is infinite, count as `cap`; so do all values above it.

    Args:
        cap: Largest value in dB.
    """

    name = "psnr"

    def __init__(self, cap: float = 100.0) -> None:
        self.cap = cap
        self._means = ClipMeans()
        self._sizes = FrameSizes()
        self.latest: NDArray[np.float64] | None = None

    def update(
        self,
        generated: NDArray[np.uint8],
        reference: NDArray[np.uint8],
        poses: PoseSequence | None = None,
        *,
        clip: str = "",
    ) -> None:
        """Take frames of one clip; see `Metric.update`. Poses are not used."""
        check_frames(generated, reference)
        self._sizes.add(generated)
        difference = generated.astype(np.float64) - reference.astype(np.float64)
        error = (difference**2).mean(axis=(1, 2, 3))
        floor = 255.0**2 / 10 ** (self.cap / 10)
        self.latest = np.asarray(10 * np.log10(255.0**2 / np.maximum(error, floor)), np.float64)
        self._means.add(clip, self.latest)

    def compute(self) -> Score:
        """Return the mean over frames."""
        signature = ("range:255", "channels:rgb", f"cap:{self.cap:g}", f"size:{self._sizes}")
        return self._means.score(
            self.name,
            (*signature, "mean:frames", f"version:{VERSION}"),
            higher_is_better=True,
        )
