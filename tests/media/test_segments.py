"""Growing videos: playable at any time, the same bytes however often they were stopped."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from signgen.errors import UserError
from signgen.media import probe_video, read_comment, read_video
from signgen.media.alpha import read_alpha
from signgen.media.segments import append_segment, finish_segments


def noise(count: int, size: tuple[int, int] = (47, 34)) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    grain = random.integers(0, 40, (count, *size, 1)).repeat(3, -1)
    return [(grain[t] + 3 * t % 200).astype(np.uint8) for t in range(count)]


@pytest.mark.parametrize("fps", [8, 25, 29.97, 33.3])
def test_segments_become_an_ordinary_video(tmp_path: Path, fps: float) -> None:
    frames, grown, out = noise(21), tmp_path / "grown.mp4", tmp_path / "out.mp4"
    length = 0
    for first in range(0, 21, 8):
        length = append_segment(grown, length, frames[first : first + 8], first, fps)
        # It can be played now, and with the beginning of a lost segment behind it
        assert len(list(read_video(grown))) == min(first + 8, 21)
        assert grown.stat().st_size == length
        with grown.open("ab") as file:
            file.write(grown.read_bytes()[-300:-100])
    finish_segments(grown, length, out, 21, fps, {"seed": 4}, tmp_path / "a.mp4")
    info = probe_video(out, count=True)
    assert (info.num_frames, info.size) == (21, (48, 34))
    assert info.fps == pytest.approx(fps, abs=1e-3)
    assert read_comment(out) == {"seed": 4}
    for frame, shown in zip(frames, read_video(out), strict=True):
        assert np.abs(frame.astype(int) - shown[:47]).mean() < 6
    with av.open(str(out)) as container:
        times = [frame.time for frame in container.decode(video=0)]
        assert times == pytest.approx([t / info.fps for t in range(21)], abs=1e-3)
    assert out.read_bytes().index(b"moov") < out.read_bytes().index(b"mdat")


def test_bytes_do_not_depend_on_stops(tmp_path: Path) -> None:
    frames, files = noise(10), []
    for name, lost in (("a", False), ("b", True)):
        grown, out = tmp_path / f"{name}.grown.mp4", tmp_path / f"{name}.mp4"
        length = append_segment(grown, 0, frames[:8], 0, 25)
        if lost:
            append_segment(grown, length, frames[8:9], 8, 25)
        length = append_segment(grown, length, frames[8:], 8, 25)
        finish_segments(grown, length, out, 10, 25, {}, out)
        files.append(out.read_bytes())
    assert files[0] == files[1]
    assert json.dumps({}).encode() in files[0]


def test_a_lost_frame_is_noticed(tmp_path: Path) -> None:
    length = append_segment(tmp_path / "grown.mp4", 0, noise(4), 0, 25)
    with pytest.raises(UserError, match="expected \\(5, "):
        finish_segments(
            tmp_path / "grown.mp4", length, tmp_path / "a.mp4", 5, 25, {}, tmp_path / "a.mp4"
        )


def test_opacity_survives_and_bytes_do_not_depend_on_stops(tmp_path: Path) -> None:
    rows = np.mgrid[:47, :34][0]
    frames = [
        np.dstack([frame, np.clip(9 * rows - 20 * t, 0, 255).astype(np.uint8)])
        for t, frame in enumerate(noise(10))
    ]
    files = []
    for name, lost in (("a", False), ("b", True)):
        grown, out = tmp_path / f"{name}.grown.webm", tmp_path / f"{name}.webm"
        whole = append_segment(grown, 0, frames[:6], 0, 29.97)
        if lost:
            append_segment(grown, whole, frames[6:8], 6, 29.97)
            assert len(list(read_video(grown))) == 8
        length = append_segment(grown, whole, frames[6:], 6, 29.97)
        finish_segments(grown, length, out, 10, 29.97, {"seed": 4}, out)
        files.append(out.read_bytes())
    assert files[0] == files[1]
    assert read_comment(out) == {"seed": 4}
    info = probe_video(out, count=True)
    assert (info.num_frames, info.size) == (10, (48, 34))
    assert info.fps == pytest.approx(30000 / 1001, abs=1e-3)
    for frame, read in zip(frames, read_alpha(out), strict=True):
        assert np.abs(frame[..., 3].astype(int) - read[:47, :, 3]).mean() < 2
        assert np.abs(frame[..., :3].astype(int) - read[:47, :, :3]).mean() < 12


def test_a_video_without_opacity_has_none(tmp_path: Path) -> None:
    length = append_segment(tmp_path / "a.mp4", 0, noise(2), 0, 25)
    assert length
    with pytest.raises(UserError, match=r"a\.mp4 has no opacity"):
        next(read_alpha(tmp_path / "a.mp4"))
