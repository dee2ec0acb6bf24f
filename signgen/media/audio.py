"""Sound of a file beside the frames of a video: copied where its container allows, else encoded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer

from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_input
from signgen.media.decoding import OPEN_OPTIONS, guarded, open_container

__all__ = ["Sound", "add_sound", "has_sound", "open_sound", "verify_sound"]

_FORMATS = ",mp3,wav,flac,aac,aiff,caf"
_COPIED = {"mp4": frozenset({"aac", "mp3"}), "webm": frozenset({"opus", "vorbis"})}
_ENCODED = {"mp4": "aac", "webm": "libopus"}
_BIT_RATE = 128_000
_RATES = range(8000, 96_001)
_OPUS_RATE = 48_000
_PRIMING = 0.1
"""Seconds before the beginning of which packets are kept, since decoders need the one before."""
_TOLERANCE = 0.15
"""Seconds by which what is read back may be shorter or longer: a packet or two."""


@dataclass(frozen=True)
class Sound:
    """Sound of a file.

    Args:
        path: The file.
        start: Seconds into it at which the first frame is shown.
    """

    path: Path
    start: float


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, AudioStream | None]]:
    """Open a self-contained file with its first stream of sound, if there is any."""
    options = {**OPEN_OPTIONS, "format_whitelist": OPEN_OPTIONS["format_whitelist"] + _FORMATS}
    expected = "WAV, MP3, M4A, FLAC, OGG, MP4 or WebM"
    with open_container(path, options, "a sound or video", expected) as container:
        yield container, next(iter(container.streams.audio), None)


def has_sound(path: str | Path) -> bool:
    """Tell whether a video has a stream of sound."""
    with _opened(check_input(path, "video")) as (_, stream):
        return stream is not None


def open_sound(path: str | Path) -> Sound:
    """Check that a file has sound that can be decoded, by its first packets.

    Raises:
        UserError: If it has none, or is damaged.
    """
    path = check_input(path, "sound or video")
    with _opened(path) as (container, stream):
        if stream is None or not stream.codec_context:
            raise UserError(f"{path} has no sound that can be read; expected a file with sound.")
        frame = next(guarded(path, container.decode(stream)), None)
        if frame is None:
            raise UserError(f"{path} holds no sound that can be decoded; expected some.")
        pictures = [one for one in container.streams.video if not _is_cover(one)]
        first: Any = pictures[0] if pictures else stream
        start = 0.0 if first.start_time is None else float(first.start_time * first.time_base)
    return Sound(path, start)


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def add_sound(
    target: OutputContainer, sound: Sound, seconds: float
) -> Iterator[tuple[float, av.Packet[Any]]]:
    """Add a stream of sound to a container that is being written, no longer than the video.

    The stream is there when the first packet is asked for.

    Args:
        target: An MP4 or a WebM.
        sound: Where it comes from.
        seconds: Length of the video.

    Yields:
        Time and packet, in order.
    """
    kind = target.format.name
    with _opened(sound.path) as (container, stream):
        assert stream is not None  # or it could not be opened
        context = stream.codec_context
        named = context.codec.canonical_name
        # AAC without a header of its own is that of broadcasts
        copied = named in _COPIED[kind] and (named != "aac" or context.extradata)
        packets = (_copied if copied else _encoded)(target, container, stream, sound, seconds)
        first = next(packets, None)
        if first is not None:
            yield first
            yield from packets
    if first is None:
        raise UserError(
            f"{sound.path} has no sound in the {seconds:.2f} s of the video; expected some. Give "
            "--audio none, or another file."
        )


def _copied(
    target: OutputContainer,
    container: InputContainer,
    stream: AudioStream,
    sound: Sound,
    seconds: float,
) -> Iterator[tuple[float, av.Packet[Any]]]:
    """Yield packets as they are, those that end by the end of the video."""
    out = target.add_stream_from_template(stream)
    assert stream.time_base is not None
    shift = round(sound.start / stream.time_base)
    for packet in guarded(sound.path, container.demux(stream)):
        if packet.pts is None or packet.dts is None:
            continue
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        begin = float(packet.pts * stream.time_base)
        end = begin + float((packet.duration or 0) * stream.time_base)
        if end < -_PRIMING:
            continue
        if end > seconds + 1e-3:
            break
        packet.stream = out
        yield begin, packet


def _encoded(
    target: OutputContainer,
    container: InputContainer,
    stream: AudioStream,
    sound: Sound,
    seconds: float,
) -> Iterator[tuple[float, av.Packet[Any]]]:
    """Yield packets of AAC or Opus, in one or two channels, cut to the sample."""
    kind = target.format.name
    rate = stream.rate if kind == "mp4" and stream.rate in _RATES else _OPUS_RATE
    layout = "mono" if stream.channels == 1 else "stereo"
    out: Any = target.add_stream(_ENCODED[kind], rate=rate)
    out.layout, out.bit_rate = layout, _BIT_RATE
    resampler, total = AudioResampler("fltp", layout, rate), round(seconds * rate)
    at: int | None = None
    for frame in guarded(sound.path, container.decode(stream)):
        if at is None:
            at = round(((frame.time or 0.0) - sound.start) * rate)
        if at >= total:
            break
        for piece in resampler.resample(frame):
            samples = piece.to_ndarray()[:, max(0, -at) : max(0, total - at)]  # (C, n)
            begin = max(0, at)
            at += piece.samples
            if not samples.size:
                continue
            wave = np.ascontiguousarray(samples, np.float32)
            cut = av.AudioFrame.from_ndarray(wave, "fltp", layout)
            cut.rate, cut.pts, cut.time_base = rate, begin, Fraction(1, rate)
            yield from _timed(out.encode(cut))
    yield from _timed(out.encode(None))


def _timed(packets: list[av.Packet[Any]]) -> Iterator[tuple[float, av.Packet[Any]]]:
    for packet in packets:
        if packet.pts is not None:
            yield float(packet.pts * packet.time_base), packet


def verify_sound(written: Path, shown: Path, sound: Sound, seconds: float) -> None:
    """Read the sound of a video back and refuse it if it is not as long as it should be.

    Args:
        written: The file.
        shown: What to call it in messages.
        sound: Where it comes from.
        seconds: Length of the video.
    """
    read = _length(written, 0.0, math.inf)
    expected = _length(sound.path, sound.start, seconds)
    if abs(read - expected) > _TOLERANCE:
        raise UserError(
            f"{shown} was not written: its sound is {read:.2f} s long; expected {expected:.2f} s.",
            ExitCode.IO,
        )


def _length(path: Path, start: float, seconds: float) -> float:
    """Return the seconds of sound that can be decoded of a part of a file."""
    length = 0.0
    with _opened(path) as (container, stream):
        if stream is None:
            return length
        for frame in guarded(path, container.decode(stream)):
            begin = (frame.time or 0.0) - start
            if begin >= seconds:
                break
            end = begin + frame.samples / frame.sample_rate
            length += max(0.0, min(end, seconds) - max(begin, 0.0))
    return length
