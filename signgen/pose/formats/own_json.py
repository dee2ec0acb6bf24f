"""The package's own JSON format.

One object per file, in UTF-8::

    {"format": "signgen-poses", "version": 1,
     "skeleton": "coco-wholebody-133",        # or "openpose-18"
     "fps": 25.0,                              # above 0, at most 1000
     "size": [260, 210],                       # height, width of the picture in pixels
     "frames": [[[x, y, confidence], ...], ...]}

`frames` holds T frames of K points each; x and y are pixels of `size` with the origin at the top
left, the confidence is at least 0 and 0 means missing. Unknown further keys are ignored. A point
of NaN is missing too; Infinity is refused.
"""

from __future__ import annotations

import numpy as np

from signgen.errors import UserError
from signgen.files.reading import taken
from signgen.pose.formats.checks import (
    checked_sequence,
    checked_size,
    checked_skeleton,
    number_array,
    stated_number,
)
from signgen.pose.formats.reading import Clips, Format, InputFile, Reading
from signgen.pose.skeleton import SKELETONS
from signgen.structures import PoseSequence

__all__ = ["FORMAT", "NAME", "VERSION", "to_bytes"]

NAME = "signgen-poses"
VERSION = 1


def _read(file: InputFile) -> Clips:
    document, path = file.document, file.path
    assert isinstance(document, dict)
    for key in ("version", "skeleton", "fps", "size", "frames"):
        if key not in document:
            raise UserError(f"{path} has no {key!r}; {NAME} needs it. Add it.")
    version, frames = document["version"], document["frames"]
    if version != VERSION or isinstance(version, bool):
        raise UserError(
            f"{path} has version {str(version)[:40]!r}; this signgen reads {VERSION}. "
            "Update signgen."
        )
    skeleton = checked_skeleton(document["skeleton"], path)
    fps, size = file.rate(document["fps"]), checked_size(document["size"], path)
    if not isinstance(frames, list):
        raise UserError(f"{path}: frames is not a list; expected a list of frames.")
    if not frames:
        raise UserError(f"{path} holds 0 frames; expected at least 1.")
    count = SKELETONS[skeleton].num_keypoints
    tables = []
    for index, frame in enumerate(taken(frames)):
        listed = isinstance(frame, list | np.ndarray)
        if not listed or len(frame) != count:
            found = len(frame) if listed else "no list of"
            raise UserError(
                f"{path}: frame {index} has {found} key points; expected {count} ({skeleton})."
            )
        tables.append(number_array(frame, (count, 3), f"{path}: frame {index}"))
    table = np.stack(tables)  # (T, K, 3)
    poses = checked_sequence(
        table[..., :2], table[..., 2], path, size=size, fps=fps, skeleton=skeleton
    )
    return Clips.of_one(file, "own", Reading(poses, stated_fps=stated_number(document["fps"])))


FORMAT = Format(
    lambda file: isinstance(file.document, dict) and file.document.get("format") == NAME, _read
)


def to_bytes(poses: PoseSequence) -> bytes:
    """Return the file of a sequence.

    Coordinates are kept to 0.01 pixel and confidences to 0.001; confidences above 0 stay above 0.
    """
    confidence = np.where(poses.visible, np.maximum(np.round(poses.confidence, 3), 0.001), 0.0)
    points = np.round(poses.keypoints.astype(np.float64), 2)
    table = np.concatenate([points, confidence.astype(np.float64)[..., None]], axis=-1)  # (T, K, 3)
    frames = ",\n".join(
        f"[{','.join(f'[{x:.7g},{y:.7g},{c:.4g}]' for x, y, c in frame)}]"
        for frame in table.tolist()
    )
    height, width = poses.size
    text = (
        f'{{"format":"{NAME}","version":{VERSION},"skeleton":"{poses.skeleton}",'
        f'"fps":{float(poses.fps)!r},"size":[{height},{width}],"frames":[\n{frames}\n]}}\n'
    )
    return text.encode()
