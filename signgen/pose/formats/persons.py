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
    stated_number,
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

_PARTS = (slice(0, 23), slice(23, 91), slice(91, 112), slice(112, 133))
"""Body with feet, face, left and right hand."""
_MOST_OUTSIDE = 0.25
"""Normalised coordinates of which a larger share is negative do not go from 0 to 1."""

_MOST_FOLLOWED = 16
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
    """Turn coordinates from 0 to 1 into pixels of `size`; leave pixels as they are.

    Units are a property of each part: writers scale the body and leave hands and face in pixels.
    """
    # Parts whose points all lie around 0 to 1
    people = [person for frame in frames for person in frame]
    normalised = []
    lowest, highest = math.inf, -math.inf
    for part in _PARTS:
        seen = np.concatenate(
            [np.zeros((0, 2)), *(p.points[part][p.confidence[part] > 0] for p in people)]
        )
        seen = seen[(seen != 0).any(axis=1)]
        with np.errstate(all="ignore"):
            if len(seen) and float(np.abs(seen).max()) < _NORMALISED_EXTENT:
                normalised.append(part)
                lowest, highest = min(lowest, seen.min()), max(highest, seen.max())
                centred = (seen < 0).mean() > _MOST_OUTSIDE
                size = None if centred else size  # -1 to 1: which pixel is 0 is not known
    if not normalised or (size is not None and min(size) <= 8 * _NORMALISED_EXTENT):
        return frames
    if size is None:
        mixed = "" if len(normalised) == len(_PARTS) else " in some parts"
        raise UserError(
            f"{path}: coordinates go from {lowest:.3g} to {highest:.3g}{mixed}; expected "
            "pixels, or 0 to 1 with a known picture size. Name it with --size HEIGHT WIDTH."
        )
    # Into pixels
    scale = np.ones((NUM_KEYPOINTS, 2))
    for part in normalised:
        scale[part] = size[1], size[0]
    return [[p._replace(points=p.points * scale) for p in frame] for frame in frames]


def read_signer(
    frames: Sequence[Sequence[Person]],
    file: InputFile,
    size: tuple[int, int] | None = None,
    fps: object = None,
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
        fps: The same of its frames per second, unchecked.
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
        fps=file.fps or DEFAULT_FPS if fps is None else file.rate(fps),
    )
    if size is None:
        poses = replace(poses, size=_extent(poses))
    return Reading(poses, max(len(frame) for frame in frames), assumed, stated_number(fps))


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

    A person is followed forwards and backwards from where it is largest (extent times mean
    confidence). Where the file numbers its people, by the number; else the nearest is taken who is
    about as large as the person was last and about there; otherwise the frame is missing, with
    confidence 0. Who is alone in all frames may move as far as the person is large.

    The signer is the largest of those who are seen in at least half as many frames as any: a ghost
    of one frame is nobody's signer.
    """
    free = {
        (t, i): _diagonal(person) ** 2 * float(np.mean(person.confidence))
        for t, persons in enumerate(frames)
        for i, person in enumerate(persons)
    }
    alone = max(map(len, frames), default=0) == 1
    tracks: list[dict[int, int]] = []
    sizes: list[float] = []
    # A number that is not finite must reach the check that names it, whoever it belongs to.
    broken = [place for place, rank in free.items() if not math.isfinite(rank)]
    if broken:
        tracks, sizes, free = [dict(broken[:1])], [0.0], {}
    while free and len(tracks) < _MOST_FOLLOWED:
        if 2 * len(free) < max(map(len, tracks), default=0):
            break
        t, i = max(free, key=lambda place: (free[place], -place[0], -place[1]))
        first, track = frames[t][i], {t: i}
        other = _others(frames, first)
        for order in (range(t + 1, len(frames)), range(t - 1, -1, -1)):
            track |= _follow(frames, first, order, other, alone=alone)
        ranks = [free.pop(place) for place in track.items() if place in free]
        tracks.append(track)
        sizes.append(float(np.median(ranks)))
    longest = max(map(len, tracks), default=0)
    seen = [(size, -n) for n, size in enumerate(sizes) if 2 * len(tracks[n]) >= longest]
    best = tracks[-max(seen)[1]] if seen else {}
    nobody = Person(np.zeros((NUM_KEYPOINTS, 2)), np.zeros(NUM_KEYPOINTS))
    return [frames[t][best[t]] if t in best else nobody for t in range(len(frames))]


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
    last: Person,
    order: Iterable[int],
    other: set[int] | None,
    *,
    alone: bool,
) -> dict[int, int]:
    """Return the place of a person among those of each frame that shows it."""
    track: dict[int, int] = {}
    far, identity = _diagonal(last), last.identity
    for t in order:
        people = list(enumerate(frames[t]))
        # Whom the file names
        named = [] if other is None else [i for i, p in people if p.identity == identity]
        if named:
            track[t], last = named[0], frames[t][named[0]]
            continue
        # Who may be the signer, a tracker's new number included
        found = [(i, p) for i, p in people if other is None or p.identity not in other]
        found = found if alone else [(i, p) for i, p in found if _similar(last, p)]
        distances = [_distance(last, person) for _, person in found]
        if distances and min(distances) <= (far if alone else _REACH * _width(last)):
            track[t], last = found[int(np.argmin(distances))]
    return track


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
