"""Metrics of the pixels of single frames: PSNR, L1 and MAE."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.metrics.base import MeanMetric, per_frame

__all__ = ["CAP", "L1", "MAE", "PSNR", "l1", "mae", "psnr"]

Frames = NDArray[np.uint8]
CAP = 100.0
"""PSNR of identical frames in dB, whose ratio is infinite, and of all that is above it."""


def psnr(generated: Frames, reference: Frames) -> NDArray[np.float64]:
    """Return the peak signal-to-noise ratio of each frame in dB: 10 log10(255^2 / mean square).

    The mean is over all pixels and channels, so that it is the same number for pixels in [0, 1] and
    a range of 1.

    Args:
        generated: (T, H, W, 3).
        reference: (T, H, W, 3).

    Returns:
        (T,) values, at most `CAP`.
    """
    error = _distances(generated, reference, cv2.NORM_L2SQR) / generated[0].size
    floor = 255.0**2 / 10 ** (CAP / 10)
    return np.asarray(10 * np.log10(255.0**2 / np.maximum(error, floor)), np.float64)


def l1(generated: Frames, reference: Frames) -> NDArray[np.float64]:
    """Return the mean |a - b| of pixels in [0, 1] of each frame: (T,), as CFLD print it."""
    return np.asarray(_distances(generated, reference, cv2.NORM_L1) / (255 * generated[0].size))


def mae(generated: Frames, reference: Frames) -> NDArray[np.float64]:
    """Return sum |a - b| / sum (a + b) of each frame, CFLD's and FPDM's; 0 of two black ones."""
    sums = [frames.sum(axis=(1, 2, 3), dtype=np.int64) for frames in (generated, reference)]
    difference = _distances(generated, reference, cv2.NORM_L1)
    return np.asarray(difference / np.maximum(sums[0] + sums[1], 1))


def _distances(generated: Frames, reference: Frames, norm: int) -> NDArray[np.float64]:
    """Return OpenCV's norm of the difference of each pair of frames, (T,): sums of integers."""
    pairs = zip(generated, reference, strict=True)
    return np.array([cv2.norm(one, other, norm) for one, other in pairs], np.float64)


PSNR = MeanMetric(
    name="psnr",
    signature=f"range:255|channels:rgb|cap:{CAP:g}|size:{{size}}|mean:frames|version:1",
    begin=per_frame(psnr),
    higher_is_better=True,
)
L1 = MeanMetric(
    name="l1",
    signature="range:1|channels:rgb|size:{size}|mean:frames|version:1",
    begin=per_frame(l1),
)
MAE = MeanMetric(
    name="mae",
    signature="unit:share-of-sum|channels:rgb|size:{size}|mean:frames|version:1",
    begin=per_frame(mae),
)
