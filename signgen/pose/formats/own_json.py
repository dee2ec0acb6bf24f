"""The package's own JSON format.

One object per file, in UTF-8::

    {"format": "signgen-poses", "version": 1,
     "skeleton": "coco-wholebody-133",        # or "openpose-18"
     "fps": 25.0,                              # above 0, at most 1000
     "size": [260, 210],                       # height, width of the picture in pixels
     "frames": [[[x, y, confidence], ...], ...]}

`frames` holds T frames of K points each; x and y are pixels of `size` with the origin at the top
left, the confidence is at least 0 and 0 means missing. Unknown further keys are ignored. NaN and
Infinity are refused.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from signgen.errors import UserError
from signgen.pose.formats.reading import (
    checked_fps,
    checked_sequence,
    checked_size,
    number_array,
)
from signgen.pose.skeleton import SKELETONS
from signgen.structures import PoseSequence

__all__ = ["FORMAT", "VERSION", "read", "sniff", "to_bytes"]

FORMAT = "signgen-poses"
VERSION = 1


def sniff(document: object) -> bool:
    """Tell whether a parsed JSON document says that it is this format."""
    return isinstance(document, dict) and document.get("format") == FORMAT


def read(document: object, path: Path) -> PoseSequence:
    """Read a parsed document.

    Args:
        document: What `sniff` recognised.
        path: Named in messages.

    Returns:
        The sequence.

    Raises:
        UserError: If a key is missing or a value is not as the module's description says.
    """
    if not isinstance(document, dict):
        raise UserError(f"{path} is not an object of {FORMAT}.")
    for key in ("version", "skeleton", "fps", "size", "frames"):
        if key not in document:
            raise UserError(f"{path} has no {key!r}; {FORMAT} needs it. Add it.")
    if document["version"] != VERSION or isinstance(document["version"], bool):
        raise UserError(
            f"{path} has version {str(document['version'])[:40]!r}; this signgen reads {VERSION}. "
            "Update signgen."
        )
    skeleton = document["skeleton"]
    if not isinstance(skeleton, str) or skeleton not in SKELETONS:
        raise UserError(
            f"{path} has skeleton {str(skeleton)[:40]!r}; expected one of {', '.join(SKELETONS)}."
        )
    fps, size = checked_fps(document["fps"], path), checked_size(document["size"], path)
    frames = document["frames"]
    if not isinstance(frames, list):
        raise UserError(f"{path}: frames is not a list; expected a list of frames.")
    if not frames:
        raise UserError(f"{path} holds 0 frames; expected at least 1.")
    count = SKELETONS[skeleton].num_keypoints
    for index, frame in enumerate(frames):
        if not isinstance(frame, list) or len(frame) != count:
            found = len(frame) if isinstance(frame, list) else "no list of"
            raise UserError(
                f"{path}: frame {index} has {found} key points; expected {count} ({skeleton})."
            )
    values = number_array(frames, (None, count, 3), f"{path}: frames")
    return checked_sequence(
        values[..., :2], values[..., 2], path, skeleton=skeleton, size=size, fps=fps
    )


def to_bytes(poses: PoseSequence) -> bytes:
    """Return the file of a sequence.

    Coordinates are kept to 0.01 pixel and confidences to 0.001; confidences above 0 stay above 0.
    """
    shown = np.where(poses.visible, np.maximum(np.round(poses.confidence, 3), 0.001), 0.0)
    points = np.round(poses.keypoints.astype(np.float64), 2)
    values = np.concatenate([points, shown.astype(np.float64)[..., None]], axis=-1)
    frames = ",\n".join(_frame_text(frame) for frame in values.tolist())
    height, width = poses.size
    text = (
        f'{{"format":"{FORMAT}","version":{VERSION},"skeleton":"{poses.skeleton}",'
        f'"fps":{float(poses.fps)!r},"size":[{height},{width}],"frames":[\n{frames}\n]}}\n'
    )
    return text.encode()


def _frame_text(frame: list[list[float]]) -> str:
    points = (f"[{x:.7g},{y:.7g},{c:.4g}]" for x, y, c in frame)
    return f"[{','.join(points)}]"
