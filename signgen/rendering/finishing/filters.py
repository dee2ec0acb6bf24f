"""Frames that are steady in time where nothing moves; no model is touched.

A model draws each frame anew, so that walls and clothes flicker. Each frame is compared with the
one before it, as it was shown: the brightness of still pixels is kept, and a small change of a
pixel is followed slowly. Hands and face are never touched, nor what changes much.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.pose.skeleton import SKELETONS
from signgen.rendering.base import Frame
from signgen.structures import PoseSequence

__all__ = ["signing_area", "steady"]

STILL, MOVING = 6.0, 14.0
"""Change in grey levels, averaged over a few pixels, below which a pixel is followed slowly, and
above which it is as it was rendered."""
FOLLOW = 0.25
"""Share of the way to the new value that a still pixel goes in a frame."""
NEAR = 5
"""Side in pixels over which change is averaged, so that noise is not taken for motion."""
LOCK = 8.0
"""Largest shift of the brightness in grey levels that is taken for flicker."""
FINGERS = ("thumb", "index", "middle", "ring", "little")
MARGIN = 0.35
"""Room around a hand or the face, as a share of its box's longer side."""


def steady(
    frames: Iterable[Frame],
    poses: PoseSequence,
    *,
    start: int = 0,
    previous: Frame | None = None,
) -> Iterator[Frame]:
    """Yield frames in which still pixels neither flicker nor change brightness.

    Args:
        frames: (H, W, 3) uint8 RGB, in order; opacity as a fourth channel stays as it is.
        poses: Poses of the whole video; scaled to the frames.
        start: Number of the first frame in the video.
        previous: The frame before it as it was yielded, where there is one.

    Yields:
        (H, W, 3) uint8 RGB. What `signing_area` says of the frame is that of the input.
    """
    for index, given in enumerate(frames, start):
        frame, opacity = given[..., :3], given[..., 3:]
        previous = None if previous is None else previous[..., :3]
        if previous is None:
            previous = given
            yield given
            continue
        signing = signing_area(poses, index, (frame.shape[0], frame.shape[1]))

        # Keep the brightness of what stands still
        now, before = frame.astype(np.float32), previous.astype(np.float32)
        still = _change(now, before) < STILL
        still &= ~signing
        if still.mean() > 0.05:
            shift = np.median(now[still] - before[still], axis=0)  # (3,)
            now -= np.clip(shift, -LOCK, LOCK)

        # Follow small changes slowly
        change = _change(now, before)  # (H, W)
        share = np.clip((change - STILL) / (MOVING - STILL), 0, 1)
        share = FOLLOW + (1 - FOLLOW) * share
        mixed = before + share[..., None] * (now - before)
        shown = np.rint(mixed).clip(0, 255).astype(np.uint8)

        # Hands and face are as they were rendered, and so is what did not change at all
        calm = np.where(signing[..., None] | (frame == previous), frame, shown)
        previous = np.concatenate([calm, opacity], axis=-1)
        yield previous


def _change(now: NDArray[np.float32], before: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much pixels change, (H, W), the largest of the channels, averaged nearby."""
    largest = np.abs(cv2.blur(now - before, (NEAR, NEAR))).max(axis=-1)
    return np.asarray(largest, np.float32)


def signing_area(poses: PoseSequence, index: int, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return (H, W), true around hands and face of a frame and the one before it.

    A hand whose points are missing is looked for at the end of its forearm.

    Args:
        poses: The poses.
        index: Number of the frame.
        size: (H, W) of the frame.
    """
    area = np.zeros(size, bool)
    scale = np.array([size[1] / poses.size[1], size[0] / poses.size[0]])
    for t in {max(index - 1, 0), index}:
        for part in _parts(poses.skeleton):
            seen = poses.keypoints[t, part][poses.visible[t, part]] * scale  # (n, 2)
            if not len(seen):
                continue
            low, high = seen.min(axis=0), seen.max(axis=0)
            # Of a wrist alone the hand is somewhere around
            least = 0.03 if len(seen) > 2 else 0.1
            room = max(MARGIN * (high - low).max(), least * max(size))
            (x0, y0), (x1, y1) = np.maximum(low - room, 0).astype(int), (high + room).astype(int)
            area[y0 : y1 + 1, x0 : x1 + 1] = True
    return area


def _parts(skeleton: str) -> list[list[int]]:
    """Return the points of the left hand, the right hand and the face, wrists with the hands."""
    names = SKELETONS[skeleton].names
    parts: list[list[int]] = []
    for side in ("left", "right"):
        of_hand = tuple(f"{side}_{part}" for part in ("wrist", "hand", *FINGERS))
        parts.append([k for k, name in enumerate(names) if name.startswith(of_hand)])
    head = ("face", "nose", "left_eye", "right_eye", "left_ear", "right_ear")
    parts.append([k for k, name in enumerate(names) if name.startswith(head)])
    return [part for part in parts if part]
