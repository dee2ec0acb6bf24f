"""Points of true and generated hands: estimated in patches, or given with the generated video."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from signgen.evaluation.metrics.networks import FeatureExtractor
from signgen.evaluation.metrics.regions import SKELETON, Places, cut
from signgen.pose.estimators.hand_patches import HAND_POINTS, PATCH_SIZE, HandPatchEstimator
from signgen.pose.skeleton import HAND_ROOT
from signgen.pose.transforms import resize
from signgen.structures import PoseSequence, UserError

__all__ = ["EstimatedHands", "GivenHands", "HandPoints", "HandSource", "OpenHands", "reencoded"]

JPEG_QUALITY = 60
"""Quality at which the truth is coded again for the noise floor."""
REMEMBERED = 4096
"""Patches whose points are kept: 170 bytes each."""

Points = NDArray[np.float32]
Found = NDArray[np.bool_]
Stack = NDArray[np.uint8]


@dataclass(frozen=True)
class HandPoints:
    """Points of one hand in the patches of a chunk.

    Args:
        truth: (N, 21, 2) x, y in pixels of the patch at 256 x 256.
        truth_found: (N,) whether the true hand has points.
        generated: (N, 21, 2).
        generated_found: (N,).
        floor: (N, 21, 2) of the truth with coding noise; None where that cannot be known.
        floor_found: (N,), or None.
    """

    truth: Points
    truth_found: Found
    generated: Points
    generated_found: Found
    floor: Points | None = None
    floor_found: Found | None = None


class OpenHands(Protocol):
    """The hands of one chunk of frames."""

    def points(self, hand: str, places: Places) -> HandPoints:
        """Return the points of the `left` or `right` hand in the patches that count."""


class HandSource(Protocol):
    """Where points of hands come from."""

    @property
    def name(self) -> str:
        """Short name for signatures."""

    def open(
        self, clip: str, start: int, generated: Stack, reference: Stack, poses: PoseSequence
    ) -> OpenHands:
        """Take frames of a clip, as `Metric.update` does.

        Args:
            clip: Name of the clip.
            start: Number of the first of these frames among those measured.
            generated: (T, H, W, 3).
            reference: (T, H, W, 3).
            poses: Key points of the reference.
        """

    def finish(self, counts: Mapping[str, int]) -> None:
        """Check that nothing is left over.

        Args:
            counts: Frames that were measured, by clip.

        Raises:
            UserError: If something is.
        """


class EstimatedHands:
    """Points by an estimator, in both pictures alike.

    What it found in a patch is remembered by the patch's content (`FeatureExtractor`), so that
    several metrics and several systems with one truth cost one estimate.

    Args:
        estimator: Finds the points.
        noise_floor: Also estimate on the truth as JPEG of quality 60; half as many estimates again.
    """

    def __init__(self, estimator: HandPatchEstimator, *, noise_floor: bool = True) -> None:
        def found(patches: Stack) -> NDArray[np.float32]:
            points, there = estimator.find(np.stack([_enlarged(patch) for patch in patches]))
            rows = np.column_stack([points.reshape(len(points), -1), there])
            return np.asarray(rows, np.float32)

        self.name = estimator.name
        self._rows = FeatureExtractor(found, estimator.name, batch=32, keep=REMEMBERED)
        self._noise_floor = noise_floor
        self._floor: tuple[bytes, Stack] | None = None

    def __deepcopy__(self, memo: dict[int, object]) -> EstimatedHands:
        """Share the estimator: it does not depend on what was measured."""
        return self

    def open(
        self, clip: str, start: int, generated: Stack, reference: Stack, poses: PoseSequence
    ) -> _EstimatedChunk:
        """Take frames of a clip."""
        return _EstimatedChunk(self, generated, reference, self._coded(reference))

    def finish(self, counts: Mapping[str, int]) -> None:
        """Nothing can be left over."""

    def find(self, patches: Stack) -> tuple[Points, Found]:
        """Find the points in (N, S, S, 3) patches, resized to 256 x 256: (N, 21, 2) and (N,)."""
        if not len(patches):
            return np.zeros((0, HAND_POINTS, 2), np.float32), np.zeros(0, np.bool_)
        rows = self._rows(patches)
        return rows[:, :-1].reshape(-1, HAND_POINTS, 2), np.asarray(rows[:, -1] > 0, np.bool_)

    def _coded(self, reference: Stack) -> Stack | None:
        """Return the frames as JPEG; those of the last chunk are remembered."""
        if not self._noise_floor:
            return None
        key = hashlib.blake2b(reference.tobytes()).digest()
        if self._floor is None or self._floor[0] != key:
            self._floor = (key, reencoded(reference))
        return self._floor[1]


@dataclass(frozen=True)
class _EstimatedChunk:
    source: EstimatedHands
    generated: Stack
    reference: Stack
    floor: Stack | None

    def points(self, hand: str, places: Places) -> HandPoints:
        truth = self.source.find(cut(self.reference, places))
        generated = self.source.find(cut(self.generated, places))
        if self.floor is None:
            return HandPoints(*truth, *generated)
        return HandPoints(*truth, *generated, *self.source.find(cut(self.floor, places)))


class GivenHands:
    """Points that came with the generated video, against those of the reference.

    No patch is looked at: coordinates are taken from the patch's corner and multiplied by 256 over
    its side, the unit of estimated ones. A hand has points if all 21 are present. There is no noise
    floor, which would need an estimator.

    Args:
        poses: Key points of the generated frames by clip: of the frames that are measured, no more.
            Scaled to the size of the reference's poses.
        name: What made them, for signatures.
    """

    def __init__(self, poses: Mapping[str, PoseSequence], name: str = "given") -> None:
        self.name = name
        self._poses = poses

    def open(
        self, clip: str, start: int, generated: Stack, reference: Stack, poses: PoseSequence
    ) -> _GivenChunk:
        """Take frames of a clip.

        Raises:
            UserError: If the clip has no key points, fewer than frames, or of another skeleton.
        """
        given = self._poses.get(clip)
        if given is None:
            raise UserError(f"clip {clip}: no key points of the generated video; expected some.")
        if given.skeleton != SKELETON:
            raise UserError(
                f"clip {clip}: key points of the generated video have skeleton {given.skeleton}; "
                f"expected {SKELETON}, which has hands."
            )
        stop = start + len(generated)
        if stop > len(given):
            raise UserError(
                f"clip {clip}: {len(given)} key points of the generated video for at least {stop} "
                "frames; expected as many."
            )
        size = (int(generated.shape[1]), int(generated.shape[2]))
        ours = resize(given.frames(slice(start, stop)), size)
        return _GivenChunk(ours, resize(poses, size))

    def finish(self, counts: Mapping[str, int]) -> None:
        """Check that there are no more key points than frames.

        Raises:
            UserError: If there are.
        """
        for clip, count in counts.items():
            if len(self._poses[clip]) != count:
                raise UserError(
                    f"clip {clip}: {len(self._poses[clip])} key points of the generated video for "
                    f"{count} frames; expected as many."
                )


@dataclass(frozen=True)
class _GivenChunk:
    generated: PoseSequence
    reference: PoseSequence

    def points(self, hand: str, places: Places) -> HandPoints:
        return HandPoints(
            *_in_patch(self.reference, hand, places), *_in_patch(self.generated, hand, places)
        )


def _in_patch(poses: PoseSequence, hand: str, places: Places) -> tuple[Points, Found]:
    """Return (N, 21, 2) points in pixels of patches at 256 x 256, and whether all 21 are there."""
    span = slice(HAND_ROOT[hand], HAND_ROOT[hand] + HAND_POINTS)
    found = np.asarray((poses.confidence[places.chosen, span] > 0).all(axis=1), np.bool_)
    offsets = poses.keypoints[places.chosen, span] - places.corners[places.chosen, None]
    points = np.where(found[:, None, None], offsets * (PATCH_SIZE / places.side), 0)
    return points.astype(np.float32), found


def _enlarged(patch: Stack) -> Stack:
    resized = cv2.resize(patch, (PATCH_SIZE, PATCH_SIZE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(resized, np.uint8)


def reencoded(frames: Stack, quality: int = JPEG_QUALITY) -> Stack:
    """Return (T, H, W, 3) RGB frames as they are after coding each as a JPEG (4:2:0)."""
    coded = np.empty_like(frames)
    for index, frame in enumerate(frames):
        with BytesIO() as data:
            Image.fromarray(frame).save(data, "JPEG", quality=quality)
            coded[index] = np.asarray(Image.open(data))
    return coded
