"""Metrics of the pixels of single frames: SSIM, PSNR, L1 and MAE."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.metrics.base import ClipMeans, FrameSizes, Score, check_frames
from signgen.evaluation.metrics.pixels.ssim import SSIM, SSIM_WINDOW, ssim
from signgen.structures import PoseSequence

__all__ = ["PSNR", "SSIM", "SSIM_WINDOW", "AbsoluteError", "ssim"]

VERSION = "1"
"""Version of the definitions in this file; part of every signature."""


class PSNR:
    """Peak signal-to-noise ratio in dB: 10 log10(255^2 / mean squared error).

    One value per frame over all pixels and channels; the score is their mean. It is the same number
    for pixels in [0, 1] and a range of 1. Identical frames, whose ratio is infinite, count as
    `cap`; so do all values above it.

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
        error = _distances(generated, reference, cv2.NORM_L2SQR) / generated[0].size
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


class AbsoluteError:
    """Absolute difference of pixels, as CFLD and FPDM print it; the score is the mean over frames.

    Args:
        relative: Report their MAE, sum |a - b| / sum (a + b), where two wholly black frames differ
            by 0, instead of their L1, the mean |a - b| of pixels in [0, 1].
    """

    def __init__(self, relative: bool = False) -> None:
        self.relative = relative
        self.name = "mae" if relative else "l1"
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
        difference = _distances(generated, reference, cv2.NORM_L1)
        if self.relative:
            sums = [x.sum(axis=(1, 2, 3), dtype=np.int64) for x in (generated, reference)]
            self.latest = difference / np.maximum(sums[0] + sums[1], 1)
        else:
            self.latest = difference / (255 * generated[0].size)
        self._means.add(clip, self.latest)

    def compute(self) -> Score:
        """Return the mean over frames."""
        unit = "unit:share-of-sum" if self.relative else "range:1"
        return self._means.score(
            self.name,
            (unit, "channels:rgb", f"size:{self._sizes}", "mean:frames", f"version:{VERSION}"),
            higher_is_better=False,
        )


def _distances(
    generated: NDArray[np.uint8], reference: NDArray[np.uint8], norm: int
) -> NDArray[np.float64]:
    """Return OpenCV's norm of the difference of each pair of frames, (T,): sums of integers."""
    pairs = zip(generated, reference, strict=True)
    return np.array([cv2.norm(one, other, norm) for one, other in pairs], np.float64)
