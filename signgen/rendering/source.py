"""The picture of the signer: a file, or one frame of a video."""

from __future__ import annotations

from itertools import islice

from signgen.config.render import RenderConfig
from signgen.media import looks_like_video, read_frames, read_image
from signgen.rendering.base import Frame
from signgen.structures import ExitCode, UserError

__all__ = ["read_source"]


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
