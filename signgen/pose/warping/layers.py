"""The layers that a source is taken apart into, with what is hidden of them filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.pose.warping.cutouts import Canvas, Cutout, cut_out
from signgen.pose.warping.figure import Array, Figure, limbs_of
from signgen.pose.warping.filling import fill
from signgen.pose.warping.matting import Matte
from signgen.pose.warping.motion import front_side
from signgen.pose.warping.parts import Box, Opacity, arm_parts, overlap, window

__all__ = ["Layer", "cut_layers"]

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Number = TypeVar("Number", np.uint8, np.float32)

_PAD = (0.3, 1.2)
"""Least and most units beyond the frame in which parts go on."""
_SOLID = 0.85
"""Opacity from which a pixel shows nothing but its part."""
_GHOST = 0.05
"""Units around an arm that the background does not show truly."""
_ALIKE = 12.0
"""Grey levels by which the colours of a part that is hardly seen may differ."""
_FOLDED = 0.4
"""Cosine of the angle between upper arm and forearm from which they lie on each other."""


@dataclass(frozen=True)
class Layer:
    """A part cut out of the source.

    Args:
        box: (x0, y0, x1, y1) in pixels of the source; may reach over its frame.
        rgba: (h, w, 4) uint8, RGB also where the part is hidden or ends, and its opacity.
        known: (h, w) uint8, 255 where the colour is the source's own.
        bare: `rgba` without what is near parts that lie on this one; None where nothing does.
        stains: (h, w) uint8 by part, 255 where `bare` holds once that part has moved.
    """

    box: Box
    rgba: Picture
    known: Picture
    bare: Picture | None = None
    stains: Mapping[str, Picture] = field(default_factory=dict)

    def without(self, parts: Sequence[str]) -> Layer:
        """Return the layer as it is when parts that lay on it have moved away."""
        gone = [name for name in parts if name in self.stains]
        if self.bare is None or not gone:
            return self
        rgba, known = self.rgba.copy(), self.known.copy()
        for name in gone:
            cv2.copyTo(self.bare, self.stains[name], rgba)
            cv2.subtract(known, self.stains[name], known)
        return replace(self, rgba=rgba, known=known)


def cut_layers(
    picture: Picture,
    matte: Matte,
    figure: Figure,
    unit: float,
    *,
    blobs: Mapping[str, Mask],
    labels: Picture | None = None,
    skin: Mask | None = None,
) -> dict[str, Layer]:
    """Take a source apart.

    Args:
        picture: (H, W, 3) uint8 RGB.
        matte: Person and background.
        figure: Key points in pixels of the picture.
        unit: Width of the shoulders in pixels.
        blobs: (H, W) bool of hands that the picture shows where no key points are.
        labels: (H, W) uint8, numbers in `PARTS` where the parts are known.
        skin: (H, W) bool, where the picture has the colour of the face's skin.

    Returns:
        `background`, `trunk` and the parts of the arms, from back to front.
    """
    borders = _borders(figure, unit, (picture.shape[0], picture.shape[1]))
    top, bottom, left, right = borders
    shown = np.zeros((top + picture.shape[0] + bottom, left + picture.shape[1] + right), np.bool_)
    shown[top : top + picture.shape[0], left : left + picture.shape[1]] = True
    canvas = Canvas(
        picture=_widened(picture, borders),
        person=_widened(matte.person, borders),
        shown=shown,
        figure=Figure(figure.points + np.array([left, top]), figure.visible, figure.skeleton),
        unit=unit,
        labels=None if labels is None else _widened(labels, borders),
        skin=None if skin is None else np.pad(skin, ((top, bottom), (left, right))),
    )
    wide = {name: np.pad(blob, ((top, bottom), (left, right))) for name, blob in blobs.items()}
    cutouts = cut_out(canvas, wide)
    shears = _Shears(canvas, cutouts.arms, (left, top))
    layers = shears.arms() | {"trunk": shears.trunk(cutouts.trunk)}
    layers["background"] = _background(matte, layers, unit)
    order = ("background", "trunk", *arm_parts(front_side(figure, unit)))
    return {name: layers[name] for name in order if name in layers}


class _Shears:
    """Cuts parts out of a canvas, from front to back."""

    def __init__(
        self, canvas: Canvas, cutouts: Mapping[str, Cutout], corner: tuple[int, int]
    ) -> None:
        self.canvas, self.cutouts, self.corner = canvas, cutouts, corner
        self.visible = canvas.shown.copy()

    def arms(self) -> dict[str, Layer]:
        """Cut the parts of both arms."""
        layers: dict[str, Layer] = {}
        order = arm_parts(front_side(self.canvas.figure, self.canvas.unit))
        for name in [name for name in reversed(order) if name in self.cutouts]:
            cutout = self.cutouts[name]
            at = window(cutout.box)
            side, _, kind = name.partition("_")
            known = self.visible[at] & ~cutout.foreign
            if kind == "upper_arm" and not _folded(self.canvas.figure, side):
                known |= self._elbow(side)[at] & self.canvas.shown[at]
            if kind == "forearm" and f"{side}_hand" in layers:
                known &= ~self._stain(f"{side}_hand", cutout.box)
            stains = {
                key: self._stain(key, cutout.box)
                for key in layers
                if _lies_on(key, name, _folded(self.canvas.figure, side))
            }
            known &= _typical(self.canvas.picture[at], cutout.opacity, known)
            layers[name] = self._cut(cutout.box, cutout.opacity, known, stains)
            self.visible[at] &= cutout.opacity < 0.5
        return layers

    def trunk(self, opacity: Opacity) -> Layer:
        """Cut torso and head, after the arms."""
        box = (0, 0, opacity.shape[1], opacity.shape[0])
        stains = {name: self._stain(name, box) for name in self.cutouts}
        return self._cut(box, opacity, self.visible, stains)

    def _stain(self, name: str, box: Box) -> Mask:
        """Return a part's stain in another box."""
        cutout = self.cutouts[name]
        shared, own = overlap(cutout.box, box)
        stain = np.zeros((box[3] - box[1], box[2] - box[0]), np.bool_)
        x, y = box[:2]
        inside = (shared[0] - x, shared[1] - y, shared[2] - x, shared[3] - y)
        stain[window(inside)] = cutout.stain[own]
        return stain

    def _elbow(self, side: str) -> Mask:
        """Mark the elbow, where the forearm hides nothing of its upper arm unless it is folded."""
        mask = np.zeros(self.canvas.size, np.uint8)
        elbow = self.canvas.figure.joint(f"{side}_elbow")
        if elbow is not None:
            x, y = np.rint(np.clip(elbow, -3e4, 3e4)).astype(int).tolist()
            cv2.circle(mask, (x, y), round(limbs_of("left")[0].radii[1] * self.canvas.unit), 1, -1)
        return mask > 0

    def _cut(self, box: Box, opacity: Opacity, known: Mask, stains: Mapping[str, Mask]) -> Layer:
        """Cut a part out of a box of the canvas and fill what is hidden of it."""
        x, y, width, height = cv2.boundingRect((opacity > 0.01).astype(np.uint8))
        inside = (slice(y, y + height), slice(x, x + width))
        color = np.ascontiguousarray(self.canvas.picture[window(box)][inside])
        shade = np.rint(opacity[inside] * 255).astype(np.uint8)[..., None]
        clean = known[inside] & (opacity[inside] > _SOLID)
        left, top = box[0] + x - self.corner[0], box[1] + y - self.corner[1]
        layer = Layer(
            box=(left, top, left + width, top + height),
            rgba=np.concatenate([fill(color, clean), shade], axis=-1),
            known=clean.astype(np.uint8) * 255,
        )
        masks = {name: stain[inside] for name, stain in stains.items() if stain[inside].any()}
        if not masks:
            return layer
        bare = fill(color, clean & ~np.logical_or.reduce(list(masks.values())))
        return replace(
            layer,
            bare=np.concatenate([bare, shade], axis=-1),
            stains={name: mask.astype(np.uint8) * 255 for name, mask in masks.items()},
        )


