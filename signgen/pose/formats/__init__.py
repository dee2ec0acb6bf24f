"""Read and write key points; the format is chosen by what a file holds, never by its suffix.

`FORMATS` lists what can be read; each of its modules says what it looks like. Our own JSON (`own`)
and numpy archive (`npz`), `.pose` files (`pose`) and OpenPose JSON (`openpose`) can be written.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_local
from signgen.files.writing import atomic_folder, save_bytes
from signgen.pose.formats import (
    deepfashion,
    detectors,
    npz_file,
    openpose,
    own_json,
    pickle_clips,
    pose_file,
)
from signgen.pose.formats.checks import checked_fps, checked_size
from signgen.pose.formats.reading import KNOWN, Clips, Format, InputFile, Reading
from signgen.pose.transforms import resize
from signgen.structures import PoseSequence

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "Clips",
    "Reading",
    "read_clip",
    "read_clip_of",
    "read_clips",
    "read_poses",
    "write_poses",
]

#: Every format that can be read; pickles first, because only they may be large.
FORMATS: tuple[Format, ...] = (
    pickle_clips.FORMAT,
    own_json.FORMAT,
    detectors.COCO,
    openpose.FORMAT,
    detectors.MMPOSE,
    detectors.ALPHAPOSE,
    npz_file.FORMAT,
    pose_file.FORMAT,
    deepfashion.TABLE,
    deepfashion.TEXT,
)
#: Suffix of a file by the format that is written.
SUFFIXES = {"own": ".json", "npz": ".npz", "pose": ".pose", "openpose": ""}

_SAME_SHAPE = 0.02


def read_poses(
    path: Path,
    *,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    clip: str | None = None,
) -> PoseSequence:
    """Read one clip as `read_clip` does."""
    return read_clip(path, size=size, fps=fps, clip=clip).poses


def read_clip(
    path: Path,
    *,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    clip: str | None = None,
) -> Reading:
    """Read one clip from a file, or from a folder of MMPose or OpenPose JSON, one file per frame.

    Args:
        path: File or folder.
        size: (H, W) of the picture, for formats that carry no size; what a file says goes first.
            Without it MMPose, OpenPose, AlphaPose and DWPose get the extent of their points rounded
            up, DeepFashion 256x176, and clips of pickles the size that goes with their names
            (`pickle_clips`).
        fps: Frames per second, whatever the file says; without it the file's, 25 where it has none.
        clip: Name of the clip, for files that hold many.
    """
    return read_clips(path, size=size, fps=fps).reading(clip)


def read_clips(
    path: Path, *, size: tuple[int, int] | None = None, fps: float | None = None
) -> Clips:
    """List the clips of a file, as `read_clip` reads them; each is read when it is looked up.

    Pickles may have `pickles.MAX_PICKLE_BYTES`, because only the clip that is looked up is
    loaded; other files `reading.MAX_BYTES`. A format of one clip names it as the file, without the
    suffix. What is wrong with one clip of many is said when it is looked up.
    """
    path = check_local(path, "file of poses")
    file = InputFile(
        path,
        None if size is None else checked_size(tuple(size), path),
        None if fps is None else checked_fps(fps, path),
    )
    for format in FORMATS:
        if (format.folders or not file.parts) and format.recognise(file):
            return format.read(file)
    raise UserError(f"{path} is {_what_else(file.document)} poses; expected {KNOWN}.")


def _what_else(document: object) -> str:
    """Say what a file is that no format recognises."""
    if document is None:
        return "not a file of"
    first = document[0] if isinstance(document, list) and document else document
    if not isinstance(first, dict) or not first:
        return "JSON but not"
    names = ", ".join(str(name)[:20].encode("unicode_escape").decode() for name in [*first][:5])
    return f"JSON with {names}{', ...' * (len(first) > 5)}, but not"


def read_clip_of(
    path: Path, picture: str, size: tuple[int, int], fps: float | None = None
) -> Reading:
    """Read the poses of a picture or video, in its pixels.

    Args:
        path: File of poses; UserError if they are of frames of another shape.
        picture: Name of the picture or video, for messages.
        size: (H, W) of its frames.
        fps: Frames per second of a video.
    """
    reading = read_clip(path, size=size, fps=fps)
    height, width = reading.poses.size
    if abs(width / height * size[0] / size[1] - 1) > _SAME_SHAPE:
        raise UserError(
            f"{path} is of frames of {width} x {height} pixels, {picture} has {size[1]} x "
            f"{size[0]}: another shape. Take the poses of this picture."
        )
    return replace(reading, poses=resize(reading.poses, size))


def write_poses(poses: PoseSequence, path: Path, format: str | None = None) -> None:
    """Write a sequence; the file or folder appears whole or not at all.

    Args:
        poses: The sequence.
        path: File to write or replace. For `openpose` a name ending in `.json` is one list of
            frames; any other is a new or empty folder, filled with one file per frame.
        format: `own` (JSON, coordinates to 0.01 pixel), `npz` (exact), `pose` (exact in float32) or
            `openpose` (exact, without rate); by the suffix without it.
    """
    path = Path(path)
    if format is None:
        by_suffix = {suffix: name for name, suffix in SUFFIXES.items() if suffix}
        if path.suffix.lower() not in by_suffix:
            raise UserError(
                f"{path} ends in {path.suffix or 'nothing'!r}; expected .json, .npz or .pose, or a "
                "format: --format openpose.",
                ExitCode.USAGE,
            )
        format = by_suffix[path.suffix.lower()]
    match format:
        case "own":
            save_bytes(path, own_json.to_bytes(poses))
        case "npz":
            save_bytes(path, npz_file.to_bytes(poses))
        case "pose":
            save_bytes(path, pose_file.to_bytes(poses, path))
        case "openpose" if path.suffix.lower() == ".json":
            save_bytes(path, openpose.list_bytes(poses))
        case "openpose":
            with atomic_folder(path) as temporary:
                for name, data in openpose.frame_files(poses, path.name).items():
                    (temporary / name).write_bytes(data)
        case _:
            raise UserError(
                f"{path}: format is {format[:40]!r}; expected one of {', '.join(SUFFIXES)}.",
                ExitCode.USAGE,
            )
