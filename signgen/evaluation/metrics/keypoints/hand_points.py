"""Points of true and generated hands: estimated in patches, or given with the generated video."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from io import BytesIO
from typing import Protocol

import cv2
import numpy as np
from einops import rearrange
from numpy.typing import NDArray
from PIL import Image

from signgen.errors import UserError
from signgen.evaluation.metrics.base import Chunk
from signgen.evaluation.metrics.networks import FeatureExtractor
from signgen.evaluation.metrics.regions import SKELETON, Patches, cut
from signgen.pose.estimators.hand_patches import HAND_POINTS, PATCH_SIZE, HandPatchEstimator
from signgen.pose.skeleton import HAND_ROOT
from signgen.pose.transforms import resize

__all__ = ["EstimatedHands", "GivenHands", "HandSource", "as_jpeg"]

JPEG_QUALITY = 60
"""Quality at which the truth is coded again for the noise floor."""
REMEMBERED = 4096
"""Patches whose points are kept: 170 bytes each."""

Hands = tuple[NDArray[np.float32], NDArray[np.bool_]]
"""(N, 21, 2) x, y in pixels of patches at 256 x 256, and (N,) whether the hand has points."""


class HandSource(Hashable, Protocol):
    """Where points of hands come from."""

    @property
    def name(self) -> str:
        """Short name for signatures."""

    @property
    def reason(self) -> str:
        """Why it is not there; empty where it is."""

    @property
    def noise_floor(self) -> bool:
        """Whether points of the truth with coding noise can be found as well."""

    def find(self, chunk: Chunk, hand: str, patches: Patches) -> Hands:
        """Return the points of the `left` or `right` hand in N patches of frames."""


class EstimatedHands:
    """Points by an estimator, in both pictures alike.

    What it found in a patch is remembered by the patch's content (`FeatureExtractor`), so that
    several systems with one truth cost one estimate.
    """

    reason = ""
    noise_floor = True

    def __init__(self, estimator: HandPatchEstimator) -> None:
        def rows(patches: NDArray[np.uint8]) -> NDArray[np.float32]:
            enlarged = [
                cv2.resize(patch, (PATCH_SIZE, PATCH_SIZE), interpolation=cv2.INTER_CUBIC)
                for patch in patches
            ]
            points, found = estimator.find(np.stack(enlarged).astype(np.uint8))
            flat = rearrange(points, "n k c -> n (k c)")
            return np.column_stack([flat, found]).astype(np.float32)  # (N, 43)

        self.name = estimator.name
        self._rows = FeatureExtractor(rows, estimator.name, batch=32, keep=REMEMBERED)

    def find(self, chunk: Chunk, hand: str, patches: Patches) -> Hands:
        """Find the points in the patches, resized to 256 x 256."""
        if not len(patches.frames):
            return np.zeros((0, HAND_POINTS, 2), np.float32), np.zeros(0, np.bool_)
        rows = self._rows(cut(chunk.frames, patches))
        points = rearrange(rows[:, :-1], "n (k c) -> n k c", c=2)
        return points, np.asarray(rows[:, -1] > 0, np.bool_)


class GivenHands:
    """Points that came with the generated video, against those of the reference.

    No patch is looked at: coordinates are taken from the patch's corner and multiplied by 256 over
    its side, the unit of estimated ones. A hand has points if all 21 are present. There is no noise
    floor, which would need an estimator.
    """

    name = "given"
    reason = ""
    noise_floor = False

    def find(self, chunk: Chunk, hand: str, patches: Patches) -> Hands:
        """Return the points of the chunk's poses."""
        if chunk.poses is None:
            raise UserError(
                f"clip {chunk.clip}: no key points of the generated video; expected some."
            )
        if chunk.poses.skeleton != SKELETON:
            raise UserError(
                f"clip {chunk.clip}: key points of the generated video have skeleton "
                f"{chunk.poses.skeleton}; expected {SKELETON}, which has hands."
            )
        poses = resize(chunk.poses, chunk.size)
        span = slice(HAND_ROOT[hand], HAND_ROOT[hand] + HAND_POINTS)
        found = np.asarray((poses.confidence[patches.frames, span] > 0).all(axis=1), np.bool_)
        offsets = poses.keypoints[patches.frames, span] - patches.corners[patches.frames, None]
        points = np.where(found[:, None, None], offsets * (PATCH_SIZE / patches.side), 0)
        return points.astype(np.float32), found


def as_jpeg(chunk: Chunk) -> Chunk:
    """Return RGB frames as they are after coding each as a JPEG (4:2:0)."""
    coded = np.empty_like(chunk.frames)
    for index, frame in enumerate(chunk.frames):
        with BytesIO() as data:
            Image.fromarray(frame).save(data, "JPEG", quality=JPEG_QUALITY)
            coded[index] = np.asarray(Image.open(data))
    return replace(chunk, frames=coded, _features={})
