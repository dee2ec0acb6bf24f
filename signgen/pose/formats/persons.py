"""From the persons of every frame to one signer's sequence: what formats share that list persons.

Such files name nobody, and detectors list people in any order, so the signer is followed by
position. They carry neither size nor frame rate either.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.pose.formats.clips import Reading
from signgen.pose.formats.reading import DEFAULT_FPS, MAX_FRAMES, MAX_SIDE, checked_sequence
from signgen.structures import PoseSequence

__all__ = [
    "NUM_KEYPOINTS",
    "Person",
    "follow_signer",
    "in_pixels",
    "json_files",
    "place",
    "reading",
]

NUM_KEYPOINTS = 133
_SURE = 0.3
_NORMALISED_EXTENT = 4.0
"""A signer whose points span less than this many pixels is not in pixels."""

Person = tuple[NDArray[np.float64], NDArray[np.float64]]
"""(133, 2) points and (133,) confidence, 0 where missing."""


def json_files(folder: Path, expected: str) -> list[Path]:
    """List the `*.json` of a folder in the order of the numbers in their names.

    Raises:
        UserError: If there are none, or too many.
    """
    files = sorted(folder.glob("*.json"), key=_by_number)
    if not files:
        raise UserError(f"{folder} is a folder without *.json; expected {expected}.")
    if len(files) > MAX_FRAMES:
        raise UserError(f"{folder} has {len(files)} files; at most {MAX_FRAMES} are read.")
    return files


def _by_number(file: Path) -> tuple[list[int], str]:
    return [int(digits) for digits in re.findall(r"\d{1,18}", file.stem)], file.name


def place(numbers: Sequence[int], path: Path, first: int, name: str = "frame_id") -> list[int]:
    """Turn frame numbers into positions; numbers that are left out stay free.

    Args:
        numbers: One per entry, each 0 or more.
        path: Named in messages.
        first: Number of the first frame, unless there is a smaller one.
        name: What the numbers are, for messages.

    Returns:
        The position of every entry, from 0.

    Raises:
        UserError: If a number occurs twice, or the numbers have absurd gaps.
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


def follow_signer(frames: Sequence[Sequence[Person]]) -> list[Person]:
    """Keep one person per frame, the same one throughout.

    The signer is the person with the largest extent times mean confidence in any frame. From there
    on, forwards and backwards, the nearest person is kept, as long as it is no farther away than
    the signer was large there; otherwise the frame is missing.

    Args:
        frames: The persons of every frame, in any order.

    Returns:
        One person per frame, with confidence 0 where the signer is not seen.
    """
    kept = [(np.zeros((NUM_KEYPOINTS, 2)), np.zeros(NUM_KEYPOINTS)) for _ in frames]
    ranks = [
        (_size(person) ** 2 * float(np.mean(person[1])), -t, -i)
        for t, persons in enumerate(frames)
        for i, person in enumerate(persons)
    ]
    if not ranks:
        return kept
    # A number that is not finite must reach the check that names it, whoever it belongs to.
    broken = [rank for rank in ranks if not math.isfinite(rank[0])]
    _, minus_t, minus_i = broken[0] if broken else max(ranks)
    anchor = -minus_t
    kept[anchor] = frames[anchor][-minus_i]
    for order in (range(anchor + 1, len(frames)), range(anchor - 1, -1, -1)):
        _follow(frames, kept, kept[anchor], order)
    return kept


def _follow(
    frames: Sequence[Sequence[Person]], kept: list[Person], last: Person, order: Iterable[int]
) -> None:
    reach = _size(last)
    for t in order:
        distances = [_distance(last, person) for person in frames[t]]
        if distances and min(distances) <= reach:
            kept[t] = last = frames[t][int(np.argmin(distances))]


def _size(person: Person) -> float:
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
        centres = [person[0][person[1] > 0].mean(axis=0) for person in (one, two)]
        return float(np.linalg.norm(centres[0] - centres[1]))


def in_pixels(
    frames: Sequence[Sequence[Person]], path: Path, size: tuple[int, int] | None
) -> list[list[Person]]:
    """Turn coordinates from 0 to 1 into pixels of `size`; leave pixels as they are.

    Raises:
        UserError: If they are normalised and the size is unknown, or not from 0 to 1.
    """
    seen = np.concatenate(
        [np.zeros((0, 2)), *(points[scores > 0] for frame in frames for points, scores in frame)]
    )
    with np.errstate(all="ignore"):
        normalised = len(seen) > 1 and float(np.ptp(seen, axis=0).max()) < _NORMALISED_EXTENT
    if not normalised or (size is not None and min(size) <= 8 * _NORMALISED_EXTENT):
        return [list(frame) for frame in frames]
    if size is None or seen.min() < 0:
        raise UserError(
            f"{path}: coordinates go from {seen.min():.3g} to {seen.max():.3g}; expected "
            "pixels, or 0 to 1 with a known picture size. Name it with --size HEIGHT WIDTH."
        )
    scale = np.array([size[1], size[0]], dtype=np.float64)
    return [[(points * scale, scores) for points, scores in frame] for frame in frames]


def reading(
    frames: Sequence[Sequence[Person]],
    path: Path,
    size: tuple[int, int] | None,
    fps: float | None,
) -> Reading:
    """Follow the signer through the frames and build the sequence.

    Args:
        frames: The persons of every frame, in any order.
        path: Named in messages.
        size: (H, W) in pixels; without it the extent of the points with a confidence of at least
            0.3 rounded up, which is only a guess.
        fps: Frames per second; 25 without it.

    Raises:
        UserError: As `checked_sequence`.
    """
    persons = follow_signer(frames)
    poses = checked_sequence(
        np.stack([person[0] for person in persons]),
        np.stack([person[1] for person in persons]),
        path,
        skeleton="coco-wholebody-133",
        size=size or (MAX_SIDE, MAX_SIDE),
        fps=fps or DEFAULT_FPS,
    )
    return Reading(
        poses if size else _with_extent(poses), people=max(len(frame) for frame in frames)
    )


def _with_extent(poses: PoseSequence) -> PoseSequence:
    sure = poses.confidence >= _SURE
    points = poses.keypoints[sure if sure.any() else poses.visible]
    width, height = (
        min(max(math.ceil(edge) + 1, 1), MAX_SIDE) for edge in points.max(axis=0).tolist()
    )
    return PoseSequence(
        poses.keypoints, poses.confidence, poses.skeleton, (height, width), poses.fps
    )
