"""Pictures and video, in and out: the one place where frames become files and files become frames.

Frames are (H, W, 3) uint8 RGB everywhere. Every reader turns a bad file into a `UserError`; every
writer is atomic. The parts: `image` (pictures, sheets), `resizing`, `clips` (finding clips),
`video` (reading video in order), `seeking` (frames of video by number), `writer` (writing video),
`alpha` and `pictures` (opacity), `segments` (a video that grows);
`timing` (rates), `elements` (whether a file is whole).
"""

from __future__ import annotations

from signgen.media.clips import VIDEO_SUFFIXES, find_clips, open_clip
from signgen.media.image import (
    MAX_PIXELS,
    contact_sheet,
    image_size,
    read_image,
    save_image,
    side_by_side,
)
from signgen.media.seeking import Backend, VideoReader, check_backend, open_video
from signgen.media.video import (
    Frames,
    VideoInfo,
    list_pictures,
    looks_like_video,
    probe_video,
    read_comment,
    read_frames,
    read_video,
)
from signgen.media.writer import VideoWriter, write_video

__all__ = [
    "MAX_PIXELS",
    "VIDEO_SUFFIXES",
    "Backend",
    "Frames",
    "VideoInfo",
    "VideoReader",
    "VideoWriter",
    "check_backend",
    "contact_sheet",
    "find_clips",
    "image_size",
    "list_pictures",
    "looks_like_video",
    "open_clip",
    "open_video",
    "probe_video",
    "read_comment",
    "read_frames",
    "read_image",
    "read_video",
    "save_image",
    "side_by_side",
    "write_video",
]
