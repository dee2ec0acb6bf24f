"""Files that a render starts from: the picture of the signer, and poses or a video of them."""

from __future__ import annotations

import logging
from itertools import islice
from pathlib import Path

from signgen.config.render import RenderConfig
from signgen.files.paths import check_local
from signgen.media import (
    VIDEO_SUFFIXES,
    looks_like_video,
    probe_video,
    read_frames,
    read_image,
)
from signgen.media.audio import Sound, has_sound, open_sound
from signgen.media.timing import Timing
from signgen.pose.drawing.drawn import holds_drawings, read_drawn_poses
from signgen.pose.estimators import open_estimator
from signgen.pose.extraction.cache import VideoPoses, open_video_poses
from signgen.pose.formats import Reading, read_clip
from signgen.rendering.base import WARP, Frame
from signgen.structures import ExitCode, UserError

__all__ = ["open_audio", "open_drawn", "open_poses", "read_source"]

log = logging.getLogger(__name__)

KEYPOINT_SETTINGS = ("align", "source_poses", "smooth", "steady", "fill_gaps", "pose_size", "clip")
"""Settings that need key points, which drawings are without."""


def read_source(config: RenderConfig) -> Frame:
    """Read the picture of the signer, or one frame of a video."""
    number = config.source_frame
    if not looks_like_video(config.source):
        if number:
            raise UserError(
                f"--source-frame is {number}; {config.source} is no video. Leave it out.",
                ExitCode.USAGE,
            )
        return read_image(config.source)
    clip = read_frames(config.source, strict=False)
    for remark in Timing(clip.fps, stretch=clip.info.stretch).remarks(clip.path):
        log.warning("%s", remark)
    for frame in [] if number < 0 else islice(clip, number, None):
        return frame
    raise UserError(f"{config.source} has no frame {number}. Choose another --source-frame.")


def open_poses(config: RenderConfig, size: tuple[int, int]) -> Reading | VideoPoses:
    """Read poses; of a video only find out what it takes to extract them."""
    check_local(config.poses, "file of poses or video")

    # A video
    if looks_like_video(config.poses):
        probe_video(config.poses)  # a broken one is told before an estimator is loaded
        estimator = open_estimator(config.estimator, config.weights)
        return open_video_poses(config.poses, estimator, config.pose_fps)

    # Poses drawn beforehand
    if (drawn := open_drawn(config)) is not None:
        return drawn

    # A file or folder of key points
    path = Path(config.poses)
    try:
        reading = _read_poses(path, config, size)
    except UserError as error:
        if path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES:
            raise UserError(f"{error} It is no video either.", error.code) from error
        raise

    # With somebody in it
    if not reading.poses.visible.any():
        raise UserError(
            f"{config.poses}: every key point of every frame is missing; expected poses of a "
            "signer. Extract them again."
        )
    return reading


def _read_poses(path: Path, config: RenderConfig, size: tuple[int, int]) -> Reading:
    """Read poses; where they do not say how large their pictures were, say what is taken."""
    wanted = config.pose_size or size
    reading = read_clip(path, size=wanted, fps=config.pose_fps, clip=config.clip)
    if config.pose_size is None and "size" in reading.assumed and reading.poses.size == size:
        log.info(
            "%s does not say how large its pictures were; taken as the source's %d x %d (height x "
            "width). Name another size with --pose-size.",
            *(path, *size),
        )
    return reading


def open_drawn(config: RenderConfig) -> Reading | None:
    """Return the poses that the pictures of a render show; None where they are in another form.

    Raises:
        UserError: If a setting needs key points (2), or the pictures are no drawings.
    """
    if not holds_drawings(config.poses):
        return None
    flags = [f"--{name.replace('_', '-')}" for name in KEYPOINT_SETTINGS if _is_given(config, name)]
    flags += [f"--model {WARP}"] if config.model == WARP else []
    if config.background and config.person_mask in {"auto", "poses"} and not config.parsing:
        flags.append("--background")
    if flags:
        raise UserError(
            f"{flags[0]} needs key points, and {config.poses} holds pictures, which are taken as "
            "poses drawn beforehand. Leave it out, or give a file of key points.",
            ExitCode.USAGE,
        )
    return Reading(read_drawn_poses(config.poses, config.pose_fps), assumed=("fps",))


def _is_given(config: RenderConfig, name: str) -> bool:
    return bool(getattr(config, name) != getattr(RenderConfig, name))


def open_audio(config: RenderConfig) -> Sound | None:
    """Return the sound to put beside the frames; None for none.

    Raises:
        UserError: If there is none to copy, or the file has none that can be read.
    """
    if config.audio == "none":
        return None
    if config.audio != "copy":
        return open_sound(config.audio)
    videos = [name for name in (config.poses, config.source) if looks_like_video(name)]
    for name in videos:
        if has_sound(name):
            return open_sound(name)
    what = f"{' and '.join(videos)} has no sound" if videos else "neither of them is a video"
    raise UserError(
        f"--audio copy takes the sound of --poses or --source; {what}. Give a file with sound, or "
        "leave it out.",
        ExitCode.USAGE,
    )
