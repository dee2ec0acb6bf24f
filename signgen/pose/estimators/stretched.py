"""Estimate on frames whose pixels are not square: stretch them first, undo it in the points."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from signgen.errors import ExitCode, UserError
from signgen.pose.estimators.base import Box, Frame, Person, PoseEstimator

__all__ = ["StretchedEstimator"]


@dataclass(frozen=True)
class StretchedEstimator:
    """An estimator that sees each frame `aspect` times as high as it is.

    PHOENIX-2014T was recorded at 210 x 300 and stored as 210 x 260, which squashes its signers;
    300 / 260 shows them as they were. On two such clips MediaPipe found no more hands with it, and
    fewer faces.

    Args:
        inner: The estimator that looks at the stretched frames.
        aspect: Factor on the height, 0.25 to 4.

    Raises:
        UserError: If `aspect` is out of range (2).
    """

    inner: PoseEstimator
    aspect: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.aspect) and 0.25 <= self.aspect <= 4):
            raise UserError(f"--aspect is {self.aspect}; expected 0.25 to 4.", ExitCode.USAGE)

    @property
    def name(self) -> str:
        """That of the estimator, with the factor."""
        return f"{self.inner.name}-aspect{self.aspect:.4g}"

    def estimate(
        self, frames: Iterable[Frame], boxes: Sequence[Box | None] | None = None
    ) -> Iterator[Person]:
        """Estimate one clip; frames, boxes and points are those of the clip as it is.

        Args:
            frames: Frames of one size, read as they are needed.
            boxes: Where the signer is, one per frame; None for the whole frame.

        Yields:
            One person per frame.
        """
        scale: list[float] = []  # the height is rounded to whole pixels; points follow that
        high = None if boxes is None else [self._stretched(box) for box in boxes]
        for points, confidence in self.inner.estimate(self._resized(frames, scale), high):
            undone = points / np.array((1.0, scale[0]))
            yield undone.astype(np.float32), confidence

    def _resized(self, frames: Iterable[Frame], scale: list[float]) -> Iterator[Frame]:
        for frame in frames:
            height, width = frame.shape[:2]
            taller = max(1, round(height * self.aspect))
            if not scale:
                scale.append(taller / height)
            larger = cv2.resize(frame, (width, taller), interpolation=cv2.INTER_CUBIC)
            yield np.asarray(larger, dtype=np.uint8)

    def _stretched(self, box: Box | None) -> Box | None:
        if box is None:
            return None
        x0, y0, x1, y1 = box
        return x0, y0 * self.aspect, x1, y1 * self.aspect
