"""Draw key points as a picture, the input of the pose encoder."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from signgen.pose.drawing.clean import draw_clean
from signgen.pose.drawing.fpdm import FPDMDrawing, draw_fpdm
from signgen.pose.skeleton import SKELETONS

__all__ = ["FPDMDrawing", "draw_pose"]


def draw_pose(
    keypoints: ArrayLike,
    confidence: ArrayLike,
    skeleton: str,
    size: tuple[int, int],
    style: Literal["clean", "fpdm"] = "clean",
    *,
    threshold: float | None = None,
    fpdm: FPDMDrawing | None = None,
) -> NDArray[np.uint8]:
    """Draw one pose.

    Args:
        keypoints: (K, 2), (x, y) in pixels of `size`; points outside the frame are allowed.
        confidence: (K,), 0 means missing.
        skeleton: A key of `SKELETONS`.
        size: (H, W) of the drawing, both positive.
        style: `clean` is anti-aliased with legible hands; `fpdm` is what the published weights saw.
        threshold: Points are drawn where the confidence is above it; None for 0.05 in the clean
            style and 0 in the FPDM style, which ignores confidence otherwise.
        fpdm: Radius, stick width and colours of the FPDM style; None for the published ones.

    Returns:
        (H, W, 3) uint8 RGB on black.
    """
    points, scores = np.asarray(keypoints), np.asarray(confidence)
    if skeleton not in SKELETONS:
        raise ValueError(f"skeleton is {skeleton!r}; expected one of {', '.join(SKELETONS)}")
    if style not in ("clean", "fpdm"):
        raise ValueError(f"style is {style!r}; expected clean or fpdm")
    count = SKELETONS[skeleton].num_keypoints
    if points.shape != (count, 2) or scores.shape != (count,):
        raise ValueError(
            f"keypoints have shape {points.shape} and confidence {scores.shape}; "
            f"{skeleton} needs ({count}, 2) and ({count},)"
        )
    if min(size) < 1:
        raise ValueError(f"size is {size}; expected a positive height and width")
    limit = threshold if threshold is not None else (0.05 if style == "clean" else 0.0)
    visible = scores > limit
    if style == "clean":
        return draw_clean(points.astype(np.float32), visible, skeleton, size)
    return draw_fpdm(points, visible, skeleton, size, fpdm)
