"""A dataset of drawn squares in memory, and renderers that draw them well or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from signgen.human_parsing.label_sets import LABEL_SETS
from signgen.human_parsing.maps import Parts
from signgen.rendering.base import PartsOf
from signgen.structures import FrameRef, PoseSequence, Record, Triplet

SIZE = (79, 62)


def draw(poses: PoseSequence, index: int) -> np.ndarray:
    """A "signer": a grey ramp with a bright square at each middle knuckle."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    frame = np.repeat((x + y)[..., None], 3, axis=2).astype(np.uint8)
    for knuckle in (100, 121):
        column, row = poses.keypoints[index, knuckle].astype(int)
        frame[row - 3 : row + 4, column - 3 : column + 4] = (250, 200, 150)
    return frame


def moving_poses(count: int, seed: int) -> PoseSequence:
    rng = np.random.default_rng(seed)
    keypoints = np.zeros((count, 133, 2), np.float32)
    confidence = np.ones((count, 133), np.float32)
    for knuckle in (100, 121):
        keypoints[:, knuckle] = rng.uniform((10, 15), (40, 50), (count, 2))
    return PoseSequence(keypoints, confidence, "coco-wholebody-133", SIZE, 25)


class SquareSigners:
    """A dataset of drawn squares in memory."""

    name = "squares"
    skeleton = "coco-wholebody-133"

    def __init__(self, lengths: tuple[int, ...] = (4, 6, 3, 5)) -> None:
        self.lengths = lengths

    def records(self, split: str) -> list[Record]:
        return [Record(f"clip{i}", split, f"S{i % 2}", n) for i, n in enumerate(self.lengths)]

    def pose(self, ref: FrameRef) -> PoseSequence:
        return self.poses(ref.record).frames([ref.index])

    def poses(self, record: Record) -> PoseSequence:
        return moving_poses(record.num_frames, seed=int(record.id[4:]))

    def frame(self, ref: FrameRef) -> np.ndarray:
        return draw(self.poses(ref.record), ref.index)

    def parts(self, ref: FrameRef) -> Parts | None:
        return None

    def pairs(self, split: str) -> list[Triplet] | None:
        return None


class ParsedSigners(SquareSigners):
    """The same with human parsing: a face above, a coat below."""

    def parts(self, ref: FrameRef) -> Parts:
        labelled = LABEL_SETS["lip-20"]
        labels = np.zeros(SIZE, np.uint8)
        labels[:30], labels[40:] = labelled.number("face"), labelled.number("coat")
        return Parts(labels, labelled, f"{ref.record.id}:{ref.index}")


class ListedPairs(SquareSigners):
    """The same, with a list of two pairs of views."""

    def pairs(self, split: str) -> list[Triplet] | None:
        first, second = self.records(split)[:2]
        return [
            Triplet(FrameRef(first, 0), FrameRef(first, 2)),
            Triplet(FrameRef(second, 3), FrameRef(second, 1)),
        ]


class GoodRenderer:
    """Draws the squares where the poses say, one grey level off."""

    def render(
        self,
        source: np.ndarray,
        poses: PoseSequence,
        *,
        signer: PoseSequence | None = None,
        parts: PartsOf | None = None,
    ) -> Iterator[np.ndarray]:
        for index in range(len(poses)):
            yield draw(poses, index) + np.uint8(1)


class LazyRenderer:
    """Returns the source whatever the poses say."""

    def render(
        self,
        source: np.ndarray,
        poses: PoseSequence,
        *,
        signer: PoseSequence | None = None,
        parts: PartsOf | None = None,
    ) -> Iterator[np.ndarray]:
        for _ in range(len(poses)):
            yield source