def _background(matte: Matte, layers: Mapping[str, Layer], unit: float) -> Layer:
    """Return the background, and what it is like around parts of arms that have moved away."""
    height, width = matte.person.shape
    opaque = np.full((height, width, 1), 255, np.uint8)
    reach = 2 * max(1, round(_GHOST * unit)) + 1
    stains: dict[str, Picture] = {}
    for name in [name for name in layers if name != "trunk"]:
        mask = np.zeros((height, width), np.uint8)
        box, own = overlap(layers[name].box, (0, 0, width, height))
        mask[window(box)] = (layers[name].rgba[own][..., 3] > 8).astype(np.uint8) * 255
        stains[name] = np.asarray(cv2.dilate(mask, np.ones((reach, reach), np.uint8)), np.uint8)
    return Layer(
        box=(0, 0, width, height),
        rgba=np.concatenate([matte.background, opaque], axis=-1),
        known=np.where(matte.hidden, 0, 255).astype(np.uint8),
        bare=np.concatenate([matte.bare, opaque], axis=-1),
        stains=stains,
    )


def _typical(color: Picture, opacity: Opacity, known: Mask) -> Mask:
    """Mark the colours of a part; where little of it is seen, what differs from the rest is not."""
    part = opacity > _SOLID
    seen = part & known
    if not seen.any() or seen.sum() > part.sum() / 2:
        return np.ones(known.shape, np.bool_)
    middle = np.median(color[seen], axis=0)
    apart = np.abs(color - middle).max(axis=-1)
    return np.asarray(apart < _ALIKE + 2 * np.median(apart[seen]))


def _lies_on(name: str, below: str, folded: bool) -> bool:
    """Whether a part may lie on another one without being its continuation."""
    if name.partition("_")[0] != below.partition("_")[0]:
        return True
    return below.endswith("upper_arm") and (folded or name.endswith("hand"))


def _folded(figure: Figure, side: str) -> bool:
    """Whether a forearm lies on its own upper arm."""
    chain = figure.joints(f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist")
    if chain is None:
        return False
    bones = np.diff(chain, axis=0)
    return float(bones[0] @ bones[1]) < -_FOLDED * float(np.prod(np.hypot(*bones.T)))


def _borders(figure: Figure, unit: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return by how many pixels the canvas goes beyond the frame: top, bottom, left, right."""
    height, width = size
    names = [f"{side}_{joint}" for side in ("left", "right") for joint in ("elbow", "wrist")]
    points = [point for name in names if (point := figure.joint(name)) is not None]
    ends: Array = np.stack([np.zeros(2), np.array([width, height], float), *points])
    low, high = np.clip([-ends.min(axis=0), ends.max(axis=0) - (width, height)], 0, None)
    least, most = (share * unit for share in _PAD)
    wanted = np.clip(np.concatenate([low, high]) + least, least, most)
    left, top, right, bottom = (int(value) for value in np.ceil(wanted))
    return top, bottom, left, right


def _widened(plane: NDArray[Number], borders: tuple[int, int, int, int]) -> NDArray[Number]:
    """Let the border of a picture or a mask go on around it."""
    wide = cv2.copyMakeBorder(plane, *borders, cv2.BORDER_REPLICATE)
    return np.asarray(wide, plane.dtype)
