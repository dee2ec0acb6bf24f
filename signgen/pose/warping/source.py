"""Everything about a source picture that no target pose changes: made once, used for every pose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from signgen.pose.warping.figure import SIDES, Figure, Side, limbs_of
from signgen.pose.warping.layers import Layer, cut_layers
from signgen.pose.warping.matting import Matte, matte
from signgen.pose.warping.parts import PARTS, Opacity, overlap, window
from signgen.pose.warping.silhouette import head_mask, person_mask
from signgen.pose.warping.skin import find_hands, like_skin, skin_color, with_hands

__all__ = ["WarpSource", "prepare_source"]

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class WarpSource:
    """A source picture taken apart.

    Args:
        picture: (H, W, 3) uint8 RGB, the source as it is.
        figure: Key points in pixels of the source; those of joints and hands that lie outside of
            the frame or that only the picture shows are added.
        unit: Width of the shoulders in pixels: lengths are told in it.
        matte: Person and background.
        part: (H, W) uint8, the part that is seen, a number in `PARTS`.
        layers: From back to front: `background`, `trunk` (torso and head) and parts of the arms.
        skin: RGB of hands that are drawn, or None where no skin is seen.
        guessed: Sides whose hand is seen in the picture without key points.
    """

    picture: Picture
    figure: Figure
    unit: float
    matte: Matte
    part: Picture
    layers: Mapping[str, Layer]
    skin: tuple[int, int, int] | None
    guessed: frozenset[Side]


_HANGING = ((0.12, 0.85), (0.0, 0.7))
"""Where an elbow is from its shoulder and a wrist from its elbow that the frame cuts off."""


def prepare_source(
    picture: Picture,
    keypoints: ArrayLike,
    confidence: ArrayLike,
    *,
    skeleton: str = "coco-wholebody-133",
    person: Opacity | None = None,
    labels: Picture | None = None,
) -> WarpSource:
    """Take a source picture apart.

    Args:
        picture: (H, W, 3) uint8 RGB.
        keypoints: (K, 2), (x, y) in pixels of the picture.
        confidence: (K,), 0 for missing points.
        skeleton: Name of the skeleton.
        person: (H, W), 1 on the person, where something better than key points and colours tells;
            found if not given.
        labels: (H, W) uint8, the number in `PARTS` of the part that every pixel shows, where human
            parsing or a renderer tells; `person` is then not needed.
    """
    size = (picture.shape[0], picture.shape[1])
    figure = Figure.of(keypoints, confidence, skeleton)
    unit = figure.unit(size)
    skin = skin_color(picture, figure, unit)
    skin_mask = None if skin is None else like_skin(picture, skin)
    figure = _with_arms(figure, unit, size)
    hands = {} if skin_mask is None else find_hands(skin_mask, figure, unit)
    figure = with_hands(figure, hands)
    if labels is not None:
        person = (labels > 0).astype(np.float32)
    elif person is None:
        person = person_mask(picture, figure, unit)
    parted = matte(picture, person, unit)
    blobs = {f"{side}_hand": hand.mask for side, hand in hands.items()}
    layers = cut_layers(picture, parted, figure, unit, blobs=blobs, labels=labels, skin=skin_mask)
    part = _part_map(layers, figure, unit, size)
    return WarpSource(picture, figure, unit, parted, part, layers, skin, frozenset(hands))


def _part_map(
    layers: Mapping[str, Layer], figure: Figure, unit: float, size: tuple[int, int]
) -> Picture:
    """Return the number of the part that is seen at every pixel."""
    part = np.zeros(size, np.uint8)
    for name, layer in list(layers.items())[1:]:
        box, own = overlap(layer.box, (0, 0, size[1], size[0]))
        opaque = layer.rgba[own][..., 3] > 127
        part[window(box)][opaque] = PARTS.index("torso" if name == "trunk" else name)
    head = head_mask(figure, unit, size) > 0
    part[head & (part == PARTS.index("torso"))] = PARTS.index("head")
    return part


def _with_arms(figure: Figure, unit: float, size: tuple[int, int]) -> Figure:
    """Let arms hang down that the frame cuts off, so that they can be raised into it."""
    points, visible = figure.points.copy(), figure.visible.copy()
    for side in SIDES:
        for limb, (aside, down) in zip(limbs_of(side), _HANGING, strict=True):
            start, end = figure.index(limb.start), figure.index(limb.end)
            if visible[end] or not visible[start]:
                continue
            out = aside * unit * (1 if side == "left" else -1)
            guess = points[start] + [out, down * unit]
            if not ((guess >= 0) & (guess < size[::-1])).all():
                points[end], visible[end] = guess, True
    return Figure(points, visible, figure.skeleton)
