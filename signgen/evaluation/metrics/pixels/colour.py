"""Colour difference as people see it: CIEDE2000 of pixels in CIELAB."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ciede2000", "lab"]

Array = NDArray[np.float64]
_CHROMA = 25.0**7
_STORED = np.arange(256) / 255
_LINEAR = np.where(_STORED <= 0.04045, _STORED / 12.92, ((_STORED + 0.055) / 1.055) ** 2.4)
"""Light of each stored value, IEC 61966-2-1."""
_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
"""Primaries of sRGB under D65."""


def lab(pixels: NDArray[np.uint8]) -> Array:
    """Return the CIELAB values of sRGB pixels; white is (255, 255, 255).

    Not OpenCV's, whose interpolated table is up to 0.3 apart.

    Args:
        pixels: (..., 3) RGB.

    Returns:
        (..., 3): L in [0, 100], a and b.
    """
    light = _LINEAR[pixels] @ (_XYZ / _XYZ.sum(axis=1, keepdims=True)).T  # (..., 3) XYZ / white
    f = np.where(light > (6 / 29) ** 3, np.cbrt(light), light * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.asarray(np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1), np.float64)


def ciede2000(one: Array, other: Array) -> Array:
    """Return the colour difference CIEDE2000 with k_L = k_C = k_H = 1.

    Sharma, Wu and Dalal 2005, "The CIEDE2000 color-difference formula", Eqs. 2-22.

    Args:
        one: (..., 3) CIELAB.
        other: (..., 3) CIELAB.

    Returns:
        (...) differences, at least 0; about 1 is just seen.
    """
    # Stretch a so that greys are even
    (l1, a1, b1), (l2, a2, b2) = (np.moveaxis(colours, -1, 0) for colours in (one, other))
    mean7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * np.sqrt(mean7 / (mean7 + _CHROMA))
    a1, a2 = a1 * stretch, a2 * stretch

    # Differences of lightness, chroma and hue
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    grey = c1 * c2 == 0
    turn = h2 - h1
    turn = np.where(np.abs(turn) > 180, turn - 360 * np.sign(turn), turn)
    turn = np.where(grey, 0.0, turn)
    hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))

    # Means; that of hues lies on the shorter way round
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    apart = np.abs(h1 - h2) > 180
    mean = np.where(apart, (h1 + h2 + np.where(h1 + h2 < 360, 360, -360)) / 2, (h1 + h2) / 2)
    mean = np.where(grey, h1 + h2, mean)

    # Weights
    t = (
        1
        - 0.17 * np.cos(np.radians(mean - 30))
        + 0.24 * np.cos(np.radians(2 * mean))
        + 0.32 * np.cos(np.radians(3 * mean + 6))
        - 0.20 * np.cos(np.radians(4 * mean - 63))
    )
    off = (lightness - 50) ** 2
    dl = (l2 - l1) / (1 + 0.015 * off / np.sqrt(20 + off))
    dc = (c2 - c1) / (1 + 0.045 * chroma)
    dh = hue / (1 + 0.015 * chroma * t)

    # Rotate chroma against hue, for blue
    angle = 60 * np.exp(-(((mean - 275) / 25) ** 2))
    rotation = -2 * np.sqrt(chroma**7 / (chroma**7 + _CHROMA)) * np.sin(np.radians(angle))
    squared = dl**2 + dc**2 + dh**2 + rotation * dc * dh
    return np.asarray(np.sqrt(np.maximum(squared, 0)), np.float64)
