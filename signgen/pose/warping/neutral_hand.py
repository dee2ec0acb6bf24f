"""A hand that is drawn where the source shows none: relaxed, open, in the signer's skin colour."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.pose.skeleton import FINGERS
from signgen.pose.warping.figure import Array, Side, palm_size

__all__ = ["PALM", "draw_hand", "neutral_hand"]

PALM = 0.27
"""Length of the palm, from the root to the middle knuckle, in units."""
#: The 21 points in lengths of the palm: the root at 0, the middle finger towards (1, 0).
_SHAPE = (
    *((0.0, 0.0),),
    *((0.20, 0.26), (0.42, 0.47), (0.65, 0.60), (0.85, 0.68)),
    *((0.97, 0.25), (1.36, 0.31), (1.60, 0.33), (1.80, 0.34)),
    *((1.00, 0.02), (1.43, 0.03), (1.71, 0.03), (1.94, 0.03)),
    *((0.94, -0.19), (1.33, -0.23), (1.59, -0.25), (1.80, -0.26)),
    *((0.84, -0.38), (1.10, -0.45), (1.30, -0.49), (1.48, -0.52)),
)
_FINGER = 0.095
"""Radius of a finger in lengths of the palm."""
_ROUND = ((1.15, 0.75), (0.95, 0.9), (0.65, 0.98), (0.3, 1.03))
"""What makes a finger look round: shares of its width, and how bright it is within."""
_SHIFT = 4  # OpenCV takes 1/16 pixel


def neutral_hand(side: Side, wrist: Array, way: Array, unit: float) -> Array:
    """Return the 21 points (21, 2) of a relaxed open hand, its palm to the viewer.

    Args:
        side: The signer's side.
        wrist: (2,) where the hand begins.
        way: (2,) where it points to, of any length; down if that is 0.
        unit: Width of the shoulders in pixels.
    """
    length = float(np.hypot(*way))
    axis = way / length if length > 0 else np.array([0.0, 1.0])
    thumb = np.array([axis[1], -axis[0]]) * (1 if side == "left" else -1)
    return np.asarray(wrist + PALM * unit * np.array(_SHAPE) @ np.stack([axis, thumb]))


def draw_hand(
    points: Array, color: tuple[int, int, int], size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw a hand.

    Args:
        points: (21, 2) in pixels of the drawing.
        color: Skin, RGB.
        size: (H, W) of the drawing.

    Returns:
        (H, W, 3) uint8 RGB, the skin's colour all over, and (H, W) uint8 opacity.
    """
    palm = palm_size(points)
    width = max(2, round(2 * _FINGER * palm))
    fixed = np.rint(np.clip(points, -3e4, 3e4) * (1 << _SHIFT)).astype(np.int32)
    outline = fixed[[0, 1, 5, 9, 13, 17]]
    picture = np.full((*size, 3), color, np.uint8)
    opacity = np.zeros(size, np.uint8)
    canvases: tuple[tuple[NDArray[np.uint8], tuple[int, ...]], ...]
    canvases = ((picture, color), (opacity, (255,)))
    for canvas, shade in canvases:
        cv2.fillPoly(canvas, [outline], shade, cv2.LINE_AA, _SHIFT)
        cv2.polylines(canvas, [outline], True, shade, width, cv2.LINE_AA, _SHIFT)
        x, y = fixed[0].tolist()
        heel = round(0.2 * palm * (1 << _SHIFT))
        cv2.circle(canvas, (x, y), heel, shade, -1, cv2.LINE_AA, _SHIFT)
    for joints in reversed(tuple(FINGERS.values())):
        line = [fixed[[0, *joints]] if joints[0] == 1 else fixed[list(joints)]]
        for share, light in _ROUND:
            thick = max(1, round(share * width))
            tone = tuple(min(255, round(light * value)) for value in color)
            cv2.polylines(picture, line, False, tone, thick, cv2.LINE_AA, _SHIFT)
        cv2.polylines(opacity, line, False, (255,), width, cv2.LINE_AA, _SHIFT)
    smooth = cv2.GaussianBlur(picture, (0, 0), max(0.4, 0.1 * width))
    return np.asarray(smooth, np.uint8), opacity
