"""Which frames a video file has, when they are shown, and where decoding can begin."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from signgen.errors import UserError
from signgen.media.decoding import guarded, no_frames, opened, shortfall
from signgen.media.timing import EXACT, Timing, measure

__all__ = ["Start", "VideoIndex", "index_video"]

# MPEG-4 packets of fewer bytes may say "no new picture"; then frames are counted by decoding.
_LEAST_MPEG4_FRAME = 16
# Decoding may begin at a key frame of these. A GIF has only one whole picture, and formats without
# an index, such as MPEG-TS, would be searched by guessing.
_SEEKABLE_CODECS = EXACT["matroska"] | {"mpeg4", "vp8"}


class Start(NamedTuple):
    """A key frame, where decoding can begin: its times, and its place among the file's packets."""

    pts: int
    dts: int | None
    position: int


@dataclass(frozen=True)
class VideoIndex:
    """The frames of a video file in the order in which they are shown.

    Args:
        count: Number of frames, without those that an edit list hides.
        timing: Frames per second, and how even they are.
        shown: Presentation time of each frame, ascending, in the unit of the stream; empty where a
            frame does not say.
        unit: Seconds.
        times: The same, empty where they do not tell frames apart: such a file can only be decoded
            from its start.
        starts: Places where decoding can begin, by presentation time; none without `times`.
        positions: Number of each packet in the order of the file by its presentation time; decoding
            times are not the same after a seek in MKV.
        format: Family of the container, such as `mov` (also MP4), `matroska` (also WebM) or `avi`.
        codec: Such as `h264`.
        pixels: Such as `yuv420p`.
        hidden: Whether an edit list hides frames.
        closed: Whether every key frame begins anew: nothing after it is shown before it, and in
            H.264 it is an IDR frame.
    """

    count: int
    timing: Timing
    shown: tuple[int, ...]
    unit: float
    times: tuple[int, ...]
    starts: tuple[Start, ...]
    positions: dict[int | None, int]
    format: str
    codec: str
    pixels: str
    hidden: bool
    closed: bool

    def starts_before(self, frame: int) -> Iterator[Start]:
        """Yield the key frames at or before a frame, the nearest first."""
        stop = bisect_right(self.starts, self.times[frame], key=lambda start: start.pts)
        return reversed(self.starts[:stop])


class _Packet(NamedTuple):
    pts: int | None
    dts: int | None
    size: int
    key: bool
    hidden: bool
    anew: bool


def index_video(path: Path, container: InputContainer, stream: VideoStream) -> VideoIndex:
    """Read the packets of a video just opened, decoding only where they do not tell enough.

    Of H.264, HEVC, VP9, AV1, MJPEG and MPEG-4 in MP4 and MOV, of the first five in MKV and WebM,
    and of MJPEG in AVI nothing is decoded. Other files are decoded once, without converting pixels,
    to learn how many frames come out and when.
    """
    family, codec = container.format.name.split(",")[0], stream.codec_context.name
    packets = _packets(path, container, stream)
    hidden = sum(packet.hidden for packet in packets)
    # Times by the packets, or by the frames that come out of them
    stated = [packet.pts for packet in packets if not packet.hidden]
    times = sorted(time for time in stated if time is not None)
    small = codec == "mpeg4" and min((p.size for p in packets), default=0) < _LEAST_MPEG4_FRAME
    if codec in EXACT.get(family, ()) and len(times) == len(stated) and not small:
        shown: list[int | None] = [*times]
    else:
        shown = _shown_times(path, stream)
    if problem := shortfall(
        path, container, stream, frames=len(shown) + hidden, shown=0, packets=len(packets)
    ):
        raise UserError(problem)
    if not shown:
        raise no_frames(path)
    known = sorted(time for time in shown if time is not None)
    known = known if len(known) == len(shown) else []
    timing = measure(path, family, stream, known)
    # Key frames, where times tell frames apart
    seekable = family in EXACT and codec in _SEEKABLE_CODECS
    if not (seekable and shown == times and len(set(times)) == len(times)):
        times = []
    starts = [
        Start(packet.pts, packet.dts, position)
        for position, packet in enumerate(packets)
        if times and packet.key and packet.pts is not None
    ]
    return VideoIndex(
        count=len(shown),
        timing=timing,
        shown=tuple(known),
        unit=float(stream.time_base or 0),
        times=tuple(times),
        starts=tuple(sorted(starts, key=lambda start: start.pts)),
        positions={packet.pts: position for position, packet in enumerate(packets)},
        format=family,
        codec=codec,
        pixels=stream.codec_context.pix_fmt or "",
        hidden=hidden > 0,
        closed=_closed(packets),
    )


def _packets(path: Path, container: InputContainer, stream: VideoStream) -> list[_Packet]:
    length_bytes = 0
    if stream.codec_context.name == "h264":
        # Bytes of each length in the packets of MP4 and MKV
        header = stream.codec_context.extradata or b""
        length_bytes = (header[4] & 3) + 1 if len(header) > 4 and header[0] == 1 else 4
    return [
        _Packet(
            pts=packet.pts,
            dts=packet.dts,
            size=packet.size,
            key=packet.is_keyframe,
            hidden=packet.is_discard,
            anew=not length_bytes or (packet.is_keyframe and _is_idr(bytes(packet), length_bytes)),
        )
        for packet in guarded(path, container.demux(stream))
        if packet.size
    ]


def _is_idr(data: bytes, length_bytes: int) -> bool:
    """Tell whether an H.264 access unit is an IDR frame (ISO/IEC 14496-10, nal_unit_type 5)."""
    place = 0
    while place + length_bytes < len(data):
        if data[place + length_bytes] & 31 == 5:
            return True
        place += length_bytes + int.from_bytes(data[place : place + length_bytes], "big")
    return False


def _closed(packets: Sequence[_Packet]) -> bool:
    """Tell whether every key frame begins anew."""
    begun = -math.inf
    for packet in packets:
        if packet.pts is None or packet.pts < begun or (packet.key and not packet.anew):
            return False
        begun = packet.pts if packet.key else begun
    return True


def _shown_times(path: Path, stream: VideoStream) -> list[int | None]:
    """Decode the whole file and return the presentation time of each frame that comes out."""
    with opened(path) as (container, same):
        frames = (frame for packet in container.demux(same) for frame in packet.decode())
        return [f.pts for f in guarded(path, frames) if isinstance(f, av.VideoFrame)]
