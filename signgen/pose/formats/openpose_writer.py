"""Write OpenPose JSON: a folder with one file per frame, or one list of frames with its canvas.

Of COCO-WholeBody-133 a person is BODY_25, face 70 and hands. BODY_25 has a neck and a middle of the
hips, written as the midpoints of shoulders and of hips where both are there; the pupils of face 70
stay missing. All 133 points come back exactly. `openpose-18` is written as the 18 points of COCO,
and comes back as 133 points without the neck.

Lost: the frame rate, and in a folder the size. A frame without points has no people.
"""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from signgen.pose.formats.pose_maps import BODY_25
from signgen.structures import PoseSequence

__all__ = ["frame_files", "list_bytes"]

_VERSION = 1.3
_MIDPOINTS = {1: (5, 6), 8: (11, 12)}  # BODY_25: neck and middle of the hips, from 133
_PUPILS = 2


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
    table = np.concatenate([poses.keypoints, poses.confidence[..., None]], axis=-1)
    person = _person_18 if poses.skeleton == "openpose-18" else _person_133
    return [
        {"version": _VERSION, "people": [person(frame)] if frame[:, 2].any() else []}
        for frame in table
    ]


def _person_18(points: NDArray[np.float32]) -> dict[str, object]:
    return _person(points, np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3)))


def _person_133(points: NDArray[np.float32]) -> dict[str, object]:
    body = np.zeros((25, 3), np.float32)
    body[list(BODY_25)] = points[:23]
    for target, pair in _MIDPOINTS.items():
        one, two = points[list(pair)]
        if one[2] > 0 and two[2] > 0:
            body[target] = *((one + two) / 2)[:2], min(one[2], two[2])
    face = np.concatenate([points[23:91], np.zeros((_PUPILS, 3), np.float32)])
    return _person(body, face, points[91:112], points[112:133])


def _person(
    body: NDArray[np.floating],
    face: NDArray[np.floating],
    left: NDArray[np.floating],
    right: NDArray[np.floating],
) -> dict[str, object]:
    parts = {"pose": body, "face": face, "hand_left": left, "hand_right": right}
    return {
        "person_id": [-1],
        **{f"{name}_keypoints_2d": _flat(values) for name, values in parts.items()},
        **{f"{name}_keypoints_3d": [] for name in parts},
    }


def _flat(values: NDArray[np.floating]) -> list[float]:
    """Return numbers that print short and are read back as the same float32."""
    return [float(f"{value:.9g}") for value in values.ravel().tolist()]
