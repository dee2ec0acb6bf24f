"""How pictures get the size that a model works at."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["METHODS", "Resize", "squash"]

Resize = Literal["area", "bicubic"]
METHODS: dict[Resize, str] = {"area": "opencv area or cubic", "bicubic": "pillow bicubic"}
"""Names of what `squash` does, as frame caches note them; another name means other pixels."""


def squash(frame: NDArray[np.uint8], size: tuple[int, int], method: Resize) -> NDArray[np.uint8]:
    """Squash a picture to a size, whatever its aspect ratio; one of that size is returned as it is.

    Args:
        frame: (H, W, 3) uint8.
        size: (H', W'), both positive.
        method: `area` averages areas where both sides shrink and is OpenCV's cubic filter
            otherwise; `bicubic` is Pillow's filter, which widens as a picture shrinks, as FPDM.

    Returns:
        (H', W', 3) uint8.
    """
    if frame.shape[:2] == size:
        return frame
    if method == "bicubic":
        return _bicubic(frame, size)
    shrinks = frame.shape[0] >= size[0] and frame.shape[1] >= size[1]
    filtering = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(frame, (size[1], size[0]), interpolation=filtering), np.uint8)


def _bicubic(frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    # Rows first, then columns, each rounded to 8 bits: what Pillow did in one call when FPDM was
    # published. Newer releases begin with the columns where that is faster (750 x 1101 to
    # 512 x 512), which changes pixels; two calls give the same ones with every release.
    filtering = Image.Resampling.BICUBIC
    rows = Image.fromarray(frame).resize((size[1], frame.shape[0]), filtering)
    return np.asarray(rows.resize((size[1], size[0]), filtering), np.uint8)
