"""Estimators of key points that really look at the picture, without weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from signgen.pose.estimators import Box, Frame, Person


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


class WrittenPoints:
    """133 points that are written in the first pixels of a frame: red is x, green is y.

    Blue is 0 where a point is missing. Like one that tracks, it must see clips whole: the first
    frame of what it is given has its points moved by `first` pixels.
    """

    name = "written"

    def __init__(self, first: float = 0.0) -> None:
        self.clips = 0
        self.first = first

    def estimate(
        self, frames: Iterable[Frame], boxes: Sequence[Box | None] | None = None
    ) -> Iterator[Person]:
        self.clips += 1
        for index, frame in enumerate(frames):
            pixels = frame.reshape(-1, 3)[:133].astype(np.float32)
            points = pixels[:, :2] + (self.first if index == 0 else 0)
            confidence = (pixels[:, 2] > 0).astype(np.float32)
            yield points * confidence[:, None], confidence


def written(points: np.ndarray, seen: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return black frames with (T, 133, 2) whole points written in them, (T, 133) seen or not."""
    frames = np.zeros((len(points), size[0] * size[1], 3), np.uint8)
    frames[:, :133, :2] = points
    frames[:, :133, 2] = seen
    return frames.reshape(len(points), *size, 3)
