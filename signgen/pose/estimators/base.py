"""What every estimator of key points offers, and frames whose pixels are not square."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.errors import ExitCode, UserError

__all__ = ["Box", "Frame", "Person", "PoseEstimator", "StretchedEstimator", "open_first"]

EstimatorT = TypeVar("EstimatorT")

Frame = NDArray[np.uint8]
"""(H, W, 3) RGB."""
Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels of the frame."""
Person = tuple[NDArray[np.float32], NDArray[np.float32]]
"""(133, 2) points in pixels of the frame, COCO-WholeBody order, and (133,) confidence; 0 where
missing."""


class PoseEstimator(Protocol):
    """Finds the key points of the one signer in each frame of a clip; structural, no base class."""

    @property
    def name(self) -> str:
        """Short name with what decides the result, such as `mediapipe-0.10.21`."""

    def estimate(
        self, frames: Iterable[Frame], boxes: Sequence[Box | None] | None = None
    ) -> Iterator[Person]:
        """Estimate one clip, in order; every call starts anew, nothing is carried over.

        Args:
            frames: Frames of one size, read as they are needed.
            boxes: Where the signer is, one per frame; None for the whole frame.

        Yields:
            One person per frame. The result does not depend on how many frames are computed at a
            time, beyond rounding.
        """


@dataclass(frozen=True)
class StretchedEstimator:
    """An estimator that sees each frame `aspect` times as high as it is; undone in the points.

    PHOENIX-2014T was recorded at 210 x 300 and stored as 210 x 260, which squashes its signers;
    300 / 260 shows them as they were. On two such clips MediaPipe found no more hands with it, and
    fewer faces.

    Args:
        aspect: Factor on the height, 0.25 to 4.
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
        """Estimate one clip; frames, boxes and points are those of the clip as it is."""
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


def open_first(
    choices: Iterable[tuple[Callable[[], EstimatorT], ExitCode]],
) -> tuple[EstimatorT | None, list[str]]:
    """Open the first estimator that is here, and say why those before it are not.

    Args:
        choices: Functions that open one, with the exit code of the `UserError` that says that it is
            not here; what is here but broken has another one, and is not passed over.
    """
    reasons: list[str] = []
    for choice, absent in choices:
        try:
            return choice(), reasons
        except UserError as error:
            if error.code != absent:
                raise
            reasons.append(str(error))
    return None, reasons
