"""The front of a body, so that hands touch it and do not enter it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

__all__ = ["Surface", "measure_surface"]

Array = NDArray[np.float64]

_CELL = 0.015


@dataclass(frozen=True)
class Surface:
    """How far trunk and head extend, in columns of 15 mm along the view from the front.

    Args:
        corner: (2,) x and z of the first column's corner, metres.
        front: (T, X, Z) y of the front, infinite where nothing is.
        back: (T, X, Z) y of the back.
    """

    corner: Array
    front: Array
    back: Array

    def depth(self, points: Array) -> Array:
        """How deep points (T, N, 3) lie inside, metres (T, N); negative outside."""
        front, back = self._columns(points)
        return np.asarray(np.minimum(points[..., 1] - front, back - points[..., 1]).clip(-9, 9))

    def way_out(self, points: Array, margin: Array) -> Array:
        """How far points (T, N, 3) must come forward to keep `margin` metres (N,), (T, N)."""
        front, back = self._columns(points)
        y = points[..., 1]
        behind = y - margin > back
        return np.asarray(np.where(behind, 0.0, y - front + margin).clip(0, None))

    def _columns(self, points: Array) -> tuple[Array, Array]:
        cells = np.floor((points[..., ::2] - self.corner) / _CELL).astype(int)
        limits = np.array(self.front.shape[1:]) - 1
        clipped = np.clip(cells, 0, limits)
        frame = np.arange(len(points))[:, None]
        inside = np.all(cells == clipped, axis=-1)
        index = (frame, clipped[..., 0], clipped[..., 1])
        return (
            np.where(inside, self.front[index], np.inf),
            np.where(inside, self.back[index], -np.inf),
        )


def measure_surface(vertices: Array) -> Surface:
    """Measure vertices (T, V, 3) of trunk and head, no two neighbours more than 40 mm apart."""
    flat = vertices[..., ::2]
    corner = flat.min((0, 1)) - _CELL
    shape = np.ceil((flat.max((0, 1)) - corner) / _CELL).astype(int) + 1
    front = np.full((len(vertices), *shape), np.inf)
    back = np.full_like(front, -np.inf)
    cells = np.floor((flat - corner) / _CELL).astype(int)  # (T, V, 2)
    index = (np.arange(len(vertices))[:, None], cells[..., 0], cells[..., 1])
    np.minimum.at(front, index, vertices[..., 1])
    np.maximum.at(back, index, vertices[..., 1])
    # Columns between vertices take the nearest of their neighbours
    size = (1, 3, 3)
    return Surface(corner, minimum_filter(front, size), maximum_filter(back, size))
