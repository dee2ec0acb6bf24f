"""A video that grows by whole segments: it can be played at any time, and gone on with later.

Each segment is encoded by itself, so the same frames give the same bytes whether they were encoded
in one go or in ten. The growing file is a fragmented MP4, or a streamed WebM where frames have
opacity; finished, it becomes an ordinary one.
"""

from __future__ import annotations

import heapq
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from signgen.errors import ExitCode, UserError
from signgen.files.paths import one_line
from signgen.media.alpha import add_vp9, alpha_frame, check_alpha, split_clusters
from signgen.media.audio import Sound, add_sound, verify_sound
from signgen.media.image import check_frame
from signgen.media.writer import WRITE_ERRORS, add_h264, even_frame, exact_rate, verify_video

__all__ = ["append_segment", "finish_segments"]

_FRAGMENTED = {
    "movflags": "empty_moov+default_base_moof+frag_keyframe+frag_discont+skip_trailer",
    "avoid_negative_ts": "disabled",
}
_STREAMED = {"live": "1", "fflags": "+bitexact"}
_WEBM = ".webm"


def append_segment(
    path: Path, length: int, frames: Sequence[NDArray[np.uint8]], first: int, fps: float
) -> int:
    """Append frames to a growing video.

    Args:
        path: The growing video, `.mp4`, or `.webm` for frames with opacity.
        length: Bytes of it that count; what is behind them is cut off.
        frames: (H, W, 3) uint8 RGB each, one or more; (H, W, 4) with opacity.
        first: Number of the first one in the video.
        fps: Frames per second.

    Returns:
        Bytes of it that count now.

    Raises:
        UserError: If it cannot be written (74).
    """
    with _disk_errors(path):
        # The header once, then fragments only
        if path.suffix == _WEBM:
            header, clusters = split_clusters(_encoded_alpha(frames, first, fps))
            kept = [clusters] if length else [header, clusters]
        else:
            boxes = _boxes(_encoded(frames, first, fps))
            kept = [box for name, box in boxes if not length or name in {b"moof", b"mdat"}]
        with path.open("r+b" if length else "wb") as file:
            file.truncate(length)
            file.seek(length)
            return length + sum(map(file.write, kept))


def _encoded(frames: Sequence[NDArray[np.uint8]], first: int, fps: float) -> bytes:
    """Encode frames as a fragmented MP4 of their own, with the times of the whole video."""
    height, width = frames[0].shape[:2]
    buffer, rate = io.BytesIO(), exact_rate(fps)
    options = {**_FRAGMENTED, "fragment_index": str(first + 1)}
    with av.open(buffer, "w", format="mp4", options=options) as container:
        stream = add_h264(container, rate, (height + height % 2, width + width % 2))
        # Frames in the order they are shown: how late others come depends on the segment's length
        stream.codec_context.max_b_frames = 0
        for number, frame in enumerate(frames, first):
            check_frame(frame, (height, width))
            picture = av.VideoFrame.from_ndarray(even_frame(frame), format="rgb24")
            picture.pts, picture.time_base = number, 1 / rate
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def _encoded_alpha(frames: Sequence[NDArray[np.uint8]], first: int, fps: float) -> bytes:
    """Encode frames with opacity as a streamed WebM, with the times of the whole video."""
    height, width = frames[0].shape[:2]
    buffer, rate = io.BytesIO(), exact_rate(fps)
    with av.open(buffer, "w", format="webm", options=_STREAMED) as container:
        stream = add_vp9(container, rate, (height + height % 2, width + width % 2))
        for number, frame in enumerate(frames, first):
            picture = alpha_frame(even_frame(frame))
            picture.pts, picture.time_base = number, 1 / rate
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and bytes of the boxes of an MP4 at its top level."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at : at + size]
        at += size


def finish_segments(
    grown: Path,
    length: int,
    out: Path,
    count: int,
    fps: float,
    metadata: Mapping[str, object],
    shown: Path,
    *,
    sound: Sound | None = None,
) -> None:
    """Make an ordinary MP4 (faststart) or WebM of a growing one, not encoded anew, and verify it.

    Args:
        grown: The growing video.
        length: Bytes of it that count.
        out: The file to write.
        count: Its number of frames.
        fps: Frames per second.
        metadata: Stored as JSON in the `comment`.
        shown: What to call it in messages.
        sound: Sound to put beside the frames, cut to their length.

    Raises:
        UserError: If it cannot be written, or not be read back as it should (74).
    """
    with _disk_errors(shown):
        with grown.open("r+b") as file:
            file.truncate(length)
        kind = grown.suffix.removeprefix(".")
        options = {"movflags": "+faststart"}
        if grown.suffix == _WEBM:
            options = {"fflags": "+bitexact", "cues_to_front": "1"}
        with (
            av.open(str(grown.absolute())) as source,
            av.open(str(out.absolute()), "w", format=kind, options=options) as target,
        ):
            target.metadata["comment"] = json.dumps(metadata, sort_keys=True)
            read = source.streams.video[0]
            size = (read.height, read.width)
            stream = target.add_stream_from_template(read)
            if grown.suffix == _WEBM:
                stream.pix_fmt = "yuva420p"  # readers of WebM do not know
            seconds = count / float(exact_rate(fps))
            streams = [_from_zero(source, read, stream)]
            if sound is not None:
                streams.append(add_sound(target, sound, seconds))
            for _, packet in heapq.merge(*streams, key=itemgetter(0)):
                target.mux(packet)
    verify_video(out, shown, count, size, exact_rate(fps))
    if grown.suffix == _WEBM:
        check_alpha(out, shown, count)
    if sound is not None:
        verify_sound(out, shown, sound, seconds)


def _from_zero(
    source: InputContainer, read: VideoStream, stream: VideoStream
) -> Iterator[tuple[float, av.Packet[Any]]]:
    """Yield time and packet of a growing video, the first at 0, for another stream."""
    assert read.time_base is not None
    late: int | None = None
    for packet in source.demux(read):
        if packet.dts is None or packet.pts is None:  # the end
            continue
        late = packet.pts if late is None else late
        packet.pts, packet.dts = packet.pts - late, packet.dts - late
        time = float(packet.pts * read.time_base)
        packet.stream = stream
        yield time, packet


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except WRITE_ERRORS as error:
        raise UserError(
            f"{path} cannot be written: {one_line(error)}. Check the free space of the disk.",
            ExitCode.IO,
        ) from error
