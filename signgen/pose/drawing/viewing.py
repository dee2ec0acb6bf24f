"""Draw poses over pictures and videos and write them: `signgen pose view`."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from itertools import islice, repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_outputs
from signgen.media import contact_sheet, read_frames, read_image, save_image, write_video
from signgen.pose.drawing.draw import draw_pose
from signgen.pose.formats import read_clip_of, read_poses
from signgen.pose.summary import remarks
from signgen.pose.transforms import resize
from signgen.structures import PoseSequence

__all__ = ["overlay", "view_file", "write_frames"]

log = logging.getLogger(__name__)

Frame = NDArray[np.uint8]

LONGEST_SIDE = 1080
"""Poses without a picture are drawn at their own size, larger ones scaled down to this."""
SHEET_FRAMES = 8
_SOLID = 96.0


def view_file(
    poses: str,
    out: str,
    *,
    video: str | None = None,
    picture: str | None = None,
    trim_ends: int = 0,
) -> int:
    """Draw a file of poses on a video, a picture or black; return the number of frames.

    Args:
        poses: File of poses.
        out: `.mp4` to write, or `.png` for a sheet of up to eight frames.
        video: Video or folder of pictures with as many frames, or None. A video's rate is
            taken.
        picture: One picture that every pose is drawn on, or None.
        trim_ends: Frames of the video, or poses, to cut at most where there are more of them.
    """
    if video is not None and picture is not None:
        raise UserError(
            f"--video is {video} and --frame is {picture}; expected one of them.", ExitCode.USAGE
        )
    check_outputs([Path(out)], [poses, video, picture])
    frames: Iterable[Frame]
    if video is not None:
        clip = read_frames(video, strict=False)
        rate = clip.fps if clip.pictures is None else None
        reading = read_clip_of(Path(poses), video, clip.info.size, rate)
        for remark in (*clip.remarks, *remarks(reading, poses)):
            log.warning("%s", remark)
        sequence = _fitting(reading.poses, clip, trim_ends, (video, poses))
        frames = islice(clip, len(sequence))
    elif picture is not None:
        still = read_image(picture)
        sequence = read_clip_of(Path(poses), picture, still.shape[:2]).poses
        frames = repeat(still, len(sequence))
    else:
        sequence = read_poses(Path(poses))
        longest = max(LONGEST_SIDE, *sequence.size)
        height, width = (max(1, round(side * LONGEST_SIDE / longest)) for side in sequence.size)
        sequence = resize(sequence, (height, width))
        frames = repeat(np.zeros((height, width, 3), np.uint8), len(sequence))
    write_frames(Path(out), overlay(sequence, frames), sequence, poses)
    return len(sequence)


def overlay(poses: PoseSequence, frames: Iterable[Frame]) -> Iterator[Frame]:
    """Draw each pose over its frame; what shines in the drawing covers the frame.

    Args:
        poses: T poses in pixels of the frames.
        frames: At least T frames, (H, W, 3) uint8 RGB, as those that are yielded.
    """
    for frame, keypoints, confidence in zip(
        frames, poses.keypoints, poses.confidence, strict=False
    ):
        drawn = draw_pose(keypoints, confidence, poses.skeleton, poses.size).astype(np.float32)
        cover = np.clip(drawn.max(axis=-1, keepdims=True) / _SOLID, 0, 1)  # (H, W, 1)
        yield np.rint(cover * drawn + (1 - cover) * frame).astype(np.uint8)


def _fitting(
    poses: PoseSequence, clip: Iterable[Frame], trim_ends: int, names: tuple[str, str]
) -> PoseSequence:
    """Return the poses that a video has frames for; raise where too many of either are left."""
    total = sum(1 for _ in clip)
    left = abs(total - len(poses))
    says = f"{names[0]} has {total} frames, {names[1]} {len(poses)} poses"
    if left > trim_ends:
        raise UserError(
            f"{says}; expected as many. Take the poses of this video, or cut the longer one at the "
            f"end: --trim-ends {left}."
        )
    if left:
        log.warning("%s; %d are shown.", says, min(total, len(poses)))
    return poses.frames(slice(total))


def write_frames(path: Path, frames: Iterator[Frame], poses: PoseSequence, origin: str) -> None:
    """Write a frame per pose as MP4, or up to eight of them on a PNG sheet.

    The poses tell the number of frames and the rate; `origin` is their file, for messages.
    """
    suffix = path.suffix.lower()
    if suffix == ".png":
        chosen = np.linspace(0, len(poses) - 1, min(SHEET_FRAMES, len(poses))).round().astype(int)
        rows = [frame for index, frame in enumerate(frames) if index in set(chosen.tolist())]
        save_image(path, contact_sheet(rows, columns=min(4, len(rows))))
        return
    if suffix != ".mp4":
        raise UserError(f"{path}: expected a name ending in .mp4 or .png.", ExitCode.USAGE)
    if not 1 <= poses.fps <= 240:
        raise UserError(
            f"{origin}: fps is {poses.fps:g}; a video can have 1 to 240. Write a .png, or the file "
            "with another fps."
        )
    write_video(path, frames, poses.fps)
