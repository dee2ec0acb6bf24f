"""What every estimator of key points offers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "Frame", "Person", "PoseEstimator"]

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
