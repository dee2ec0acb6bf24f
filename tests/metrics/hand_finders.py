"""An estimator of hands that really looks at the picture, without weights."""

from __future__ import annotations

import numpy as np


class BrightCells:
    """21 points: the centre of brightness of each of 21 cells of a picture of 256 x 256.

    A picture without contrast has no hand.
    """

    name = "bright-cells"

    def __init__(self) -> None:
        self.seen = 0

    def find(self, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.seen += len(patches)
        points = np.zeros((len(patches), 21, 2), np.float32)
        found = np.zeros(len(patches), np.bool_)
        for index, patch in enumerate(patches):
            assert patch.shape == (256, 256, 3)
            light = patch.astype(np.float64).sum(axis=-1) + 1
            found[index] = light.std() > 1
            for k in range(21 if found[index] else 0):
                x, y = 36 * (k % 7), 85 * (k // 7)
                cell = light[y : y + 85, x : x + 36]
                rows, columns = np.mgrid[: cell.shape[0], : cell.shape[1]]
                points[index, k] = [
                    x + (columns * cell).sum() / cell.sum(),
                    y + (rows * cell).sum() / cell.sum(),
                ]
        return points, found
