"""FPDM's augmentations of training examples (its data pipeline of stage 2).

Four in all: identity pairs (`triplets.vary`), the resolution of the source, jitter of key points,
and flips. All are pure functions of the seed of a run and the number of an example, as in
`triplets`. The published program also builds colour jitter and random erasing but never applies
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from signgen.structures import PoseSequence

__all__ = ["CANVAS", "choose_side", "flips", "jitter"]

CANVAS = (550, 375)
"""(H, W) of the canvas on which FPDM jitters and draws the key points of DeepFashion."""
# Streams of random numbers besides those of `triplets`, which has 0 to 2.
_FLIP, _JITTER, _SIDE = 3, 4, 5


def flips(seed: int, position: int, rate: float) -> bool:
    """Tell whether an example is mirrored: source, target and key points together.

    FPDM has a rate of 0.5 for DeepFashion. Mirroring sign language changes the hand that signs.
    """
    return bool(np.random.default_rng((seed, _FLIP, position)).random() < rate)


def jitter(poses: PoseSequence, seed: int, position: int, deviation: float) -> PoseSequence:
    """Move every visible point by normal noise of its own on both axes, as FPDM's program.

    A point that leaves the canvas on the left or top goes missing. One that leaves it on the right
    or bottom is put on its last column or row.

    Args:
        poses: The sequence, in pixels of any size; missing points stay missing.
        seed: Seed of the run.
        position: Number of the example.
        deviation: Standard deviation in pixels of `CANVAS`; FPDM has 1.
    """
    rng = np.random.default_rng((seed, _JITTER, position))
    edge = np.array(CANVAS[::-1], np.float64)
    scale = np.array(poses.size[::-1]) / edge
    moved = poses.keypoints / scale + rng.standard_normal(poses.keypoints.shape) * deviation
    visible = poses.visible & (moved >= 0).all(axis=-1)
    moved = np.where(moved > edge, edge - 1, moved)
    return replace(
        poses,
        keypoints=np.where(visible[..., None], moved * scale, 0).astype(np.float32),
        confidence=np.where(visible, poses.confidence, 0).astype(np.float32),
    )


def choose_side(sides: Sequence[int], seed: int, position: int) -> int | None:
    """Choose the side of the square that the source of an example is resized to.

    All are equally probable; FPDM has 256 and 512. None where there is nothing to choose from.
    """
    if not sides:
        return None
    return sides[int(np.random.default_rng((seed, _SIDE, position)).integers(len(sides)))]
