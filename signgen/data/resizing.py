"""How frames get the size that a model works at."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["METHOD", "squash"]

METHOD = "opencv area or cubic"
"""Name of what `squash` does; another name means other pixels."""


def squash(frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Squash a (H, W, 3) frame to `size`: shrinking averages areas, enlarging is bicubic."""
    if frame.shape[:2] == size:
        return frame
    shrinks = frame.shape[0] >= size[0] and frame.shape[1] >= size[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(frame, (size[1], size[0]), interpolation=method), dtype=np.uint8)
