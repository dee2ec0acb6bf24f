"""An anti-aliased canvas that draws colour and part labels with the same painter's order."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.data.synthetic.signer import Colour

Array = NDArray[np.float64]

_SUPERSAMPLING = 2
_SHIFT = 4
_UNIT = 1 << _SHIFT
_HALF_CIRCLE = np.exp(1j * np.linspace(-np.pi / 2, np.pi / 2, 7))
_CIRCLE = np.exp(1j * np.linspace(0, 2 * np.pi, 20, endpoint=False))


def as_big(points: Array) -> Array:
    """Pixels of the frame -> pixels of the supersampled picture; centres stay centres."""
    return points * _SUPERSAMPLING + (_SUPERSAMPLING - 1) / 2


def circle(centre: Array, radius_x: float, radius_y: float | None = None) -> Array:
    """Outline of a circle or upright ellipse, (20, 2)."""
    radius_y = radius_x if radius_y is None else radius_y
    return np.stack(
        [centre[0] + radius_x * _CIRCLE.real, centre[1] + radius_y * _CIRCLE.imag], axis=-1
    )


def capsule(start: Array, end: Array, start_radius: float, end_radius: float) -> Array:
    """Outline of a tapered stroke with round ends, (14, 2)."""
    a, b = complex(start[0], start[1]), complex(end[0], end[1])
    length = abs(b - a)
    direction = (b - a) / length if length > 1e-6 else 1.0
    outline = np.concatenate(
        [b + end_radius * direction * _HALF_CIRCLE, a - start_radius * direction * _HALF_CIRCLE]
    )
    return outline.view(np.float64).reshape(-1, 2)


def smooth(points: Array, rounds: int = 2) -> Array:
    """Round the corners of a closed polygon: Chaikin's corner cutting."""
    for _ in range(rounds):
        after = np.roll(points, -1, axis=0)
        points = np.stack(
            [0.75 * points + 0.25 * after, 0.25 * points + 0.75 * after], axis=1
        ).reshape(-1, 2)
    return points


class Canvas:
    """One frame being painted, in pixels of the frame.

    Args:
        backdrop: (2 H, 2 W, 3) uint8 picture to start from; copied.
    """

    def __init__(self, backdrop: NDArray[np.uint8]) -> None:
        self.big = backdrop.copy()
        self.size = (backdrop.shape[0] // _SUPERSAMPLING, backdrop.shape[1] // _SUPERSAMPLING)
        self.labels = np.zeros(self.size, dtype=np.uint8)

    def fill(
        self, outline: Array, colour: Colour, label: int | None = None, *, convex: bool = False
    ) -> None:
        """Fill a closed polygon.

        Args:
            outline: (N, 2) corners in pixels of the frame.
            colour: RGB.
            label: Part to write into the label map, or None to leave it.
            convex: Whether the polygon is convex, which is faster.
        """
        fill = cv2.fillConvexPoly if convex else _fill_polygon
        corners = np.rint(as_big(outline) * _UNIT).astype(np.int32)
        fill(self.big, corners, colour, cv2.LINE_AA, _SHIFT)
        if label is not None:
            fill(
                self.labels, np.rint(outline * _UNIT).astype(np.int32), (label,), cv2.LINE_8, _SHIFT
            )

    def stroke(self, line: Array, colour: Colour, width: float, *, closed: bool = False) -> None:
        """Draw a thin line of `width` pixels of the frame through (N, 2) points."""
        corners = np.rint(as_big(line) * _UNIT).astype(np.int32)
        thickness = max(1, round(width * _SUPERSAMPLING))
        cv2.polylines(self.big, [corners], closed, colour, thickness, cv2.LINE_AA, _SHIFT)

    def paste(
        self, colour: NDArray[np.uint8], weight: NDArray[np.float32], labels: NDArray[np.uint8]
    ) -> None:
        """Lay a picture of the whole frame over the canvas.

        Args:
            colour: (2 H, 2 W, 3) uint8.
            weight: (2 H, 2 W) float32 opacity in [0, 1].
            labels: (H, W) uint8; 0 leaves what is there.
        """
        blended = cv2.blendLinear(colour, self.big, weight, 1 - weight)
        self.big = np.asarray(blended, dtype=np.uint8)
        np.copyto(self.labels, labels, where=labels > 0)

    def frame(self) -> NDArray[np.uint8]:
        """Return the finished (H, W, 3) uint8 RGB frame."""
        small = cv2.resize(self.big, self.size[::-1], interpolation=cv2.INTER_AREA)
        return np.asarray(small, dtype=np.uint8)


def _fill_polygon(
    picture: NDArray[np.uint8],
    corners: NDArray[np.int32],
    colour: Sequence[int],
    line: int,
    shift: int,
) -> None:
    cv2.fillPoly(picture, [corners], colour, line, shift)
