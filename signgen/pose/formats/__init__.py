"""Read and write key points; the format is chosen by what a file holds, never by its suffix.

================  ==================================================================================
own, npz          our own JSON (`own_json`) and numpy archive (`npz_file`)
pose              `.pose` files (`pose_file`, `pose_file_writer`)
openpose          OpenPose JSON, a file, a list or a folder (`openpose`, `openpose_writer`)
mmpose            MMPose predictions, a file or a folder (`detectors`)
alphapose         AlphaPose results (`alphapose_json`)
coco              COCO-WholeBody annotations and results (`coco_json`)
mska, slrt,       clips in a pickle, plain or gzipped, read without running it (`pickle_clips`)
arrays
dwpose            frames of DWPose in a pickle or an .npz (`dwpose`)
deepfashion,      key points of DeepFashion: a text (`deepfashion`) or a table
deepfashion-csv   (`deepfashion_csv`)
================  ==================================================================================

The first four can be written.
"""

from __future__ import annotations

from pathlib import Path

from signgen.errors import ExitCode, UserError
from signgen.files.foreign import pickles
from signgen.files.reading import parse_json
from signgen.files.writing import atomic_folder, save_bytes
from signgen.pose.formats import (
    alphapose_json,
    coco_json,
    deepfashion,
    deepfashion_csv,
    detectors,
    npz_file,
    openpose,
    openpose_writer,
    own_json,
    pickle_clips,
    pose_file,
    pose_file_writer,
)
from signgen.pose.formats.clips import Clips, Reading
from signgen.pose.formats.persons import json_files
from signgen.pose.formats.reading import (
    checked_fps,
    checked_size,
    read_bytes,
    read_head,
)
from signgen.structures import PoseSequence

__all__ = ["SUFFIXES", "Clips", "Reading", "read_clips", "read_poses", "write_poses"]

#: Suffix of a file by the format that is written.
SUFFIXES = {"own": ".json", "npz": ".npz", "pose": ".pose", "openpose": ""}

_KNOWN = (
    "JSON of signgen, MMPose, OpenPose, AlphaPose or COCO-WholeBody, .pose, .npz, a pickle of "
    "MSKA, SLRT or DWPose, or DeepFashion text"
)


def read_poses(
    path: Path,
    *,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    clip: str | None = None,
) -> PoseSequence:
    """Read one clip from a file, or from a folder of MMPose or OpenPose JSON, one file per frame.

    Args:
        path: File or folder.
        size: (H, W) of the picture, for formats that carry no size; what a file says goes first.
            Without it MMPose, OpenPose, AlphaPose and DWPose get the extent of their points rounded
            up, DeepFashion 256x176, and clips of pickles the size that goes with their names
            (`pickle_clips`).
        fps: Frames per second for formats that carry none; 25 where it is None too.
        clip: Name of the clip, for files that hold many.

    Returns:
        The sequence, `coco-wholebody-133` or `openpose-18`.

    Raises:
        UserError: If the file is missing or unreadable or has no such clip (66), is not poses in a
            known format, or holds many clips and none is named (65).
    """
    return read_clips(path, size=size, fps=fps).reading(clip).poses


def read_clips(
    path: Path, *, size: tuple[int, int] | None = None, fps: float | None = None
) -> Clips:
    """List the clips of a file; each is read when it is looked up.

    Pickles may have `pickles.MAX_PICKLE_BYTES`, because only the clip that is looked up is
    loaded; other files `checked.MAX_BYTES`.

    Args:
        path: As for `read_poses`.
        size: As for `read_poses`.
        fps: As for `read_poses`.

    Returns:
        Sequences by name; a format of one clip names it as the file, without the suffix.

    Raises:
        UserError: As `read_poses`; what is wrong with one clip of many only when it is looked up.
    """
    path = Path(path)
    size = None if size is None else checked_size(tuple(size), path)
    fps = None if fps is None else checked_fps(fps, path)
    if path.is_dir():
        return _one(path, *_read_folder(path, size, fps))
    head = read_head(path)
    if pickles.sniff(head):
        return pickle_clips.read(path, size=size, fps=fps)
    return _read_bytes(read_bytes(path), path, size, fps)


