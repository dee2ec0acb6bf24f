"""The border between a person and the background: how much of a pixel belongs to which."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.pose.warping.filling import fill

__all__ = ["Matte", "matte"]

_BAND = 0.045
"""Units on both sides of a mask's border within which colours decide."""
_TOLD = 30.0
"""Distance of the colours on both sides, in grey levels, from which they are told apart."""


@dataclass(frozen=True)
class Matte:
    """A person and a background.

    Args:
        person: (H, W) float32, opacity of the person.
        background: (H, W, 3) uint8 RGB, the picture without the person.
        hidden: (H, W) true where the background was filled.
        bare: (H, W, 3) uint8 RGB, the background filled in a wider band around the person too.
    """

    person: NDArray[np.float32]
    background: NDArray[np.uint8]
    hidden: NDArray[np.bool_]
    bare: NDArray[np.uint8]


def matte(picture: NDArray[np.uint8], mask: NDArray[np.float32], unit: float) -> Matte:
    """Refine a mask: in a band along its border pixels are mixtures of the colours on both sides.

    Args:
        picture: (H, W, 3) uint8 RGB.
        mask: (H, W) float32, about 1 on the person.
        unit: Width of the shoulders in pixels.
    """
    reach = max(1, round(_BAND * unit))
    square = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    inside, outside = cv2.erode(mask, square) > 0.5, cv2.dilate(mask, square) < 0.5
    near, far = fill(picture, inside), fill(picture, outside)
    person = mask.copy()
    band = ~(inside | outside)
    if band.any() and inside.any() and outside.any():
        behind = far[band].astype(np.float32)
        apart = near[band] - behind
        square_length = (apart**2).sum(axis=-1)
        share = ((picture[band] - behind) * apart).sum(axis=-1) / np.maximum(square_length, 1)
        share = np.clip(share, 0, 1)
        rest = picture[band] - behind - share[:, None] * apart
        fits = np.clip(2 - np.sqrt((rest**2).sum(axis=-1)) / _TOLD, 0, 1)
        trust = np.clip(square_length / _TOLD**2, 0, 1) * fits
        person[band] += trust * (np.clip(1.2 * share - 0.1, 0, 1) - person[band])
    hidden = cv2.dilate(person, np.ones((3, 3), np.uint8)) > 0.06
    return Matte(person, np.where(hidden[..., None], far, picture), hidden, far)
