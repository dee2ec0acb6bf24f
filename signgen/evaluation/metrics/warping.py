"""Warping error: what is left when one generated frame is moved to the next as the truth moves."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.metrics.base import ClipMeans, FrameSizes, Score, check_frames
from signgen.evaluation.metrics.clip_motion import Frame, LastFrames, Stack
from signgen.structures import PoseSequence, UserError

__all__ = ["WarpingError", "motion_back", "warp"]

SMALLEST = 12
"""Smallest side of a frame in pixels that OpenCV's DIS takes."""
VERSION = "1"
"""Version of the definitions in this file; part of every signature."""

Field = NDArray[np.float32]


class WarpingError:
    """Mean squared difference of each frame from the one before it, moved by the truth's flow.

    Lai et al. 2018 (Learning Blind Video Temporal Consistency), section 4, with the flow of the
    truth by OpenCV's DIS (preset medium) on its luma. Only pixels count that are visible in both
    true frames: the flow there and back ends where it began (Sundaram et al. 2010). Values run from
    0 to 1, mean over pixels and channels. The truth's own error is `reference` in the details:
    noise, shading and errors of the flow. Two flows a frame take some thirty times as long as all
    other metrics of motion: ask for it.
    """

    name = "warping_error"

    def __init__(self) -> None:
        self._last = LastFrames(1)
        self._means, self._true_means = ClipMeans(), ClipMeans()
        self._visible = ClipMeans()
        self._sizes = FrameSizes()
        self.latest: NDArray[np.float64] | None = None

    def update(
        self,
        generated: Stack,
        reference: Stack,
        poses: PoseSequence | None = None,
        *,
        clip: str = "",
    ) -> None:
        """Take frames of one clip; see `Metric.update`. Poses are not used.

        Raises:
            UserError: If frames are smaller than the flow can be found in.
        """
        check_frames(generated, reference)
        height, width = generated.shape[1:3]
        if min(height, width) < SMALLEST:
            raise UserError(
                f"{self.name} cannot measure frames of {width} x {height}; expected at least "
                f"{SMALLEST} x {SMALLEST} pixels."
            )
        self._sizes.add(generated)
        ours, truth = self._last.extend(clip, generated, reference)
        errors = np.full(len(ours), np.nan)
        for t in range(1, len(truth)):
            back, visible = motion_back(truth[t - 1], truth[t])
            self._visible.add(clip, [float(visible.mean())])
            if visible.any():
                errors[t] = _error(ours[t - 1], ours[t], back, visible)
                self._true_means.add(clip, [_error(truth[t - 1], truth[t], back, visible)])
        self._means.add(clip, errors[~np.isnan(errors)])
        self.latest = errors[-len(generated) :]

    def compute(self) -> Score:
        """Return the mean over steps; details: `reference`, and `visible`, the share of pixels."""
        return self._means.score(
            self.name,
            (
                "flow:truth-dis-medium",
                "visible:forward-backward",
                "squared",
                "range:1",
                f"size:{self._sizes}",
                "mean:steps",
                f"version:{VERSION}",
            ),
            higher_is_better=False,
            details={
                "reference": self._true_means.mean(),
                "visible": self._visible.mean(),
            },
        )


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
    moved = cv2.remap(
        frame.astype(np.float32),
        columns,
        rows,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(moved, np.float32)


def _places(back: Field) -> Field:
    height, width = back.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([x + back[..., 0], y + back[..., 1]], axis=-1)


def _error(before: Frame, after: Frame, back: Field, visible: NDArray[np.bool_]) -> float:
    difference = (warp(before, back)[visible] - after[visible]) / 255
    return float(np.mean(difference**2, dtype=np.float64))
