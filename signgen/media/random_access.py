"""Frames of a video file by number, with the checks and the very pixels of `read_video`."""

from __future__ import annotations

import gc
import operator
import os
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_input
from signgen.media.decord_reader import DecordFrames
from signgen.media.image import MAX_PIXELS
from signgen.media.seeking import SeekingFrames

__all__ = ["Backend", "VideoReader", "open_video"]

Backend = Literal["auto", "pyav", "decord"]
"""What decodes. `auto` is PyAV: with one scaler per clip it decodes more frames per second of CPU
than decord 0.6, one after the other and at random (`tools/benchmark_video.py`), and it reads every
file; decord can be asked for where it is known to give the same frames."""

# Readers of this process, and those of the one it was forked from: the destructors of the latter
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


class _Frames(Protocol):
    def read(self, numbers: Sequence[int]) -> Iterator[NDArray[np.uint8]]: ...


class VideoReader:
    """Random access to the frames of a video file; made by `open_video`.

    The file is opened when something is first asked for, and again in a forked or spawned process:
    only the path travels to the workers of a loader. Not for several threads at a time.

    Args:
        path: The file.
        backend: What decodes.
        max_pixels: Largest frame, in pixels.
        threads: Threads of the decoder; 0 leaves their number to it.
    """

    def __init__(
        self,
        path: Path,
        backend: Backend = "auto",
        max_pixels: int = MAX_PIXELS,
        threads: int = 1,
    ) -> None:
        self.path, self.backend = path, backend
        self.max_pixels, self.threads = max_pixels, threads
        self._seeking: SeekingFrames | None = None
        self._decord: DecordFrames | None = None
        self._size: tuple[int, int] | None = None
        self._process = os.getpid()

    def __getstate__(self) -> tuple[Any, ...]:
        return self.path, self.backend, self.max_pixels, self.threads

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    def __len__(self) -> int:
        return len(self._opened())

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self._opened().index.fps

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the frames as shown, after rotation."""
        if self._size is None:
            height, width = self.frame(0).shape[:2]
            self._size = (height, width)
        return self._size

    def frame(self, index: int) -> NDArray[np.uint8]:
        """Decode one frame.

        Args:
            index: Its number, from 0.

        Returns:
            (H, W, 3) uint8 RGB, upright; the same as frame `index` of `read_video`.

        Raises:
            UserError: If there is no such frame, or the file is damaged.
        """
        return next(self._read([self._checked(index)]))

    def frames(self, indices: Sequence[int]) -> NDArray[np.uint8]:
        """Decode several frames, each once and in the order of the file, whatever is asked for.

        Args:
            indices: Their numbers, in any order, repeated or not.

        Returns:
            (N, H, W, 3) uint8 RGB in the order of `indices`.

        Raises:
            UserError: If there is no such frame, or the file is damaged.
        """
        wanted = [self._checked(index) for index in indices]
        frames = np.empty((len(wanted), *self.size, 3), np.uint8)
        places: dict[int, list[int]] = {}
        for place, index in enumerate(wanted):
            places.setdefault(index, []).append(place)
        ascending = sorted(places)
        for index, frame in zip(ascending, self._read(ascending), strict=True):
            frames[places[index]] = frame
        return frames

    def _read(self, numbers: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        reader: _Frames = self._opened()
        if self.backend == "decord":
            if self._decord is None:
                self._decord = DecordFrames(self.path, self._opened().index, self.threads)
                _OPEN.add(self._decord)
            reader = self._decord
        return reader.read(numbers)

    def _opened(self) -> SeekingFrames:
        if self._process != os.getpid():
            self._seeking = self._decord = None
            self._process = os.getpid()
        if self._seeking is None:
            self._seeking = SeekingFrames(self.path, self.max_pixels, self.threads)
            _OPEN.add(self._seeking)
        return self._seeking

    def _checked(self, index: int) -> int:
        number = operator.index(index)
        if not 0 <= number < len(self):
            raise UserError(
                f"{self.path} has {len(self)} frames; frame {number} was asked for, expected 0 to "
                f"{len(self) - 1}."
            )
        return number


def open_video(
    path: str | Path,
    backend: Backend = "auto",
    max_pixels: int = MAX_PIXELS,
    threads: int = 1,
) -> VideoReader:
    """Open a video file for random access to its frames.

    Frames, order and checks are those of `read_video`. All packets are read once when something is
    first asked for; then a frame costs decoding from the key frame before it, and reading on from
    the frame before costs no more than that one frame.

    Args:
        path: The file.
        backend: `auto` (see `Backend`), `pyav`, or `decord`, which is optional.
        max_pixels: Largest frame, in pixels.
        threads: Threads of the decoder; 1 suits the workers of a loader, 0 leaves the number to it.

    Raises:
        UserError: If the file is missing (66) or empty (65), or the backend is unknown (2). What is
            wrong inside of a file is said when it is first read.
    """
    if backend not in {"auto", "pyav", "decord"}:
        raise UserError(f"backend is {backend!r}; expected auto, pyav or decord.", ExitCode.USAGE)
    return VideoReader(check_input(path, "video"), backend, max_pixels, threads)
