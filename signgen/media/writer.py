"""Write video: H.264 in MP4, atomically, opened again and counted before it gets its final name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
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
from signgen.files.writing import atomic_paths
from signgen.media.image import check_frame
from signgen.media.video import probe_video

WRITE_ERRORS = (av.FFmpegError, OSError, MemoryError)
_SMPTE170M = 6  # ITU-T H.273: the matrix that the RGB to YUV conversion uses
_LIMITED_RANGE = 1
# Without it, x264 picks code by CPU features and the bytes of equal videos may differ.
DETERMINISTIC = "cpu-independent=1"


def exact_rate(fps: float) -> Fraction:
    """Return a frame rate as a fraction; 23.976, 29.97 and 59.94 become n * 1000/1001."""
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
        self._metadata, self._crf = metadata, crf
        self._output: tuple[OutputContainer, VideoStream] | None = None
        self._writing = self._write_file()

    def __enter__(self) -> VideoWriter:
        self._writing.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writing.__exit__(kind, error, trace)

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Append one frame, (H, W, 3) uint8 RGB of the size given at the start."""
        check_frame(frame, self.size)
        self._encode(av.VideoFrame.from_ndarray(even_frame(frame), format="rgb24"))
        self.num_frames += 1

    @contextmanager
    def _write_file(self) -> Iterator[None]:
        """Make a file beside the final one and put it in its place when the block is left."""
        with atomic_paths([self.path]) as (temporary,):
            with self._disk_errors():
                container, _ = self._output = self._opened(temporary)
            try:
                yield
            except BaseException:
                with suppress(*WRITE_ERRORS):
                    container.close()
                raise
            if self.num_frames:
                self._encode(None)
            self._output = None
            with self._disk_errors():
                container.close()
            verify_video(temporary, self.path, self.num_frames, self.video_size, self.rate)

    def _opened(self, temporary: Path) -> tuple[OutputContainer, VideoStream]:
        container = av.open(
            str(temporary.absolute()), "w", format="mp4", options={"movflags": "+faststart"}
        )
        if self._metadata is not None:
            container.metadata["comment"] = json.dumps(self._metadata, sort_keys=True)
        return container, add_h264(container, self.rate, self.video_size, crf=self._crf)

    def _encode(self, frame: av.VideoFrame | None) -> None:
        """Encode a frame; None flushes the encoder."""
        if self._output is None:
            raise RuntimeError("VideoWriter.write needs to be called inside a with block")
        container, stream = self._output
        with self._disk_errors():
            for packet in stream.encode(frame):
                container.mux(packet)

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except WRITE_ERRORS as error:
            raise UserError(
                f"{self.path} cannot be written: {one_line(error)}. "
                "Check the free space of the disk.",
                ExitCode.IO,
            ) from error


def even_frame(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat the last row or column (H, W, 3) of a frame whose sides are not even."""
    below, right = (side % 2 for side in frame.shape[:2])
    return np.pad(frame, ((0, below), (0, right), (0, 0)), mode="edge")


def add_h264(
    container: OutputContainer, rate: Fraction, size: tuple[int, int], *, crf: int = 17
) -> VideoStream:
    """Add a stream of H.264, yuv420p, whose bytes are the same on every machine.

    Args:
        container: Where.
        rate: Frames per second.
        size: (H, W), both even.
        crf: x264 quality.
    """
    stream = container.add_stream(
        "libx264",
        rate=rate,
        options={"crf": str(crf), "preset": "medium", "x264-params": DETERMINISTIC},
    )
    stream.height, stream.width = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = 2  # a fixed number, whatever the machine has
    context.colorspace = context.color_trc = context.color_primaries = _SMPTE170M
    context.color_range = _LIMITED_RANGE
    return stream


def verify_video(
    written: Path, path: Path, count: int, size: tuple[int, int], rate: Fraction
) -> None:
    """Read a video back and refuse it if number of frames, size or rate are not as written.

    Args:
        written: The file.
        path: What to call it in messages.
        count: Number of frames.
        size: (H, W).
        rate: Frames per second.
    """
    if count == 0:
        raise UserError(f"{path} was not written: there are no frames.")
    try:
        info = probe_video(written, count=True)
    except UserError as error:
        raise UserError(
            f"{path} was not written: it cannot be read back ({error})", ExitCode.IO
        ) from error
    read, expected = (info.num_frames, info.size, info.fps), (count, size, float(rate))
    if read[:2] != expected[:2] or abs(info.fps / float(rate) - 1) > 1e-4:
        problem = f"read back (frames, size, fps) {read}; expected {expected}"
        raise UserError(f"{path} was not written: {problem}.", ExitCode.IO)


def write_video(path: str | Path, frames: Iterable[NDArray[np.uint8]], fps: float) -> None:
    """Write frames to an MP4 as `VideoWriter` does; the first one decides on the size.

    Args:
        path: The video; must end in `.mp4`. Checked before the first frame is taken.
        frames: (H, W, 3) uint8 RGB each.
        fps: Frames per second, 1 to 240.
    """
    check_output(path, ".mp4")
    size: tuple[int, int] | None = None
    with ExitStack() as stack:
        for number, frame in enumerate(frames):
            # The first frame decides on the size
            picture = np.asarray(frame)
            try:
                check_frame(picture, size)
            except ValueError as error:
                raise UserError(f"{path} was not written: frame {number}: {error}.") from None
            if size is None:
                size = (int(picture.shape[0]), int(picture.shape[1]))
                writer = stack.enter_context(VideoWriter(path, fps, size))
            writer.write(picture)
    if size is None:
        raise UserError(f"{path} was not written: there are no frames.")
