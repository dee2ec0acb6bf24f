"""Write video: H.264 in MP4, atomically, re-opened and counted before it gets its final name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_output, one_line
from signgen.files.writing import atomic_path
from signgen.media.image import check_frame
from signgen.media.video import probe_video, read_video

_WRITE_ERRORS = (av.FFmpegError, OSError, MemoryError)
_SMPTE170M = 6  # ITU-T H.273: the matrix that the RGB to YUV conversion uses
# Without it, x264 picks code by CPU features and the bytes of equal videos may differ.
DETERMINISTIC = "cpu-independent=1"
_LIMITED_RANGE = 1


def exact_rate(fps: float) -> Fraction:
    """Return a frame rate as a fraction; 23.976, 29.97 and 59.94 become n * 1000/1001 (broadcast).

    Args:
        fps: Frames per second, 1 to 240.

    Raises:
        UserError: If it is outside.
    """
    if not 1 <= fps <= 240:
        raise UserError(f"frame rate is {fps}; expected 1 to 240 frames per second.")
    for whole in (24, 30, 48, 60, 120):
        broadcast = Fraction(whole * 1000, 1001)
        if abs(fps - broadcast) < 0.005:
            return broadcast
    return Fraction(fps).limit_denominator(1001)


class VideoWriter:
    """Write frames to an MP4 (H.264, yuv420p, faststart): a context manager.

    Nothing is at `path` before the video is complete and verified: number of frames, size and rate
    are read back. On an error or Ctrl-C the temporary file is removed and an older file at `path`
    stays. H.264 with yuv420p needs even sides: the last row or column of an odd frame is repeated
    once, so 33 x 47 frames become a video of 34 x 48. The number of CPU cores does not change the
    bytes.

    Args:
        path: The video; must end in `.mp4` in an existing, writable folder. Checked at once.
        fps: Frames per second, 1 to 240.
        size: (H, W) of the frames.
        metadata: Stored as JSON in the `comment` of the file, or None.
        crf: x264 quality, 0 (lossless) to 51; 17 is visually lossless.

    Raises:
        UserError: If the video cannot be created (73), its name does not end in .mp4 (2), or fps is
            out of range (65).

    Example:
        with VideoWriter("out.mp4", fps=25, size=(260, 210)) as writer:
            for frame in frames:
                writer.write(frame)
    """

    def __init__(
        self,
        path: str | Path,
        fps: float,
        size: tuple[int, int],
        metadata: Mapping[str, object] | None = None,
        *,
        crf: int = 17,
    ) -> None:
        self.path = check_output(path, ".mp4")
        self.rate = exact_rate(fps)
        self.size = size
        self.video_size = (size[0] + size[0] % 2, size[1] + size[1] % 2)
        self.num_frames = 0
        self._comment = None if metadata is None else json.dumps(metadata, sort_keys=True)
        self._crf = crf
        self._atomic: AbstractContextManager[Path] | None = None
        self._temporary: Path | None = None
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None

    def __enter__(self) -> VideoWriter:
        self._atomic = atomic_path(self.path)
        self._temporary = self._atomic.__enter__()
        try:
            self._open(self._temporary)
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Append one frame.

        Args:
            frame: (H, W, 3) uint8 RGB of the size given at the start.

        Raises:
            ValueError: If the frame has another shape or type.
            RuntimeError: Outside of the `with` block.
            UserError: With exit code 74 if the disk is full or fails.
        """
        check_frame(frame, self.size)
        if self._container is None or self._stream is None:
            raise RuntimeError("VideoWriter.write needs to be called inside a with block")
        below, right = (self.video_size[i] - self.size[i] for i in (0, 1))
        even = np.pad(frame, ((0, below), (0, right), (0, 0)), mode="edge")
        try:
            for packet in self._stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")):
                self._container.mux(packet)
        except _WRITE_ERRORS as error:
            raise self._failed(error) from error
        self.num_frames += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._atomic is not None
        try:
            self._finish(keep=error is None)
        except BaseException as failure:
            self._atomic.__exit__(type(failure), failure, failure.__traceback__)
            raise
        # With an error, this removes the temporary file and raises the error again.
        self._atomic.__exit__(kind, error, trace)

    def _open(self, temporary: Path) -> None:
        try:
            self._container = av.open(
                str(temporary.absolute()), "w", format="mp4", options={"movflags": "+faststart"}
            )
            if self._comment is not None:
                self._container.metadata["comment"] = self._comment
            stream = self._container.add_stream(
                "libx264",
                rate=self.rate,
                options={"crf": str(self._crf), "preset": "medium", "x264-params": DETERMINISTIC},
            )
        except _WRITE_ERRORS as error:
            raise self._failed(error) from error
        stream.height, stream.width = self.video_size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        # A fixed number of threads makes the file the same on every machine.
        context.thread_count = 2
        context.colorspace = context.color_trc = context.color_primaries = _SMPTE170M
        context.color_range = _LIMITED_RANGE
        self._stream = stream

    def _finish(self, keep: bool) -> None:
        """Close the file; where it is to be kept, flush the encoder first and verify the result."""
        container, stream, self._container, self._stream = self._container, self._stream, None, None
        if container is None:
            return
        try:
            if keep and self.num_frames and stream is not None:
                for packet in stream.encode(None):
                    container.mux(packet)
            container.close()
        except _WRITE_ERRORS as error:
            if keep:
                raise self._failed(error) from error
        if keep:
            self._verify()

    def _verify(self) -> None:
        if self.num_frames == 0:
            raise UserError(f"{self.path} was not written: there are no frames.")
        assert self._temporary is not None
        try:
            info = probe_video(self._temporary)
            count = sum(1 for _ in read_video(self._temporary))
        except UserError as error:
            raise UserError(
                f"{self.path} was not written: it cannot be read back ({error})", ExitCode.IO
            ) from error
        found = (count, info.size, info.fps)
        wanted = (self.num_frames, self.video_size, float(self.rate))
        if found[:2] != wanted[:2] or abs(info.fps / float(self.rate) - 1) > 1e-4:
            raise UserError(
                f"{self.path} was not written: read back (frames, size, fps) {found}; "
                f"expected {wanted}.",
                ExitCode.IO,
            )

    def _failed(self, error: BaseException) -> UserError:
        return UserError(
            f"{self.path} cannot be written: {one_line(error)}. Check the free space of the disk.",
            ExitCode.IO,
        )
