"""Metrics of motion: flicker, brightness, smoothness and temporal consistency, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.metrics.base import ClipMeans, FrameSizes, Metric, Score, check_frames
from signgen.evaluation.metrics.clip_motion import Frame, LastFrames, MotionRatios, Spread, Stack
from signgen.evaluation.metrics.warping import WarpingError
from signgen.structures import PoseSequence

__all__ = [
    "OVER_SMOOTHED",
    "TCD",
    "BrightnessJitter",
    "Flicker",
    "SecondDifference",
    "motion_metrics",
]

OVER_SMOOTHED = 0.7
"""Ratio of second differences below which a video moves too evenly to be sharp."""
VERSION = "1"
"""Version of the definitions in this file; part of every signature."""


class Flicker:
    """How much pixels change that stand still in the truth, over their change in the truth.

    A pixel stands still from one true frame to the next if the mean of |change| over its channels
    is below `limit` grey levels. Both videos' changes at these pixels are summed over the steps of
    a clip, and the ratio taken of the sums: 1 is as steady as the truth, whose noise and coding it
    includes. Pixels are chosen by the truth alone, so that what the truth covers and uncovers is
    left out. Mean over clips, weighted by steps; a clip without a change in the truth has no ratio.

    Args:
        limit: Grey levels of 255.
    """

    name = "flicker"
    latest: NDArray[np.float64] | None = None

    def __init__(self, limit: int = 4) -> None:
        self.limit = limit
        self._last = LastFrames(1)
        self._ratios = MotionRatios()
        self._sizes = FrameSizes()

    def update(
        self,
        generated: Stack,
        reference: Stack,
        poses: PoseSequence | None = None,
        *,
        clip: str = "",
    ) -> None:
        """Take frames of one clip; see `Metric.update`. Poses are not used."""
        check_frames(generated, reference)
        self._sizes.add(generated)
        ours, truth = self._last.extend(clip, generated, reference)
        change = np.empty(reference.shape[1:], np.uint8)
        for (before, after), (true_before, true_after) in zip(
            pairwise(ours), pairwise(truth), strict=True
        ):
            red, green, blue = cv2.split(cv2.absdiff(true_after, true_before, dst=change))
            total = cv2.add(cv2.add(red, green), blue)  # stops at 255, far above the limit
            _, still = cv2.threshold(total, 3 * self.limit - 1, 255, cv2.THRESH_BINARY_INV)
            self._ratios.add(
                clip,
                cv2.norm(before, after, cv2.NORM_L1, still),
                cv2.norm(true_before, true_after, cv2.NORM_L1, still),
                cv2.countNonZero(still) * 3,
            )

    def compute(self) -> Score:
        """Return the mean ratio; details: `generated`, `reference`: mean change in grey levels."""
        signature = (
            f"static:truth-mean-change<{self.limit}",
            "ratio:sums-per-clip",
            "range:255",
            f"size:{self._sizes}",
            "mean:steps",
            f"version:{VERSION}",
        )
        return self._ratios.score(self.name, signature)


class BrightnessJitter:
    """How unevenly the brightness of whole frames changes, over the same in the truth.

    The standard deviation (population) of the change of mean luma (BT.601: .299 R + .587 G +
    .114 B) from frame to frame, of each clip; then the ratio. A slow fade has none. Mean over
    clips, weighted by steps; a clip whose true brightness changes evenly has no ratio.
    """

    name = "brightness_jitter"
    latest: NDArray[np.float64] | None = None

    def __init__(self) -> None:
        self._last = LastFrames(1)
        self._spreads: dict[str, tuple[Spread, Spread]] = {}
        self._sizes = FrameSizes()

    def update(
        self,
        generated: Stack,
        reference: Stack,
        poses: PoseSequence | None = None,
        *,
        clip: str = "",
    ) -> None:
        """Take frames of one clip; see `Metric.update`. Poses are not used."""
        check_frames(generated, reference)
        self._sizes.add(generated)
        spreads = self._spreads.setdefault(clip, (Spread(), Spread()))
        for spread, frames in zip(
            spreads, self._last.extend(clip, generated, reference), strict=True
        ):
            for before, after in pairwise(map(_mean_luma, frames)):
                spread.add(after - before)

    def compute(self) -> Score:
        """Return the mean ratio; details: `generated`, `reference`: deviations in grey levels."""
        ratios = MotionRatios()
        for clip, (ours, truth) in self._spreads.items():
            if ours.count > 1:
                steps = ours.count
                ratios.add(clip, ours.deviation * steps, truth.deviation * steps, steps, steps)
        signature = (
            "luma:bt601",
            "spread:population-std-of-change",
            "ratio:per-clip",
            "range:255",
            f"size:{self._sizes}",
            "mean:steps",
            f"version:{VERSION}",
        )
        return ratios.score(self.name, signature)


class SecondDifference:
    """How jerky every pixel is, over the same in the truth: |x[t+1] - 2 x[t] + x[t-1]|.

    Summed over pixels, channels and frames of a clip, then the ratio. Above 1 is flicker. Below
    `OVER_SMOOTHED` the video is a blend of frames: `over_smoothed` in the details is 1, and
    `over_smoothed_clips` the share of such clips. Mean over clips, weighted by frames.
    """

    name = "second_difference"
    latest: NDArray[np.float64] | None = None

    def __init__(self) -> None:
        self._last = LastFrames(2)
        self._ratios = MotionRatios()
        self._sizes = FrameSizes()

    def update(
        self,
        generated: Stack,
        reference: Stack,
        poses: PoseSequence | None = None,
        *,
        clip: str = "",
    ) -> None:
        """Take frames of one clip; see `Metric.update`. Poses are not used."""
        check_frames(generated, reference)
        self._sizes.add(generated)
        sums = [_bends(frames) for frames in self._last.extend(clip, generated, reference)]
        for ours, truth in zip(*sums, strict=True):
            self._ratios.add(clip, ours, truth, generated[0].size)

    def compute(self) -> Score:
        """Return the mean ratio; details: both means in grey levels, and the flags."""
        signature = (
            "ratio:sums-per-clip",
            "range:255",
            f"size:{self._sizes}",
            "mean:frames",
            f"version:{VERSION}",
        )
        score = self._ratios.score(self.name, signature)
        low = [ratio < OVER_SMOOTHED for ratio in score.per_clip.values()]
        flags = {
            "over_smoothed": None if score.value is None else float(score.value < OVER_SMOOTHED),
            "over_smoothed_clips": float(np.mean(low)) if low else None,
        }
        return self._ratios.score(self.name, signature, flags)


class TCD:
    """Temporal consistency difference of PGMM: the share of pixels off the mean of true neighbours.

    A pixel of generated frame t is off if its difference from (truth[t-1] + truth[t+1]) / 2 is
    above 0.5. The paper does not say on which scale nor how channels become one number: both are
    options and in the signature. The truth itself is off by `reference` in the details; below that
    is over-smoothed. Mean over frames that have both neighbours.

    Args:
        levels: Values run from 0 to 1 (`unit`) or to 255 (`bytes`).
        channels: `mean` or `sum` of the absolute differences of R, G and B.
    """

    name = "tcd"
    latest: NDArray[np.float64] | None = None

    def __init__(
        self,
        levels: Literal["unit", "bytes"] = "unit",
        channels: Literal["mean", "sum"] = "sum",
    ) -> None:
        self.levels, self.channels = levels, channels
        # Twice the difference is a whole number of bytes: compared without rounding.
        self._limit = (255 if levels == "unit" else 1) * (3 if channels == "mean" else 1)
        self._last = LastFrames(2)
        self._means, self._true_means = ClipMeans(), ClipMeans()
        self._sizes = FrameSizes()

    def update(
        self,
        generated: Stack,
        reference: Stack,
        poses: PoseSequence | None = None,
        *,
        clip: str = "",
    ) -> None:
        """Take frames of one clip; see `Metric.update`. Poses are not used."""
        check_frames(generated, reference)
        self._sizes.add(generated)
        ours, truth = self._last.extend(clip, generated, reference)
        neighbours = np.empty(reference.shape[1:], np.int16)
        for t in range(1, len(truth) - 1):
            cv2.add(truth[t - 1], truth[t + 1], dst=neighbours, dtype=cv2.CV_16S)
            self._means.add(clip, [self._share_off(ours[t], neighbours)])
            self._true_means.add(clip, [self._share_off(truth[t], neighbours)])

    def compute(self) -> Score:
        """Return the mean share; details: `reference`, the share of the truth itself."""
        return self._means.score(
            self.name,
            (
                f"levels:{self.levels}",
                f"channels:{self.channels}",
                "threshold:0.5",
                f"size:{self._sizes}",
                "mean:frames",
                f"version:{VERSION}",
            ),
            higher_is_better=False,
            details={"reference": self._true_means.mean()},
        )

    def _share_off(self, frame: Frame, neighbours: NDArray[np.int16]) -> float:
        doubled = cv2.add(frame, frame, dtype=cv2.CV_16S)
        red, green, blue = cv2.split(cv2.absdiff(doubled, neighbours, dst=doubled))
        total = cv2.add(cv2.add(red, green, dst=red), blue, dst=red)
        _, off = cv2.threshold(total, self._limit, 1, cv2.THRESH_BINARY)
        return cv2.countNonZero(off) / off.size


def motion_metrics(*, warping: bool = False) -> list[Metric]:
    """Return fresh metrics of motion.

    Args:
        warping: Add the warping error, which takes much longer than all others together.
    """
    metrics: list[Metric] = [Flicker(), BrightnessJitter(), SecondDifference(), TCD()]
    return [*metrics, WarpingError()] if warping else metrics


def _mean_luma(frame: Frame) -> float:
    """Return the mean BT.601 luma of an (H, W, 3) frame, in 0 to 255."""
    red, green, blue, _ = cv2.sumElems(frame)
    return (299 * red + 587 * green + 114 * blue) / (1000 * frame[..., 0].size)


def _bends(frames: Sequence[Frame]) -> list[float]:
    """Return the sum of |x[t+1] - 2 x[t] + x[t-1]| for every frame t that has both neighbours."""
    buffers = [np.empty(frame.shape, np.int16) for frame in frames[:2]]
    sums = []
    for t, (before, after) in enumerate(pairwise(frames)):
        cv2.subtract(after, before, dst=buffers[t % 2], dtype=cv2.CV_16S)
        if t > 0:
            sums.append(float(cv2.norm(buffers[0], buffers[1], cv2.NORM_L1)))
    return sums
