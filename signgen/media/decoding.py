"""What all readers of video share: opening, the checks on files and frames, errors of decoders."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from signgen.errors import ExitCode, UserError
from signgen.files.paths import one_line
from signgen.media.elements import find_damage
from signgen.media.image import MAX_PIXELS

ItemT = TypeVar("ItemT")

# Playlists and concatenation scripts name other files and addresses: self-contained formats only.
OPEN_OPTIONS = {
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpegts,mpeg,flv,asf,ogg",
    "protocol_whitelist": "file",
}
DECODE_ERRORS = (
    *(av.FFmpegError, OSError, ValueError, LookupError, ArithmeticError, MemoryError, EOFError),
    *(TypeError, AttributeError, RuntimeError),
)
"""What PyAV raises on broken files; only calls into PyAV stand inside a `try`."""


def open_container(path: Path, options: dict[str, str], kind: str, expected: str) -> InputContainer:
    """Open a file of pictures or sound; its errors are the user's, and say what was expected."""
    try:
        return av.open(str(path.absolute()), options=options)
    except PermissionError as error:
        raise UserError(f"{path} cannot be read: {one_line(error)}.", ExitCode.NO_INPUT) from error
    except DECODE_ERRORS as error:
        raise UserError(
            f"{path} is not {kind} that can be read ({one_line(error)}); expected {expected}."
        ) from error


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a self-contained video file whose frames have at most `MAX_PIXELS` by the header."""
    with open_container(path, OPEN_OPTIONS, "a video", "MP4, WebM, MKV, AVI or GIF") as container:
        if not container.streams.video:
            raise UserError(f"{path} has no video stream; expected a video.")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise UserError(f"{path} has an unknown video codec; expected H.264 or VP9, say.")
        _check_pixels(path, stream.width, stream.height)
        yield container, stream


def no_frames(path: Path) -> UserError:
    """Return the error for a video without frames."""
    return UserError(f"{path} holds no frames that can be decoded; expected a video.")


def shortfall(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    *,
    frames: int,
    shown: int,
    packets: int,
) -> str:
    """Return what tells that a file was cut off or damaged; empty where nothing does.

    Args:
        path: The file.
        container: Of which what is declared is read.
        stream: The same.
        frames: Number of frames that came out, those that edit lists hide included.
        shown: Number of packets that were to give one each; 0 where that is not known.
        packets: Number of all packets of the stream.
    """
    family = container.format.name.split(",")[0]
    # Only the MP4 family declares an exact number
    declared = max(shown, stream.frames if family == "mov" else 0)
    damage = find_damage(path, family, packets if len(container.streams) == 1 else sys.maxsize)
    if frames >= declared and not damage:
        return ""
    if frames < declared:
        damage = f"it declares {declared}"
    elif container.duration and stream.average_rate:
        last = float(stream.average_rate) * container.duration / av.time_base
        damage += f", and by its duration there are about {last:.0f} frames"
    return (
        f"{path} holds {frames} frames, but {damage}; it is cut off or damaged. Copy or export the "
        "video again."
    )


def _check_pixels(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UserError(
            f"{path} has frames of {width} x {height} = {width * height} pixels; "
            f"the limit is {MAX_PIXELS}. Make it smaller."
        )


class FrameConverter:
    """Checks decoded frames of one clip and turns them into upright pictures."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._size: tuple[int, int] | None = None
        # One for all frames: a new one for every frame takes longer than the conversion itself.
        self._converter = VideoReformatter()

    def check(self, frame: av.VideoFrame, index: int) -> None:
        """Refuse a frame that is damaged, too large, or of another size than the first checked."""
        if frame.is_corrupt:
            raise UserError(f"{self.path} is damaged at frame {index}. Copy the video again.")
        height, width = self._size = self._size or (frame.height, frame.width)
        if (frame.height, frame.width) != (height, width):
            raise UserError(
                f"{self.path} changes its frame size from {width} x {height} to "
                f"{frame.width} x {frame.height} at frame {index}; expected one size."
            )
        _check_pixels(self.path, frame.width, frame.height)

    def upright(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """Return a frame as (H, W, 3) uint8 RGB, turned and mirrored as its display matrix says."""
        # One thread: a process that was forked would wait for ever for others when it frees them.
        pixels = self._converter.reformat(frame, format="rgb24", threads=1).to_ndarray()
        return np.ascontiguousarray(_displayed(np.asarray(pixels, np.uint8), frame))


def _displayed(pixels: NDArray[np.uint8], frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Apply a display matrix to the nearest of the eight turns and reflections of a picture.

    The matrix (ISO/IEC 14496-12, 6.2.2) takes (x, y) to (a x + c y, b x + d y).
    """
    side_data: Any = frame.side_data  # PyAV's stub names other keys than there are
    matrix = side_data.get(Type.DISPLAYMATRIX)
    if matrix is None:
        return pixels
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].astype(np.int64)
    if abs(b) + abs(c) > abs(a) + abs(d):
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def guarded(path: Path, items: Iterable[ItemT]) -> Iterator[ItemT]:
    """Turn errors of a decoder into `UserError`, but leave those of whoever consumes its items."""
    iterator = iter(items)
    while True:
        try:
            item = next(iterator)
        except StopIteration:
            return
        except DECODE_ERRORS as error:
            raise UserError(
                f"{path} is damaged: {one_line(error)}. Copy or export the video again."
            ) from error
        yield item
