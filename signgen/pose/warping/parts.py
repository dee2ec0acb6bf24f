"""The parts that a signer is taken apart into, their bones, and boxes of pixels around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from signgen.pose.warping.figure import HAND_BONES, SIDES, Array, Figure, Side, limbs_of
from signgen.pose.warping.neutral_hand import PALM

__all__ = [
    "PARTS",
    "Bone",
    "Box",
    "Opacity",
    "arm_parts",
    "bones_of",
    "box_around",
    "finger_radius",
    "grid",
    "overlap",
    "window",
]

Box = tuple[int, int, int, int]
Opacity = NDArray[np.float32]

#: Every part by its number in part maps. Torso and head are one layer, the trunk.
PARTS = (
    *("background", "torso", "head"),
    *("left_upper_arm", "right_upper_arm", "left_forearm", "right_forearm"),
    *("left_hand", "right_hand"),
)
_FINGER = 0.1
"""Radius of a finger in lengths of the palm."""


@dataclass(frozen=True)
class Bone:
    """A tapered capsule in the source.

    Args:
        ends: (2, 2) start and end in pixels.
        radii: Radius at both ends in pixels.
    """

    ends: Array
    radii: tuple[float, float]


def bones_of(figure: Figure, unit: float) -> dict[str, tuple[Bone, ...]]:
    """Return the bones of every arm's part that the figure shows, from back to front.

    Args:
        figure: Key points.
        unit: Width of the shoulders in pixels.
    """
    bones: dict[str, tuple[Bone, ...]] = {}
    for side in SIDES:
        for limb in limbs_of(side):
            ends = figure.joints(limb.start, limb.end)
            if ends is not None:
                radii = (limb.radii[0] * unit, limb.radii[1] * unit)
                bones[limb.name] = (Bone(ends, radii),)
        hand = figure.hand(side)
        if hand is not None:
            radius = finger_radius(hand.points, unit)
            bones[f"{side}_hand"] = tuple(
                Bone(hand.points[list(pair)], (radius * (1.6 if pair[0] == 0 else 1.0),) * 2)
                for pair, known in zip(HAND_BONES, hand.bones, strict=True)
                if known
            )
    return {name: bones[name] for name in PARTS if name in bones}


def finger_radius(points: Array, unit: float) -> float:
    """Return the radius of a hand's fingers in pixels; a hand seen edge-on has no less."""
    palm = float(np.hypot(*(points[[5, 9, 17]] - points[0]).T).max())
    return _FINGER * max(palm, 0.8 * PALM * unit)


def arm_parts(front: Side) -> tuple[str, ...]:
    """Return the parts of both arms from back to front: limb by limb, the other side first."""
    other: Side = "right" if front == "left" else "left"
    kinds = ("upper_arm", "forearm", "hand")
    return tuple(f"{side}_{kind}" for kind in kinds for side in (other, front))


def box_around(points: Array, margin: float, within: Box) -> Box:
    """Return the box of whole pixels around points (n, 2) and a margin, cut to another box."""
    low = np.floor(points.min(axis=0) - margin)
    high = np.ceil(points.max(axis=0) + margin) + 1
    low, high = np.clip(low, within[:2], within[2:]), np.clip(high, within[:2], within[2:])
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def grid(box: Box) -> NDArray[np.float32]:
    """Return the pixels' centres in a box: (h, w, 2) float32, (x, y)."""
    x0, y0, x1, y1 = box
    points = np.empty((max(0, y1 - y0), max(0, x1 - x0), 2), np.float32)
    points[..., 0] = np.arange(x0, max(x0, x1), dtype=np.float32)
    points[..., 1] = np.arange(y0, max(y0, y1), dtype=np.float32)[:, None]
    return points


def window(box: Box) -> tuple[slice, slice]:
    """Return the rows and columns of a box."""
    return slice(box[1], box[3]), slice(box[0], box[2])


def overlap(box: Box, within: Box) -> tuple[Box, tuple[slice, slice]]:
    """Return what two boxes share, and where it is in the first one."""
    x0, y0 = max(box[0], within[0]), max(box[1], within[1])
    x1, y1 = max(x0, min(box[2], within[2])), max(y0, min(box[3], within[3]))
    shared = (x0, y0, x1, y1)
    return shared, (slice(y0 - box[1], y1 - box[1]), slice(x0 - box[0], x1 - box[0]))
