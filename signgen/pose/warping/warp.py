"""Move a source picture to a pose: part by part, from back to front, over the filled background."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from signgen.pose.warping.fields import (
    Field,
    hand_field,
    limb_field,
    sample,
    shares,
    trunk_field,
)
from signgen.pose.warping.figure import Array, Figure, Side, limbs_of
from signgen.pose.warping.layers import Layer
from signgen.pose.warping.maps import WarpMaps
from signgen.pose.warping.motion import find_motion
from signgen.pose.warping.moves import Motion
from signgen.pose.warping.neutral_hand import draw_hand
from signgen.pose.warping.parts import PARTS, Box, arm_parts, box_around, overlap, window
from signgen.pose.warping.source import WarpSource

__all__ = ["Warped", "warp"]

Picture = NDArray[np.uint8]
Plane = NDArray[np.float32]

_SETTLED = 0.05
"""Pixels by which the trunk may shift and count as at rest."""
_FIRM, _LOOSE = 1.6, 5.0
"""Radii of a finger beside a hand's bones that it is wide: of a known and of a guessed hand."""
_CAVITY = (0.28, 0.16, 0.14)
"""Colour of an open mouth, as shares of the skin's."""
_BORDER = 0.025
"""Units around what moved in which the picture passes over to the source."""


@dataclass(frozen=True)
class Warped:
    """A source picture in another pose.

    Args:
        picture: (H, W, 3) uint8 RGB.
        maps: What became of every pixel.
        motion: The moves of the parts, in pixels of the source.
    """

    picture: Picture
    maps: WarpMaps
    motion: Motion


def warp(source: WarpSource, keypoints: ArrayLike, confidence: ArrayLike) -> Warped:
    """Move a source to a pose.

    Args:
        source: The source, see `prepare_source`.
        keypoints: (K, 2) of the source's skeleton, (x, y) in pixels of the source.
        confidence: (K,), 0 for missing points.
    """
    target = Figure.of(keypoints, confidence, source.figure.skeleton)
    motion = find_motion(source.figure, target, source.unit, source.guessed)
    fields = _fields(source, motion)
    canvas = _Canvas(source, motion, _region(source, motion, fields))
    canvas.trunk(fields.get("trunk"))
    if motion.mouth is not None and source.skin is not None:
        canvas.mouth(*motion.mouth, source.skin)
    for name in arm_parts(motion.front):
        side = _side(name)
        if name in source.layers:
            canvas.limb(name, fields.get(name))
        elif name.endswith("hand") and side in motion.drawn and source.skin is not None:
            canvas.hand(name, *motion.drawn[side], source.skin)
    return canvas.finish()


def _side(name: str) -> Side:
    return "left" if name.startswith("left") else "right"


def _fields(source: WarpSource, motion: Motion) -> dict[str, Field]:
    """Return the maps of the layers that move."""
    frame = (0, 0, source.picture.shape[1], source.picture.shape[0])
    unit, fields = source.unit, {}
    if motion.trunk is not None and "trunk" in source.layers:
        ends = np.array(source.layers["trunk"].box, np.float64).reshape(2, 2)
        reached = np.concatenate([ends, motion.trunk.reach(ends)])
        fields["trunk"] = trunk_field(motion.trunk, box_around(reached, 0.3 * unit, frame), unit)
    for name, move in motion.limbs.items():
        if name not in source.layers:
            continue
        limb = next(limb for limb in limbs_of(_side(name)) if limb.name == name)
        radii = (limb.radii[0] * unit, limb.radii[1] * unit)
        fields[name] = limb_field(move, radii, frame)
    for side, hand in motion.hands.items():
        name = f"{side}_hand"
        if name not in source.layers:
            continue
        bound = _LOOSE if side in source.guessed else _FIRM
        fields[name] = hand_field(hand, source.layers[name], unit, frame, bound)
    return fields


