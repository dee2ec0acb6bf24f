"""What detectors of whole bodies write as JSON: MMPose, AlphaPose, COCO-WholeBody.

One person is followed through the frames (`persons.follow_signer`); frames without that person, and
frame numbers that are left out, become frames whose points are all missing. Where a file carries no
size, the caller's is taken, else the extent of the points, which is only a guess.

MMPose 1.x has persons `{"keypoints": [[x, y] * 133], "keypoint_scores": [133], ...}` in three
shapes. Negative scores (heat maps have them) count as 0.

1. A list of persons: one picture. A folder of such files is a sequence in the order of the numbers
   in the names.
2. A list of `{"frame_id": n, "instances": [person, ...]}`: a video, counted from 0.
3. `{"meta_info": ..., "instance_info": [as 2]}`: a video, counted from 1.

MMPose 0.x returns `pose_results`, which people dump as JSON: a list of persons `{"keypoints": [[x,
y, score] * 133], "bbox": ...}`, or one such list for each frame of a video.

AlphaPose lists detections of one video in any order, of 133 or 136 points: `{"image_id": "17.jpg",
"keypoints": [x, y, confidence, ...], ...}`; the extended form is `{"frames": [detections],
"metadata": {"fps": 25, "width": 210, "height": 260}}`. The last number in `image_id` places a
frame: from 0 where the name is that number alone, as AlphaPose names the frames of a video, from
the lowest number otherwise.

COCO-WholeBody has annotations `{"images": [{"id", "file_name", "height", "width"}], "annotations":
[person, ...]}`, and results, which are a list of persons. A person has flat lists of x, y, v, see
`_COCO_PARTS`, and the `image_id` of its picture. v is 0 for missing, 1 for hidden and 2 for seen
points, or a score; it becomes a confidence of at most 1. A picture is a clip of one frame, named by
its `file_name`, or its `image_id` where there is none; pictures without people are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from signgen.errors import UserError
from signgen.files.reading import taken
from signgen.pose.formats.checks import checked_size, number_array
from signgen.pose.formats.persons import (
    NUM_KEYPOINTS,
    Person,
    at_positions,
    identity_of,
    positions,
    read_signer,
)
from signgen.pose.formats.pose_maps import FROM_HALPE_136
from signgen.pose.formats.reading import Clips, Format, InputFile, Reading, read_json

__all__ = ["ALPHAPOSE", "COCO", "MMPOSE"]


def _first(document: object) -> object:
    return document[0] if isinstance(document, list) and document else None


# ----- MMPose -------------------------------------------------------------------------------------


def _is_mmpose_person(value: object) -> bool:
    if not isinstance(value, dict) or "keypoints" not in value:
        return False
    return "keypoint_scores" in value or isinstance(_first(value["keypoints"]), list)


def _is_mmpose_frame(value: object) -> bool:
    return isinstance(value, dict) and "instances" in value and "frame_id" in value


def _recognise_mmpose(file: InputFile) -> bool:
    if file.parts:  # a folder that is not of OpenPose
        return True
    if isinstance(file.document, dict):
        return "instance_info" in file.document
    first = _first(file.document)
    if isinstance(first, list) and isinstance(file.document, list):
        first = _first(next((frame for frame in file.document if frame), None))
    return _is_mmpose_person(first) or _is_mmpose_frame(first)


def _read_mmpose(file: InputFile) -> Clips:
    document, path = file.document, file.path
    if file.parts:
        frames = [_picture(part) for part in file.parts]
    elif isinstance(document, dict):
        frames = _numbered_frames(document["instance_info"], path, first=1)
    elif _is_mmpose_frame(_first(document)):
        frames = _numbered_frames(document, path, first=0)
    elif isinstance(document, list) and isinstance(document[0], list):
        frames = [
            _mmpose_persons(entry, f"{path}: frame {t}") for t, entry in enumerate(taken(document))
        ]
    else:
        frames = [_mmpose_persons(document, f"{path}: frame 0")]
    return Clips.of_one(file, "mmpose", read_signer(frames, file))


def _picture(path: Path) -> list[Person]:
    document = read_json(path)
    if not isinstance(document, list) or not all(map(_is_mmpose_person, document)):
        raise UserError(f"{path} is not a list of MMPose persons; expected one picture's.")
    return _mmpose_persons(document, str(path))


def _numbered_frames(entries: object, path: Path, *, first: int) -> list[list[Person]]:
    """Place frames by their numbers; those left out stay missing."""
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{path} holds 0 frames; expected at least 1.")
    numbers: list[int] = []
    for entry in entries:
        number = entry.get("frame_id") if _is_mmpose_frame(entry) else None
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise UserError(
                f"{path}: entry {len(numbers)} is not a frame with a frame_id of 0 or more."
            )
        numbers.append(number)
    places = positions(numbers, path, first)
    return at_positions(
        places,
        (
            _mmpose_persons(entry["instances"], f"{path}: frame {place}")
            for place, entry in zip(places, taken(entries), strict=True)
        ),
    )


def _mmpose_persons(persons: object, what: str) -> list[Person]:
    if not isinstance(persons, list) or not all(map(_is_mmpose_person, persons)):
        raise UserError(f"{what} is not a list of persons with keypoints and keypoint_scores.")
    return [
        _mmpose_person(person["keypoints"], person.get("keypoint_scores"), what)._replace(
            identity=identity_of(person)
        )
        for person in persons
    ]


def _mmpose_person(keypoints: object, scores: object, what: str) -> Person:
    if not isinstance(keypoints, list) or len(keypoints) != NUM_KEYPOINTS:
        count = len(keypoints) if isinstance(keypoints, list) else "no list of"
        raise UserError(
            f"{what} has {count} key points; expected {NUM_KEYPOINTS} (coco-wholebody-133). "
            "Use a whole-body model of MMPose."
        )
    if scores is None:  # of MMPose 0.x
        table = number_array(keypoints, (NUM_KEYPOINTS, 3), f"{what}: keypoints")
        return Person(table[:, :2], np.maximum(table[:, 2], 0))
    points = number_array(keypoints, (NUM_KEYPOINTS, 2), f"{what}: keypoints")
    confidence = number_array(scores, (NUM_KEYPOINTS,), f"{what}: keypoint_scores")
    return Person(points, np.maximum(confidence, 0))


MMPOSE = Format(_recognise_mmpose, _read_mmpose, folders=True)


# ----- AlphaPose ----------------------------------------------------------------------------------


def _is_detection(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("image_id"), str)
        and "keypoints" in value
        and not value.keys() & {"keypoint_scores", "foot_kpts"}
    )


def _recognise_alphapose(file: InputFile) -> bool:
    document = file.document
    if isinstance(document, dict) and "metadata" in document:
        document = document.get("frames")
    return _is_detection(_first(document))


def _read_alphapose(file: InputFile) -> Clips:
    entries, path, size, fps = file.document, file.path, None, None
    if isinstance(entries, dict):
        entries, metadata = entries["frames"], entries["metadata"]
        if not isinstance(metadata, dict):
            raise UserError(f"{path}: metadata is not an object with fps, width and height.")
        fps = metadata.get("fps")
        size = _named_size(metadata, path)
    assert isinstance(entries, list)
    # Group the detections by the number of their picture
    people: dict[int, list[Person]] = {}
    bare = True
    for index, entry in enumerate(taken(entries)):
        if not _is_detection(entry):
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
        person = _alphapose_person(entry["keypoints"], f"{path}: entry {index}")
        named = person._replace(identity=identity_of(entry))
        people.setdefault(int(digits[-1]), []).append(named)
    numbers = list(people)
    places = positions(numbers, path, 0 if bare else min(numbers), "number in image_id")
    frames = at_positions(places, people.values())
    return Clips.of_one(file, "alphapose", read_signer(frames, file, size, fps))


def _named_size(entry: dict[str, Any], path: Path) -> tuple[int, int] | None:
    if not entry.keys() & {"height", "width"}:
        return None
    return checked_size([entry.get("height"), entry.get("width")], path)


def _alphapose_person(values: object, what: str) -> Person:
    flat = number_array(values, (None,), f"{what}: keypoints")
    if len(flat) not in (3 * NUM_KEYPOINTS, 3 * 136):
        raise UserError(
            f"{what}: keypoints has {len(flat)} numbers; expected 3 for each of 133 or 136 key "
            "points. Use a whole-body model of AlphaPose."
        )
    table = flat.reshape(-1, 3)
    if len(table) == 136:
        table = table[list(FROM_HALPE_136)]
    return Person(table[:, :2], np.maximum(table[:, 2], 0))


ALPHAPOSE = Format(_recognise_alphapose, _read_alphapose)


# ----- COCO-WholeBody -----------------------------------------------------------------------------

#: Keys of a person in the order of our points, with the number of points.
_COCO_PARTS = {
    "keypoints": 17,
    "foot_kpts": 6,
    "face_kpts": 68,
    "lefthand_kpts": 21,
    "righthand_kpts": 21,
}


def _is_coco_person(value: object) -> bool:
    return isinstance(value, dict) and "image_id" in value and "foot_kpts" in value


def _recognise_coco(file: InputFile) -> bool:
    document = file.document
    if isinstance(document, dict):
        return isinstance(document.get("images"), list) and "annotations" in document
    return _is_coco_person(_first(document))


def _read_coco(file: InputFile) -> Clips:
    document, path, images = file.document, file.path, []
    if isinstance(document, dict):
        document, images = document["annotations"], document["images"]
    if not isinstance(document, list):
        raise UserError(f"{path}: annotations is not a list of persons.")
    pictures: dict[object, dict[str, Any]] = {}
    for index, image in enumerate(images):
        if not isinstance(image, dict) or not isinstance(image.get("id"), int | str):
            raise UserError(f"{path}: image {index} is not an object with an id.")
        pictures[image["id"]] = image
    # Group the persons by their picture
    people: dict[object, list[tuple[str, dict[str, Any]]]] = {}
    for index, entry in enumerate(document):
        if not _is_coco_person(entry) or not isinstance(entry["image_id"], int | str):
            raise UserError(
                f"{path}: annotation {index} has no image_id or no foot_kpts; expected those of "
                "COCO-WholeBody."
            )
        people.setdefault(entry["image_id"], []).append((f"{path}: annotation {index}", entry))
    readers: dict[str, Callable[[], Reading]] = {}
    for key, persons in people.items():
        picture = pictures.get(key, {})
        name = picture.get("file_name", str(key))
        if not isinstance(name, str) or name in readers:
            raise UserError(f"{path}: file_name {str(name)[:40]!a} is not a text or occurs twice.")
        readers[name] = partial(_coco_picture, file, persons, picture)
    return Clips(path, "coco", readers)


def _coco_picture(
    file: InputFile, entries: list[tuple[str, dict[str, Any]]], picture: dict[str, Any]
) -> Reading:
    size = _named_size(picture, file.path)
    persons = [_coco_person(entry, what) for what, entry in entries]
    return read_signer([[person for person in persons if person.confidence.any()]], file, size)


def _coco_person(entry: dict[str, Any], what: str) -> Person:
    parts = [
        number_array(entry.get(name), (3 * count,), f"{what}: {name}")
        for name, count in _COCO_PARTS.items()
    ]
    table = np.concatenate(parts).reshape(NUM_KEYPOINTS, 3)
    return Person(table[:, :2], np.clip(table[:, 2], 0, 1))


COCO = Format(_recognise_coco, _read_coco)
