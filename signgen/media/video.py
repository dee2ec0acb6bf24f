"""Read frames one after the other from video files, animated GIFs and folders of pictures."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import repeat, tee
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_input, check_local, one_line
from signgen.media.decoding import (
    FrameConverter,
    guarded,
    no_frames,
    opened,
    shortfall,
)
from signgen.media.image import read_image
from signgen.media.timing import EXACT, Timing, is_shown, measure, shown_times, tick_counts

log = logging.getLogger(__name__)

_NO_PICTURE = 8

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
"""Endings of the pictures that a folder of frames may hold."""

# First bytes: Matroska and WebM, GIF, FLV, Ogg, ASF, MPEG program stream.
_SIGNATURES = (
    *(b"\x1a\x45\xdf\xa3", b"GIF8", b"FLV\x01", b"OggS"),
    *(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"\x00\x00\x01\xba"),
)
# What stands behind the length of the first box of a file of the MP4 family.
_BOX_NAMES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})


@dataclass(frozen=True)
class VideoInfo:
    """What a video is like.

    Args:
        fps: Frames per second, see `Timing`.
        size: (H, W) as shown, after rotation.
        num_frames: Number of frames, or None where the format does not say.
        drift: How uneven the rate is, see `Timing`.
        stretch: How wide a pixel is, see `Timing`.
    """

    fps: float
    size: tuple[int, int]
    num_frames: int | None
    drift: float = 0.0
    stretch: float = 1.0


@dataclass(frozen=True)
class Frames:
    """The frames of one clip, (H, W, 3) uint8 RGB, read as often as they are iterated.

    Args:
        path: Video file, or folder of pictures.
        info: Frame rate, size and number of frames.
        pictures: The pictures in order, or None for a video file.
        constant: Whether frames of a video are repeated and left out to be at a constant rate.
        strict: Whether a video that holds fewer frames than it declares is an error, not a warning.
    """

    path: Path
    info: VideoInfo
    pictures: tuple[Path, ...] | None = None
    constant: bool = False
    strict: bool = True

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.info.fps

    @property
    def remarks(self) -> tuple[str, ...]:
        """What should be known of the clip, a line each."""
        drift = 0.0 if self.constant else self.info.drift
        return Timing(self.fps, drift, self.info.stretch).remarks(self.path)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        if self.pictures is None:
            rate = self.fps if self.constant else None
            yield from read_video(self.path, rate, strict=self.strict)
            return
        height, width = self.info.size
        for path in self.pictures:
            frame = read_image(path)
            if frame.shape[:2] != self.info.size:
                raise UserError(
                    f"{path} is {frame.shape[1]} x {frame.shape[0]} pixels, the first picture of "
                    f"the folder {width} x {height}; expected one size."
                )
            yield frame


def read_frames(
    path: str | Path,
    fps: float = 25.0,
    *,
    constant_rate: float | None = None,
    strict: bool = True,
) -> Frames:
    """Open a clip: a video file, an animated GIF, or a folder of pictures (see `list_pictures`).

    Args:
        path: File or folder.
        fps: Frame rate of a folder of pictures, which has none of its own.
        constant_rate: Frames per second to resample a video to, see `read_video`.
        strict: The same.
    """
    path = check_local(path, "video or folder of pictures")
    if not path.is_dir():
        info = probe_video(path)
        if constant_rate is None:
            return Frames(path, info, strict=strict)
        info = replace(info, fps=constant_rate, num_frames=None)
        return Frames(path, info, constant=True, strict=strict)
    pictures = list_pictures(path)
    if not pictures:
        raise UserError(f"{path} holds no pictures; expected a folder of PNG or JPEG frames.")
    height, width = read_image(pictures[0]).shape[:2]
    return Frames(path, VideoInfo(fps, (height, width), len(pictures)), pictures)


def list_pictures(folder: Path) -> tuple[Path, ...]:
    """List the pictures of a folder: `images*.png` if there are any (PHOENIX-2014T), else all.

    They are in natural order (`2.png` before `10.png`); hidden files are left out.
    """
    try:
        paths = [path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES]
    except OSError as error:
        message = f"{folder} cannot be listed: {one_line(error)}."
        raise UserError(message, ExitCode.NO_INPUT) from error
    pictures = [path for path in paths if not path.name.startswith(".")]
    phoenix = [path for path in pictures if path.match("images*.png")]

    def natural(path: Path) -> list[tuple[int, str]]:
        parts = re.split(r"(\d+)", path.name)
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]

    return tuple(sorted(phoenix or pictures, key=natural))


def looks_like_video(path: str | Path) -> bool:
    """Tell by its first bytes whether a file is a video, damaged or not; no file is none."""
    try:
        if not Path(path).is_file():
            return False  # a pipe would make one wait
        with Path(path).open("rb") as stream:
            head = stream.read(512)
    except (OSError, ValueError):
        return False
    if head.startswith(b"RIFF"):
        return head[8:12] == b"AVI "  # a WebP picture is RIFF, too
    transport_stream = head[:1] == b"G" and head[188:189] == b"G"
    return head[4:8] in _BOX_NAMES or head.startswith(_SIGNATURES) or transport_stream


def probe_video(path: str | Path, *, count: bool = False) -> VideoInfo:
    """Read frame rate, size and number of frames of a video file, and decode its first frame.

    Args:
        path: The file.
        count: Decode all frames and count them, instead of believing the header.
    """
    path = check_input(path, "video")
    # The first frame, or all of them
    with opened(path) as (container, stream):
        converter = FrameConverter(path)
        frames = _decoded(path, container, stream, converter)
        picture = next(guarded(path, map(converter.upright, frames)), None)
        if picture is None:
            raise no_frames(path)
        height, width = picture.shape[:2]
        number = 1 + sum(1 for _ in guarded(path, frames)) if count else stream.frames or None
    # All packets, which tell the rate
    with opened(path) as (container, stream):
        packets = guarded(path, container.demux(stream))
        times = shown_times(packets, stream.codec_context.name)
        timing = measure(path, container.format.name.split(",")[0], stream, times)
    return VideoInfo(timing.fps, (height, width), number, timing.drift, timing.stretch)


def read_comment(path: str | Path) -> Mapping[str, object]:
    """Read the settings that `VideoWriter` stored in a video; empty where there are none.

    Raises:
        UserError: If it is no video, or one that is damaged or cut off.
    """
    probe_video(path, count=True)
    with opened(Path(path)) as (container, _):
        names = {name.lower(): value for name, value in container.metadata.items()}
        comment = names.get("comment", "")
    try:
        settings = json.loads(comment)
    except (ValueError, RecursionError):
        return {}
    return settings if isinstance(settings, dict) else {}


def read_video(
    path: str | Path, constant_rate: float | None = None, *, strict: bool = True
) -> Iterator[NDArray[np.uint8]]:
    """Decode a video file into (H, W, 3) uint8 RGB frames; memory does not grow with its length.

    Frames are turned upright by the rotation a phone noted. A damaged or cut-off file is an error
    even where the decoder is silent: where frames are marked corrupt, or fewer than the file
    declares come out, or parts of the file are no part of it.

    Args:
        path: The file.
        constant_rate: Frames per second that come out, by repeating and leaving out frames so that
            each is shown when the file says, to half a frame; None for every frame once.
        strict: Whether fewer frames than declared are an error; otherwise the log warns of it.
    """
    path = check_input(path, "video")
    with opened(path) as (container, stream):
        converter = FrameConverter(path)
        frames = _decoded(path, container, stream, converter, strict=strict)
        if constant_rate is not None:
            frames = _at_constant_rate(path, frames, constant_rate)
        picture = None
        for picture in guarded(path, map(converter.upright, frames)):
            yield picture
        if picture is None:
            raise no_frames(path)


def _at_constant_rate(
    path: Path, frames: Iterable[av.VideoFrame], rate: float
) -> Iterator[av.VideoFrame]:
    """Yield the frame that is shown at every tick of a rate, the first at the first tick."""
    shown, timed = tee(frames)
    counts = tick_counts(path, (frame.time for frame in timed), rate)
    for frame, count in zip(shown, counts, strict=False):
        yield from repeat(frame, count)


def _decoded(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    converter: FrameConverter,
    *,
    strict: bool = True,
) -> Iterator[av.VideoFrame]:
    """Yield checked frames; raise or warn where the file holds fewer than it declares."""
    count = hidden = shown = packets = 0
    codec = stream.codec_context.name
    for packet in container.demux(stream):
        # A packet without content repeats the frame before
        hidden += packet.is_discard or (packet.size == 0 and packet.dts is not None)
        # A few bytes may say that there is no new picture
        shown += packet.size > _NO_PICTURE and is_shown(packet, codec)
        packets += packet.size > 0
        for frame in packet.decode():
            if isinstance(frame, av.VideoFrame):
                converter.check(frame, count)
                count += 1
                yield frame
    exact = codec in {"vp8", "mpeg4"} or codec in EXACT.get(container.format.name.split(",")[0], ())
    problem = shortfall(
        path,
        container,
        stream,
        frames=count + hidden,
        shown=shown + hidden if exact else 0,
        packets=packets,
    )
    if problem and strict:
        raise UserError(problem)
    if problem:
        log.warning("%s", problem)