def _region(source: WarpSource, motion: Motion, fields: Mapping[str, Field]) -> Box:
    """Return the box of the frame in which anything moves in either pose."""
    frame = (0, 0, source.picture.shape[1], source.picture.shape[0])
    boxes = [field.box for field in fields.values()]
    boxes += [source.layers[name].box for name in fields]
    corners = [np.array(box, np.float64).reshape(2, 2) for box in boxes]
    for points in (*(points for points, _ in motion.drawn.values()), *_lips(motion)):
        corners += [points - 0.2 * source.unit, points + 0.2 * source.unit]
    if not corners:
        return (0, 0, 0, 0)
    return box_around(np.concatenate(corners), 4 * _BORDER * source.unit + 2, frame)


def _lips(motion: Motion) -> list[Array]:
    return [] if motion.mouth is None else [motion.mouth[0]]


class _Canvas:
    """Paints parts into a box of the frame."""

    def __init__(self, source: WarpSource, motion: Motion, box: Box) -> None:
        self.source, self.motion, self.box = source, motion, box
        self.gone = [*motion.limbs, *(f"{side}_hand" for side in motion.hands)]
        inside = window(box)
        size = (box[3] - box[1], box[2] - box[0])
        background = source.layers["background"].without(self.gone)
        self.picture = background.rgba[inside][..., :3].astype(np.float32)
        self.holes = 1 - shares(background.known[inside])
        self.pasted = np.zeros(size, np.float32)
        self.flow = np.zeros((*size, 2), np.float32)
        self.part = np.zeros(size, np.uint8)
        self.touched = np.zeros(size, np.uint8)

    def trunk(self, field: Field | None) -> None:
        """Paint torso and head, by their field if they move."""
        if "trunk" not in self.source.layers:
            return
        layer = self.source.layers["trunk"].without(self.gone)
        torso = PARTS.index("torso")
        if field is None:
            self._rest(torso, layer)
            return
        moves = np.asarray((np.abs(field.flow) > _SETTLED).any(axis=-1))
        before = np.zeros(self.touched.shape, np.uint8)
        inside, own = overlap(layer.box, self.box)
        before[self._at(inside)] = layer.rgba[own][..., 3]
        at = self._at(field.box)
        opacity = self._lay(torso, layer, field, moves)
        self.touched[at][moves & ((before[at] > 2) | (opacity > 0.01))] = 255
        if field.head is not None:
            head = (self.part[at] == torso) & (field.head > 0.5)
            self.part[at][head] = PARTS.index("head")

    def limb(self, name: str, field: Field | None) -> None:
        """Paint a part of an arm, by its field if it moves."""
        layer = self.source.layers[name]
        if field is None:
            self._rest(PARTS.index(name), layer)
            return
        layer = layer.without(self.gone)
        inside, own = overlap(layer.box, self.box)
        before = self.touched[self._at(inside)]
        before[layer.rgba[own][..., 3] > 2] = 255
        opacity = self._lay(PARTS.index(name), layer, field, True)
        self.touched[self._at(field.box)][opacity > 0.01] = 255

    def hand(self, name: str, points: Array, opacity: float, skin: tuple[int, int, int]) -> None:
        """Paint a hand that the source does not show."""
        box = box_around(points, 0.1 * self.source.unit, self.box)
        size = (box[3] - box[1], box[2] - box[0])
        if min(size) < 1:
            return
        color, mask = draw_hand(points - box[:2], skin, size)
        share = shares(mask) * np.float32(opacity)
        self._blend(PARTS.index(name), box, color, share, np.zeros(size, np.float32), True)
        self.touched[self._at(box)][share > 0.01] = 255

    def mouth(self, lips: Array, opacity: float, skin: tuple[int, int, int]) -> None:
        """Darken what opens between the lips."""
        box = box_around(lips, 0.03 * self.source.unit + 1, self.box)
        size = (box[3] - box[1], box[2] - box[0])
        if min(size) < 1:
            return
        mask = np.zeros(size, np.uint8)
        fixed = np.rint(np.clip(lips - box[:2], -3e4, 3e4) * 16).astype(np.int32)
        cv2.fillPoly(mask, [fixed], (255,), cv2.LINE_AA, 4)
        smooth = cv2.GaussianBlur(mask, (0, 0), max(0.5, 0.008 * self.source.unit))
        color = np.rint(np.array(skin) * _CAVITY).astype(np.uint8)
        share = shares(np.asarray(smooth, np.uint8)) * np.float32(opacity)
        known = np.zeros(size, np.float32)
        self._blend(
            PARTS.index("head"), box, np.broadcast_to(color, (*size, 3)), share, known, True
        )
        self.touched[self._at(box)][share > 0.01] = 255

    def finish(self) -> Warped:
        """Put the painting into the frame; what did not move is the source's own."""
        source = self.source
        shape = source.picture.shape[:2]
        moved, holes, pasted = (np.zeros(shape, np.float32) for _ in range(3))
        picture, part = source.picture.copy(), source.part.copy()
        flow, valid = np.zeros((*shape, 2), np.float32), np.ones(shape, np.bool_)
        inside = window(self.box)
        reach = max(1, round(_BORDER * source.unit))
        if self.touched.any():
            wide = cv2.dilate(self.touched, np.ones((4 * reach + 1, 4 * reach + 1), np.uint8))
            share = shares(np.asarray(cv2.blur(wide, (2 * reach + 1, 2 * reach + 1)), np.uint8))
            moved[inside] = share
            own = picture[inside].astype(np.float32)
            mixed = np.rint(own + share[..., None] * (self.picture - own)).clip(0, 255)
            picture[inside] = mixed.astype(np.uint8)
            holes[inside], pasted[inside] = self.holes * share, self.pasted * share
            chosen = share > 0.5
            part[inside][chosen] = self.part[chosen]
            flow[inside][chosen] = self.flow[chosen]
            valid[inside] = ~chosen | (self.holes < 0.5)
        return Warped(picture, WarpMaps(moved, holes, pasted, flow, part, valid), self.motion)

    # ----- one layer ------------------------------------------------------------------------------

    def _at(self, box: Box) -> tuple[slice, slice]:
        """Return the rows and columns of the canvas that a box of the frame covers."""
        x, y = self.box[:2]
        return slice(box[1] - y, box[3] - y), slice(box[0] - x, box[2] - x)

    def _rest(self, number: int, layer: Layer) -> None:
        """Paint a part where it is in the source."""
        box, own = overlap(layer.box, self.box)
        rgba = layer.rgba[own]
        known = shares(layer.known[own])
        self._blend(number, box, rgba[..., :3], shares(rgba[..., 3]), known, False)

    def _lay(
        self, number: int, layer: Layer, field: Field, moved: NDArray[np.bool_] | bool
    ) -> Plane:
        """Paint a part where its field takes it; return its opacity in the field's box."""
        at = field.source - np.array(layer.box[:2], np.float32)
        # A finger that is painted may reach beyond what is cut out of the source.
        border = cv2.BORDER_CONSTANT if field.solid is None else cv2.BORDER_REPLICATE
        rgba = sample(layer.rgba, at, border)
        known, share = shares(sample(layer.known, at)), shares(rgba[..., 3])
        if field.solid is not None:
            share[field.solid] = 1
        if field.bound is not None:
            share *= field.bound
        self._blend(number, field.box, rgba[..., :3], share, known, moved)
        top = share > 0.5
        self.flow[self._at(field.box)][top] = field.flow[top]
        return share

    def _blend(
        self,
        number: int,
        box: Box,
        color: Picture,
        share: Plane,
        known: Plane,
        moved: NDArray[np.bool_] | bool,
    ) -> None:
        inside = self._at(box)
        below = self.picture[inside]
        below += share[..., None] * (color - below)
        for plane, value in ((self.holes, 1 - known), (self.pasted, np.asarray(moved, np.float32))):
            plane[inside] += share * (value - plane[inside])
        top = share > 0.5
        self.part[inside][top] = number
        self.flow[inside][top] = 0
