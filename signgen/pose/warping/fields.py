"""Dense maps from target to source: where every pixel of a part comes from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.pose.warping.bones import BoneMove, capsule_distance, similar
from signgen.pose.warping.layers import Layer
from signgen.pose.warping.moves import PALM, HandMove
from signgen.pose.warping.parts import Box, box_around, finger_radius, grid
from signgen.pose.warping.trunk import TrunkMove

__all__ = ["Field", "hand_field", "limb_field", "sample", "shares", "trunk_field"]

Map = NDArray[np.float32]

_BOUND = (2.1, 2.4)
"""Radii from a target's bone between which a limb ends, whatever the source shows there."""
_CELL = 0.04
"""Distance in units of the points at which the trunk's map is computed; smooth in between."""
_MIDDLE = 2.0
"""A bent finger is painted with the middle of the source's, this much wider."""
_FOCUS = 0.3
"""Radii of a finger within which all bones pull equally; beyond, by distance to the power of -4."""


@dataclass(frozen=True)
class Field:
    """Where the pixels of one part come from.

    Args:
        box: (x0, y0, x1, y1) of the target that the field covers.
        source: (h, w, 2) float32, (x, y) in pixels of the source.
        flow: (h, w, 2) float32, the same relative to the pixel itself.
        bound: (h, w) float32 in [0, 1]: how much of the part may be there; or None for all.
        solid: (h, w) bool: where the part is opaque, whatever the source shows there.
        head: (h, w) float32 in [0, 1]: how much of the trunk's map is the head's.
    """

    box: Box
    source: Map
    flow: Map
    bound: Map | None = None
    solid: NDArray[np.bool_] | None = None
    head: Map | None = None


def _field(box: Box, source: Map, bound: Map) -> Field:
    return Field(box, source, source - grid(box), bound)


def trunk_field(move: TrunkMove, box: Box, unit: float) -> Field:
    """Return the map of torso and head in a box."""
    x0, y0, x1, y1 = box
    cell = max(1.0, _CELL * unit)
    columns, rows = (int(np.ceil(side / cell)) + 2 for side in (x1 - x0, y1 - y0))
    # Cell i covers pixels from x0 + (i - 1) cell on, and its value is that of its middle.
    x = x0 + (np.arange(columns) - 0.5) * cell - 0.5
    y = y0 + (np.arange(rows) - 0.5) * cell - 0.5
    points = np.stack(np.meshgrid(x, y), axis=-1)
    flat = points.reshape(-1, 2)
    shift = np.concatenate([move.back(flat) - flat, move.head_share(flat)[:, None]], axis=1)
    at_x = ((np.arange(x1 - x0) - (x[0] - x0)) / cell).astype(np.float32)
    at_y = ((np.arange(y1 - y0) - (y[0] - y0)) / cell).astype(np.float32)
    between = _bilinear(shift.astype(np.float32).reshape(rows, columns, 3), at_x, at_y)
    flow = np.ascontiguousarray(between[..., :2])
    return Field(box, grid(box) + flow, flow, head=between[..., 2])


def _bilinear(values: Map, at_x: Map, at_y: Map) -> Map:
    """Interpolate (rows, columns, C) values at columns `at_x` and rows `at_y`."""
    for axis, at in ((1, at_x), (0, at_y)):
        low = np.floor(at).astype(int)
        share = (at - low).reshape((-1, 1) if axis == 1 else (-1, 1, 1)).astype(np.float32)
        before, after = (np.take(values, low + step, axis=axis) for step in (0, 1))
        values = before + share * (after - before)
    return values


def limb_field(move: BoneMove, radii: tuple[float, float], within: Box) -> Field:
    """Return the map of an upper arm or a forearm around the target's bone.

    Args:
        move: Its bone before and after.
        radii: Radius at both ends in the source, in pixels.
        within: The box that it is cut to.
    """
    wide = (radii[0] * move.across, radii[1] * move.across)
    box = box_around(move.target, _BOUND[1] * max(wide), within)
    points = grid(box)
    distance = capsule_distance(points, move.target, wide)
    return _field(box, move.back(points), _bound(distance, _BOUND))


def hand_field(move: HandMove, layer: Layer, unit: float, within: Box, bound: float) -> Field:
    """Return the map of a hand: every pixel goes with the bones that it is near to.

    Beier and Neely 1992, "Feature-based image metamorphosis", with bones for lines. Where fingers
    are bent otherwise that would draw creases and gaps of the source's fist all over the hand: then
    it moves as a whole as far as it reaches, and fingers beyond it are as wide as their bones.

    Args:
        move: The hand before and after.
        layer: The hand in the source.
        unit: Width of the source's shoulders in pixels.
        within: The box that it is cut to.
        bound: Radii of a finger from the bones beyond which the hand ends.
    """
    radius = finger_radius(move.source, unit) * move.across
    box = box_around(move.target, (bound + 0.4) * radius, within)
    points = grid(box)
    if points.size == 0:
        return _field(box, points, points[..., 0])
    total, weights = np.zeros_like(points), np.zeros(points.shape[:2], np.float32)
    nearest = np.full(weights.shape, np.inf, np.float32)
    bent = move.bent()
    for bone in move.moves():
        distance = capsule_distance(points, bone.target, (radius, radius))
        weight = 1 / np.square(np.square(distance + np.float32(_FOCUS)))
        wide = replace(bone, across=_MIDDLE * bone.across) if bent else bone
        total += weight[..., None] * wide.back(points)
        weights += weight
        nearest = np.minimum(nearest, distance)
    source = total / weights[..., None]
    limit = _bound(nearest, (bound, bound + 0.4))
    if not bent:
        return _field(box, source, limit)
    back = similar(move.target[PALM], move.source[PALM])
    whole = back(points.astype(np.float64)).astype(np.float32)
    at = whole - np.array(layer.box[:2], np.float32)
    shown = sample(layer.rgba[..., 3], at) > 220
    source[shown] = whole[shown]
    limit[~shown] = _bound(nearest, (0.85, 1.15))[~shown]
    return replace(_field(box, source, limit), solid=~shown)


def sample(
    picture: NDArray[np.uint8], at: Map, border: int = cv2.BORDER_CONSTANT
) -> NDArray[np.uint8]:
    """Interpolate a picture (h, w) or (h, w, C) at points (H, W, 2), (x, y) in its pixels."""
    if picture.size == 0 or at.size == 0:
        return np.zeros((*at.shape[:2], *picture.shape[2:]), np.uint8)
    x, y = (np.ascontiguousarray(at[..., axis]) for axis in (0, 1))
    taken = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(taken, np.uint8)


def shares(mask: NDArray[np.uint8]) -> Map:
    """Return a mask of 0 to 255 as float32 in [0, 1]."""
    return np.asarray(np.multiply(mask, np.float32(1 / 255), dtype=np.float32))


def _bound(distance: NDArray[np.floating], limits: tuple[float, float]) -> Map:
    low, high = limits
    return np.asarray(np.clip((high - distance) / (high - low), 0, 1), np.float32)
