"""Key points found again in generated clips, to be compared with those of the truth."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import IO

import numpy as np

from signgen.evaluation.metrics.base import Chunk, Results, Values
from signgen.evaluation.metrics.regions import checked_poses
from signgen.evaluation.metrics.score import Means
from signgen.pose.estimators.base import Frame, PoseEstimator
from signgen.pose.transforms import resize
from signgen.structures import PoseSequence

__all__ = ["OpenClip"]

IN_MEMORY = 64 * 2**20
"""Bytes of a clip's frames that are kept in memory; a longer clip lies in a temporary file."""


class OpenClip:
    """Collects a clip and has its key points found when it is whole.

    Estimators that track see every clip as a whole, so that chunks change nothing. Frames lie in
    memory or, if there are many, in a temporary file without a name.
    """

    def __init__(
        self,
        clip: str,
        estimator: PoseEstimator,
        measure: Callable[[PoseSequence, PoseSequence], Means],
    ) -> None:
        self._clip, self._estimator, self._measure = clip, estimator, measure
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
        weakref.finalize(self, self._file.close)  # of a clip that fails
        self._poses: list[PoseSequence] = []

    def add(self, generated: Chunk, reference: Chunk) -> Values:
        """Take the next frames."""
        poses = checked_poses(reference, "keypoint_error")
        self._poses.append(resize(poses, reference.size))
        for frame in generated.frames:
            self._file.write(frame.tobytes())
        return {}

    def results(self) -> Results:
        """Find and measure the points; nothing of a clip without frames."""
        with self._file:
            people = list(self._estimator.estimate(self._frames())) if self._poses else []
        if not people:
            return {}
        truth = replace(
            self._poses[0],
            keypoints=np.concatenate([poses.keypoints for poses in self._poses]),
            confidence=np.concatenate([poses.confidence for poses in self._poses]),
        )
        points, confidence = map(np.stack, zip(*people, strict=True))
        return {
            self._clip: self._measure(
                truth, replace(truth, keypoints=points, confidence=confidence)
            )
        }

    def _frames(self) -> Iterator[Frame]:
        shape = (*self._poses[0].size, 3)
        self._file.seek(0)
        while data := self._file.read(int(np.prod(shape))):
            yield np.frombuffer(data, np.uint8).reshape(shape).copy()
