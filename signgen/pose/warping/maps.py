"""What a warp does to every pixel, for networks that warp features and repaint holes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["WarpMaps"]

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class WarpMaps:
    """Where the pixels of a warped picture come from.

    Args:
        moved: (H, W) float32 in [0, 1], 0 where nothing moves in either pose: there the picture is
            the source's, bit for bit.
        holes: (H, W) float32 in [0, 1], 1 where the source does not show what is there: filled or
            drawn.
        pasted: (H, W) float32 in [0, 1], 1 on parts that have moved.
        flow: (H, W, 2) float32, from a pixel to where it comes from in the source, (x, y) in
            pixels: the source at (x, y) + flow.
        part: (H, W) uint8, the part that is seen, a number in `PARTS`.
        valid: (H, W) bool, true where the flow leads to a pixel of the source that shows the part.
    """

    moved: Plane
    holes: Plane
    pasted: Plane
    flow: Plane
    part: NDArray[np.uint8]
    valid: NDArray[np.bool_]

    def resized(self, size: tuple[int, int]) -> WarpMaps:
        """Return the maps at another size, for a level of a feature pyramid.

        Masks are averaged; a flow is that of the pixel in the middle, since between two parts there
        is none, and is told in pixels of the new size.

        Args:
            size: (H, W), both positive.
        """
        height, width = self.moved.shape
        shape = (size[1], size[0])
        moved, holes, pasted = (
            np.asarray(cv2.resize(plane, shape, interpolation=cv2.INTER_AREA), np.float32)
            for plane in (self.moved, self.holes, self.pasted)
        )
        rows = ((np.arange(size[0]) + 0.5) * height / size[0]).astype(int)
        columns = ((np.arange(size[1]) + 0.5) * width / size[1]).astype(int)
        middle = np.ix_(rows, columns)
        scale = np.array([size[1] / width, size[0] / height], np.float32)
        return WarpMaps(
            moved, holes, pasted, self.flow[middle] * scale, self.part[middle], self.valid[middle]
        )
