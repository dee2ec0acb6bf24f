"""What a signer's skin tells: its colour, and hands that a picture shows and key points do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.pose.warping.figure import SIDES, Array, Figure, Side
from signgen.pose.warping.neutral_hand import PALM, neutral_hand
from signgen.pose.warping.silhouette import head_mask

__all__ = ["SeenHand", "find_hands", "like_skin", "skin_color", "with_hands"]

Picture = NDArray[np.uint8]
Color = tuple[int, int, int]

_BRIGHTNESS, _TOLERANCE = 0.4, 15.0
"""Share of the skin's brightness, and distance in Cr and Cb, that skin keeps to."""
_REACH = 2.2
"""Lengths of a palm around the middle of a hand within which it ends."""
_LEAST = 0.35
"""Share of a disc around the middle of a hand that must be skin."""
_LENGTH = 1.94
"""Length of the neutral hand in lengths of its palm."""
_SIZES = (0.5, 1.0)
"""Range of a seen hand's length relative to an open hand's: a fist is shorter."""


@dataclass(frozen=True)
class SeenHand:
    """A hand that is seen without key points.

    Args:
        points: (21, 2), an open hand of its size laid over it, in pixels.
        mask: (H, W) bool, its pixels.
    """

    points: Array
    mask: NDArray[np.bool_]


def skin_color(picture: Picture, figure: Figure, unit: float) -> Color | None:
    """Return the colour of the lit part of the face, None where no face is seen."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    face, nose = figure.face_points, figure.joint("nose")
    if face is not None:
        hull = cv2.convexHull(np.clip(face, -3e4, 3e4).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, 255)
    elif nose is not None:
        x, y = np.clip(nose, -3e4, 3e4).astype(int).tolist()
        cv2.circle(mask, (x, y), max(1, round(0.1 * unit)), 255, -1)
    if not mask.any():
        return None
    # The brighter half: the other one is brows, beard and shade.
    pixels = picture[mask > 0].astype(np.float32)
    brightness = pixels.sum(axis=1)
    bright = pixels[brightness >= np.median(brightness)]
    red, green, blue = np.median(bright, axis=0).tolist()
    return round(red), round(green), round(blue)


def like_skin(picture: Picture, skin: Color) -> NDArray[np.bool_]:
    """Return where a picture (H, W, 3) has the colour of skin, also within its thin dark lines."""
    color = cv2.cvtColor(np.array([[skin]], np.uint8), cv2.COLOR_RGB2YCrCb)[0, 0].tolist()
    low = (_BRIGHTNESS * color[0], color[1] - _TOLERANCE, color[2] - _TOLERANCE)
    high = (255.0, color[1] + _TOLERANCE, color[2] + _TOLERANCE)
    seen = cv2.inRange(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb), low, high)
    return np.asarray(cv2.morphologyEx(seen, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) > 0)


def find_hands(skin: NDArray[np.bool_], figure: Figure, unit: float) -> dict[Side, SeenHand]:
    """Find skin beyond wrists whose hand has no key points: a blurred hand, as a rule.

    Args:
        skin: (H, W) bool, where the picture has the colour of skin, see `like_skin`.
        figure: Key points; only skeletons with hands have hands to be found.
        unit: Width of the shoulders in pixels.
    """
    found: dict[Side, SeenHand] = {}
    for side in SIDES:
        span = figure.hand_span(side)
        if span.start < span.stop and figure.hand(side) is None:
            hand = _seen_hand(skin, figure, side, unit)
            if hand is not None:
                found[side] = hand
    return found


def with_hands(figure: Figure, hands: Mapping[Side, SeenHand]) -> Figure:
    """Return a figure with key points of hands that were found."""
    points, visible = figure.points.copy(), figure.visible.copy()
    for side, hand in hands.items():
        points[figure.hand_span(side)], visible[figure.hand_span(side)] = hand.points, True
    return Figure(points, visible, figure.skeleton)


def _seen_hand(skin: NDArray[np.bool_], figure: Figure, side: Side, unit: float) -> SeenHand | None:
    forearm = figure.joints(f"{side}_elbow", f"{side}_wrist")
    if forearm is None:
        return None
    size = (skin.shape[0], skin.shape[1])
    palm = PALM * unit
    axis = forearm[1] - forearm[0]
    axis = axis / max(float(np.hypot(*axis)), 1e-6)
    middle = forearm[1] + 0.7 * palm * axis
    like = skin & (head_mask(figure, unit, size) == 0)
    columns, rows = np.arange(size[1]) - middle[0], np.arange(size[0])[:, None] - middle[1]
    distance = np.hypot(columns, rows)
    # Not back along the forearm, which may be bare.
    like &= (distance < _REACH * palm) & (columns * axis[0] + rows * axis[1] > -0.8 * palm)
    core = distance < 0.8 * palm
    if (like & core).sum() < _LEAST * np.pi * (0.8 * palm) ** 2:
        return None
    _, labels = cv2.connectedComponents(like.astype(np.uint8))
    seeds = labels[core & like]
    mask = labels == np.bincount(seeds).argmax()
    places = np.argwhere(mask)[:, ::-1]
    towards = places.mean(axis=0) - forearm[1]
    ahead = (places - forearm[1]) @ (towards / max(float(np.hypot(*towards)), 1e-6))
    share = np.clip(np.percentile(ahead, 97) / (_LENGTH * palm), *_SIZES)
    points = neutral_hand(side, forearm[1], towards, unit * float(share))
    return SeenHand(points, mask)
