"""Pictures and video, in and out: the one place where frames become files and files become frames.

Frames are (H, W, 3) uint8 RGB everywhere. Every reader turns a bad file into a `UserError`; every
writer is atomic. The parts: `media_files` (paths), `media_image` (pictures, sheets), `media_video`
(reading video), `media_clips` (finding clips), `media_writer` (writing video).
"""

from __future__ import annotations

from signgen.media_clips import VIDEO_SUFFIXES, find_clips, open_clip
from signgen.media_files import atomic_path, check_input, check_output, save_text
from signgen.media_image import MAX_PIXELS, contact_sheet, read_image, save_image, side_by_side
from signgen.media_video import (
    Frames,
    VideoInfo,
    list_pictures,
    looks_like_video,
    probe_video,
    read_frames,
    read_video,
)
from signgen.media_writer import VideoWriter

__all__ = [
    "MAX_PIXELS",
    "VIDEO_SUFFIXES",
    "Frames",
    "VideoInfo",
    "VideoWriter",
    "atomic_path",
    "check_input",
    "check_output",
    "contact_sheet",
    "find_clips",
    "list_pictures",
    "looks_like_video",
    "open_clip",
    "probe_video",
    "read_frames",
    "read_image",
    "read_video",
    "save_image",
    "save_text",
    "side_by_side",
]
