"""Similarity inside a region of the true signer, by human parsing: SSIM and CIEDE2000."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.config.regions import Region
from signgen.errors import UserError
from signgen.evaluation.metrics.base import Chunk, MeanMetric, Size, Values, frame_by_frame
from signgen.evaluation.metrics.pixels.colour import ciede2000, lab
from signgen.evaluation.metrics.pixels.ssim import GAUSSIAN
from signgen.evaluation.metrics.score import Means, pooled

__all__ = ["PARSED_METRICS", "colour_distance_inside", "ssim_inside"]

Frames = NDArray[np.uint8]
Masks = NDArray[np.bool_]
REGIONS: tuple[Region, ...] = ("face", "cloth")
"""What a signer is known by."""


def ssim_inside(generated: Frames, reference: Frames, inside: Masks) -> NDArray[np.float64]:
    """Return the SSIM of each frame inside a region; no pixel outside of it changes it.

    The weights of the Gaussian window (`GAUSSIAN`) are shared by the pixels of the region in it;
    the mean is over pixels of the region whose window lies in the frame. So of a region that is the
    whole frame it is `ssim`.

    Args:
        generated: (T, H, W, 3).
        reference: (T, H, W, 3).
        inside: (T, H, W).

    Returns:
        (T,) values in [-1, 1]; NaN where no pixel counts.
    """
    edge = GAUSSIAN.window // 2
    values = np.full(len(inside), np.nan)  # (T,)
    for index, mask in enumerate(inside):
        # Cut out the region and what its windows see
        counted = np.zeros_like(mask)
        counted[edge:-edge, edge:-edge] = mask[edge:-edge, edge:-edge]
        if not counted.any():
            continue
        rows, columns = (
            slice(found.min() - edge, found.max() + edge + 1) for found in np.nonzero(counted)
        )
        window, counts = mask[rows, columns], counted[rows, columns]  # (h, w)
        ours, truth = (frames[index, rows, columns] for frames in (generated, reference))
        values[index] = _similarities(ours, truth, window)[counts].mean()
    return values


def _similarities(generated: Frames, reference: Frames, mask: Masks) -> NDArray[np.float64]:
    """Return (H, W, 3) Wang et al. 2004, Eq. 13, of windows of a mask (H, W); float64."""
    weights = mask[..., None].astype(np.float64)  # (H, W, 1)
    shares = np.maximum(_filtered(weights[..., 0])[..., None], 1e-12)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(_filtered(values * weights) / shares, np.float64)

    # Centred pixels have small squares beside their variance
    x, y = (frame.astype(np.float64) - 128 for frame in (generated, reference))
    mean_x, mean_y = mean(x), mean(y)
    variances = mean(x * x) - mean_x**2 + (mean(y * y) - mean_y**2)
    covariance = mean(x * y) - mean_x * mean_y
    mean_x, mean_y = mean_x + 128, mean_y + 128
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return np.asarray(luminance * (2 * covariance + c2) / (variances + c2), np.float64)


def _filtered(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weighted sum of the window around every pixel."""
    kernel = cv2.getGaussianKernel(GAUSSIAN.window, GAUSSIAN.sigma or 0)
    return np.asarray(
        cv2.sepFilter2D(image, -1, kernel, kernel, borderType=cv2.BORDER_CONSTANT), np.float64
    )


def colour_distance_inside(
    generated: Frames, reference: Frames, inside: Masks
) -> NDArray[np.float64]:
    """Return the mean CIEDE2000 of the pixels of a region of each frame.

    Args:
        generated: (T, H, W, 3).
        reference: (T, H, W, 3).
        inside: (T, H, W).

    Returns:
        (T,) values, at least 0; NaN where the region is empty.
    """
    values = np.full(len(inside), np.nan)  # (T,)
    for index, mask in enumerate(inside):
        if mask.any():
            ours, truth = lab(generated[index][mask]), lab(reference[index][mask])  # (N, 3)
            values[index] = ciede2000(ours, truth).mean()
    return values


# ----- metrics ------------------------------------------------------------------------------------


def _numbers(reference: Chunk) -> NDArray[np.int64]:
    """Return (T, H, W) numbers of `REGIONS` from 1 in true frames, 0 elsewhere."""
    if reference.parts is None:
        name = f"clip {reference.clip}" if reference.clip else "clip"
        raise UserError(
            f"{name}: no human parsing of the true frames; the metrics of regions need it. "
            "Score with --regions on data that has it, or give `parts`."
        )
    found = [parts.regions(REGIONS, reference.size) for parts in reference.parts]
    return np.stack(found) if found else np.zeros((0, *reference.size), np.int64)


def _measure(
    function: Callable[[Frames, Frames, Masks], NDArray[np.float64]],
    region: Region,
    generated: Chunk,
    reference: Chunk,
) -> Values:
    inside = reference.feature(_numbers) == REGIONS.index(region) + 1  # (T, H, W)
    values = function(generated.frames, reference.frames, inside)
    return {"value": values, "coverage": (~np.isnan(values)).astype(np.float64)}


def _coverage(results: Mapping[str, Means]) -> dict[str, float | None]:
    """Return the share of frames that have the region."""
    return {"coverage": pooled(results.values(), "coverage").value}


def _too_small(size: Size) -> str:
    if min(size) >= GAUSSIAN.window:
        return ""
    return f"needs frames of at least {GAUSSIAN.window} pixels, and some are {size[1]} x {size[0]}"


def _ssim(region: Region) -> MeanMetric:
    return MeanMetric(
        name=f"{region}_region_ssim",
        signature="inside:true-parsing|win:gauss11-1.5-in-region|covariance:population|border:none"
        "|range:255|channels:rgb|size:{size}|mean:frames|version:1",
        begin=frame_by_frame(partial(_measure, ssim_inside, region)),
        higher_is_better=True,
        details=_coverage,
        too_small=_too_small,
    )


def _ciede2000(region: Region) -> MeanMetric:
    return MeanMetric(
        name=f"{region}_region_ciede2000",
        signature="inside:true-parsing|from:srgb-d65|k:1-1-1|size:{size}|mean:frames|version:1",
        begin=frame_by_frame(partial(_measure, colour_distance_inside, region)),
        details=_coverage,
    )


PARSED_METRICS: Mapping[str, MeanMetric] = {
    metric.name: metric for make in (_ssim, _ciede2000) for metric in map(make, REGIONS)
}
"""SSIM and CIEDE2000 of face and clothing, a mean over the frames that have them."""
