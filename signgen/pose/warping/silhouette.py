"""Where the signer is in a picture: person and background, parted by colour around key points."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.pose.warping.figure import HAND_BONES, SIDES, Array, Figure, limbs_of
from signgen.pose.warping.filling import fill

__all__ = ["HeadShape", "head_mask", "head_shape", "person_mask", "trunk_mask"]

Picture = NDArray[np.uint8]

_WORK = 44.0
"""Width of the shoulders, in pixels, at which person and background are parted."""
_ROUNDS = 3
_MARGIN = 0.6
"""Units around what may be the person in which the background's colours are learned."""
_LEVELS = (
    (cv2.GC_PR_BGD, 2.4, (1.9, 1.5)),
    (cv2.GC_PR_FGD, 1.15, (1.1, 1.1)),
    (cv2.GC_FGD, 0.45, (0.75, 0.93)),
)
"""From outside to inside: label, how wide limbs are drawn relative to their own width, and how wide
and high heads are."""
_FINGER, _NECK, _LEG, _HIP = 0.045, 0.15, 0.22, 0.17
"""Radii in units; a torso is so much wider than its hip joints."""
_SHOULDER = 0.12
"""Radius in units of the end of a shoulder, which stays with the trunk when an arm is raised."""
_TORSO = 2.2
"""Units that a torso goes down where no hips are known: out of most frames."""
_LIKE, _UNLIKE = 16.0, 16.0
"""Grey levels up to which a pixel looks like the background, and from which not like the person."""
_GAP = 0.1
"""Side in units of a square as large as the smallest gap between arm and trunk."""
_CROWN = 1.7
"""Height of a head over that of its face from chin to brows."""
_HEAD = (0.27, 0.36)
"""Half width and height in units of a head whose face is not known."""


@dataclass(frozen=True)
class HeadShape:
    """An upright ellipse: middle, half width and half height in pixels, and the way up."""

    middle: Array
    half: tuple[float, float]
    up: Array

    def crown(self) -> Array:
        """Return points (3, 2) on its upper end: right, top and left of the middle."""
        across = np.array([-self.up[1], self.up[0]])
        turns = [(-0.7, 0.7), (0.0, 1.0), (0.7, 0.7)]
        return np.stack(
            [self.middle + x * self.half[0] * across + y * self.half[1] * self.up for x, y in turns]
        )


def head_shape(figure: Figure, unit: float) -> HeadShape | None:
    """Estimate where the head with its hair is, None without key points of it."""
    face = figure.face_points
    if face is not None:
        chin, brows = face[8], face[17:27].mean(axis=0)
        height = float(np.hypot(*(brows - chin)))
        up = (brows - chin) / max(height, 1e-6)
        half = _CROWN * height / 2
        jaw, across = (face[0] + face[16]) / 2, np.array([-up[1], up[0]])
        # A face that is turned away lies off the middle of its head.
        aside = -0.6 * float((face[30] - jaw) @ across)
        width = 0.54 * float(np.hypot(*(face[0] - face[16])))
        return HeadShape(chin + half * up + aside * across, (max(width, 0.6 * half), half), up)
    known = [k for k in figure.head() if figure.visible[k]]
    if not known:
        return None
    half_width, half_height = (side * unit for side in _HEAD)
    return HeadShape(
        figure.points[known].mean(axis=0), (half_width, half_height), np.array([0, -1.0])
    )


def _torso(figure: Figure, unit: float) -> Array | None:
    """Return the corners (4, 2) of the torso: both shoulders, then the other way both hips."""
    shoulders, hips = figure.side("shoulder"), figure.side("hip")
    if shoulders is None:
        return None
    if hips is None:
        return np.concatenate([shoulders, (shoulders + np.array([0, _TORSO * unit]))[::-1]])
    wide = hips[0] - hips[1]
    wide *= _HIP * unit / max(float(np.hypot(*wide)), 1e-6)
    return np.stack([*shoulders, hips[1] - wide, hips[0] + wide])


