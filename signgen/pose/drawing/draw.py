"""Draw key points as a picture, the input of the pose encoder."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from signgen.pose.drawing.clean import draw_clean
from signgen.pose.drawing.fpdm import FPDMDrawing, draw_fpdm

__all__ = ["FPDMDrawing", "draw_pose"]

_SURE = 0.05


def draw_pose(
    keypoints: ArrayLike,
    confidence: ArrayLike,
    skeleton: str,
    size: tuple[int, int],
    style: Literal["clean", "fpdm"] = "clean",
    *,
    fpdm: FPDMDrawing | None = None,
) -> NDArray[np.uint8]:
    """Draw one pose on black, (H, W, 3) uint8 RGB.

    Args:
        keypoints: (K, 2), (x, y) in pixels of `size`; points outside the frame are allowed.
        confidence: (K,), 0 means missing.
        skeleton: A key of `SKELETONS`.
        size: (H, W) of the drawing, both positive.
        style: `clean` is anti-aliased with legible hands, without points of a confidence of at most
            0.05; `fpdm` is what the published weights saw.
        fpdm: Radius, stick width and colours of the FPDM style; None for the published ones.
    """
    points, scores = np.asarray(keypoints), np.asarray(confidence)
    if style == "clean":
        return draw_clean(points.astype(np.float32), scores > _SURE, skeleton, size)
    return draw_fpdm(points, scores > 0, skeleton, size, fpdm)
