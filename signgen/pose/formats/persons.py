"""From the persons of every frame to one signer's sequence: for formats that list persons.

Detectors list people in any order, so the signer is followed: by ids where trackers gave them, else
by place and size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
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
    without_nan,
)
from signgen.pose.formats.reading import InputFile, Reading
from signgen.structures import PoseSequence

__all__ = [
    "NUM_KEYPOINTS",
    "Person",
    "at_positions",
    "follow_signer",
    "given_id",
    "positions",
    "read_signer",
]

NUM_KEYPOINTS = 133
_SURE = 0.3
_NORMALISED_EXTENT = 4.0
"""A signer whose points span less than this many pixels is not in pixels."""

_PARTS = (slice(0, 23), slice(23, 91), slice(91, 112), slice(112, 133))
"""Body with feet, face, left and right hand."""
_MOST_OUTSIDE = 0.25
"""Normalised coordinates of which a larger share is negative do not go from 0 to 1."""
_TRUNK = [*range(7), 11, 12]
_GROWTH = 2.0
"""A person grows or shrinks at most so many times between frames."""
_MOST_FOLLOWED = 16
_REACH_ALONE = 3.0


class Person(NamedTuple):
    """One person of one frame.

    Args:
        points: (133, 2), (x, y).
        confidence: (133,), 0 where missing.
        id: What a tracker calls the person, 0 or more; None where the file does not say.
    """

    points: Numbers
    confidence: Numbers
    id: int | None = None


def given_id(value: object) -> int | None:
    """Return the id of a person, a whole number or a list of one; None for -1 and the like."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


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
    cleaned = [
        [Person(*without_nan(person.points, person.confidence), person.id) for person in frame]
        for frame in frames
    ]
    frames = [[person for person in frame if person.confidence.any()] for frame in cleaned]
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

    A person is followed forwards and backwards from where it is largest: by its id where the file
    gives ids, else to the nearest person that is plausible against its last place and size. Where
    there is none the frame is missing, with confidence 0, and the search resumes at the last
    place. The signer is the one with the largest extent times mean confidence (the median of its
    frames) among those that are seen in at least half as many frames as any: a ghost of one frame
    is nobody's signer.
    """
    free = {
        (t, i): _diagonal(person) ** 2 * float(np.mean(person.confidence))
        for t, persons in enumerate(frames)
        for i, person in enumerate(persons)
    }
    # Without a neighbour to be taken for the signer, pictures may be further apart in time.
    reach = 1 if any(len(persons) > 1 for persons in frames) else _REACH_ALONE
    tracks: list[tuple[int, float, dict[int, int]]] = []
    # A number that is not finite must reach the check that names it, whoever it belongs to.
    broken = [place for place, rank in free.items() if not math.isfinite(rank)]
    if broken:
        tracks, free = [(1, 0.0, dict(broken[:1]))], {}
    while free and len(tracks) < _MOST_FOLLOWED:
        if tracks and 2 * len(free) < max(length for length, _, _ in tracks):
            break
        t, i = max(free, key=lambda place: (free[place], -place[0], -place[1]))
        track = {t: i}
        for order in (range(t + 1, len(frames)), range(t - 1, -1, -1)):
            track |= _follow(frames, frames[t][i], order, reach)
        ranks = [free.pop(place) for place in track.items() if place in free]
        tracks.append((len(track), float(np.median(ranks)), track))
    longest = max((length for length, _, _ in tracks), default=0)
    best: dict[int, int] = max(
        (track for track in tracks if 2 * track[0] >= longest),
        key=lambda track: track[1],
        default=(0, 0.0, {}),
    )[2]
    nobody = Person(np.zeros((NUM_KEYPOINTS, 2)), np.zeros(NUM_KEYPOINTS))
    return [frames[t][best[t]] if t in best else nobody for t in range(len(frames))]


def _follow(
    frames: Sequence[Sequence[Person]], last: Person, order: Iterable[int], reach: float
) -> dict[int, int]:
    """Return the index of a person in each frame that shows it."""
    track = {}
    for t in order:
        steps = [_step(last, person) for person in frames[t]]
        nearest = int(np.argmin(steps)) if steps else 0
        if steps and steps[nearest] <= reach:
            track[t], last = nearest, frames[t][nearest]
    return track


def _step(last: Person, person: Person) -> float:
    """Return how far a person is from where it was last; infinite where it cannot be the same.

    The unit is its size.
    """
    if last.id is not None and person.id is not None:
        return 0.0 if last.id == person.id else math.inf
    both = (last.confidence > 0) & (person.confidence > 0)
    trunk = both[_TRUNK]
    one, two = last.points[_TRUNK][trunk], person.points[_TRUNK][trunk]
    if len(one) < 2:  # hands or a face alone
        one, two = last.points[both], person.points[both]
    if not len(one):
        if not (last.confidence.any() and person.confidence.any()):
            return math.inf
        one, two = (p.points[p.confidence > 0].mean(axis=0)[None] for p in (last, person))
    size = _size(last)
    with np.errstate(all="ignore"):
        ratio = _spread(two) / _spread(one) if len(one) >= 3 and _spread(one) else 1.0
        step = float(np.median(np.linalg.norm(one - two, axis=1)))
    return step / size if size and 1 / _GROWTH <= ratio <= _GROWTH else math.inf


def _size(person: Person) -> float:
    """Return shoulder width or a third of the trunk's diagonal; a third of all without them."""
    seen = person.confidence[_TRUNK] > 0
    trunk = person.points[_TRUNK]
    if seen.sum() < 2:
        return _diagonal(person) / 3
    width = np.linalg.norm(trunk[5] - trunk[6]) if seen[5] and seen[6] else 0.0
    return max(float(width), _spread(trunk[seen]) / 3)


def _spread(points: Numbers) -> float:
    """Diagonal of the extent of (N, 2) points."""
    return float(np.linalg.norm(np.ptp(points, axis=0)))


def _diagonal(person: Person) -> float:
    """Diagonal of the extent of a person's points, in pixels."""
    seen = person.points[person.confidence > 0]
    with np.errstate(all="ignore"):
        return _spread(seen) if len(seen) else 0.0
