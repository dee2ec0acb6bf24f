"""OpenPose JSON: a folder with one file per frame, one such file, or a list of frames.

A frame is `{"people": [person, ...]}`, in lists (ComfyUI, ControlNet editors) also with
`canvas_width` and `canvas_height`. A person has flat lists of x, y, confidence: `pose_keypoints_2d`
with BODY_25, COCO-18 or BODY_135, `face_keypoints_2d` (68 to 70), `hand_left_keypoints_2d` and
`hand_right_keypoints_2d` (21 each); files of version 1.0 leave out `_2d`. Empty, null and absent
lists are missing points, and so is a confidence of 0.

Editors also write frames without people (a canvas alone), a frame that is the person itself, and
`{"width", "height", "keypoints": [[[x, y] or null] * 18, ...]}`, a picture's persons. All canvases
of a clip must be of one size.

The frames of a folder are placed by the last number in their names, the lowest one first; numbers
that are left out become frames whose points are all missing. One person is followed through the
frames (`persons.follow_signer`). Coordinates from 0 to 1 (`--keypoint_scale 3`) become pixels where
the size is known.

What is written has BODY_25, face 70 and hands of COCO-WholeBody-133, with a neck and a middle of
the hips as the midpoints of shoulders and of hips where both are there; the pupils of face 70 stay
missing. All 133 points come back exactly. `openpose-18` is written as the 18 points of COCO, and
comes back as 133 points without the neck. Lost: the frame rate, and in a folder the size. A frame
without points has no people.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.files.reading import taken
from signgen.pose.formats.checks import checked_size, number_array
from signgen.pose.formats.persons import Person, at_positions, identity_of, positions, read_signer
from signgen.pose.formats.pose_maps import BODY_25, Component, map_components
from signgen.pose.formats.reading import Clips, Format, InputFile, read_json
from signgen.pose.skeleton import OPENPOSE_18
from signgen.structures import PoseSequence

__all__ = ["FORMAT", "frame_files", "list_bytes"]

_PARTS = {"pose": (18, 25, 135), "face": (68, 69, 70), "hand_left": (21,), "hand_right": (21,)}


_CANVAS = frozenset({"canvas_height", "canvas_width"})


def _is_frame(value: object) -> bool:
    """Tell whether a value is a frame, as OpenPose or an editor writes it."""
    if not isinstance(value, dict):
        return False
    if "people" in value:
        return isinstance(value["people"], list)
    return bool(value.keys() >= _CANVAS or "pose_keypoints_2d" in value or _is_picture(value))


def _is_picture(value: dict[str, object]) -> bool:
    return {"width", "height", "keypoints"} <= value.keys()


def _recognise(file: InputFile) -> bool:
    document = file.document
    if isinstance(document, list):
        return bool(document) and _is_frame(document[0])
    return _is_frame(document)


def _read(file: InputFile) -> Clips:
    places, entries = _entries(file)
    # Of each file only the points are kept: parsed, a frame is twenty times as large
    sizes: dict[tuple[int, int], str] = {}
    persons = []
    for name, entry in entries:
        if (size := _canvas(entry, file.path)) is not None:
            sizes.setdefault(size, name)
        persons.append(_persons(entry, name))
    size = _one_canvas(sizes)
    frames = at_positions(places, persons)
    return Clips.of_one(file, "openpose", read_signer(frames, file, size, normalised=True))


def _entries(file: InputFile) -> tuple[list[int], Iterator[tuple[str, object]]]:
    """Return the positions of frames, and what yields their names and what they hold."""
    if file.parts:
        return _frame_numbers(file), ((str(part), read_json(part)) for part in file.parts)
    document = file.document if isinstance(file.document, list) else [file.document]
    named = ((f"{file.path}: frame {t}", entry) for t, entry in enumerate(taken(document)))
    return list(range(len(document))), named


def _canvas(entry: object, path: Path) -> tuple[int, int] | None:
    """Return the size of the canvas that a frame names, or None."""
    if not isinstance(entry, dict):
        return None
    if entry.keys() >= _CANVAS:
        return checked_size([entry["canvas_height"], entry["canvas_width"]], path)
    if "people" not in entry and _is_picture(entry):
        return checked_size([entry["height"], entry["width"]], path)
    return None


def _one_canvas(sizes: Mapping[tuple[int, int], str]) -> tuple[int, int] | None:
    """Return the only size of canvas, of which each has the name of a frame; None without one."""
    if len(sizes) > 1:
        (one, first), (two, other), *_ = sizes.items()
        raise UserError(
            f"{other} has a canvas of {two[1]} x {two[0]} pixels, {first} one of {one[1]} x "
            f"{one[0]}; expected one size. Scale the frames to one canvas."
        )
    return next(iter(sizes), None)


def _frame_numbers(file: InputFile) -> list[int]:
    """Return the positions of a folder's files by their names, `<name>_<number>_keypoints.json`."""
    numbers = []
    clips: dict[str, Path] = {}
    for part in file.parts:
        digits = list(re.finditer(r"\d{1,18}", part.stem))
        if not digits:
            raise UserError(f"{part} has no frame number in its name; expected e.g. clip_0017.")
        numbers.append(int(digits[-1].group()))
        clips.setdefault(part.stem[: digits[-1].start()], part)
    if len(clips) > 1:
        one, other, *_ = clips.values()
        raise UserError(
            f"{file.path} holds frames of several clips, such as {one.name} and {other.name}; "
            "expected a folder for each."
        )
    return positions(numbers, file.path, min(numbers), "frame number in a file name")


