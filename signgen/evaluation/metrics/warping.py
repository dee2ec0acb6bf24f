"""Warping error: what is left when one generated frame is moved to the next as the truth moves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.evaluation.metrics.base import Chunk, MeanMetric, Values, frame_by_frame
from signgen.evaluation.metrics.score import pooled

__all__ = ["WARPING_ERROR", "motion_back", "warp"]

SMALLEST = 12
"""Smallest side of a frame in pixels that OpenCV's DIS takes."""

Frame = NDArray[np.uint8]
Field = NDArray[np.float32]


def _errors(generated: Chunk, reference: Chunk) -> Values:
    """Return the error of each step, of the generated and of the true frames."""
    height, width = reference.size
    if min(height, width) < SMALLEST:
        raise UserError(
            f"{WARPING_ERROR.name} cannot measure frames of {width} x {height}; expected at least "
            f"{SMALLEST} x {SMALLEST} pixels."
        )
    flows = reference.feature(_flows)
    return {
        "value": _differences(generated, flows),
        "reference": reference.feature(_own_differences),
        "visible": np.array([float(visible.mean()) for _, visible in flows]),
    }


def _flows(reference: Chunk) -> list[tuple[Field, NDArray[np.bool_]]]:
    return [motion_back(before, after) for before, after in pairwise(reference.preceded(1))]


def _own_differences(reference: Chunk) -> NDArray[np.float64]:
    return _differences(reference, reference.feature(_flows))


def _differences(
    chunk: Chunk, flows: Sequence[tuple[Field, NDArray[np.bool_]]]
) -> NDArray[np.float64]:
    """Return the mean squared difference of each frame from the one before, moved; NaN of none."""
    errors = []
    steps = zip(pairwise(chunk.preceded(1)), flows, strict=True)
    for (before, after), (back, visible) in steps:
        difference = (warp(before, back)[visible] - after[visible]) / 255
        errors.append(np.mean(difference**2, dtype=np.float64) if visible.any() else np.nan)
    return np.array(errors, np.float64)


WARPING_ERROR = MeanMetric(
    name="warping_error",
    signature="flow:truth-dis-medium|visible:forward-backward|squared|range:1|size:{size}"
    "|mean:steps|version:1",
    begin=frame_by_frame(_errors),
    details=lambda results: {
        name: pooled(results.values(), name).value for name in ("reference", "visible")
    },
    context=1,
)
"""Mean squared difference of each frame from the one before it, moved by the truth's flow.

Lai et al. 2018 (Learning Blind Video Temporal Consistency), section 4, with the flow of the truth
by OpenCV's DIS (preset medium) on its luma. Only pixels count that are visible in both true frames:
the flow there and back ends where it began (Sundaram et al. 2010). Values run from 0 to 1, mean
over pixels and channels. The truth's own error is `reference` in the details: noise, shading and
errors of the flow. Two flows a frame take some thirty times as long as all other metrics of motion:
ask for it."""


def motion_back(before: Frame, after: Frame) -> tuple[Field, NDArray[np.bool_]]:
    """Find where each pixel of a frame was in the frame before it.

    Args:
        before: (H, W, 3).
        after: (H, W, 3), the next frame.

    Returns:
        (H, W, 2) float32 displacement (x, y) from `after` to `before`, and (H, W) whether the
        pixel is visible in both: the way back and forth differs from nothing by at most
        |d|^2 < 0.01 (|back|^2 + |forth|^2) + 0.5, and does not leave the frame.
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, after)]
    nothing = np.zeros((*before.shape[:2], 2), np.float32)
    forth = np.asarray(flow.calc(greys[0], greys[1], nothing.copy()), np.float32)
    back = np.asarray(flow.calc(greys[1], greys[0], nothing.copy()), np.float32)
    returned = warp(forth, back)
    distance = ((back + returned) ** 2).sum(axis=-1)
    allowed = 0.01 * ((back**2).sum(axis=-1) + (returned**2).sum(axis=-1)) + 0.5
    places = _places(back)
    limits = np.array([before.shape[1] - 1, before.shape[0] - 1], np.float32)
    inside = ((places >= 0) & (places <= limits)).all(axis=-1)
    return back, np.asarray((distance < allowed) & inside, np.bool_)


def warp(frame: NDArray[np.generic], back: Field) -> Field:
    """Take each pixel from where it was: bilinear, the border repeated.

    Args:
        frame: (H, W, C).
        back: (H, W, 2) displacement (x, y) from the result to `frame`.

    Returns:
        (H, W, C) float32.
    """
    columns, rows = cv2.split(_places(back))
    pixels, border = frame.astype(np.float32), cv2.BORDER_REPLICATE
    moved = cv2.remap(pixels, columns, rows, cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(moved, np.float32)


def _places(back: Field) -> Field:
    height, width = back.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([x + back[..., 0], y + back[..., 1]], axis=-1)
