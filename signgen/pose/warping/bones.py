"""How a bone of the source becomes a bone of the target: along its length and across it.

In a bone's own coordinates a point is `s`, its place along the bone (0 at the start, 1 at the end),
and `d`, its distance to the left of it in pixels. A move keeps `s` between the ends and scales `d`:
a limb that is foreshortened gets shorter, not thinner. Beyond the ends the overhang is scaled as
`d` is, so that the round end of a limb stays round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from signgen.pose.warping.figure import Array

__all__ = ["BoneMove", "capsule_distance", "similar"]

Grid = NDArray[np.float32]
Plane = NDArray[np.float32]

_SHORTEST = 1e-3
"""Pixels below which a bone has no direction of its own."""


@dataclass(frozen=True)
class BoneMove:
    """A bone before and after.

    Args:
        source: (2, 2) its start and end in the source, (x, y) in pixels.
        target: (2, 2) the same in the target.
        across: Pixels of the target per pixel of the source across the bone, above 0.
    """

    source: Array
    target: Array
    across: float

    @property
    def still(self) -> bool:
        """Whether source and target are the same."""
        return bool(np.array_equal(self.source, self.target)) and self.across == 1

    def carry(self, points: Array) -> Array:
        """Move source points (..., 2) that hang rigidly on the bone's end to the target."""
        if self.still:
            return points
        frames = [
            np.stack([axis, _left(axis)]) for _, axis in map(_axis, (self.source, self.target))
        ]
        turned = (points - self.source[1]) @ frames[0].T @ frames[1]
        return np.asarray(self.target[1] + self.across * turned)

    def affine(self) -> Array:
        """Return the map from target to source between the bone's ends as a (2, 3) matrix."""
        length, axis = _axis(self.target)
        source_length, source_axis = _axis(self.source)
        along = source_length / max(length, _SHORTEST)
        frame = np.stack([axis, _left(axis)])
        linear = np.stack([source_axis * along, _left(source_axis) / self.across], axis=1) @ frame
        return np.concatenate([linear, (self.source[0] - linear @ self.target[0])[:, None]], axis=1)

    def back(self, points: Grid) -> Grid:
        """Map target points (..., 2) float32 to the source."""
        length, axis = _axis(self.target)
        source_length, source_axis = _axis(self.source)
        scale = source_length / max(length, _SHORTEST)
        along, aside = _coordinates(points, self.target[0], axis)
        inside = np.clip(along, 0, np.float32(length))
        reach = inside * np.float32(scale) + (along - inside) / np.float32(self.across)
        aside /= np.float32(self.across)
        moved = np.empty_like(points)
        for k, left in enumerate(_left(source_axis).tolist()):
            start, step = np.float32(self.source[0, k]), np.float32(source_axis[k])
            moved[..., k] = start + reach * step + aside * np.float32(left)
        return moved


def _axis(bone: Array) -> tuple[float, Array]:
    """Return length and direction; a bone without length points down."""
    offset = bone[1] - bone[0]
    length = float(np.hypot(*offset))
    return length, offset / length if length > _SHORTEST else np.array([0.0, 1.0])


def _left(axis: Array) -> Array:
    return np.array([axis[1], -axis[0]])


def _coordinates(points: Grid, start: Array, axis: Array) -> tuple[Plane, Plane]:
    """Return how far points are along an axis and to its left, in pixels."""
    x, y = points[..., 0] - np.float32(start[0]), points[..., 1] - np.float32(start[1])
    right, down = (np.float32(value) for value in axis)
    return x * right + y * down, x * down - y * right


def capsule_distance(points: Grid, bone: Array, radii: tuple[float, float]) -> Plane:
    """Return the distance of points (..., 2) from a bone in radii: 1 on the capsule's surface.

    Args:
        points: (..., 2) float32, (x, y) in pixels.
        bone: (2, 2) start and end.
        radii: Radius at both ends in pixels.
    """
    length, axis = _axis(bone)
    along, aside = _coordinates(points, bone[0], axis)
    inside = np.clip(along, 0, np.float32(length))
    distance = np.sqrt((along - inside) ** 2 + aside**2)
    growth = np.float32((radii[1] - radii[0]) / max(length, _SHORTEST))
    return np.asarray(distance / (np.float32(radii[0]) + inside * growth), np.float32)


def similar(points: Array, wanted: Array) -> Callable[[Array], Array]:
    """Return the similarity that fits points (n, 2) to others best in the least squares."""
    middle, to = points.mean(axis=0), wanted.mean(axis=0)
    offset, goal = (points - middle) @ [1, 1j], (wanted - to) @ [1, 1j]
    factor = (offset.conj() @ goal) / max(float(np.abs(offset) @ np.abs(offset)), 1e-9)
    linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return lambda given: np.asarray(to + (given - middle) @ linear.T)
