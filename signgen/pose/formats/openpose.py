"""OpenPose JSON: a folder with one file per frame, one such file, or a list of frames.

A frame is `{"people": [person, ...]}`, in lists (ComfyUI, ControlNet editors) also with
`canvas_width` and `canvas_height`. A person has flat lists of x, y, confidence: `pose_keypoints_2d`
with BODY_25, COCO-18 or BODY_135, `face_keypoints_2d` (70), `hand_left_keypoints_2d` and
`hand_right_keypoints_2d` (21 each); files of version 1.0 leave out `_2d`. Empty, null and absent
lists are missing points, and so is a confidence of 0.

The frames of a folder are placed by the last number in their names, the lowest one first; numbers
that are left out become frames whose points are all missing. One person is followed through the
frames (`frames.follow_signer`). Coordinates from 0 to 1 (`--keypoint_scale 3`) become pixels where
the size is known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from signgen.errors import UserError
from signgen.files.reading import parse_json
from signgen.pose.formats.clips import Reading
from signgen.pose.formats.persons import Person, in_pixels, place, reading
from signgen.pose.formats.pose_maps import Component, map_components
from signgen.pose.formats.reading import checked_size, number_array, read_bytes

__all__ = ["read", "read_folder", "sniff"]

_PARTS = {"pose": None, "face": 70, "hand_left": 21, "hand_right": 21}
_BODIES = (18, 25, 135)


def _is_frame(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("people"), list)


def sniff(document: object) -> bool:
    """Tell whether a parsed JSON document is a frame or a list that begins with one."""
    if isinstance(document, list):
        return bool(document) and _is_frame(document[0])
    return _is_frame(document)


def read(
    document: object, path: Path, *, size: tuple[int, int] | None = None, fps: float | None = None
) -> Reading:
    """Read a parsed document: one frame, or a list of them.

    Args:
        document: What `sniff` recognised.
        path: Named in messages.
        size: (H, W) of the video; the document's canvas goes first. Without both, the extent of
            the points.
        fps: Frames per second, or None for 25.

    Returns:
        The sequence, `coco-wholebody-133`.

    Raises:
        UserError: If a frame or person is not as described, a list has an unknown number of
            points, or coordinates are normalised and no size is known.
    """
    entries = document if isinstance(document, list) else [document]
    frames = [_persons(entry, f"{path}: frame {t}") for t, entry in enumerate(entries)]
    size = _canvas(entries, path) or size
    return reading(in_pixels(frames, path, size), path, size, fps)


def read_folder(
    folder: Path,
    files: Sequence[Path],
    *,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
) -> Reading:
    """Read files `<name>_<number>_keypoints.json`, at least one; the rest as `read`."""
    numbers = []
    clips: dict[str, Path] = {}
    for file in files:
        digits = list(re.finditer(r"\d{1,18}", file.stem))
        if not digits:
            raise UserError(f"{file} has no frame number in its name; expected e.g. clip_0017.")
        numbers.append(int(digits[-1].group()))
        clips.setdefault(file.stem[: digits[-1].start()], file)
    if len(clips) > 1:
        one, other, *_ = clips.values()
        raise UserError(
            f"{folder} holds frames of several clips, such as {one.name} and {other.name}; "
            "expected a folder for each."
        )
    positions = place(numbers, folder, min(numbers), "frame number in a file name")
    frames: list[list[Person]] = [[] for _ in range(max(positions) + 1)]
    documents = [parse_json(read_bytes(file), file, "poses") for file in files]
    for position, file, document in zip(positions, files, documents, strict=True):
        frames[position] = _persons(document, str(file))
    size = _canvas(documents, folder) or size
    return reading(in_pixels(frames, folder, size), folder, size, fps)


def _canvas(entries: list[Any], path: Path) -> tuple[int, int] | None:
    """Return the size that the first frame names, or None."""
    first = entries[0]
    if not isinstance(first, dict) or "canvas_height" not in first or "canvas_width" not in first:
        return None
    return checked_size([first["canvas_height"], first["canvas_width"]], path)


def _persons(entry: object, what: str) -> list[Person]:
    if not isinstance(entry, dict) or not isinstance(entry.get("people"), list):
        raise UserError(f"{what} is not an OpenPose frame; expected an object with a list people.")
    persons = [_person(person, f"{what}: person {i}") for i, person in enumerate(entry["people"])]
    return [person for person in persons if person is not None]


def _person(person: object, what: str) -> Person | None:
    """Read one person; None if nothing of the body was found."""
    if not isinstance(person, dict):
        raise UserError(f"{what} is not an object with pose_keypoints_2d.")
    parts: dict[str, Component] = {}
    for part, count in _PARTS.items():
        name = f"{part}_keypoints_2d"
        values = person.get(name, person.get(f"{part}_keypoints"))
        if values is None or values == []:
            continue
        flat = number_array(values, (None,), f"{what}: {name}")
        expected = _BODIES if count is None else (count,)
        if len(flat) not in [3 * number for number in expected]:
            raise UserError(
                f"{what}: {name} has {len(flat)} numbers; expected 3 for each of "
                f"{' or '.join(str(number) for number in expected)} key points."
            )
        table = flat.reshape(1, -1, 3)
        names = [str(i) for i in range(table.shape[1])]
        parts[name] = Component(names, table[..., :2], table[..., 2])
    mapped = map_components(parts)
    if mapped is None:
        return None
    points, confidence = mapped[0][0], mapped[1][0]
    return None if not confidence.any() else (points, confidence)
