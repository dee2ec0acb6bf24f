"""COCO-WholeBody: annotations, and lists of results.

Annotations are `{"images": [{"id", "file_name", "height", "width"}], "annotations": [person,
...]}`; results are a list of persons. A person has flat lists of x, y, v: `keypoints` (17),
`foot_kpts` (6), `face_kpts` (68), `lefthand_kpts` and `righthand_kpts` (21 each), and the
`image_id` of its picture. v is 0 for missing, 1 for hidden and 2 for seen points, or a score; it
becomes a confidence of at most 1.

A picture is a clip of one frame, named by its `file_name`, or its `image_id` where there is none.
Of several people the one with the largest extent times confidence is kept. Pictures without people
are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from signgen.errors import UserError
from signgen.pose.formats.clips import Clips, Reading
from signgen.pose.formats.persons import Person, reading
from signgen.pose.formats.reading import checked_size, number_array

__all__ = ["read", "sniff"]

_PARTS = {
    "keypoints": 17,
    "foot_kpts": 6,
    "face_kpts": 68,
    "lefthand_kpts": 21,
    "righthand_kpts": 21,
}


def _is_person(value: object) -> bool:
    return isinstance(value, dict) and "image_id" in value and "foot_kpts" in value


def sniff(document: object) -> bool:
    """Tell whether a parsed JSON document is annotations or results of whole bodies."""
    if isinstance(document, dict):
        return isinstance(document.get("images"), list) and "annotations" in document
    return isinstance(document, list) and bool(document) and _is_person(document[0])


def read(
    document: object, path: Path, *, size: tuple[int, int] | None = None, fps: float | None = None
) -> Clips:
    """List the pictures of a parsed document; one is read when it is looked up.

    Args:
        document: What `sniff` recognised.
        path: Named in messages.
        size: (H, W) of the pictures; what the document says goes first. Without both, the extent
            of the points.
        fps: Frames per second, or None for 25.

    Returns:
        The pictures with people, `coco-wholebody-133`.

    Raises:
        UserError: If the document is not as described.
    """
    images = document["images"] if isinstance(document, dict) else []
    entries = document["annotations"] if isinstance(document, dict) else document
    if not isinstance(entries, list):
        raise UserError(f"{path}: annotations is not a list of persons.")
    pictures: dict[object, dict[str, Any]] = {}
    for index, image in enumerate(images):
        if not isinstance(image, dict) or not isinstance(image.get("id"), int | str):
            raise UserError(f"{path}: image {index} is not an object with an id.")
        pictures[image["id"]] = image
    groups: dict[object, list[tuple[int, dict[str, Any]]]] = {}
    for index, entry in enumerate(entries):
        if not _is_person(entry) or not isinstance(entry["image_id"], int | str):
            raise UserError(
                f"{path}: annotation {index} has no image_id or no foot_kpts; expected those of "
                "COCO-WholeBody."
            )
        groups.setdefault(entry["image_id"], []).append((index, entry))
    readers: dict[str, Callable[[], Reading]] = {}
    for key, persons in groups.items():
        picture = pictures.get(key, {})
        name = picture.get("file_name", str(key))
        if not isinstance(name, str) or name in readers:
            raise UserError(f"{path}: file_name {str(name)[:40]!a} is not a text or occurs twice.")
        readers[name] = partial(_picture, persons, picture, path, size, fps)
    return Clips(path, "coco", readers)


def _picture(
    entries: list[tuple[int, dict[str, Any]]],
    picture: dict[str, Any],
    path: Path,
    size: tuple[int, int] | None,
    fps: float | None,
) -> Reading:
    if "height" in picture or "width" in picture:
        size = checked_size([picture.get("height"), picture.get("width")], path)
    persons = [_person(entry, f"{path}: annotation {index}") for index, entry in entries]
    return reading([[person for person in persons if person[1].any()]], path, size, fps)


def _person(entry: dict[str, Any], what: str) -> Person:
    tables = []
    for name, count in _PARTS.items():
        flat = number_array(entry.get(name), (3 * count,), f"{what}: {name}")
        tables.append(flat.reshape(count, 3))
    table = np.concatenate(tables)
    return table[:, :2], np.clip(table[:, 2], 0, 1)
