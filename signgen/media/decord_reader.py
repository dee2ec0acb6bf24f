"""Random access to the frames of a video file with decord, where its frames are PyAV's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signgen.errors import ExitCode, UserError
from signgen.files.paths import one_line
from signgen.media.decoding import no_frames
from signgen.media.index import VideoIndex

__all__ = ["DecordFrames", "import_decord"]

_CODECS = {"mov": {"h264", "mpeg4", "mjpeg"}, "matroska": {"h264", "vp8", "vp9"}, "avi": {"mjpeg"}}


def import_decord() -> Any:
    """Return the module, which is optional."""
    try:
        import decord
    except ImportError as error:
        raise UserError(
            "video_reader is decord, which is not installed. Run `pip install decord==0.6.0`, "
            "or choose pyav.",
            ExitCode.UNAVAILABLE,
        ) from error
    return decord


def _why_not(index: VideoIndex) -> str:
    """Say why decord 0.6 would fail on a file or give other frames than PyAV, from its index alone.

    Compared frame by frame, decord gives other frames for 10-bit pixels, MPEG-TS, AVI without
    times, and files whose edit list hides frames; and after a seek also where a key frame does not
    begin anew: HEVC, open groups of pictures, intra refresh, MPEG-4 with B-frames. It knows no AV1.
    """
    if index.codec not in _CODECS.get(index.format, ()):
        return f"{index.codec} in {index.format}"
    if index.pixels not in {"yuv420p", "yuvj420p"}:
        return f"pixels {index.pixels}"
    if index.hidden:
        return "frames that an edit list hides"
    if not index.times:
        return "times that do not tell frames apart"
    return "" if index.closed else "key frames that do not begin anew"


def _unfit(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path} has {reason}, which decord reads wrongly or not at all; "
        "expected video_reader pyav."
    )


class DecordFrames:
    """The frames of an open video file by number; one that decord reads otherwise is refused.

    Must not be used after a fork.
    """

    def __init__(self, path: Path, index: VideoIndex, threads: int) -> None:
        if reason := _why_not(index):
            raise _unfit(path, reason)
        decord = import_decord()
        self.path = path
        self._failure: type[Exception] = decord.DECORDError
        try:
            self._reader: Any = decord.VideoReader(str(path.absolute()), num_threads=threads)
        except (self._failure, RuntimeError, OSError) as error:
            raise self._damaged(error) from error
        if len(self._reader) == 0:
            raise no_frames(path)
        if len(self._reader) != index.count:
            raise UserError(
                f"{path} has {len(self._reader)} frames for decord and {index.count} for PyAV; "
                "expected video_reader pyav."
            )

    def frame(self, number: int) -> NDArray[np.uint8]:
        """Decode one frame, (H, W, 3) uint8 RGB."""
        try:
            frame = np.asarray(self._reader[number].asnumpy(), np.uint8)
        except (self._failure, RuntimeError, IndexError, OSError) as error:
            raise self._damaged(error) from error
        # Rows of some narrow frames are padded, and decord takes that for more channels.
        if frame.shape[2] != 3:
            raise _unfit(self.path, f"frames of width {frame.shape[1]}")
        return frame

    def _damaged(self, error: Exception) -> UserError:
        # decord prefixes its messages with time and place in its own source, then a stack.
        message = re.sub(r"^\[[\d:]+\] \S+: ", "", str(error).partition("\n")[0])
        return UserError(
            f"{self.path} is damaged for decord: {one_line(ValueError(message))}. "
            "Copy or export the video again, or use video_reader pyav."
        )
