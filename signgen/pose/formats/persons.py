"""From the persons of every frame to one signer's sequence: for formats that list persons.

Detectors list people in any order, so the signer is followed by number where the file names people,
else by place and size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from signgen.errors import UserError
from signgen.pose.formats.checks import (
    DEFAULT_FPS,
    MAX_FRAMES,
    MAX_SIDE,
    Numbers,
    checked_sequence,
    mark_missing,
)
from signgen.pose.formats.reading import InputFile, Reading
from signgen.structures import PoseSequence

__all__ = [
    "NUM_KEYPOINTS",
    "Person",
    "at_positions",
    "follow_signer",
    "identity_of",
    "positions",
    "read_signer",
]

NUM_KEYPOINTS = 133
_SURE = 0.3
_SHOULDERS = [5, 6]
_NORMALISED_EXTENT = 4.0
"""A signer whose points span less than this many pixels is not in pixels."""

_REACH = 1.0
"""How far a signer may be from the last place, in widths of the shoulders, in mean over the points;
neighbours are at least two apart."""
_GROWTH = 1.7
"""Factor by which a signer's size may differ from the last one."""


class Person(NamedTuple):
    """Who was found in a frame.

    Args:
        points: (133, 2).
        confidence: (133,), 0 where missing.
        identity: Number of the person in the whole clip, if the file says one.
    """

    points: Numbers
    confidence: Numbers
    identity: int | None = None


def identity_of(entry: Mapping[str, object]) -> int | None:
    """Return the number by which a tracker calls a person; None where there is none.

    OpenPose writes `person_id` in a list, AlphaPose `idx`, MMPose's trackers `track_id`; without a
    tracker it is -1 or absent.
    """
    for name in ("track_id", "person_id", "idx"):
        value = entry.get(name)
        while isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return int(value) if value == int(value) else None
    return None


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
        [np.zeros((0, 2)), *(p.points[p.confidence > 0] for frame in frames for p in frame)]
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
    return [[p._replace(points=p.points * scale) for p in frame] for frame in frames]


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
    frames = [[_cleaned(person) for person in frame] for frame in frames]
    assumed = tuple(name for name, own in (("size", size), ("fps", fps)) if own is None)
    size, path = size or file.size, what or file.path
    if normalised:
        frames = _in_pixels(frames, path, size)
    signer = follow_signer(frames)
    poses = checked_sequence(
        np.stack([person.points for person in signer]),  # (T, 133, 2)
        np.stack([person.confidence for person in signer]),  # (T, 133)
        path,
        size=size or (MAX_SIDE, MAX_SIDE),
        fps=file.fps or fps or DEFAULT_FPS,
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

    The signer is the person with the largest extent times mean confidence in any frame. Where the
    file numbers its people, the signer is whoever has that number. Else, from there on, forwards
    and backwards, the nearest person is taken who is about as large as the signer was last and
    about there; otherwise the frame is missing, with confidence 0. A person who is alone in all
    frames may move as far as the person is large.
    """
    signer = [Person(np.zeros((NUM_KEYPOINTS, 2)), np.zeros(NUM_KEYPOINTS)) for _ in frames]
    ranks = [
        (_diagonal(person) ** 2 * float(np.mean(person.confidence)), -t, -i)
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
    other, alone = _others(frames, signer[anchor]), max(map(len, frames)) == 1
    for order in (range(anchor + 1, len(frames)), range(anchor - 1, -1, -1)):
        _follow(frames, signer, signer[anchor], order, other, alone=alone)
    return signer


def _others(frames: Sequence[Sequence[Person]], signer: Person) -> set[int] | None:
    """Return the numbers of people who are seen beside the signer; None where numbers say nothing.

    They say nothing where two people of one frame share one, as in files without a tracker.
    """
    numbers = [[p.identity for p in frame if p.identity is not None] for frame in frames]
    if signer.identity is None or any(len(set(some)) < len(some) for some in numbers):
        return None
    beside = (some for some in numbers if signer.identity in some)
    return set().union(*beside) - {signer.identity}


def _follow(
    frames: Sequence[Sequence[Person]],
    signer: list[Person],
    last: Person,
    order: Iterable[int],
    other: set[int] | None,
    *,
    alone: bool,
) -> None:
    far, identity = _diagonal(last), last.identity
    for t in order:
        # Whom the file names
        named = [] if other is None else [p for p in frames[t] if p.identity == identity]
        if named:
            signer[t] = last = named[0]
            continue
        # Who may be the signer, a tracker's new number included
        found = [p for p in frames[t] if other is None or p.identity not in other]
        found = found if alone else [p for p in found if _similar(last, p)]
        distances = [_distance(last, person) for person in found]
        if distances and min(distances) <= (far if alone else _REACH * _width(last)):
            signer[t] = last = found[int(np.argmin(distances))]


def _cleaned(person: Person) -> Person:
    points, confidence = mark_missing(person.points, person.confidence)
    return person._replace(
        points=points.astype(np.float64), confidence=confidence.astype(np.float64)
    )


def _width(person: Person) -> float:
    """Width of the shoulders in pixels; where one is missing, a third of the whole extent."""
    points, confidence = person.points, person.confidence
    if (confidence[_SHOULDERS] > 0).all():
        with np.errstate(all="ignore"):
            width = float(np.linalg.norm(points[_SHOULDERS[0]] - points[_SHOULDERS[1]]))
        # Seen from the side, shoulders are narrow
        return max(width, _diagonal(person) / 6)
    return _diagonal(person) / 3


def _similar(one: Person, two: Person) -> bool:
    """Whether two people are about as large, by the points that both have."""
    both = (one.confidence > 0) & (two.confidence > 0)
    if both.sum() < 2:
        return True
    with np.errstate(all="ignore"):
        sizes = [float(np.linalg.norm(np.ptp(p.points[both], axis=0))) for p in (one, two)]
    return not min(sizes) * _GROWTH < max(sizes)


def _diagonal(person: Person) -> float:
    """Diagonal of the extent of a person's points, in pixels."""
    points, confidence = person.points, person.confidence
    seen = points[confidence > 0]
    with np.errstate(all="ignore"):
        return float(np.linalg.norm(np.ptp(seen, axis=0))) if len(seen) else 0.0


def _distance(one: Person, two: Person) -> float:
    """Mean distance of the points that both have, or of their centres if there are none."""
    both = (one.confidence > 0) & (two.confidence > 0)
    with np.errstate(all="ignore"):
        if both.any():
            return float(np.linalg.norm(one.points[both] - two.points[both], axis=1).mean())
        if not ((one.confidence > 0).any() and (two.confidence > 0).any()):
            return math.inf
        centres = [p.points[p.confidence > 0].mean(axis=0) for p in (one, two)]
        return float(np.linalg.norm(centres[0] - centres[1]))