class _Sketch:
    """Draws the parts of a figure into a mask that is `scale` times as large as the picture."""

    def __init__(self, size: tuple[int, int], figure: Figure, unit: float, scale: float) -> None:
        self.mask = np.zeros(size, np.uint8)
        self.figure, self.unit, self.scale = figure, unit, scale

    def line(self, ends: Array, radius: float, value: int) -> None:
        """Draw a line with round ends; radius in units."""
        width = max(1, round(2 * radius * self.unit * self.scale))
        cv2.polylines(self.mask, [self._fixed(ends)], False, value, width)

    def torso(self, value: int, shrunk: float = 1.0, border: float = 0.0) -> None:
        corners = _torso(self.figure, self.unit)
        if corners is not None:
            middle = corners.mean(axis=0)
            fixed = [self._fixed(middle + shrunk * (corners - middle))]
            cv2.fillPoly(self.mask, fixed, value)
            if border > 0:
                width = max(1, round(2 * border * self.unit * self.scale))
                cv2.polylines(self.mask, fixed, True, value, width)

    def shoulders(self, value: int) -> None:
        """Draw the shoulders' round ends and the slope from there to the neck."""
        shoulders, head = self.figure.side("shoulder"), head_shape(self.figure, self.unit)
        if shoulders is None:
            return
        if head is not None:
            neck = (shoulders.mean(axis=0) + head.middle) / 2
            cv2.fillPoly(self.mask, [self._fixed(np.stack([*shoulders, neck]))], value)
        for shoulder in shoulders:
            self.line(np.stack([shoulder, shoulder]), _SHOULDER, value)

    def head(
        self, value: int, width: float = 1.0, height: float = 1.0, *, neck: bool = True
    ) -> None:
        """Draw the head, its lower end held, and the neck."""
        head, shoulders = head_shape(self.figure, self.unit), self.figure.side("shoulder")
        if head is None:
            return
        middle = head.middle + (height - 1) * head.half[1] * head.up
        half = [max(1, round(size * self.scale)) for size in head.half]
        axes = (max(1, round(half[0] * width)), max(1, round(half[1] * height)))
        angle = float(np.degrees(np.arctan2(head.up[0], -head.up[1])))
        x, y = self._fixed(middle[None])[0].tolist()
        cv2.ellipse(self.mask, (x, y), axes, angle, 0, 360, value, -1)
        if neck and shoulders is not None:
            ends = np.stack([shoulders.mean(axis=0), head.middle])
            self.line(ends, _NECK * width, value)

    def legs(self, value: int, width: float = 1.0) -> None:
        for side in SIDES:
            for bone in (("hip", "knee"), ("knee", "ankle")):
                ends = self.figure.joints(*(f"{side}_{name}" for name in bone))
                if ends is not None:
                    self.line(ends, _LEG * width, value)

    def arms(self, value: int, width: float) -> None:
        for side in SIDES:
            for limb in limbs_of(side):
                ends = self.figure.joints(limb.start, limb.end)
                if ends is not None:
                    self.line(ends, max(limb.radii) * width, value)
            hand = self.figure.hand(side)
            if hand is not None:
                for (a, b), known in zip(HAND_BONES, hand.bones, strict=True):
                    if known:
                        self.line(hand.points[[a, b]], _FINGER * width, value)

    def _fixed(self, points: Array) -> NDArray[np.int32]:
        return np.rint(np.clip(points * self.scale, -3e4, 3e4)).astype(np.int32)


