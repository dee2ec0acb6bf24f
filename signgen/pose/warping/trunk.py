"""The field of torso and head: what does not move with an arm.

Three maps from target to source are blended: that of the shoulders, that of the hips below them,
and above the shoulders that of the head, which follows every one of its points smoothly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from signgen.pose.warping.figure import Array

__all__ = ["HeadMove", "Station", "TrunkMove", "smoothstep"]

_NECK = (0.1, 0.75)
"""Shares of the way from neck to chin between which torso becomes head."""


def smoothstep(values: Array, low: float, high: float) -> Array:
    """Rise from 0 at `low` to 1 at `high` without a kink."""
    share = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(share * share * (3 - 2 * share))


@dataclass(frozen=True)
class Station:
    """An affine map that carries a point of the source to one of the target.

    Args:
        source: (2,).
        target: (2,).
        forth: (2, 2) matrix of offsets from source to target, invertible.
    """

    source: Array
    target: Array
    forth: Array

    @property
    def still(self) -> bool:
        """Whether it moves nothing."""
        same = np.array_equal(self.source, self.target)
        return same and bool(np.array_equal(self.forth, np.eye(2)))

    def forward(self, points: Array) -> Array:
        """Map source points (..., 2) to the target."""
        if self.still:
            return points
        return np.asarray(self.target + (points - self.source) @ self.forth.T)

    def back(self, points: Array) -> Array:
        """Map target points (..., 2) to the source."""
        if self.still:
            return points
        return np.asarray(self.source + (points - self.target) @ np.linalg.inv(self.forth).T)


@dataclass(frozen=True)
class HeadMove:
    """A smooth map that follows points: moving least squares of similarities.

    Schaefer, McPhail and Warren 2006, "Image deformation using moving least squares", section 2.2,
    from target to source. Far from all points it is the one similarity that fits them best.

    Args:
        source: (n, 2) points in the source, two or more that differ.
        target: (n, 2) the same in the target.
        focus: Pixels within which the nearest points decide.
        base: (2,) where the neck ends on the shoulders, in the target.
        chin: (2,) where the head begins.
    """

    source: Array
    target: Array
    focus: float
    base: Array
    chin: Array

    def weight(self, points: Array) -> Array:
        """Return how much of the field at target points (..., 2) is the head's, 0 to 1."""
        axis = self.chin - self.base
        share = (points - self.base) @ axis / max(float(axis @ axis), 1e-6)
        return smoothstep(share, *_NECK)

    def back(self, points: Array) -> Array:
        """Map target points (N, 2) to the source."""
        middle = self.target.mean(axis=0)
        near, far, at = self.target - middle, self.source - middle, points - middle
        reach = (at**2).sum(axis=1)[:, None] + (near**2).sum(axis=1) - 2 * at @ near.T
        reach = np.maximum(reach, 0) + self.focus**2  # (N, n)
        # All weighted sums at once: of both points, of the square, and of inner and outer product.
        terms = [np.ones(len(near)), *near.T, *far.T, (near**2).sum(axis=1)]
        terms += [(near * far).sum(axis=1), near[:, 0] * far[:, 1] - near[:, 1] * far[:, 0]]
        sums = (1 / (reach * np.sqrt(reach))) @ np.stack(terms, axis=1)  # (N, 8)
        sums /= sums[:, :1]
        near_x, near_y, far_x, far_y, square, inner, outer = sums[:, 1:].T
        spread = np.maximum(square - near_x**2 - near_y**2, 1e-9)
        cosine = (inner - near_x * far_x - near_y * far_y) / spread
        sine = (outer - near_x * far_y + near_y * far_x) / spread
        x, y = at[:, 0] - near_x, at[:, 1] - near_y
        moved = np.stack([far_x + cosine * x - sine * y, far_y + sine * x + cosine * y], axis=1)
        return np.asarray(middle + moved)


@dataclass(frozen=True)
class TrunkMove:
    """The map of torso and head from target to source.

    Args:
        shoulders: The map at the shoulders.
        hips: The map at the hips and below.
        head: The map of the head; None where it goes with the shoulders.
    """

    shoulders: Station
    hips: Station
    head: HeadMove | None

    def back(self, points: Array) -> Array:
        """Map target points (N, 2) to the source."""
        axis = self.hips.target - self.shoulders.target
        share = (points - self.shoulders.target) @ axis / max(float(axis @ axis), 1e-6)
        low = np.clip(share, 0, 1)[:, None]
        moved = (1 - low) * self.shoulders.back(points) + low * self.hips.back(points)
        if self.head is None:
            return np.asarray(moved)
        weight = self.head.weight(points)
        above = weight > 0
        if above.any():
            share = weight[above, None]
            moved[above] += share * (self.head.back(points[above]) - moved[above])
        return np.asarray(moved)

    def reach(self, box: Array) -> Array:
        """Return points (n, 2) of the target around all that a box of the source is carried to.

        Args:
            box: (2, 2) its upper left and its lower right corner.
        """
        corners = np.array([[x, y] for x in box[:, 0] for y in box[:, 1]])
        points = [self.shoulders.forward(corners), self.hips.forward(corners)]
        if self.head is not None:
            middle, to = self.head.source.mean(axis=0), self.head.target.mean(axis=0)
            # Hair goes up to twice as far from the face's middle as the face itself.
            points.append(to + 2 * (self.head.target - to))
            points.append(corners + (to - middle))
        return np.concatenate(points)

    def head_share(self, points: Array) -> Array:
        """Return how much of the field at target points (N, 2) is the head's, 0 to 1."""
        return np.zeros(len(points)) if self.head is None else self.head.weight(points)
