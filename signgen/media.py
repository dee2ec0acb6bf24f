"""Pictures and video, in and out: the one place where frames become files and files become frames.

Frames are (H, W, 3) uint8 RGB everywhere. Every reader turns a bad file into a `UserError`; every
writer is atomic. The parts: `media_files` (paths), `media_image` (pictures, sheets), `media_video`
(reading video in order), `media_random` (frames of video by number), `media_writer` (writing
video).
"""

from __future__ import annotations

from signgen.media_files import atomic_path, check_input, check_output, save_text
from signgen.media_image import MAX_PIXELS, contact_sheet, read_image, save_image, side_by_side
from signgen.media_random import VideoReader, open_video
from signgen.media_video import (
    Frames,
    VideoInfo,
    list_pictures,
    probe_video,
    read_frames,
    read_video,
)
from signgen.media_writer import VideoWriter

__all__ = [
    "MAX_PIXELS",
    "Frames",
    "VideoInfo",
    "VideoReader",
    "VideoWriter",
    "atomic_path",
    "check_input",
    "check_output",
    "contact_sheet",
    "list_pictures",
    "open_video",
    "probe_video",
    "read_frames",
    "read_image",
    "read_video",
    "save_image",
    "save_text",
    "side_by_side",
]
