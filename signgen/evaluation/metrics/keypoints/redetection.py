"""Key points found again in generated clips, to be compared with those of the truth."""

from __future__ import annotations

import copy
import hashlib
import tempfile
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.metrics.regions import checked_poses
from signgen.pose.estimators.base import Frame, PoseEstimator
from signgen.pose.transforms import resize
from signgen.structures import PoseSequence

__all__ = ["ClipPoints", "Points", "Redetection", "RememberingEstimator", "Truth"]

IN_MEMORY = 64 * 2**20
"""Bytes of a clip's frames that are kept in memory; a longer clip lies in a temporary file."""
REMEMBERED = 16
"""Clips whose points are kept: 1.6 kB a frame each."""

Stack = NDArray[np.uint8]
Truth = Literal["given", "detected"]


@dataclass(frozen=True)
class Points:
    """Key points of a clip.

    Args:
        places: (T, 133, 2) float64, x, y in pixels of the frame.
        confidence: (T, 133), 0 where missing.
    """

    places: NDArray[np.float64]
    confidence: NDArray[np.float64]


@dataclass(frozen=True)
class ClipPoints:
    """Key points of a whole clip, generated and true.

    Args:
        clip: Its name.
        size: (H, W) of its frames.
        generated: Found in the generated frames.
        truth: Given, or found in the reference.
    """

    clip: str
    size: tuple[int, int]
    generated: Points
    truth: Points


class RememberingEstimator:
    """An estimator that knows the last clips by their pixels.

    So several metrics, and several systems with one truth, cost one estimate. Copies share it.

    Args:
        estimator: Finds the points of a clip.
    """

    def __init__(self, estimator: PoseEstimator) -> None:
        self._estimator = estimator
        self._memory: OrderedDict[bytes, Points] = OrderedDict()

    def __deepcopy__(self, memo: dict[int, Any]) -> RememberingEstimator:
        """Share estimator and memory: neither depends on what was measured."""
        return self

    @property
    def name(self) -> str:
        """Name of the estimator."""
        return self._estimator.name

    def points(self, frames: _StoredFrames) -> Points:
        """Return the points of a clip of at least one frame."""
        key = frames.digest()
        if key not in self._memory:
            people = list(self._estimator.estimate(iter(frames)))
            self._memory[key] = Points(
                np.stack([points for points, _ in people]).astype(np.float64),
                np.stack([confidence for _, confidence in people]).astype(np.float64),
            )
            if len(self._memory) > REMEMBERED:
                self._memory.popitem(last=False)
        return self._memory[key]


class Redetection:
    """Collects the chunks of a clip and has its key points found when it is complete.

    Estimators that track see every clip as a whole, so that chunks change nothing. A clip is
    complete when another one comes, or at the end.

    Args:
        estimator: Finds key points.
        truth: Whether those of the reference are `given` or `detected` in the same way.
        metric: Name of the metric, for messages.
    """

    def __init__(self, estimator: RememberingEstimator, truth: Truth, metric: str) -> None:
        self._estimator, self._truth, self._metric = estimator, truth, metric
        self._open: _OpenClip | None = None
        self._closed: set[str] = set()

    def __deepcopy__(self, memo: dict[int, Any]) -> Redetection:
        """Return a copy for another clip to come; it shares the frames of the one that is open.

        Nothing is written to these any more. The first of both that has the points found closes
        the file, and the other has them from the estimator's memory.
        """
        other = copy.copy(self)
        other._closed = set(self._closed)
        return other

    def extend(
        self, clip: str, generated: Stack, reference: Stack, poses: PoseSequence | None
    ) -> Iterator[ClipPoints]:
        """Take frames as `Metric.update` does; yield the clip before, if it is complete.

        Raises:
            ValueError: If the clip was left for another one before.
            UserError: If poses are needed and there are none, or of another skeleton.
        """
        if self._truth == "given":
            poses = checked_poses(poses, len(generated), metric=self._metric, clip=clip)
        if self._open is not None and self._open.clip != clip:
            yield from self.close()
        if clip in self._closed:
            raise ValueError(f"clip {clip!r} comes again after another; expected in one go")
        size = (int(generated.shape[1]), int(generated.shape[2]))
        if self._open is None:
            self._open = _OpenClip(clip, size, _StoredFrames(size), _StoredFrames(size), [])
        self._open.generated.write(generated)
        if self._truth == "detected":
            self._open.reference.write(reference)
        elif poses is not None:
            self._open.given.append(resize(poses, size))

    def close(self) -> Iterator[ClipPoints]:
        """Yield the clip that is open, if there is one; it may not go on afterwards."""
        if self._open is None:
            return
        done, self._open = self._open, None
        self._closed.add(done.clip)
        with done.generated, done.reference:
            generated = self._estimator.points(done.generated)
            truth = (
                _joined(done.given)
                if self._truth == "given"
                else self._estimator.points(done.reference)
            )
        yield ClipPoints(done.clip, done.size, generated, truth)


@dataclass(frozen=True)
class _OpenClip:
    clip: str
    size: tuple[int, int]
    generated: _StoredFrames
    reference: _StoredFrames
    given: list[PoseSequence]


class _StoredFrames:
    """Frames of one size, in memory or, if there are many, in a temporary file without a name."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._shape = (*size, 3)
        # Closed by `__exit__` when the clip is complete, else with the object.
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._hash = hashlib.sha256(str(size).encode())

    def __enter__(self) -> _StoredFrames:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, frames: Stack) -> None:
        """Append (T, H, W, 3) frames."""
        if frames.shape[1:] != self._shape:
            raise ValueError(f"frames are {frames.shape[1:]}; expected {self._shape} as before")
        for frame in frames:
            data = frame.tobytes()
            self._hash.update(data)
            self._file.write(data)

    def digest(self) -> bytes:
        """Return a hash of size and pixels of all frames."""
        return self._hash.digest()

    def __iter__(self) -> Iterator[Frame]:
        self._file.seek(0)
        while data := self._file.read(int(np.prod(self._shape))):
            yield np.frombuffer(data, np.uint8).reshape(self._shape).copy()


def _joined(parts: list[PoseSequence]) -> Points:
    places = np.concatenate([part.keypoints for part in parts]).astype(np.float64)
    return Points(places, np.concatenate([p.confidence for p in parts]).astype(np.float64))