def write_poses(poses: PoseSequence, path: Path, format: str | None = None) -> None:
    """Write a sequence; the file or folder appears whole or not at all.

    Args:
        poses: The sequence.
        path: File to write or replace. For `openpose` a name ending in `.json` is one list of
            frames; any other is a new or empty folder, filled with one file per frame.
        format: `own` (JSON, coordinates to 0.01 pixel), `npz` (exact), `pose` (exact in float32) or
            `openpose` (exact, without rate); by the suffix without it.

    Raises:
        UserError: If the suffix or format is unknown (2), the format cannot carry the skeleton
            (65), or the file cannot be created (73).
    """
    path = Path(path)
    if format is None:
        chosen = [name for name, suffix in SUFFIXES.items() if suffix == path.suffix.lower() != ""]
        if not chosen:
            raise UserError(
                f"{path} ends in {path.suffix or 'nothing'!r}; expected .json, .npz or .pose, or a "
                "format: --format openpose.",
                ExitCode.USAGE,
            )
        format = chosen[0]
    match format:
        case "own":
            save_bytes(path, own_json.to_bytes(poses))
        case "npz":
            save_bytes(path, npz_file.to_bytes(poses))
        case "pose":
            save_bytes(path, pose_file_writer.to_bytes(poses, path))
        case "openpose" if path.suffix.lower() == ".json":
            save_bytes(path, openpose_writer.list_bytes(poses))
        case "openpose":
            with atomic_folder(path) as temporary:
                for name, data in openpose_writer.frame_files(poses, path.name).items():
                    (temporary / name).write_bytes(data)
        case _:
            raise UserError(
                f"{path}: format is {format[:40]!r}; expected one of {', '.join(SUFFIXES)}.",
                ExitCode.USAGE,
            )


# ----- recognising --------------------------------------------------------------------------------


def _one(path: Path, format: str, reading: Reading) -> Clips:
    return Clips(path, format, {path.stem: lambda: reading})


def _read_folder(
    folder: Path, size: tuple[int, int] | None, fps: float | None
) -> tuple[str, Reading]:
    files = json_files(folder, "MMPose or OpenPose JSON, one file per frame")
    first = parse_json(read_bytes(files[0]), files[0], "poses")
    if openpose.sniff(first):
        return "openpose", openpose.read_folder(folder, files, size=size, fps=fps)
    return "mmpose", detectors.read_folder(folder, files, size=size, fps=fps)


def _read_bytes(data: bytes, path: Path, size: tuple[int, int] | None, fps: float | None) -> Clips:
    if _looks_like_json(data):
        return _read_json(parse_json(data, path, "poses"), path, size, fps)
    if npz_file.sniff(data):
        return _one(path, *npz_file.read(data, path, size=size, fps=fps))
    if pose_file.sniff(data):
        return _one(path, "pose", pose_file.read(data, path))
    if deepfashion_csv.sniff(data):
        return deepfashion_csv.read(data, path, size=size, fps=fps)
    if deepfashion.sniff(data):
        poses = deepfashion.parse(data, path, size=size, fps=fps)
        return _one(path, "deepfashion", Reading(poses))
    raise UserError(f"{path} is not a file of poses; expected {_KNOWN}.")


def _looks_like_json(data: bytes) -> bool:
    return data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def _read_json(
    document: object, path: Path, size: tuple[int, int] | None, fps: float | None
) -> Clips:
    if own_json.sniff(document):
        return _one(path, "own", Reading(own_json.read(document, path)))
    if coco_json.sniff(document):
        return coco_json.read(document, path, size=size, fps=fps)
    for format, module in (
        ("mmpose", detectors),
        ("openpose", openpose),
        ("alphapose", alphapose_json),
    ):
        if module.sniff(document):
            return _one(path, format, module.read(document, path, size=size, fps=fps))
    raise UserError(f"{path} is JSON but not poses; expected {_KNOWN}.")
