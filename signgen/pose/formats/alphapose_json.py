"""AlphaPose results of one video: a list of detections in any order, 133 or 136 points each.

A detection is `{"image_id": "17.jpg", "keypoints": [x, y, confidence, ...], ...}`. The extended
form is `{"frames": [detections], "metadata": {"fps": 25, "width": 210, "height": 260}}`. The last
number in `image_id` places a frame: from 0 where the name is that number alone, as AlphaPose names
the frames of a video, from the lowest number otherwise. Numbers that are left out become frames
whose points are all missing. One person is followed through the frames (`frames.follow_signer`).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from signgen.errors import UserError
from signgen.pose.formats.clips import Reading
from signgen.pose.formats.persons import NUM_KEYPOINTS, Person, place, reading
from signgen.pose.formats.pose_maps import FROM_HALPE_136
from signgen.pose.formats.reading import checked_fps, checked_size, number_array

__all__ = ["read", "sniff"]

_SOURCES = {NUM_KEYPOINTS: tuple(range(NUM_KEYPOINTS)), 136: FROM_HALPE_136}


def _is_detection(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("image_id"), str)
        and "keypoints" in value
        and "keypoint_scores" not in value
        and "foot_kpts" not in value
    )


def sniff(document: object) -> bool:
    """Tell whether a parsed JSON document begins with a detection in one of the two forms."""
    if isinstance(document, dict) and "metadata" in document:
        document = document.get("frames")
    return isinstance(document, list) and bool(document) and _is_detection(document[0])


def read(
    document: object, path: Path, *, size: tuple[int, int] | None = None, fps: float | None = None
) -> Reading:
    """Read a parsed document.

    Args:
        document: What `sniff` recognised.
        path: Named in messages.
        size: (H, W) of the video; the document's own goes first. Without both, the extent of the
            points.
        fps: Frames per second; the document's own goes first. 25 without both.

    Returns:
        The sequence, `coco-wholebody-133`.

    Raises:
        UserError: If a detection is not as described or has other than 133 or 136 points.
    """
    entries = document
    if isinstance(document, dict):
        entries, metadata = document["frames"], document["metadata"]
        if not isinstance(metadata, dict):
            raise UserError(f"{path}: metadata is not an object with fps, width and height.")
        if "fps" in metadata:
            fps = checked_fps(metadata["fps"], path)
        if "height" in metadata or "width" in metadata:
            size = checked_size([metadata.get("height"), metadata.get("width")], path)
    if not isinstance(entries, list):
        raise UserError(f"{path}: expected a list of detections.")
    return reading(_frames(entries, path), path, size, fps)


def _frames(entries: list[object], path: Path) -> list[list[Person]]:
    """Group the detections by the number of their picture."""
    groups: dict[int, list[Person]] = {}
    bare = True
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or not _is_detection(entry):
            raise UserError(
                f"{path}: entry {index} is not a detection with image_id and keypoints."
            )
        stem = Path(entry["image_id"]).stem
        digits = re.findall(r"\d{1,18}", stem)
        if not digits:
            raise UserError(
                f"{path}: entry {index} has image_id {entry['image_id'][:40]!a}; expected a "
                "number in it."
            )
        bare = bare and stem == digits[-1]
        person = _person(entry["keypoints"], f"{path}: entry {index}")
        groups.setdefault(int(digits[-1]), []).append(person)
    numbers = list(groups)
    positions = place(numbers, path, 0 if bare else min(numbers), "number in image_id")
    frames: list[list[Person]] = [[] for _ in range(max(positions) + 1)]
    for position, number in zip(positions, numbers, strict=True):
        frames[position] = groups[number]
    return frames


def _person(values: object, what: str) -> Person:
    flat = number_array(values, (None,), f"{what}: keypoints")
    sources = _SOURCES.get(len(flat) // 3) if len(flat) % 3 == 0 else None
    if sources is None:
        raise UserError(
            f"{what}: keypoints has {len(flat)} numbers; expected 3 for each of 133 or 136 key "
            "points. Use a whole-body model of AlphaPose."
        )
    table = flat.reshape(-1, 3)[list(sources)]
    return table[:, :2], np.maximum(table[:, 2], 0)
