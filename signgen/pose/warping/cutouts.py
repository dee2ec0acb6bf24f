"""Which pixels of a source belong to which part of its signer.

A pixel goes to the part whose bones it is nearest to, in their radii. How many radii a part is wide
depends on how far its colours are told from those around: beside the trunk the silhouette decides,
before it the colours do, and where both are alike the usual width of a limb.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.pose.warping.bones import capsule_distance
from signgen.pose.warping.figure import SIDES, Figure
from signgen.pose.warping.parts import PARTS, Bone, Box, Opacity, bones_of, box_around, grid, window
from signgen.pose.warping.sides import beyond_sides
from signgen.pose.warping.silhouette import trunk_mask

__all__ = ["Canvas", "Cutout", "Cutouts", "cut_out"]

Mask = NDArray[np.bool_]

_FAR = 1e3
"""Distance of what is nowhere near, in radii."""
_SOFT = 0.12
"""Softness of the border between parts, in radii."""
_BESIDE = 0.12
"""Units beside the usual outline of the trunk that count as one radius."""
_COLOR = 0.45
"""Radii by which colour may move the border between parts."""
_WIDTH, _WIDER = 1.6, 0.7
"""Radii that a part is wide at most, and by how much colour makes it wider or narrower."""
_CORE, _RING = 0.5, (1.4, 4.0)
"""Radii within which a part's colours are taken, and those of what lies around it."""
_BINS, _LEAST_PIXELS, _SURE = 8, 20, 0.3
"""Bins per channel of a histogram, pixels it needs, and how surely colours must tell."""
_STAIN, _SHADE = 2.0, 0.03
"""Radii within which a part's colours are its stain on what lies around, and units within which
anything is; of a hand without key points, which is blurred, three times as many."""
_EDGE = 0.35
"""Units from the frame's edge within which something may lie over the picture."""
_BARE = 0.4
"""Share of a hand that is skin if it wears no glove."""
_UNSEEN = 1.3
"""Least distance in radii from a hand without key points of what does not look like it."""
_OVERLAP = 0.8
"""Radii that the trunk goes on under an upper arm."""
_BRIDGE = 0.18
"""Half the width in units of a gap in the trunk that an arm is taken to hide."""
_SLIVER = 0.03
"""Half the width in units of what is too thin to be a piece of the trunk."""


@dataclass(frozen=True)
class Canvas:
    """A source picture on a canvas that is wider than its frame.

    Args:
        picture: (H, W, 3) uint8 RGB; beyond the frame its border goes on.
        person: (H, W) float32, 1 on the person.
        shown: (H, W) bool, true in the frame.
        figure: Key points in pixels of the canvas.
        unit: Width of the shoulders in pixels.
        labels: (H, W) uint8, numbers in `PARTS` where the parts are known, or None.
        skin: (H, W) bool, where the picture has the colour of the face's skin, or None.
    """

    picture: NDArray[np.uint8]
    person: Opacity
    shown: Mask
    figure: Figure
    unit: float
    labels: NDArray[np.uint8] | None = None
    skin: Mask | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.shown.shape[0], self.shown.shape[1]


@dataclass(frozen=True)
class Cutout:
    """The pixels of one part of an arm, in a box of the canvas.

    Args:
        box: Where it is.
        opacity: (h, w) float32, 1 on the part; where parts overlap, on both.
        covering: (h, w) float32, where it hides the trunk for good.
        stain: (h, w) bool: what lies near the part or has its colours, so that what is behind it is
            not seen truly there; nowhere for upper arms, which the trunk resembles.
        foreign: (h, w) bool: pixels that do not show the part: of a hand that is bare, what is no
            skin; of a forearm at the frame's edge, what looks like its surroundings and neither
            like its sleeve nor like skin, such as a caption over the picture.
    """

    box: Box
    opacity: Opacity
    covering: Opacity
    stain: Mask
    foreign: Mask


@dataclass(frozen=True)
class Cutouts:
    """A signer taken apart.

    Args:
        arms: Every part of the arms that is known, from back to front.
        trunk: (H, W) float32, opacity of torso and head, which go on behind the arms.
    """

    arms: Mapping[str, Cutout]
    trunk: Opacity


def cut_out(canvas: Canvas, blobs: Mapping[str, Mask]) -> Cutouts:
    """Take a signer apart.

    Args:
        canvas: The source.
        blobs: (H, W) bool of hands that the picture shows where no key points are.
    """
    cutter = _Cutter(canvas, blobs)
    arms = {name: cutter.part(name) for name in cutter.bones if cutter.near(name)}
    return Cutouts(arms, cutter.trunk(arms))


