"""When the frames of a video are shown: how many a second, how evenly, and how wide."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

from signgen.errors import UserError

__all__ = ["EXACT", "MAX_RATE", "Timing", "is_shown", "measure", "shown_times", "tick_counts"]

MAX_RATE = 1000
_LEAST_RATE = 0.01
_MOST_TICKS = 1_000_000
_SAME = 0.02
"""Share by which the rate of the header may differ from that of the times."""
_EVEN = 0.5
"""Frames by which one may be shown too early or late: beyond it, it is in the place of another."""

# By family of container, codecs of which every packet that is shown is one frame with its
# presentation time. Elsewhere times may be missing (AVI), and packets may hold two frames (MPEG-4
# in AVI) or none (VP8).
_COMMON = frozenset({"h264", "hevc", "vp9", "av1", "libdav1d", "mjpeg"})
EXACT = {"mov": _COMMON | {"mpeg4"}, "matroska": _COMMON, "avi": frozenset({"mjpeg"})}

# AVI has no times of its own, and those of streams that were cut or joined jump.
_WITHOUT_TIMES = frozenset({"avi", "mpegts", "mpeg"})


@dataclass(frozen=True)
class Timing:
    """When frames are shown.

    Args:
        fps: Frames per second: as the header says, else, or where that is wrong by more than 2 %,
            in mean over the times of all frames.
        drift: How far from the place that a constant rate gives it a frame is shown at most, in
            frames; 0 where no times are known.
        stretch: Width of a pixel as a share of its height, which the file asks players to respect.
    """

    fps: float
    drift: float = 0.0
    stretch: float = 1.0

    def remarks(self, path: Path) -> tuple[str, ...]:
        """Say that a rate varies, or that pixels are not square; nothing where all is well."""
        said = []
        if self.drift > _EVEN:
            said.append(
                f"{path} has no constant frame rate: frames are shown up to {self.drift:.1f} "
                f"frames from where {self.fps:.4g} per second would show them. Resample it with "
                "--constant-rate FPS (in a render --pose-fps), or ffmpeg's -fps_mode cfr."
            )
        if abs(self.stretch - 1) > _SAME:
            said.append(
                f"{path} has pixels {self.stretch:.3g} times as wide as high, and is read as if "
                "they were square, which squeezes people. Make them so with ffmpeg's "
                "-vf scale=iw*sar:ih,setsar=1, before key points are found."
            )
        return tuple(said)


def is_shown(packet: av.Packet[VideoStream], codec: str) -> bool:
    """Tell whether a packet holds a frame that is shown, not one that others refer to only."""
    if not packet.size or packet.is_discard:
        return False
    # VP8 says so in its first byte (RFC 6386, 9.1); later codecs hide such frames in packets.
    return codec != "vp8" or bool(memoryview(packet)[0] & 0x10)


def shown_times(packets: Iterable[av.Packet[VideoStream]], codec: str) -> list[int]:
    """Return when the frames of packets are shown, ascending; empty where one does not say."""
    times = [packet.pts for packet in packets if is_shown(packet, codec)]
    known = sorted(time for time in times if time is not None)
    return known if len(known) == len(times) else []


def measure(path: Path, format: str, stream: VideoStream, times: Sequence[int]) -> Timing:
    """Return the timing of a video; a rate outside of 0.01 to 1000 is an error.

    Args:
        path: Named in messages.
        format: Family of the container.
        stream: Its header.
        times: When each frame is shown, ascending, in the unit of the stream; may be empty.
    """
    rate = stream.average_rate or stream.guessed_rate
    declared = float(rate) if rate and 0 < rate <= MAX_RATE else None
    steps, drift = len(times) - 1, 0.0
    if format not in _WITHOUT_TIMES and steps > 0 and times[-1] > times[0] and stream.time_base:
        unit = float(stream.time_base)
        measured = steps / ((times[-1] - times[0]) * unit)
        if measured < _LEAST_RATE:
            raise UserError(
                f"{path} shows {len(times)} frames in {steps / measured:,.0f} seconds; expected at "
                f"least {_LEAST_RATE:g} a second. Mend its times, with ffmpeg's "
                "-vf setpts=N/25/TB for 25 a second."
            )
        # Times are whole numbers: both ends may be off by half a unit
        error = abs((declared or 0) / measured - 1)
        if error > _SAME + measured * unit / steps and measured <= MAX_RATE:
            declared = round(measured, 3)
        even = np.linspace(times[0], times[-1], len(times))
        drift = float(np.abs(np.asarray(times) - even).max() * unit * measured)
    if declared is None:
        raise UserError(f"{path} has frame rate {rate}; expected 1 to 1000 frames per second.")
    return Timing(declared, drift, float(stream.sample_aspect_ratio or 1))


def tick_counts(path: Path, times: Iterable[float | None], rate: float) -> Iterator[int]:
    """Yield at how many ticks of a constant rate each frame is shown, to half a tick when it says.

    The first is shown at the first tick, the last at one.

    Args:
        path: Named in messages.
        times: When each frame is shown, in seconds, ascending.
        rate: Ticks per second.

    Raises:
        UserError: If a frame does not say when it is shown, or there would be a million ticks.
    """
    start: float | None = None
    ticks = 0
    for time in times:
        if time is None:
            raise UserError(f"{path} does not say when its frames are shown; leave the rate as is.")
        if start is None:
            start = time
            continue
        before, ticks = ticks, max(ticks, math.ceil((time - start) * rate - 0.5))
        if ticks > _MOST_TICKS:
            raise UserError(
                f"{path} has frames {time - start:.0f} seconds apart, more than {_MOST_TICKS:,} at "
                f"{rate:g} per second. Leave the rate as is, or mend the times of the video."
            )
        yield ticks - before
    if start is not None:
        yield 1
