"""From the persons of every frame to one signer's sequence: for formats that list persons.

Such files name nobody, and detectors list people in any order, so the signer is followed by
position.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from signgen.errors import UserError
from signgen.pose.formats.checks import DEFAULT_FPS, MAX_FRAMES, MAX_SIDE, Numbers, checked_sequence
from signgen.pose.formats.reading import InputFile, Reading
from signgen.structures import PoseSequence

__all__ = ["NUM_KEYPOINTS", "Person", "at_positions", "follow_signer", "positions", "read_signer"]

NUM_KEYPOINTS = 133
_SURE = 0.3
_NORMALISED_EXTENT = 4.0
"""A signer whose points span less than this many pixels is not in pixels."""

Person = tuple[Numbers, Numbers]
"""(133, 2) points and (133,) confidence, 0 where missing."""


def positions(numbers: Sequence[int], path: Path, first: int, name: str = "frame_id") -> list[int]:
    """Turn frame numbers into positions from 0; numbers that are left out stay free.

    Args:
        numbers: One per entry, each 0 or more; none may occur twice, or absurdly far off.
        path: Named in messages.
        first: Number of the first frame, unless there is a smaller one.
        name: What the numbers are, for messages.
    """
    first = min(first, *numbers)
    count = max(numbers) - first + 1
    if count > min(MAX_FRAMES, 1000 + 100 * len(numbers)):
        raise UserError(
            f"{path}: {name} goes up to {str(max(numbers))[:40]} in {len(numbers)} frames; "
            "expected frames counted one by one."
        )
    if len(set(numbers)) != len(numbers):
        raise UserError(f"{path}: a {name} occurs twice; expected each once.")
    return [number - first for number in numbers]


def at_positions(places: Sequence[int], persons: Iterable[list[Person]]) -> list[list[Person]]:
    """Return the persons of every frame, none where a position is free."""
    frames: list[list[Person]] = [[] for _ in range(max(places) + 1)]
    for place, people in zip(places, persons, strict=True):
        frames[place] = people
    return frames


def _in_pixels(
    frames: Sequence[Sequence[Person]], path: Path | str, size: tuple[int, int] | None
) -> Sequence[Sequence[Person]]:
    """Turn coordinates from 0 to 1 into pixels of `size`; leave pixels as they are."""
    seen = np.concatenate(
        [np.zeros((0, 2)), *(points[scores > 0] for frame in frames for points, scores in frame)]
    )
    with np.errstate(all="ignore"):
        normalised = len(seen) > 1 and float(np.ptp(seen, axis=0).max()) < _NORMALISED_EXTENT
    if not normalised or (size is not None and min(size) <= 8 * _NORMALISED_EXTENT):
        return frames
    if size is None or seen.min() < 0:
        raise UserError(
            f"{path}: coordinates go from {seen.min():.3g} to {seen.max():.3g}; expected "
            "pixels, or 0 to 1 with a known picture size. Name it with --size HEIGHT WIDTH."
        )
    scale = np.array([size[1], size[0]], dtype=np.float64)
    return [[(points * scale, scores) for points, scores in frame] for frame in frames]


def read_signer(
    frames: Sequence[Sequence[Person]],
    file: InputFile,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    *,
    normalised: bool = False,
    what: str | None = None,
) -> Reading:
    """Follow the signer through the frames and build the sequence.

    Args:
        frames: The persons of every frame, in any order.
        file: Where they come from. Without any size it is the extent of the points of a confidence
            of at least 0.3 rounded up, which is only a guess; without any rate, 25.
        size: (H, W) that the file itself names, if it does.
        fps: The same of its frames per second.
        normalised: Whether coordinates may go from 0 to 1.
        what: Names file and clip in messages; the file's path without it.
    """
    assumed = tuple(name for name, own in (("size", size), ("fps", fps)) if own is None)
    size, path = size or file.size, what or file.path
    if normalised:
        frames = _in_pixels(frames, path, size)
    signer = follow_signer(frames)
    poses = checked_sequence(
        np.stack([points for points, _ in signer]),  # (T, 133, 2)
        np.stack([confidence for _, confidence in signer]),  # (T, 133)
        path,
        size=size or (MAX_SIDE, MAX_SIDE),
        fps=fps or file.fps or DEFAULT_FPS,
    )
    if size is None:
        poses = replace(poses, size=_extent(poses))
    return Reading(poses, max(len(frame) for frame in frames), assumed)


def _extent(poses: PoseSequence) -> tuple[int, int]:
    sure = poses.confidence >= _SURE
    points = poses.keypoints[sure if sure.any() else poses.visible]
    width, height = (
        min(max(math.ceil(edge) + 1, 1), MAX_SIDE) for edge in points.max(axis=0).tolist()
    )
    return height, width


# ----- following ----------------------------------------------------------------------------------


def follow_signer(frames: Sequence[Sequence[Person]]) -> list[Person]:
    """Choose one person per frame, the same one throughout.

    The signer is the person with the largest extent times mean confidence in any frame. From there
    on, forwards and backwards, the nearest person is taken, as long as it is no farther away than
    the signer was large there; otherwise the frame is missing, with confidence 0.
    """
    signer = [(np.zeros((NUM_KEYPOINTS, 2)), np.zeros(NUM_KEYPOINTS)) for _ in frames]
    ranks = [
        (_diagonal(person) ** 2 * float(np.mean(person[1])), -t, -i)
        for t, persons in enumerate(frames)
        for i, person in enumerate(persons)
    ]
    if not ranks:
        return signer
    # A number that is not finite must reach the check that names it, whoever it belongs to.
    broken = [rank for rank in ranks if not math.isfinite(rank[0])]
    _, minus_t, minus_i = broken[0] if broken else max(ranks)
    anchor = -minus_t
    signer[anchor] = frames[anchor][-minus_i]
    for order in (range(anchor + 1, len(frames)), range(anchor - 1, -1, -1)):
        _follow(frames, signer, signer[anchor], order)
    return signer


def _follow(
    frames: Sequence[Sequence[Person]], signer: list[Person], last: Person, order: Iterable[int]
) -> None:
    reach = _diagonal(last)
    for t in order:
        distances = [_distance(last, person) for person in frames[t]]
        if distances and min(distances) <= reach:
            signer[t] = last = frames[t][int(np.argmin(distances))]


def _diagonal(person: Person) -> float:
    """Diagonal of the extent of a person's points, in pixels."""
    points, confidence = person
    seen = points[confidence > 0]
    with np.errstate(all="ignore"):
        return float(np.linalg.norm(np.ptp(seen, axis=0))) if len(seen) else 0.0


def _distance(one: Person, two: Person) -> float:
    """Mean distance of the points that both have, or of their centres if there are none."""
    both = (one[1] > 0) & (two[1] > 0)
    with np.errstate(all="ignore"):
        if both.any():
            return float(np.linalg.norm(one[0][both] - two[0][both], axis=1).mean())
        if not ((one[1] > 0).any() and (two[1] > 0).any()):
            return math.inf
        centres = [points[confidence > 0].mean(axis=0) for points, confidence in (one, two)]
        return float(np.linalg.norm(centres[0] - centres[1]))
