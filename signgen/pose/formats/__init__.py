"""Read and write key points; the format is chosen by what a file holds, never by its suffix.

Known formats: our own JSON (`own_json`), MMPose predictions (`mmpose_json`), OpenPose JSON
(`openpose_json`), AlphaPose results (`alphapose_json`), `.pose` files (`pose_file`) and the
key-point text of DeepFashion (`deepfashion_text`).
"""

from __future__ import annotations

from pathlib import Path

from signgen.errors import UserError
from signgen.pose.formats import (
    alphapose_json,
    deepfashion_text,
    mmpose_json,
    openpose_json,
    own_json,
    pose_file,
)
from signgen.pose.formats.checked import checked_fps, checked_size, parse_json, read_bytes
from signgen.pose.formats.frames import json_files
from signgen.pose.formats.own_json import write_poses
from signgen.structures import PoseSequence

__all__ = ["read_poses", "write_poses"]

_KNOWN = "signgen, MMPose, OpenPose or AlphaPose JSON, .pose or DeepFashion text"


def read_poses(
    path: Path, *, size: tuple[int, int] | None = None, fps: float | None = None
) -> PoseSequence:
    """Read poses from a file, or from a folder of MMPose or OpenPose JSON, one file per frame.

    Args:
        path: File or folder.
        size: (H, W) of the picture, for formats that carry no size; what a file says goes first.
            Without it MMPose, OpenPose and AlphaPose get the extent of their points rounded up,
            DeepFashion text 256x176.
        fps: Frames per second for formats that carry none; 25 where it is None too.

    Returns:
        The sequence, `coco-wholebody-133` or `openpose-18`.

    Raises:
        UserError: If the file is missing or unreadable (66), or is not poses in a known format
            (65).
    """
    path = Path(path)
    size = None if size is None else checked_size(tuple(size), path)
    fps = None if fps is None else checked_fps(fps, path)
    if path.is_dir():
        return _read_folder(path, size, fps)
    data = read_bytes(path)
    if _looks_like_json(data):
        return _read_json(data, path, size, fps)
    if pose_file.sniff(data):
        return pose_file.read(data, path)
    if deepfashion_text.sniff(data):
        return deepfashion_text.parse(data, path, size=size, fps=fps)
    raise UserError(f"{path} is not a file of poses; expected {_KNOWN}.")


def _read_folder(folder: Path, size: tuple[int, int] | None, fps: float | None) -> PoseSequence:
    files = json_files(folder, "MMPose or OpenPose JSON, one file per frame")
    first = parse_json(read_bytes(files[0]), files[0])
    if openpose_json.sniff(first):
        return openpose_json.read_folder(folder, files, size=size, fps=fps)
    return mmpose_json.read_folder(folder, files, size=size, fps=fps)


def _looks_like_json(data: bytes) -> bool:
    return data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def _read_json(
    data: bytes, path: Path, size: tuple[int, int] | None, fps: float | None
) -> PoseSequence:
    document = parse_json(data, path)
    if own_json.sniff(document):
        return own_json.read(document, path)
    if mmpose_json.sniff(document):
        return mmpose_json.read(document, path, size=size, fps=fps)
    if openpose_json.sniff(document):
        return openpose_json.read(document, path, size=size, fps=fps)
    if alphapose_json.sniff(document):
        return alphapose_json.read(document, path, size=size, fps=fps)
    raise UserError(f"{path} is JSON but not poses; expected {_KNOWN}.")
