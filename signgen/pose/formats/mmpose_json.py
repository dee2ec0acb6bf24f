"""Predictions of MMPose 1.x, 133 points per person, in the three shapes that its programs write.

1. A list of persons: one picture. A folder of such files is a sequence in the order of the numbers
   in the names.
2. A list of `{"frame_id": n, "instances": [person, ...]}`: a video, counted from 0.
3. `{"meta_info": ..., "instance_info": [as 2]}`: a video, counted from 1.

A person is `{"keypoints": [[x, y] * 133], "keypoint_scores": [133], "bbox": ...}`. Of
several persons the one with the largest box, weighted by mean score, is taken in each frame. Frames
without a person, and frame numbers that are left out, become frames whose points are all missing.
Negative scores (heat maps have them) count as 0.

The files carry neither size nor frame rate. Both come from the caller; otherwise the rate is 25,
and the size is the extent of the points with a score of at least 0.3 rounded up, which is only a
guess: pass the size.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.pose.formats.checked import (
    DEFAULT_FPS,
    MAX_FRAMES,
    MAX_SIDE,
    checked_sequence,
    number_array,
    parse_json,
    read_bytes,
)
from signgen.structures import PoseSequence

__all__ = ["read", "read_folder", "sniff"]

_NUM_KEYPOINTS = 133
_SURE = 0.3

Frame = tuple[NDArray[np.float64], NDArray[np.float64]]


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
) -> PoseSequence:
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
        frames = [_best(document, f"{path}: frame 0")]
    return _sequence(frames, path, size, fps)


def read_folder(
    folder: Path, *, size: tuple[int, int] | None = None, fps: float | None = None
) -> PoseSequence:
    """Read a folder of predictions, one file `*.json` per picture.

    Args:
        folder: The folder; files are ordered by the numbers in their names.
        size: (H, W) of the pictures, or None for the extent of the points.
        fps: Frames per second, or None for 25.

    Returns:
        The sequence, `coco-wholebody-133`.

    Raises:
        UserError: If there is no such file, or one is not a list of persons.
    """
    files = sorted(folder.glob("*.json"), key=_by_number)
    if not files:
        raise UserError(
            f"{folder} is a folder without *.json; expected MMPose predictions, one file per frame."
        )
    if len(files) > MAX_FRAMES:
        raise UserError(f"{folder} has {len(files)} files; at most {MAX_FRAMES} are read.")
    frames = []
    for file in files:
        document = parse_json(read_bytes(file), file)
        if not isinstance(document, list) or not all(_is_person(person) for person in document):
            raise UserError(f"{file} is not a list of MMPose persons; expected one picture's.")
        frames.append(_best(document, str(file)))
    return _sequence(frames, folder, size, fps)


def _by_number(file: Path) -> tuple[list[int], str]:
    return [int(digits) for digits in re.findall(r"\d{1,18}", file.stem)], file.name


def _numbered(entries: object, path: Path, *, first: int) -> list[Frame]:
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
    first = min(first, *numbers)
    count = max(numbers) - first + 1
    if count > min(MAX_FRAMES, 1000 + 100 * len(numbers)):
        raise UserError(
            f"{path}: frame_id goes up to {str(max(numbers))[:40]} in {len(numbers)} frames; "
            "expected frames counted one by one."
        )
    if len(set(numbers)) != len(numbers):
        raise UserError(f"{path}: a frame_id occurs twice; expected each once.")
    frames = [_missing() for _ in range(count)]
    for number, entry in zip(numbers, entries, strict=True):
        frames[number - first] = _best(entry["instances"], f"{path}: frame {number - first}")
    return frames


def _missing() -> Frame:
    return np.zeros((_NUM_KEYPOINTS, 2)), np.zeros(_NUM_KEYPOINTS)


def _best(persons: object, what: str) -> Frame:
    """Choose the person with the largest box times mean score."""
    if not isinstance(persons, list) or not all(_is_person(person) for person in persons):
        raise UserError(f"{what} is not a list of persons with keypoints and keypoint_scores.")
    best, best_rank = _missing(), -math.inf
    for person in persons:
        points, scores = _person(person, what)
        rank = _area(person, points) * float(scores.mean())
        if rank > best_rank or not math.isfinite(rank):
            best, best_rank = (points, scores), rank
    return best


def _person(person: dict[str, Any], what: str) -> Frame:
    keypoints = person["keypoints"]
    if not isinstance(keypoints, list) or len(keypoints) != _NUM_KEYPOINTS:
        found = len(keypoints) if isinstance(keypoints, list) else "no list of"
        raise UserError(
            f"{what} has {found} key points; expected {_NUM_KEYPOINTS} (coco-wholebody-133). "
            "Use a whole-body model of MMPose."
        )
    points = number_array(keypoints, (_NUM_KEYPOINTS, 2), f"{what}: keypoints")
    scores = number_array(person["keypoint_scores"], (_NUM_KEYPOINTS,), f"{what}: keypoint_scores")
    return points, np.maximum(scores, 0)


def _area(person: dict[str, Any], points: NDArray[np.float64]) -> float:
    """Area of the given box, which may be nested once, or of the points' extent."""
    box = person.get("bbox")
    if isinstance(box, list) and len(box) == 1:
        box = box[0]
    if isinstance(box, list) and len(box) >= 4:
        try:
            x0, y0, x1, y1 = (float(edge) for edge in box[:4])
            return abs((x1 - x0) * (y1 - y0))
        except (TypeError, ValueError, OverflowError):
            pass  # the box only ranks persons; the points are what is checked
    with np.errstate(all="ignore"):
        return float(np.prod(np.ptp(points, axis=0)))


def _sequence(
    frames: list[Frame], path: Path, size: tuple[int, int] | None, fps: float | None
) -> PoseSequence:
    points = np.stack([frame[0] for frame in frames])  # (T, 133, 2)
    scores = np.stack([frame[1] for frame in frames])  # (T, 133)
    poses = checked_sequence(
        points,
        scores,
        path,
        skeleton="coco-wholebody-133",
        size=size or (MAX_SIDE, MAX_SIDE),
        fps=fps or DEFAULT_FPS,
    )
    return poses if size else _with_extent(poses)


def _with_extent(poses: PoseSequence) -> PoseSequence:
    sure = poses.confidence >= _SURE
    points = poses.keypoints[sure if sure.any() else poses.visible]
    width, height = (
        min(max(math.ceil(edge) + 1, 1), MAX_SIDE) for edge in points.max(axis=0).tolist()
    )
    return PoseSequence(
        poses.keypoints, poses.confidence, poses.skeleton, (height, width), poses.fps
    )
