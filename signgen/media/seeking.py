"""Random access to the frames of a video file with PyAV: seek to a key frame, decode forward."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.media.decoding import DECODE_ERRORS, CheckedFrames, guarded, opened
from signgen.media.index import Start, index_video

__all__ = ["SeekingFrames"]

_SEEK_COST = 4
"""A seek costs about as much as decoding this many frames: the decoder is emptied and filled."""
_TRIES = 2
"""Key frames to try before decoding from the start of the file."""


class SeekingFrames:
    """The frames of an open video file by number; to read on where the last read ended is cheap.

    Args:
        path: The file.
        max_pixels: Largest frame, in pixels.
        threads: Threads of the decoder; 0 leaves their number to it.

    Raises:
        UserError: If the file is no video, damaged, cut off or without frames.
    """

    def __init__(self, path: Path, max_pixels: int, threads: int) -> None:
        self.path = path
        self._max_pixels, self._threads = max_pixels, threads
        self._checked = CheckedFrames(path, max_pixels)
        self._file = ExitStack()
        self._open()
        self.index = index_video(path, self._container, self._stream)
        self._frames: Iterator[tuple[int, av.VideoFrame]] = iter(())
        self._next: int | None = None

    def __len__(self) -> int:
        return self.index.count

    def read(self, numbers: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """Decode frames.

        Args:
            numbers: Which ones, each from 0 to `len(self)` - 1; cheapest in ascending order.

        Yields:
            (H, W, 3) uint8 RGB.

        Raises:
            UserError: If the file is damaged or has changed.
        """
        for number in numbers:
            try:
                frame = self._frame(number)
            except BaseException:
                self._next = None
                raise
            yield self._checked.upright(frame)

    def _frame(self, number: int) -> av.VideoFrame:
        if self._needs_seek(number):
            starts = islice(self.index.starts_before(number), _TRIES) if self.index.times else ()
            if not any(self._seek(start) for start in starts):
                self._rewind()
        for found, frame in self._frames:
            if found != self._next:
                break
            self._checked.check(frame, found)
            self._next = found + 1
            if found == number:
                return frame
        raise self._damaged(number if self._next is None else self._next)

    def _needs_seek(self, number: int) -> bool:
        if self._next is None or number < self._next:
            return True
        start = next(self.index.starts_before(number), None) if self.index.times else None
        return start is not None and self._number(start.pts) > self._next + _SEEK_COST

    def _number(self, time: int) -> int:
        """Return the number of the first frame that is shown at a time or after it."""
        return bisect_left(self.index.times, time)

    def _seek(self, start: Start) -> bool:
        """Go to a key frame, or one before it; false where its frame does not come out."""
        # Some formats look for presentation times, others for decoding times.
        for time in (start.pts, start.pts if start.dts is None else start.dts):
            try:
                self._container.seek(time, stream=self._stream)
            except DECODE_ERRORS:
                continue
            packets = guarded(self.path, self._container.demux(self._stream))
            first = next(packets, None)
            if first is None or first.pts is None:
                continue
            if self.index.positions.get(first.pts, sys.maxsize) > start.position:
                continue
            expected, frames = self._number(first.pts), self._numbered(chain([first], packets))
            # After the key frame of an open group come frames that are shown before it and lack
            # what they were predicted from; the decoder drops or spoils them.
            number, frame = next(((n, f) for n, f in frames if n >= expected), (-1, None))
            if frame is not None and number == expected:
                self._frames, self._next = chain([(number, frame)], frames), number
                return True
        return False

    def _rewind(self) -> None:
        """Open the file anew, which works where seeking does not."""
        self._open()
        packets = guarded(self.path, self._container.demux(self._stream))
        self._frames, self._next = self._numbered(packets), 0

    def _open(self) -> None:
        self._file.close()
        self._container, self._stream = self._file.enter_context(
            opened(self.path, self._max_pixels)
        )
        self._stream.codec_context.thread_count = self._threads

    def _numbered(
        self, packets: Iterable[av.Packet[VideoStream]]
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        """Decode packets and number their frames: by time, or by counting from the start."""
        times, count = self.index.times, 0
        for frame in guarded(self.path, (f for packet in packets for f in packet.decode())):
            if not isinstance(frame, av.VideoFrame):
                continue
            number = count if not times or frame.pts is None else self._number(frame.pts)
            if times and (number == len(times) or times[number] != frame.pts):
                raise UserError(
                    f"{self.path} is damaged or was changed while it was read: a frame is shown "
                    f"at {frame.pts}, where there was none. Copy or export the video again."
                )
            count += 1
            yield number, frame

    def _damaged(self, number: int) -> UserError:
        return UserError(
            f"{self.path} is damaged: frame {number} of {len(self)} cannot be decoded. "
            "Copy or export the video again."
        )