class _Cutter:
    """Holds what all parts are cut by."""

    def __init__(self, canvas: Canvas, blobs: Mapping[str, Mask]) -> None:
        self.canvas, self.blobs = canvas, blobs
        size, unit = canvas.size, canvas.unit
        self.bones = bones_of(canvas.figure, unit)
        self.outline = trunk_mask(canvas.figure, unit, size)
        outside = cv2.distanceTransform(255 - self.outline, cv2.DIST_L2, 5)
        self.outside = np.minimum(outside, 1e6) / np.float32(_BESIDE * unit)
        bins = canvas.picture // (256 // _BINS)
        self.colors = (bins[..., 0].astype(np.int32) * _BINS + bins[..., 1]) * _BINS + bins[..., 2]
        self.distances = {name: self._distance(name) for name in self.bones}
        none = np.full(size, _FAR, np.float32)
        self.nearest = np.minimum.reduce([none, *self.distances.values()])
        self.sleeve = self._sleeve()
        self.shade = 2 * max(1, round(_SHADE * unit)) + 1

    def _box(self, name: str) -> Box:
        bones = self.bones[name]
        ends = np.concatenate([bone.ends for bone in bones])
        reach = _RING[1] * max(max(bone.radii) for bone in bones)
        height, width = self.canvas.size
        return box_around(ends, reach, (0, 0, width, height))

    def near(self, name: str) -> bool:
        """Tell whether a part is anywhere near the canvas."""
        x0, y0, x1, y1 = self._box(name)
        return x0 < x1 and y0 < y1

    def _distance(self, name: str) -> Opacity:
        """Return how far every pixel is from a part's bones, in radii."""
        distance = np.full(self.canvas.size, _FAR, np.float32)
        box = self._box(name)
        points = grid(box)
        distance[window(box)] = np.minimum.reduce(
            [capsule_distance(points, bone.ends, bone.radii) for bone in self.bones[name]]
        )
        if name in self.blobs:
            # Its bones are only laid over it: the hand is where its colour is.
            distance = np.where(self.blobs[name], _CORE / 2, np.maximum(distance, _UNSEEN))
            distance = distance.astype(np.float32)
        return distance

    def _sleeve(self) -> Mask:
        """Mark where colours of forearms may be seen: on upper arms, and on the face's skin."""
        mask = np.zeros(self.canvas.size, np.uint8)
        face = self.canvas.figure.face_points
        if face is not None:
            hull = cv2.convexHull(np.clip(face, -3e4, 3e4).astype(np.int32))
            cv2.fillConvexPoly(mask, hull, 255)
        sleeve = mask > 0
        for side in SIDES:
            if f"{side}_upper_arm" in self.distances:
                sleeve |= self.distances[f"{side}_upper_arm"] < _CORE
        return sleeve & self.canvas.shown

    # ----- one part -------------------------------------------------------------------------------

    def part(self, name: str) -> Cutout:
        """Cut out one part of an arm."""
        box = self._box(name)
        at = window(box)
        distance, outside = self.distances[name][at], self.outside[at]
        person, shown = self.canvas.person[at], self.canvas.shown[at]
        core = (distance < _CORE) & shown
        ring = (self.nearest[at] > _RING[0]) & (distance < _RING[1]) & shown
        told = self._told(at, core, ring)
        inside = self._inside(name, at, told)
        covering = inside
        if name.endswith("upper_arm"):
            # The shoulder stays with the trunk, which goes on a little under the arm.
            along = _along(self.bones[name][0], box)
            covering = inside * np.clip(2 * (along - _OVERLAP), 0, 1)
            inside = inside * np.clip(2 * along + 0.7, 0, 1)
        opacity = inside * np.where(shown, person, np.float32(1))
        foreign = stain = np.zeros(shown.shape, np.bool_)
        square = np.ones((self.shade, self.shade), np.uint8)
        if name.endswith("forearm"):
            unlike = self._told(at, self.sleeve, ring) < -_SURE
            foreign = cv2.dilate((unlike & self._edge(box)).astype(np.uint8), square) > 0
        if name.endswith("hand") and self.canvas.skin is not None:
            skin = self.canvas.skin[at]
            if skin[core].sum() > _BARE * core.sum():
                foreign = ~skin
        if not name.endswith("upper_arm"):
            rounds = 3 if name in self.blobs else 1
            close = cv2.dilate(opacity, square, iterations=rounds) > 0.1
            on_trunk = self._told(at, core, ring & (outside == 0))
            stain = close | ((distance < _STAIN) & (on_trunk > _SURE))
        return Cutout(box, opacity, covering, stain, foreign)

    def _inside(self, name: str, at: tuple[slice, slice], told: Opacity) -> Opacity:
        """Return how much of every pixel is the part's, were the person everywhere."""
        distance = self.distances[name][at]
        others = [other[at] for key, other in self.distances.items() if key != name]
        rival = np.maximum(np.minimum.reduce([np.full_like(distance, _FAR), *others]), 1)
        labels = None if self.canvas.labels is None else self.canvas.labels[at]
        told = told if labels is None else np.zeros_like(told)
        # Before the trunk its outline is as near as the part; beside it the silhouette decides.
        border = np.minimum(self.outside[at] + 1, rival) + np.float32(_COLOR) * told
        border = np.minimum(border, _WIDTH + _WIDER * told)
        inside = np.clip(0.5 + (border - distance) / (2 * _SOFT), 0, 1).astype(np.float32)
        if labels is not None:
            number = PARTS.index(name)
            in_front = (labels > number) | ~self.canvas.shown[at]
            seen = np.where(in_front, inside, np.float32(0))
            return np.asarray(np.where(labels == number, np.float32(1), seen))
        size = 2 * max(1, round(0.02 * self.canvas.unit)) + 1
        smooth = cv2.medianBlur(np.rint(inside * 255).astype(np.uint8), size)
        return np.asarray(smooth, np.float32) / np.float32(255)

    def _told(self, at: tuple[slice, slice], core: Mask, ring: Mask) -> Opacity:
        """Tell from colours whether pixels are a part's: 1 if surely, -1 if surely not.

        Args:
            at: The window.
            core: Pixels of the part, in the window or on the whole canvas.
            ring: Pixels around it, in the window.
        """
        colors = self.colors[at]
        mine = colors[core] if core.shape == colors.shape else self.colors[core]
        counts = [
            np.bincount(values, minlength=_BINS**3).astype(np.float32)
            for values in (mine, colors[ring])
        ]
        if min(total.sum() for total in counts) < _LEAST_PIXELS:
            return np.zeros(colors.shape, np.float32)
        own, around = (total / total.sum() + np.float32(2e-3) for total in counts)
        ratio = np.log(own / around)[colors]
        return np.asarray(np.clip(cv2.blur(ratio, (3, 3)) / 2, -1, 1), np.float32)

    def _edge(self, box: Box) -> Mask:
        """Mark what lies near the frame's edge."""
        shown = self.canvas.shown
        rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
        points, reach = grid(box), _EDGE * self.canvas.unit
        low = np.array([columns[0], rows[0]], np.float32) + np.float32(reach)
        high = np.array([columns[-1], rows[-1]], np.float32) - np.float32(reach)
        return np.asarray(((points < low) | (points > high)).any(axis=-1))

    # ----- trunk ----------------------------------------------------------------------------------

    def trunk(self, arms: Mapping[str, Cutout]) -> Opacity:
        """Return what is left of the person, and what goes on behind the arms."""
        person, unit = self.canvas.person, self.canvas.unit
        covered = np.zeros(self.canvas.size, np.float32)
        for arm in arms.values():
            inside = covered[window(arm.box)]
            np.maximum(inside, arm.covering * person[window(arm.box)], out=inside)
        # No seam of a sleeve is left beside the body.
        covered = np.clip(2 * cv2.dilate(covered, np.ones((3, 3), np.uint8)), 0, 1)
        covered[~self.canvas.shown] = 1
        # What lies between two pieces of the trunk goes on under the arm that parts them.
        seen = (person * (1 - covered)) > 0.5
        outline = np.where(beyond_sides(self.canvas.figure, seen, person > 0.5), 0, self.outline)
        outline = outline.astype(np.uint8)
        pieces = np.maximum(outline, seen.astype(np.uint8) * 255)
        shape = np.maximum(outline, _closed(pieces, _BRIDGE * unit))
        shape = cv2.GaussianBlur(shape, (0, 0), 0.02 * unit).astype(np.float32) / 255
        trunk = person * (1 - covered * (1 - shape))
        # Slivers beside the trunk are seams of sleeves as well.
        reach = 2 * max(1, round(_SLIVER * unit)) + 1
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
        broad = cv2.morphologyEx((trunk > 0.5).astype(np.uint8), cv2.MORPH_OPEN, disc)
        broad = cv2.dilate(broad, np.ones((5, 5), np.uint8)).astype(np.float32)
        return np.asarray(trunk * np.maximum(broad, shape))


def _along(bone: Bone, box: Box) -> Opacity:
    """Return how far the pixels of a box lie down an upper arm from its shoulder, in radii."""
    axis = bone.ends[1] - bone.ends[0]
    axis = axis / max(float(np.hypot(*axis)), 1e-6)
    points = grid(box) - bone.ends[0].astype(np.float32)
    return np.asarray(points @ (axis / bone.radii[0]).astype(np.float32))


def _closed(mask: NDArray[np.uint8], radius: float) -> NDArray[np.uint8]:
    """Close gaps of up to two radii, at a coarser size where that is the same."""
    factor = min(1.0, 6 / radius)
    size = (max(1, round(mask.shape[1] * factor)), max(1, round(mask.shape[0] * factor)))
    reach = round(radius * factor)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    less = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    wide = cv2.copyMakeBorder(less, *((2 * reach,) * 4), cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(wide, cv2.MORPH_CLOSE, disc)
    inner = closed[2 * reach : -2 * reach, 2 * reach : -2 * reach]
    return np.asarray(cv2.resize(inner, mask.shape[::-1], interpolation=cv2.INTER_LINEAR))