def _persons(entry: object, what: str) -> list[Person]:
    if not isinstance(entry, dict) or not _is_frame(entry):
        raise UserError(f"{what} is not an OpenPose frame; expected an object with a list people.")
    people = entry.get("people", [entry] if "pose_keypoints_2d" in entry else [])
    if "people" not in entry and _is_picture(entry):
        people = _editor_people(entry["keypoints"], what)
    persons = [
        _person(person, f"{what}: person {i}")
        for i, person in enumerate(people)
        if person is not None
    ]
    return [person for person in persons if person is not None]


def _editor_people(keypoints: object, what: str) -> list[object]:
    """Return an editor's persons, 18 points each, as OpenPose's."""
    if not isinstance(keypoints, list):
        raise UserError(f"{what}: keypoints is not a list of persons of 18 points.")
    people: list[object] = []
    for number, points in enumerate(keypoints):
        if not isinstance(points, list):
            raise UserError(f"{what}: person {number} is not a list of 18 points.")
        pairs = number_array(
            [[math.nan, math.nan] if point is None else point for point in points],
            (18, 2),
            f"{what}: person {number}",
        )
        table = np.concatenate([pairs, np.ones((18, 1))], axis=1)  # (18, 3)
        people.append({"pose_keypoints_2d": table.ravel().tolist()})
    return people


def _person(person: object, what: str) -> Person | None:
    """Read one person; None if nothing of the body was found."""
    if not isinstance(person, dict):
        raise UserError(f"{what} is not an object with pose_keypoints_2d.")
    components: dict[str, Component] = {}
    for part, counts in _PARTS.items():
        name = f"{part}_keypoints_2d"
        values = person.get(name, person.get(f"{part}_keypoints"))
        if values is None or values == []:
            continue
        flat = number_array(values, (None,), f"{what}: {name}")
        if len(flat) not in [3 * count for count in counts]:
            raise UserError(
                f"{what}: {name} has {len(flat)} numbers; expected 3 for each of "
                f"{' or '.join(map(str, counts))} key points."
            )
        table = flat.reshape(1, -1, 3)  # (1, N, 3)
        names = [str(i) for i in range(table.shape[1])]
        components[name] = Component(names, table[..., :2], table[..., 2])
    mapped = map_components(components)
    if mapped is None or not mapped[1].any():
        return None
    return Person(mapped[0][0], mapped[1][0], identity_of(person))


FORMAT = Format(_recognise, _read, folders=True)


# ----- writing ------------------------------------------------------------------------------------


def frame_files(poses: PoseSequence, stem: str) -> dict[str, bytes]:
    """Return the files `<stem>_<12 digits>_keypoints.json` of a sequence, counted from 0."""
    return {
        f"{stem}_{t:012d}_keypoints.json": json.dumps(frame).encode()
        for t, frame in enumerate(_frames(poses))
    }


def list_bytes(poses: PoseSequence) -> bytes:
    """Return the list of frames that pose editors read, with `canvas_width` and `canvas_height`."""
    canvas = {"canvas_width": poses.size[1], "canvas_height": poses.size[0]}
    return json.dumps([frame | canvas for frame in _frames(poses)]).encode()


def _frames(poses: PoseSequence) -> list[dict[str, object]]:
    table = np.concatenate([poses.keypoints, poses.confidence[..., None]], axis=-1)  # (T, K, 3)
    whole = poses.skeleton != OPENPOSE_18
    return [
        {"version": 1.3, "people": [_written(frame, whole)] if frame[:, 2].any() else []}
        for frame in table
    ]


def _written(points: NDArray[np.float32], whole: bool) -> dict[str, object]:
    """Return one person from (18, 3), or as a whole from (133, 3)."""
    none = np.zeros((0, 3), np.float32)
    parts = {"pose": points, "face": none, "hand_left": none, "hand_right": none}
    if whole:
        body = np.zeros((25, 3), np.float32)
        body[list(BODY_25)] = points[:23]
        for midpoint, ends in ((1, (5, 6)), (8, (11, 12))):  # neck, middle of the hips
            one, two = points[list(ends)]
            if one[2] > 0 and two[2] > 0:
                body[midpoint] = *((one + two) / 2)[:2], min(one[2], two[2])
        face = np.concatenate([points[23:91], np.zeros((2, 3), np.float32)])  # the pupils last
        hands = {"hand_left": points[91:112], "hand_right": points[112:133]}
        parts = {"pose": body, "face": face} | hands
    # Numbers that print short and are read back as the same float32
    flat = {
        name: [float(f"{value:.9g}") for value in part.ravel().tolist()]
        for name, part in parts.items()
    }
    return {
        "person_id": [-1],
        **{f"{name}_keypoints_2d": numbers for name, numbers in flat.items()},
        **{f"{name}_keypoints_3d": [] for name in parts},
    }
