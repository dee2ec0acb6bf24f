"""Metrics of motion: flicker, brightness, smoothness and temporal consistency, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.metrics.base import Chunk, MeanMetric, Values, frame_by_frame
from signgen.evaluation.metrics.score import Mean, Means, pooled

__all__ = [
    "BRIGHTNESS_JITTER",
    "FLICKER",
    "OVER_SMOOTHED",
    "SECOND_DIFFERENCE",
    "flicker",
    "tcd_metric",
]

Frame = NDArray[np.uint8]
OVER_SMOOTHED = 0.7
"""Ratio of second differences below which a video moves too evenly to be sharp."""
STILL = 1e-6
"""Mean change of the truth, in grey levels, below which it does not move: no ratio is taken."""
LIMIT = 4
"""Change in grey levels below which a pixel stands still."""


# ----- ratios -------------------------------------------------------------------------------------


class Motion(NamedTuple):
    """Motion of a clip, or of all.

    Args:
        generated: Sum of the motion of the generated frames.
        reference: The same of the truth.
        values: Number of values in each sum.
        steps: Steps from frame to frame that they belong to.
    """

    generated: float
    reference: float
    values: float
    steps: int


def _summed(means: Means) -> Motion:
    """Return the motion of a clip whose steps have sums of `generated`, `reference`, `values`."""
    ours, truth, values = (means[name] for name in ("generated", "reference", "values"))
    return Motion(ours.total, truth.total, values.total, ours.count)


def _deviating(means: Means) -> Motion:
    """Return how the changes of a clip deviate from their mean; nothing of fewer than two."""
    ours, truth = means["generated"], means["reference"]
    count = ours.count if ours.count > 1 else 0
    return Motion(ours.deviation * count, truth.deviation * count, count, count)


def _ratio_metric(
    name: str,
    signature: str,
    measure: Callable[[Chunk, Chunk], Values],
    *,
    motion: Callable[[Means], Motion] = _summed,
    more: Callable[[Mapping[str, Mean]], dict[str, float | None]] = lambda clips: {},
    context: int = 1,
) -> MeanMetric:
    """Return the mean ratio of generated to true motion over clips, weighted by their steps.

    The ratio of a clip is undefined where the truth does not move (its mean is below `STILL`),
    whether the generated video moves or not: it has no place in the mean, and is counted in
    `clips_without_motion`. `generated` and `reference` in the details are the motion of all clips.
    """

    def clips(results: Mapping[str, Means]) -> dict[str, Mean]:
        moved = {clip: motion(means) for clip, means in results.items()}
        return {
            clip: Mean(one.generated / one.reference * one.steps, one.steps)
            for clip, one in moved.items()
            if one.reference > STILL * one.values
        }

    def details(results: Mapping[str, Means]) -> dict[str, float | None]:
        moved = [one for one in map(motion, results.values()) if one.steps]
        values, ratios = sum(one.values for one in moved), clips(results)
        return {
            "generated": sum(one.generated for one in moved) / values if values else None,
            "reference": sum(one.reference for one in moved) / values if values else None,
            "clips_without_motion": float(len(moved) - len(ratios)) if moved else None,
            **more(ratios),
        }

    return MeanMetric(
        name=name,
        signature=signature,
        begin=frame_by_frame(measure),
        clips=clips,
        details=details,
        context=context,
        ideal=1.0,
    )


# ----- flicker ------------------------------------------------------------------------------------


def flicker(generated: Chunk, reference: Chunk, limit: int = LIMIT) -> Values:
    """Return how much pixels change that stand still in the truth, step by step.

    A pixel stands still from one true frame to the next if the mean of |change| over its channels
    is below `limit` grey levels. Pixels are chosen by the truth alone, so that what the truth
    covers and uncovers is left out.

    Returns:
        Sums of |change| of `generated` and `reference`, and the number of `values` in them.
    """
    still = reference.feature(_still, limit)
    steps = zip(pairwise(generated.preceded(1)), still, strict=True)
    ours = [cv2.norm(before, after, cv2.NORM_L1, mask) for (before, after), (mask, _, _) in steps]
    return {
        "generated": np.array(ours, np.float64),
        "reference": np.array([change for _, change, _ in still], np.float64),
        "values": np.array([count for _, _, count in still], np.float64),
    }


def _still(reference: Chunk, limit: int) -> list[tuple[NDArray[np.uint8], float, int]]:
    """Return which pixels stand still in each step, their own |change|, and how many values."""
    steps = []
    change = np.empty(reference.frames.shape[1:], np.uint8)
    for before, after in pairwise(reference.preceded(1)):
        red, green, blue = cv2.split(cv2.absdiff(after, before, dst=change))
        total = cv2.add(cv2.add(red, green), blue)  # stops at 255, far above the limit
        _, mask = cv2.threshold(total, 3 * limit - 1, 255, cv2.THRESH_BINARY_INV)
        moved = cv2.norm(before, after, cv2.NORM_L1, mask)
        steps.append((np.asarray(mask, np.uint8), moved, cv2.countNonZero(mask) * 3))
    return steps


FLICKER = _ratio_metric(
    "flicker",
    f"static:truth-mean-change<{LIMIT}|ratio:sums-per-clip|range:255|size:{{size}}|mean:steps"
    "|version:1",
    flicker,
)
"""1 is as steady as the truth, whose noise and coding it includes."""


# ----- brightness ---------------------------------------------------------------------------------


def _luma_changes(chunk: Chunk) -> NDArray[np.float64]:
    """Return the change of the mean BT.601 luma of whole frames in each step, in 0 to 255."""
    sums = np.array([cv2.sumElems(frame)[:3] for frame in chunk.preceded(1)])  # (T + 1, 3)
    weights = 1000 * chunk.frames[0, ..., 0].size
    return np.diff((299 * sums[:, 0] + 587 * sums[:, 1] + 114 * sums[:, 2]) / weights)


BRIGHTNESS_JITTER = _ratio_metric(
    "brightness_jitter",
    "luma:bt601|spread:population-std-of-change|ratio:per-clip|range:255|size:{size}|mean:steps"
    "|version:1",
    lambda generated, reference: {
        "generated": generated.feature(_luma_changes),
        "reference": reference.feature(_luma_changes),
    },
    motion=_deviating,
)
"""How unevenly the brightness of whole frames changes: the standard deviation (population) of the
change of mean luma from frame to frame. A slow fade has none."""


# ----- second differences -------------------------------------------------------------------------


def _bends(chunk: Chunk) -> NDArray[np.float64]:
    """Return sums of |x[t+1] - 2 x[t] + x[t-1]| for every frame that has both neighbours."""
    frames = chunk.preceded(2)
    buffers = [np.empty(frame.shape, np.int16) for frame in frames[:2]]
    sums = []
    for t, (before, after) in enumerate(pairwise(frames)):
        cv2.subtract(after, before, dst=buffers[t % 2], dtype=cv2.CV_16S)
        if t > 0:
            sums.append(cv2.norm(buffers[0], buffers[1], cv2.NORM_L1))
    return np.array(sums, np.float64)


def _smoothness(clips: Mapping[str, Mean]) -> dict[str, float | None]:
    value = pooled([clips], *clips).value
    low = [mean.total / mean.count < OVER_SMOOTHED for mean in clips.values()]
    return {
        "over_smoothed": None if value is None else float(value < OVER_SMOOTHED),
        "over_smoothed_clips": float(np.mean(low)) if low else None,
    }


SECOND_DIFFERENCE = _ratio_metric(
    "second_difference",
    "ratio:sums-per-clip|range:255|size:{size}|mean:frames|version:1",
    lambda generated, reference: {
        "generated": (ours := generated.feature(_bends)),
        "reference": reference.feature(_bends),
        "values": np.full(len(ours), generated.frames[0].size, np.float64),
    },
    more=_smoothness,
    context=2,
)
"""How jerky every pixel is. Above 1 is flicker. Below `OVER_SMOOTHED` the video is a blend of
frames: `over_smoothed` in the details is 1, `over_smoothed_clips` the share of such clips."""


# ----- temporal consistency -----------------------------------------------------------------------


def tcd_metric(
    levels: Literal["unit", "bytes"] = "unit", channels: Literal["mean", "sum"] = "sum"
) -> MeanMetric:
    """Return PGMM's temporal consistency difference: the pixels off the mean of true neighbours.

    A pixel of generated frame t is off if its difference from (truth[t-1] + truth[t+1]) / 2 is
    above 0.5. The paper does not say on which scale nor how channels become one number: both are
    options and in the signature. The truth itself is off by `reference` in the details; below that
    is over-smoothed. Mean over frames that have both neighbours.

    Args:
        levels: Values run from 0 to 1 (`unit`) or to 255 (`bytes`).
        channels: `mean` or `sum` of the absolute differences of R, G and B.
    """
    # Twice the difference is a whole number of bytes: compared without rounding.
    limit = (255 if levels == "unit" else 1) * (3 if channels == "mean" else 1)
    return MeanMetric(
        name="tcd",
        signature=f"levels:{levels}|channels:{channels}|threshold:0.5|size:{{size}}|mean:frames"
        "|version:1",
        begin=frame_by_frame(
            lambda generated, reference: {
                "value": _off(generated.preceded(2), reference.preceded(2), limit),
                "reference": reference.feature(_truth_off, limit),
            }
        ),
        details=lambda results: {"reference": pooled(results.values(), "reference").value},
        context=2,
    )


def _truth_off(reference: Chunk, limit: int) -> NDArray[np.float64]:
    truth = reference.preceded(2)
    return _off(truth, truth, limit)


def _off(frames: Sequence[Frame], truth: Sequence[Frame], limit: int) -> NDArray[np.float64]:
    """Return the share of the pixels of each frame that are off; of frames with neighbours."""
    shares = []
    neighbours = np.empty(frames[0].shape, np.int16)
    for t in range(1, len(frames) - 1):
        cv2.add(truth[t - 1], truth[t + 1], dst=neighbours, dtype=cv2.CV_16S)
        doubled = cv2.add(frames[t], frames[t], dtype=cv2.CV_16S)
        red, green, blue = cv2.split(cv2.absdiff(doubled, neighbours, dst=doubled))
        total = cv2.add(cv2.add(red, green, dst=red), blue, dst=red)
        _, off = cv2.threshold(total, limit, 1, cv2.THRESH_BINARY)
        shares.append(cv2.countNonZero(off) / off.size)
    return np.array(shares, np.float64)
