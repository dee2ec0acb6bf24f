"""Predictions of MMPose 1.x, 133 points per person, in the three shapes that its programs write.

1. A list of persons: one picture. A folder of such files is a sequence in the order of the numbers
   in the names.
2. A list of `{"frame_id": n, "instances": [person, ...]}`: a video, counted from 0.
3. `{"meta_info": ..., "instance_info": [as 2]}`: a video, counted from 1.

A person is `{"keypoints": [[x, y] * 133], "keypoint_scores": [133], ...}`. One person is followed
through the frames (`frames.follow_signer`). Frames without that person, and frame numbers that are
left out, become frames whose points are all missing.
Negative scores (heat maps have them) count as 0.

The files carry neither size nor frame rate. Both come from the caller; otherwise the rate is 25,
and the size is the extent of the points with a score of at least 0.3 rounded up, which is only a
guess: pass the size.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from signgen.errors import UserError
from signgen.files.reading import parse_json
from signgen.pose.formats.clips import Reading
from signgen.pose.formats.persons import (
    NUM_KEYPOINTS,
    Person,
    place,
    reading,
)
from signgen.pose.formats.reading import number_array, read_bytes

__all__ = ["read", "read_folder", "sniff"]


def _is_person(value: object) -> bool:
    return isinstance(value, dict) and "keypoints" in value and "keypoint_scores" in value


def _is_frame(value: object) -> bool:
    return isinstance(value, dict) and "instances" in value and "frame_id" in value


def sniff(document: object) -> bool:
    """Tell whether a parsed JSON document has one of the three shapes."""
    if isinstance(document, dict):
        return "instance_info" in document
    if not isinstance(document, list) or not document:
        return False
    return _is_person(document[0]) or _is_frame(document[0])


def read(
    document: object, path: Path, *, size: tuple[int, int] | None = None, fps: float | None = None
) -> Reading:
    """Read a parsed document.

    Args:
        document: What `sniff` recognised.
        path: Named in messages.
        size: (H, W) of the video, or None for the extent of the points.
        fps: Frames per second, or None for 25.

    Returns:
        The sequence, `coco-wholebody-133`.

    Raises:
        UserError: If the document does not have one of the three shapes or a person has other than
            133 points.
    """
    if isinstance(document, dict):
        frames = _numbered(document.get("instance_info"), path, first=1)
    elif isinstance(document, list) and document and _is_frame(document[0]):
        frames = _numbered(document, path, first=0)
    else:
        frames = [_persons(document, f"{path}: frame 0")]
    return reading(frames, path, size, fps)


def read_folder(
    folder: Path,
    files: Sequence[Path],
    *,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
) -> Reading:
    """Read a folder of predictions, one file `*.json` per picture.

    Args:
        folder: Named in messages.
        files: Its files in order, at least one.
        size: (H, W) of the pictures, or None for the extent of the points.
        fps: Frames per second, or None for 25.

    Returns:
        The sequence, `coco-wholebody-133`.

    Raises:
        UserError: If one is not a list of persons.
    """
    frames = []
    for file in files:
        document = parse_json(read_bytes(file), file, "poses")
        if not isinstance(document, list) or not all(_is_person(person) for person in document):
            raise UserError(f"{file} is not a list of MMPose persons; expected one picture's.")
        frames.append(_persons(document, str(file)))
    return reading(frames, folder, size, fps)


def _numbered(entries: object, path: Path, *, first: int) -> list[list[Person]]:
    """Place frames by their numbers; those left out stay missing."""
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{path} holds 0 frames; expected at least 1.")
    numbers: list[int] = []
    for entry in entries:
        number = entry.get("frame_id") if _is_frame(entry) else None
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise UserError(
                f"{path}: entry {len(numbers)} is not a frame with a frame_id of 0 or more."
            )
        numbers.append(number)
    positions = place(numbers, path, first)
    frames: list[list[Person]] = [[] for _ in range(max(positions) + 1)]
    for position, entry in zip(positions, entries, strict=True):
        frames[position] = _persons(entry["instances"], f"{path}: frame {position}")
    return frames


def _persons(persons: object, what: str) -> list[Person]:
    if not isinstance(persons, list) or not all(_is_person(person) for person in persons):
        raise UserError(f"{what} is not a list of persons with keypoints and keypoint_scores.")
    return [_person(person, what) for person in persons]


def _person(person: dict[str, Any], what: str) -> Person:
    keypoints = person["keypoints"]
    if not isinstance(keypoints, list) or len(keypoints) != NUM_KEYPOINTS:
        found = len(keypoints) if isinstance(keypoints, list) else "no list of"
        raise UserError(
            f"{what} has {found} key points; expected {NUM_KEYPOINTS} (coco-wholebody-133). "
            "Use a whole-body model of MMPose."
        )
    points = number_array(keypoints, (NUM_KEYPOINTS, 2), f"{what}: keypoints")
    scores = number_array(person["keypoint_scores"], (NUM_KEYPOINTS,), f"{what}: keypoint_scores")
    return points, np.maximum(scores, 0)
