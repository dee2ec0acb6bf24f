"""Sound beside frames: copied or encoded, cut to the video's length, in step with it."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from signgen.errors import UserError
from signgen.media import probe_video
from signgen.media.audio import has_sound, open_sound
from signgen.media.segments import append_segment, finish_segments

RATE = 44_100
PIP = 0.5
"""Seconds at which the sound begins, after silence."""


def write_sound(path: Path, codec: str, seconds: float = 2.0, *, video: bool = False) -> None:
    """Write silence, then a tone."""
    rate = 48_000 if codec == "libopus" else RATE
    times = np.arange(round(seconds * rate)) / rate
    wave = np.where(times < PIP, 0, 0.5 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)
    with av.open(str(path), "w") as container:
        if video:
            shown = container.add_stream("libx264", rate=25)
            shown.width, shown.height, shown.pix_fmt = 32, 32, "yuv420p"
        stream = container.add_stream(codec, rate=rate)
        stream.layout = "mono"
        for index in range(round(seconds * 25) if video else 0):
            black = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
            black.pts = index
            container.mux(shown.encode(black))
        for first in range(0, len(wave), 1000):
            frame = av.AudioFrame.from_ndarray(wave[None, first : first + 1000], "fltp", "mono")
            frame.rate, frame.pts = rate, first
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if video:
            container.mux(shown.encode(None))


def muxed(tmp_path: Path, sound: Path, frames: int, fps: float, end: str = ".mp4") -> Path:
    shape = (32, 32, 4 if end == ".webm" else 3)
    pictures = [np.full(shape, 10 * t % 250, np.uint8) for t in range(frames)]
    grown, out = tmp_path / f"grown{end}", tmp_path / f"out{end}"
    length = append_segment(grown, 0, pictures, 0, fps)
    heard_with = open_sound(sound)
    finish_segments(grown, length, out, frames, fps, {"seed": 1}, out, sound=heard_with)
    return out


def heard(path: Path) -> tuple[str, float, float]:
    """Return the codec, the length in seconds and when the tone begins."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        pieces = [
            (frame.time, frame.rate, frame.to_ndarray()) for frame in container.decode(stream)
        ]
        name = stream.codec_context.codec.canonical_name
    start, rate = pieces[0][0], pieces[0][1]
    wave = np.concatenate([piece[2] for piece in pieces], axis=1)[0]
    wave = wave / (32768 if wave.dtype == np.int16 else 1)
    loud = np.flatnonzero(np.abs(wave) > 0.1)
    return name, start + len(wave) / rate, start + loud[0] / rate


@pytest.mark.parametrize(
    ("codec", "file", "end", "expected"),
    [
        ("aac", "a.m4a", ".mp4", "aac"),
        ("libmp3lame", "a.mp3", ".mp4", "mp3"),
        ("pcm_s16le", "a.wav", ".mp4", "aac"),
        ("flac", "a.flac", ".mp4", "aac"),
        ("libopus", "a.webm", ".webm", "opus"),
        ("aac", "a.m4a", ".webm", "opus"),
    ],
)
def test_sound_is_cut_to_the_video_and_in_step(
    tmp_path: Path, codec: str, file: str, end: str, expected: str
) -> None:
    write_sound(tmp_path / file, codec)
    out = muxed(tmp_path, tmp_path / file, 36, 30000 / 1001, end)
    info = probe_video(out, count=True)
    assert info.num_frames == 36
    name, seconds, begins = heard(out)
    assert name == expected
    assert 1.05 < seconds <= 1.2012 + 0.06
    assert begins == pytest.approx(PIP, abs=0.03)
    again = out.read_bytes()
    assert muxed(tmp_path, tmp_path / file, 36, 30000 / 1001, end).read_bytes() == again


def test_sound_of_a_video_shorter_than_the_frames_ends_before_them(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.mp4", "aac", 1.0, video=True)
    assert has_sound(tmp_path / "a.mp4")
    out = muxed(tmp_path, tmp_path / "a.mp4", 60, 25)
    name, seconds, begins = heard(out)
    assert (name, seconds, begins) == (
        "aac",
        pytest.approx(1.0, abs=0.06),
        pytest.approx(PIP, abs=0.03),
    )
    assert not has_sound(tmp_path / "grown.mp4")


def test_files_without_sound_are_refused(tmp_path: Path) -> None:
    append_segment(tmp_path / "silent.mp4", 0, [np.zeros((32, 32, 3), np.uint8)], 0, 25)
    with pytest.raises(UserError, match=r"silent\.mp4 has no sound"):
        open_sound(tmp_path / "silent.mp4")
    (tmp_path / "text.mp3").write_text("not a sound, whatever its name says")
    with pytest.raises(UserError, match=r"text\.mp3 is not a sound or video"):
        open_sound(tmp_path / "text.mp3")
    with pytest.raises(UserError, match="does not exist"):
        open_sound(tmp_path / "none.wav")
