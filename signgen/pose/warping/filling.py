"""Fill what a picture does not show from what lies around, smoothly and fast: push and pull."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["fill"]

Plane = NDArray[np.float32]

_LARGEST = 128
"""Longer side in pixels at which fillings are computed: they are smooth."""
_SMALLEST = 2


def fill(picture: NDArray[np.uint8], known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Fill the unknown part of a picture.

    Means over known pixels are pushed down a pyramid and pulled up again where nothing is known
    (Gortler et al. 1996, "The lumigraph", section 3.4): a hole of any size is closed by smooth
    transitions from its border.

    Args:
        picture: (H, W, 3) uint8.
        known: (H, W) true where the picture is kept.

    Returns:
        (H, W, 3) uint8; the picture as it is where nothing is known at all.
    """
    if known.all() or not known.any():
        return picture
    height, width = known.shape
    factor = min(1.0, _LARGEST / max(height, width))
    weight = known.astype(np.float32)
    color = picture.astype(np.float32) * weight[..., None]
    levels = [
        _pushed(color, weight, (max(1, round(width * factor)), max(1, round(height * factor))))
    ]
    while max(levels[-1][1].shape) > _SMALLEST:
        color, weight = levels[-1]
        size = ((weight.shape[1] + 1) // 2, (weight.shape[0] + 1) // 2)
        levels.append(_pushed(color * weight[..., None], weight, size))
    color, weight = levels.pop()
    mean = np.average(color.reshape(-1, 3), axis=0, weights=weight.ravel()).astype(np.float32)
    filled = mean + weight[..., None] * (color - mean)
    for color, weight in reversed(levels):
        wide = _pulled(filled, (weight.shape[1], weight.shape[0]))
        filled = wide + weight[..., None] * (color - wide)
    rounded = np.rint(_pulled(filled, (width, height))).clip(0, 255).astype(np.uint8)
    return np.where(known[..., None], picture, rounded)


def _pushed(color: Plane, weight: Plane, size: tuple[int, int]) -> tuple[Plane, Plane]:
    """Average colours (h, w, 3), multiplied by their weights (h, w), to a size (W, H)."""
    less, total = (
        np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)
        for plane in (weight, color)
    )
    # A pixel of which a quarter is known is known: what lies near decides.
    mean = total / np.maximum(less, np.float32(1e-6))[..., None]
    return np.asarray(mean, np.float32), np.asarray(np.minimum(less * 4, 1), np.float32)


def _pulled(color: Plane, size: tuple[int, int]) -> Plane:
    """Interpolate colours (h, w, 3) to a size (W, H)."""
    return np.asarray(cv2.resize(color, size, interpolation=cv2.INTER_LINEAR), np.float32)
