"""Clips of coloured dots, and an estimator that really finds them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from signgen.media import VideoWriter, save_image
from signgen.pose.estimators import Box, Frame, Person

SIZE = (64, 80)
PARTS = {0: (0, 91), 1: (91, 112), 2: (112, 133)}  # red: body and face, green and blue: hands


class DotEstimator:
    """Puts body and face on the red dot, the left hand on the green, the right on the blue one."""

    name = "dots-1"

    def __init__(self) -> None:
        self.clips = 0

    def estimate(
        self, frames: Iterable[Frame], boxes: Sequence[Box | None] | None = None
    ) -> Iterator[Person]:
        self.clips += 1
        places = itertools.repeat(None) if boxes is None else boxes
        for frame, box in zip(frames, places, strict=boxes is not None):
            yield self._find(frame, box)

    def _find(self, frame: Frame, box: Box | None) -> Person:
        points, confidence = np.zeros((133, 2), np.float32), np.zeros(133, np.float32)
        x0, y0, x1, y1 = (0, 0, 9999, 9999) if box is None else map(int, box)
        for channel, (start, stop) in PARTS.items():
            others = np.delete(frame, channel, axis=-1).max(axis=-1)
            rows, columns = np.nonzero((frame[..., channel] > 150) & (others < 90))
            inside = (columns >= x0) & (columns < x1) & (rows >= y0) & (rows < y1)
            if inside.any():
                points[start:stop] = columns[inside].mean(), rows[inside].mean()
                confidence[start:stop] = 1
        return points, confidence


def dots(count: int, *, hands: int = 0, size: tuple[int, int] = SIZE) -> list[Frame]:
    """A red dot that moves to the right by 2 pixels; in the first `hands` frames a green one."""
    y, x = np.mgrid[: size[0], : size[1]]
    frames = []
    for t in range(count):
        frame = np.zeros((*size, 3), np.uint8)
        frame[(x - 20 - 2 * t) ** 2 + (y - 24) ** 2 < 49] = 255, 0, 0
        if t < hands:
            frame[(x - 60) ** 2 + (y - 48) ** 2 < 49] = 0, 255, 0
        frames.append(frame)
    return frames


def video(path: Path, frames: list[Frame], fps: float = 12.5) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, fps, frames[0].shape[:2]) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def pictures(folder: Path, frames: list[Frame]) -> Path:
    folder.mkdir(parents=True)
    for index, frame in enumerate(frames):
        save_image(folder / f"images{index + 1:04d}.png", frame)
    return folder
