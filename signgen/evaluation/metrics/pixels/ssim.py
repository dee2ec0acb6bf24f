"""Structural similarity in the variants that papers of this field report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.evaluation.metrics.base import MeanMetric, per_frame

__all__ = [
    "GAUSSIAN",
    "SSIM_256",
    "SSIM_256_PIDM",
    "WINDOW_7",
    "WINDOW_51",
    "SSIMOptions",
    "ssim",
    "ssim_metric",
]

Array = NDArray[np.floating]
_CENTRE = 256
"""Middle of the sums of two pixels."""
BAND = 2_000_000
"""Pixels of a frame that are measured at a time, 72 bytes each; larger frames in bands of rows."""


@dataclass(frozen=True)
class SSIMOptions:
    """What papers vary when they report SSIM.

    Args:
        window: Side of the square window in pixels, odd, and so the smallest picture.
        sigma: Standard deviation of a Gaussian window in pixels; None for a uniform window.
        sample_covariance: Divide by N - 1 instead of N in variances of N pixels.
        data_range: Range of the values; None for the range of each generated frame (at least 1, so
            that a frame of a single value has a score).
    """

    name: str
    window: int
    sigma: float | None = None
    sample_covariance: bool = False
    data_range: float | None = 255.0


GAUSSIAN = SSIMOptions("ssim", 11, 1.5)
"""Wang et al. 2004; `gaussian_weights=True, sigma=1.5, use_sample_covariance=False` of skimage."""
WINDOW_7 = SSIMOptions("ssim_win7", 7, sample_covariance=True)
"""The defaults of skimage."""
WINDOW_51 = SSIMOptions("ssim_w51", 51, sample_covariance=True)
"""`win_size=51` of skimage: PATN and its successors, CFLD and FPDM, on DeepFashion."""
SSIM_256 = SSIMOptions("ssim_256", 11, 1.5, data_range=None)
"""CFLD's and FPDM's second SSIM, whose range is that of the generated picture."""
SSIM_256_PIDM = SSIMOptions("ssim_256_pidm", 9, 1.2, data_range=None)
"""The same with sigma 1.2, where skimage's window has 9 pixels: PIDM and PCDMs."""


def ssim_metric(options: SSIMOptions = GAUSSIAN) -> MeanMetric:
    """Return the metric of a variant: the mean over frames. Version 2: filters in float32."""
    shape = "uniform" if options.sigma is None else "gauss"
    sigma = "" if options.sigma is None else f"-{options.sigma:g}"
    covariance = "sample" if options.sample_covariance else "population"
    value_range = "generated" if options.data_range is None else f"{options.data_range:g}"
    return MeanMetric(
        name=options.name,
        signature=f"win:{shape}{options.window}{sigma}|covariance:{covariance}|border:none"
        f"|range:{value_range}|channels:rgb|size:{{size}}|mean:frames|version:2",
        begin=per_frame(partial(ssim, options=options)),
        higher_is_better=True,
    )


def ssim(
    generated: NDArray[np.uint8], reference: NDArray[np.uint8], options: SSIMOptions = GAUSSIAN
) -> NDArray[np.float64]:
    """Return the SSIM of each frame, within 1e-5 of skimage's: Wang et al. 2004, Eq. 13.

    RGB channels are measured apart and averaged; windows lie wholly in the frame, as skimage's do.
    Not computed by torchmetrics, whose SSIM also counts windows over mirrored borders: up to 0.008
    apart at 130 x 105, more on hand patches.

    Args:
        generated: (T, H, W, 3) uint8.
        reference: (T, H, W, 3) uint8.
        options: The variant.

    Returns:
        (T,) values in [-1, 1].
    """
    height, width = generated.shape[1:3]
    if min(height, width) < options.window:
        raise UserError(
            f"SSIM cannot measure frames of {width} x {height}; {options.name} expects at least "
            f"{options.window} x {options.window} pixels."
        )
    # One space for all frames: new arrays of this size cost more than the arithmetic.
    kind = np.float64 if options.data_range is None else np.float32
    rows = min(height, max(2 * options.window, BAND // width))
    space = np.empty((6, rows, width, 3), kind)
    pairs = zip(generated, reference, strict=True)
    return np.array([_frame_ssim(one, other, options, space) for one, other in pairs], np.float64)


def _frame_ssim(
    generated: NDArray[np.uint8], reference: NDArray[np.uint8], options: SSIMOptions, space: Array
) -> float:
    """Return the SSIM of one pair of (H, W, 3) frames; overwrites `space`, (6, rows, W, 3).

    With difference d and sum s of the pictures, both factors of Eq. 13 have the form
    1 - x_d / ((x_s + x_d) / 2 + C), where x is the squared mean for luminance, and the variance for
    contrast and structure. So equal pictures have exactly 1, and float32 is enough for all ranges
    but those of a few values, which make C tiny: a variable range is computed in float64.
    """
    value_range = options.data_range
    if value_range is None:
        value_range = max(float(generated.max()) - float(generated.min()), 1.0)
    # Bands of rows, each with the rows around it that its windows reach
    (height, width), edge = generated.shape[:2], options.window // 2
    step, summed = space.shape[1] - 2 * edge, 0.0
    for start in range(0, height - 2 * edge, step):
        rows = slice(start, min(start + step + 2 * edge, height))
        band = generated[rows], reference[rows]
        summed += _band_sum(*band, options, space[:, : len(band[0])], value_range)
    return float(summed / ((height - 2 * edge) * (width - 2 * edge) * 3))


def _band_sum(
    generated: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    options: SSIMOptions,
    space: Array,
    value_range: float,
) -> float:
    """Return the sum of the similarities of all windows of a band, (rows, W, 3)."""
    difference, mean_difference, variance_difference, total, mean_total, variance_total = space
    np.subtract(generated, reference, out=difference, dtype=space.dtype)
    np.add(generated, reference, out=total, dtype=space.dtype)
    total -= _CENTRE  # so that squares are small beside their variance
    _moments(difference, mean_difference, variance_difference, options)
    _moments(total, mean_total, variance_total, options)
    mean_total += _CENTRE
    mean_difference *= mean_difference
    mean_total *= mean_total
    _similarity(mean_difference, mean_total, (0.01 * value_range) ** 2)
    _similarity(variance_difference, variance_total, (0.03 * value_range) ** 2)
    mean_difference *= variance_difference
    edge = options.window // 2
    return float(mean_difference[edge:-edge, edge:-edge].sum(dtype=np.float64))


def _moments(image: Array, mean: Array, variance: Array, options: SSIMOptions) -> None:
    """Write mean and variance of the window around every pixel; overwrites `image`.

    Windows that hang over the border are written too, to be cut off last of all.
    """
    _filter(image, mean, options)
    image *= image
    _filter(image, variance, options)
    variance -= np.multiply(mean, mean, out=image)
    if options.sample_covariance:
        variance *= options.window**2 / (options.window**2 - 1)


def _filter(image: Array, result: Array, options: SSIMOptions) -> None:
    """Write the weighted mean of the window around every pixel of `image` into `result`."""
    if options.sigma is None:
        cv2.boxFilter(image, -1, (options.window, options.window), dst=result)
    else:
        kernel = cv2.getGaussianKernel(options.window, options.sigma)
        cv2.sepFilter2D(image, -1, kernel, kernel, dst=result)


def _similarity(difference: Array, total: Array, constant: float) -> None:
    """Write 1 - difference / ((total + difference) / 2 + constant) into `difference`."""
    total += difference
    total *= 0.5
    total += constant
    difference /= total
    np.subtract(1, difference, out=difference)
