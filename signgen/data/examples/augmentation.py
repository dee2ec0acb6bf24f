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
from torch import Tensor

from signgen.pose.transforms import face_boxes, hand_boxes
from signgen.structures import PoseSequence

__all__ = ["CANVAS", "choose_side", "choose_window", "drops_source", "flips", "jitter", "recolour"]

CANVAS = (550, 375)
"""(H, W) of the canvas on which FPDM jitters and draws the key points of DeepFashion."""
# Streams of random numbers besides those of `triplets`, which has 0 to 2.
_FLIP, _JITTER, _SIDE, _WINDOW, _COLOUR, _UNKNOWN = 3, 4, 5, 6, 7, 8
_HANDS, _FACES = 0.5, 0.25
"""Shares of windows around a hand and around the face."""
_ASIDE = 0.25
"""Sides of a window by which its middle may lie beside that of a hand or face."""


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
        keypoints=np.where(visible[..., None], moved * scale, 0).astype(poses.keypoints.dtype),
        confidence=np.where(visible, poses.confidence, 0).astype(np.float32),
    )


def choose_side(sides: Sequence[int], seed: int, position: int) -> int | None:
    """Choose the side of the square that the source of an example is resized to.

    All are equally probable; FPDM has 256 and 512. None where there is nothing to choose from.
    """
    if not sides:
        return None
    return sides[int(np.random.default_rng((seed, _SIDE, position)).integers(len(sides)))]


def drops_source(seed: int, position: int, rate: float) -> bool:
    """Tell whether the key points of an example's source are taken to be unknown."""
    return bool(np.random.default_rng((seed, _UNKNOWN, position)).random() < rate)


def choose_window(poses: PoseSequence, side: int, seed: int, position: int) -> tuple[slice, slice]:
    """Choose rows and columns of the window that an example shows.

    Half of the windows lie around a hand and a quarter around the face, where the pose has them;
    the others are anywhere.

    Args:
        poses: The pose of the target, in pixels of the picture.
        side: Side of the window in pixels, at most the picture's.
        seed: Seed of the run.
        position: Number of the example.
    """
    rng = np.random.default_rng((seed, _WINDOW, position))
    points, visible = poses.keypoints[0], poses.confidence[0]
    room = np.array(poses.size[::-1]) - side  # (x, y)
    chance, corner = rng.random(), rng.uniform(0, room + 1)
    boxes = hand_boxes(points, visible) if chance < _HANDS else face_boxes(points, visible)
    if boxes and chance < _HANDS + _FACES:
        box = np.reshape(boxes[int(rng.integers(len(boxes)))], (2, 2))
        aside = rng.uniform(-_ASIDE, _ASIDE, 2)
        corner = box.mean(axis=0) + side * (aside - 0.5)
    left, top = (int(value) for value in np.clip(corner, 0, room))
    return slice(top, top + side), slice(left, left + side)


def recolour(frames: Sequence[Tensor], seed: int, position: int, strength: float) -> list[Tensor]:
    """Change gain and brightness of each channel, of all pictures of an example alike.

    Args:
        frames: (..., 3, H, W) in [-1, 1].
        seed: Seed of the run.
        position: Number of the example.
        strength: Largest change of the gain, and of the brightness as a share of its range.
    """
    rng = np.random.default_rng((seed, _COLOUR, position))
    gain, shift = rng.uniform(-strength, strength, (2, 3, 1, 1)).astype(np.float32)
    return [(frame * (1 + gain) + shift).clamp(-1, 1) for frame in frames]
