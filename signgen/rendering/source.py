"""What a render is made of: the picture of the signer, poses drawn beforehand."""

from __future__ import annotations

from itertools import islice

from signgen.config.render import RenderConfig
from signgen.media import looks_like_video, read_frames, read_image
from signgen.pose.drawing.drawn import holds_drawings, read_drawn_poses
from signgen.pose.formats import Reading
from signgen.rendering.base import WARP, Frame
from signgen.structures import ExitCode, UserError

__all__ = ["open_drawn", "read_source"]

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
    frames = [] if number < 0 else islice(read_frames(config.source, strict=False), number, None)
    for frame in frames:
        return frame
    raise UserError(f"{config.source} has no frame {number}. Choose another --source-frame.")


def open_drawn(config: RenderConfig) -> Reading | None:
    """Return the poses that the pictures of a render show; None where they are in another form.

    Raises:
        UserError: If a setting needs key points (2), or the pictures are no drawings.
    """
    if not holds_drawings(config.poses):
        return None
    flags = [f"--{name.replace('_', '-')}" for name in KEYPOINT_SETTINGS if _is_given(config, name)]
    flags += [f"--model {WARP}"] if config.model == WARP else []
    if flags:
        raise UserError(
            f"{flags[0]} needs key points, and {config.poses} holds pictures, which are taken as "
            "poses drawn beforehand. Leave it out, or give a file of key points.",
            ExitCode.USAGE,
        )
    return Reading(read_drawn_poses(config.poses, config.pose_fps), assumed=("fps",))


def _is_given(config: RenderConfig, name: str) -> bool:
    return bool(getattr(config, name) != getattr(RenderConfig, name))
