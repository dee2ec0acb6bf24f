"""Writing video: rates, odd sizes, fidelity, interruption, and nothing half-written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_output
from signgen.media import VideoWriter, probe_video, read_video, write_video
from signgen.media.writer import exact_rate


def smooth_frames(count: int, height: int, width: int) -> list[np.ndarray]:
    """Colour ramps that drift: nothing an encoder finds hard."""
    y, x = np.mgrid[:height, :width]
    ramps = (x * 255 / width, y * 255 / height)
    blues = [np.full((height, width), 20.0 + 5 * t) for t in range(count)]
    return [np.stack([*ramps, blue], -1).astype(np.uint8) for blue in blues]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b.astype(float)) ** 2)))


@pytest.mark.parametrize("size", [(261, 210), (47, 33), (260, 210)])
@pytest.mark.parametrize("fps", [8, 12, 25, 29.97, 50])
def test_what_is_written_is_read_back(tmp_path: Path, fps: float, size: tuple[int, int]) -> None:
    frames, path = smooth_frames(5, *size), tmp_path / "clip.mp4"
    write_video(path, iter(frames), fps)
    even = (size[0] + size[0] % 2, size[1] + size[1] % 2)
    info, counted = probe_video(path), probe_video(path, count=True)
    read = list(read_video(path))
    assert info == counted
    assert (info.size, info.num_frames, len(read)) == (even, 5, 5)
    assert info.fps == pytest.approx(fps, abs=1e-3)
    assert (read[0].shape, read[0].dtype) == ((*even, 3), np.uint8)
    for written, decoded in zip(frames, read, strict=True):
        assert psnr(written, decoded[: size[0], : size[1]]) > 35
        # The padding of an odd frame repeats its edge.
        for edge, beside in ((decoded[-1], decoded[-2]), (decoded[:, -1], decoded[:, -2])):
            assert np.abs(edge.astype(int) - beside).mean() < 3
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]


def test_the_file_is_h264_yuv420p_faststart_with_metadata(tmp_path: Path) -> None:
    metadata = {"seed": 4, "name": "Zoë"}
    for name in ("a.mp4", "b.mp4"):
        with VideoWriter(tmp_path / name, 25, (32, 48), metadata) as writer:
            for frame in smooth_frames(3, 32, 48):
                writer.write(frame)
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert json.loads(container.metadata["comment"]) == metadata
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert data == (tmp_path / "b.mp4").read_bytes()


def test_rates_are_exact_fractions() -> None:
    rates = {29.97: (30000, 1001), 23.976: (24000, 1001), 12.5: (25, 2), 25: (25, 1)}
    for fps, (numerator, denominator) in rates.items():
        assert exact_rate(fps) == Fraction(numerator, denominator)
    for fps in (0, -1, 241, float("nan"), float("inf")):
        with pytest.raises(UserError, match="1 to 240"):
            exact_rate(fps)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError, UserError])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"old")

    def interrupted() -> Iterator[np.ndarray]:
        yield np.zeros((32, 32, 3), np.uint8)
        raise interruption("stop")

    with pytest.raises(interruption, match="stop"):
        write_video(path, interrupted(), 25)
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]
    assert path.read_bytes() == b"old"


def test_no_frames_and_wrong_frames_leave_nothing(tmp_path: Path) -> None:
    path, grey = tmp_path / "a.mp4", np.zeros((32, 32, 3), np.uint8)
    with pytest.raises(UserError, match="no frames"), VideoWriter(path, 25, (32, 32)):
        pass
    with pytest.raises(UserError, match="no frames"):
        write_video(path, [], 25)
    for second in (grey[:30], grey[..., :2], grey.astype(np.float32), None):
        with pytest.raises(UserError, match=r"a\.mp4 was not written: frame 1: .* expected"):
            write_video(path, [grey, second], 25)  # type: ignore[list-item]
    with pytest.raises(RuntimeError, match="inside a with block"):
        VideoWriter(path, 25, (32, 32)).write(grey)
    assert list(tmp_path.iterdir()) == []


def test_outputs_that_cannot_be_created_are_refused_before_work(tmp_path: Path) -> None:
    def never() -> Iterator[np.ndarray]:
        pytest.fail("a frame was asked for")
        yield

    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.mp4").mkdir()
    for bad in ("file/out.mp4", "missing/out.mp4", "folder.mp4", "a\0b.mp4", "out.avi"):
        with pytest.raises(UserError) as caught:
            write_video(tmp_path / bad, never(), 25)
        expected = ExitCode.USAGE if bad == "out.avi" else ExitCode.CANNOT_CREATE
        assert caught.value.code == expected, bad
    with pytest.raises(UserError), VideoWriter(tmp_path / ("x" * 300 + ".mp4"), 25, (32, 32)):
        pass
    with pytest.raises(UserError) as caught:
        check_output(Path("/dev/null"))
    assert caught.value.code == ExitCode.CANNOT_CREATE
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.mp4"]
