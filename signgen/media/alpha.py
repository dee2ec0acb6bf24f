"""Video with opacity: VP9 in WebM, whose second picture a frame is the opacity; MP4 has none."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.plane import VideoPlane
from av.video.stream import VideoStream
from numpy.typing import NDArray

from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_input
from signgen.media.decoding import guarded, opened

__all__ = ["add_vp9", "alpha_frame", "check_alpha", "read_alpha", "split_clusters"]

_CLUSTER = b"\x1f\x43\xb6\x75"
_OPTIONS = {
    "crf": "12",
    "b": "0",
    "deadline": "good",
    "cpu-used": "4",
    "row-mt": "0",
    "auto-alt-ref": "0",  # frames that are not shown have no opacity
}


def add_vp9(container: OutputContainer, rate: Fraction, size: tuple[int, int]) -> VideoStream:
    """Add a stream of VP9 with opacity (yuva420p), whose bytes do not depend on the cores.

    Args:
        container: A WebM.
        rate: Frames per second.
        size: (H, W), both even.
    """
    stream = container.add_stream("libvpx-vp9", rate=rate, options=_OPTIONS)
    stream.height, stream.width = size
    stream.pix_fmt = "yuva420p"
    stream.codec_context.thread_count = 2
    return stream


def alpha_frame(picture: NDArray[np.uint8]) -> av.VideoFrame:
    """Return a picture (H, W, 4) with even sides as a frame of yuva420p."""
    # Planes are copied: the library's own conversion spoils the last columns of some widths
    height, width = picture.shape[:2]
    colours = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[..., :3]), format="rgb24")
    frame = av.VideoFrame(width, height, "yuva420p")
    for plane, own in zip(frame.planes, colours.reformat(format="yuv420p").planes, strict=False):
        _rows(plane)[:, : own.width] = _rows(own)[:, : own.width]
    _rows(frame.planes[3])[:, :width] = picture[..., 3]
    return frame


def _rows(plane: VideoPlane) -> NDArray[np.uint8]:
    """Return the bytes of a plane, (H, bytes of a row), to be read and written."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height]


def split_clusters(data: bytes) -> tuple[bytes, bytes]:
    """Return what a streamed WebM begins with, and its frames: clusters that may follow others."""
    start = data.index(_CLUSTER)
    return data[:start], data[start:]


def read_alpha(path: str | Path) -> Iterator[NDArray[np.uint8]]:
    """Decode a WebM of VP9 into (H, W, 4) uint8 RGB and opacity, 0 to 255; colours are not mixed.

    Other readers of video leave the opacity out.

    Raises:
        UserError: If it is no such video, or damaged.
    """
    path = check_input(path, "WebM with opacity")
    with opened(path) as (container, stream):
        _check_has_alpha(path, stream)
        # FFmpeg's own decoder, which a container opens, does not know of opacity
        decoder = VideoCodecContext.create("libvpx-vp9", "r")
        packets = (packet for packet in container.demux(stream) if packet.size)
        for frames in guarded(path, map(decoder.decode, packets)):
            for frame in frames:
                colours = frame.to_ndarray(format="rgb24")
                opacity = _rows(frame.planes[3])[:, : frame.width]
                yield np.dstack([colours, opacity]).astype(np.uint8, copy=False)  # (H, W, 4)


def check_alpha(written: Path, path: Path, count: int) -> None:
    """Refuse a video of which a frame has no opacity.

    Args:
        written: The file.
        path: What to call it in messages.
        count: Number of frames.
    """
    with opened(written) as (container, stream):
        _check_has_alpha(written, stream)
        found = sum(
            packet.has_sidedata("matroska_block_additional")
            for packet in guarded(written, container.demux(stream))
            if packet.size
        )
    if found != count:
        raise UserError(
            f"{path} was not written: {found} of its {count} frames have opacity.", ExitCode.IO
        )


def _check_has_alpha(path: Path, stream: VideoStream) -> None:
    if stream.codec_context.name != "vp9" or stream.metadata.get("alpha_mode") != "1":
        raise UserError(f"{path} has no opacity; expected VP9 with alpha in WebM.")
