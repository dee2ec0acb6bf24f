"""Frames of a video file by number, with the checks and the very pixels of `read_video`.

Decoding begins at a key frame and goes forward. PyAV does it, or decord where it is asked for.
"""

from __future__ import annotations

import gc
import operator
import os
import sys
import weakref
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_input
from signgen.media.decoding import DECODE_ERRORS, FrameConverter, guarded, opened
from signgen.media.decord_reader import DecordFrames, import_decord
from signgen.media.index import Start, index_video
from signgen.media.timing import tick_counts

__all__ = ["Backend", "VideoReader", "check_backend", "open_video"]

Backend = Literal["auto", "pyav", "decord"]
"""What decodes. `auto` is PyAV: with one scaler per clip it decodes more frames per second of CPU
than decord 0.6, one after the other and at random (`tools/benchmark_video.py`), and it reads every
file; decord can be asked for where it is known to give the same frames."""

# A seek costs about as much as decoding this many frames: the decoder is emptied and filled.
_SEEK_COST = 4
# Key frames to try before decoding from the start of the file
_TRIES = 2


class SeekingFrames:
    """The frames of an open video file by number; to read on where the last read ended is cheap."""

    def __init__(self, path: Path, threads: int) -> None:
        self.path, self._threads = path, threads
        self._converter = FrameConverter(path)
        self._file = ExitStack()
        self._open()
        self.index = index_video(path, self._container, self._stream)
        self._frames: Iterator[tuple[int, av.VideoFrame]] = iter(())
        self._next: int | None = None

    def frame(self, number: int) -> NDArray[np.uint8]:
        """Decode one frame, (H, W, 3) uint8 RGB."""
        try:
            frame = self._decoded(number)
        except BaseException:
            self._next = None
            raise
        return self._converter.upright(frame)

    def _decoded(self, number: int) -> av.VideoFrame:
        if self._needs_seek(number):
            starts = islice(self.index.starts_before(number), _TRIES) if self.index.times else ()
            if not any(self._seek(start) for start in starts):
                self._open()  # decoding from the start works where seeking does not
                packets = guarded(self.path, self._container.demux(self._stream))
                self._frames, self._next = self._numbered(packets), 0
        for decoded, frame in self._frames:
            if decoded != self._next:
                break
            self._converter.check(frame, decoded)
            self._next = decoded + 1
            if decoded == number:
                return frame
        raise UserError(
            f"{self.path} is damaged: frame {number if self._next is None else self._next} of "
            f"{self.index.count} cannot be decoded. Copy or export the video again."
        )

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

    def _open(self) -> None:
        self._file.close()
        self._container, self._stream = self._file.enter_context(opened(self.path))
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


# ----- in any process -----------------------------------------------------------------------------

# Open files of this process, and those of the one it was forked from: the destructors of the latter
# would wait for threads that a fork does not copy.
_OPEN: weakref.WeakSet[SeekingFrames | DecordFrames] = weakref.WeakSet()
_LEFT_BEHIND: list[object] = []


def _leave_behind() -> None:
    """Keep a forked process from destroying what its parent had open or not yet collected."""
    _LEFT_BEHIND.extend(_OPEN)
    _OPEN.clear()
    gc.freeze()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_leave_behind)


class VideoReader:
    """Random access to the frames of a video file; made by `open_video`.

    The file is opened when something is first asked for, and again in a forked or spawned process:
    only the path travels to the workers of a loader. Not for several threads at a time.
    """

    def __init__(
        self, path: Path, backend: Backend, threads: int, constant_rate: float | None = None
    ) -> None:
        self.path, self.backend, self.threads = path, backend, threads
        self.constant_rate = constant_rate
        self._process: int | None = None
        self._decord: DecordFrames | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return VideoReader, (self.path, self.backend, self.threads, self.constant_rate)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.constant_rate or self._opened().index.timing.fps

    @cached_property
    def numbers(self) -> Sequence[int]:
        """Which frame of the file each frame is: all of them, where the rate is as it is."""
        index = self._opened().index
        if self.constant_rate is None:
            return range(index.count)
        times: list[float | None] = [time * index.unit for time in index.shown]
        counts = tick_counts(self.path, times or [None], self.constant_rate)
        return [number for number, count in enumerate(counts) for _ in range(count)]

    @property
    def file_frames(self) -> int:
        """Frames that the file has."""
        return self._opened().index.count

    @property
    def remarks(self) -> tuple[str, ...]:
        """What should be known of the file, a line each."""
        timing = self._opened().index.timing
        timing = replace(timing, drift=0.0) if self.constant_rate else timing
        return timing.remarks(self.path)

    @cached_property
    def size(self) -> tuple[int, int]:
        """(H, W) of the frames as shown, after rotation."""
        height, width = self.frame(0).shape[:2]
        return height, width

    def frame(self, index: int) -> NDArray[np.uint8]:
        """Decode frame `index` of `read_video`, (H, W, 3) uint8 RGB."""
        seeking, number = self._opened(), operator.index(index)
        if not 0 <= number < len(self):
            raise UserError(
                f"{self.path} has {len(self)} frames; frame {number} was asked for, expected 0 to "
                f"{len(self) - 1}."
            )
        number = self.numbers[number]
        if self.backend != "decord":
            return seeking.frame(number)
        if self._decord is None:
            self._decord = DecordFrames(self.path, seeking.index, self.threads)
            _OPEN.add(self._decord)
        return self._decord.frame(number)

    def _opened(self) -> SeekingFrames:
        if self._process != os.getpid():
            self._seeking = SeekingFrames(self.path, self.threads)
            self._decord, self._process = None, os.getpid()
            _OPEN.add(self._seeking)
        return self._seeking


def check_backend(backend: Backend) -> None:
    """Refuse a backend that is unknown (2) or not installed (69)."""
    if backend not in {"auto", "pyav", "decord"}:
        raise UserError(f"backend is {backend!r}; expected auto, pyav or decord.", ExitCode.USAGE)
    if backend == "decord":
        import_decord()


def open_video(
    path: str | Path,
    backend: Backend = "auto",
    threads: int = 1,
    *,
    constant_rate: float | None = None,
) -> VideoReader:
    """Open a video file for random access to its frames.

    Frames, order and checks are those of `read_video`. All packets are read once when something is
    first asked for; then a frame costs decoding from the key frame before it, and reading on from
    the frame before costs no more than that one frame.

    Args:
        path: The file.
        backend: `auto` (see `Backend`), `pyav`, or `decord`, which is optional.
        threads: Threads of the decoder; 1 suits the workers of a loader, 0 leaves the number to it.
        constant_rate: As in `read_video`.

    Raises:
        UserError: If the file is missing (66) or empty (65), or the reader is not installed (69).
            What is wrong inside of a file is said when it is first read.
    """
    check_backend(backend)
    return VideoReader(check_input(path, "video"), backend, threads, constant_rate)