def trunk_mask(figure: Figure, unit: float, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw torso, neck, head and legs as they usually are, also where an arm hides them.

    Args:
        figure: Key points in pixels.
        unit: Width of the shoulders in pixels.
        size: (H, W) of the mask.

    Returns:
        (H, W) uint8, 255 inside.
    """
    sketch = _Sketch(size, figure, unit, 1.0)
    sketch.torso(255)
    sketch.shoulders(255)
    sketch.head(255)
    sketch.legs(255)
    return sketch.mask


def head_mask(figure: Figure, unit: float, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw the head without the neck; arguments and result as those of `trunk_mask`."""
    sketch = _Sketch(size, figure, unit, 1.0)
    sketch.head(255, neck=False)
    return sketch.mask


def person_mask(picture: Picture, figure: Figure, unit: float) -> NDArray[np.float32]:
    """Part person and background by GrabCut (Rother et al. 2004), started from the key points.

    Args:
        picture: (H, W, 3) uint8 RGB.
        figure: Key points of the person in it.
        unit: Width of the shoulders in pixels.

    Returns:
        (H, W) float32, 1 on the person, with soft borders; 0 without key points.
    """
    size = (picture.shape[0], picture.shape[1])
    mask = np.zeros(size, np.float32)
    if not figure.visible.any():
        return mask
    scale = min(1.0, _WORK / unit)
    small = (max(2, round(size[0] * scale)), max(2, round(size[1] * scale)))
    less = np.asarray(cv2.resize(picture, small[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    sketch = _Sketch(small, figure, unit, scale)
    sketch.mask[:] = cv2.GC_BGD
    for label, width, head in _LEVELS:
        sure = label == cv2.GC_FGD
        sketch.torso(label, 0.7 if sure else 1.0, 0.0 if sure else 0.12 * (width - 0.35))
        sketch.legs(label, width)
        sketch.arms(label, width)
        sketch.head(label, *head)
    sure = cv2.resize((sketch.mask == cv2.GC_FGD).astype(np.uint8), size[::-1]) > 0
    labels = _parted(less, sketch.mask, round(_MARGIN * unit * scale))
    wide = np.asarray(cv2.resize(labels, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    wide = np.where(_gaps(picture, wide, sure, unit), np.float32(0), wide)
    gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    return _guided(gray, np.asarray(wide, np.float32), max(1, round(0.02 * unit)))


def _parted(picture: Picture, labels: NDArray[np.uint8], margin: int) -> NDArray[np.float32]:
    """Run GrabCut where labels say so, and a margin around; return (h, w), 1 on the person."""
    rows, columns = (np.flatnonzero((labels != cv2.GC_BGD).any(axis=axis)) for axis in (1, 0))
    person = np.zeros(labels.shape, np.float32)
    if not len(rows):
        return person
    window = tuple(
        slice(max(0, int(found[0]) - margin), int(found[-1]) + margin + 1)
        for found in (rows, columns)
    )
    inside = np.ascontiguousarray(labels[window])
    foreground = np.isin(inside, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if foreground.any() and not foreground.all():
        # Its mixtures start from random numbers.
        cv2.setRNGSeed(0)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        around = np.ascontiguousarray(picture[window])
        cv2.grabCut(around, inside, (0, 0, 0, 0), *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
        foreground = np.isin(inside, (cv2.GC_FGD, cv2.GC_PR_FGD))
    person[window] = _connected(foreground.astype(np.uint8), labels[window] == cv2.GC_FGD)
    return person


def _connected(mask: NDArray[np.uint8], sure: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Keep what hangs together with what is sure, and close small holes."""
    count, parts = cv2.connectedComponents(mask, connectivity=4)
    kept = np.zeros(count, bool)
    kept[np.unique(parts[sure & (mask > 0)])] = True
    kept[0] = False
    whole = kept[parts].astype(np.uint8)
    return np.asarray(
        cv2.morphologyEx(whole, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)), np.float32
    )


def _gaps(
    picture: Picture, mask: NDArray[np.float32], sure: NDArray[np.bool_], unit: float
) -> NDArray[np.bool_]:
    """Find what shows the background between arms and trunk: too narrow for GrabCut.

    Args:
        picture: (H, W, 3) uint8 RGB.
        mask: (H, W), about 1 on the person.
        sure: (H, W) true where the person must be.
        unit: Width of the shoulders in pixels.

    Returns:
        (H, W) true where a pixel looks like the background around, and not like the person near.
    """
    outside = cv2.dilate(mask, np.ones((5, 5), np.uint8)) < 0.1
    behind, before = (fill(picture, known).astype(np.float32) for known in (outside, sure))
    shown = cv2.GaussianBlur(picture, (3, 3), 0).astype(np.float32)
    far, near = (np.abs(shown - other).max(axis=-1) for other in (behind, before))
    gap = (far < _LIKE) & (near > _UNLIKE + 2 * far) & ~sure & (mask > 0)
    _, parts, facts, _ = cv2.connectedComponentsWithStats(gap.astype(np.uint8), connectivity=4)
    large = facts[:, cv2.CC_STAT_AREA] > (_GAP * unit) ** 2
    large[0] = False
    return np.asarray(large[parts])


def _guided(gray: Picture, mask: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """Let a mask follow the edges of a picture: the guided filter of He, Sun and Tang 2010."""
    guide = gray.astype(np.float32) / 255
    size = (2 * radius + 1, 2 * radius + 1)
    mean, mean_mask, product, square = (
        cv2.blur(values, size) for values in (guide, mask, guide * mask, guide * guide)
    )
    slope = (product - mean * mean_mask) / (square - mean * mean + 1e-3)
    offset = mean_mask - slope * mean
    filtered = cv2.blur(slope, size) * guide + cv2.blur(offset, size)
    return np.asarray(np.clip(filtered * 1.4 - 0.2, 0, 1), np.float32)
