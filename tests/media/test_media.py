"""Video in and out: rates, odd sizes, fidelity, interruption, damaged files."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_output
from signgen.media import VideoWriter, probe_video, read_frames, read_video, save_image
from signgen.media.writer import exact_rate

REAL = Path(__file__).resolve().parents[2] / ".." / "shared" / "real"


def smooth_frames(count: int, height: int, width: int) -> list[np.ndarray]:
    """Colour ramps that drift: nothing an encoder finds hard."""
    y, x = np.mgrid[:height, :width]
    ramps = (x * 255 / width, y * 255 / height)
    blues = [np.full((height, width), 20.0 + 5 * t) for t in range(count)]
    return [np.stack([*ramps, blue], -1).astype(np.uint8) for blue in blues]


def write(path: Path, frames: list[np.ndarray], fps: float = 25, **options: object) -> Path:
    with VideoWriter(path, fps, frames[0].shape[:2], **options) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b.astype(float)) ** 2)))


@pytest.mark.parametrize("size", [(261, 210), (47, 33), (260, 210)])
@pytest.mark.parametrize("fps", [8, 12, 16, 24, 25, 29.97, 30, 50])
def test_what_is_written_is_read_back(tmp_path: Path, fps: float, size: tuple[int, int]) -> None:
    frames = smooth_frames(5, *size)
    path = write(tmp_path / "clip.mp4", frames, fps)
    even = (size[0] + size[0] % 2, size[1] + size[1] % 2)
    info = probe_video(path)
    read = list(read_video(path))
    assert (info.size, info.num_frames, len(read)) == (even, 5, 5)
    assert info.fps == pytest.approx(fps, abs=1e-3)
    assert read[0].shape == (*even, 3)
    assert read[0].dtype == np.uint8
    for wrote, got in zip(frames, read, strict=True):
        assert psnr(wrote, got[: size[0], : size[1]]) > 35
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]


def test_the_padding_of_an_odd_frame_repeats_its_edge(tmp_path: Path) -> None:
    read = next(read_video(write(tmp_path / "odd.mp4", smooth_frames(1, 47, 33))))
    assert np.abs(read[47].astype(int) - read[46].astype(int)).mean() < 3
    assert np.abs(read[:, 33].astype(int) - read[:, 32].astype(int)).mean() < 3


def test_the_file_is_h264_yuv420p_faststart_with_metadata(tmp_path: Path) -> None:
    metadata = {"seed": 4, "name": "Zoë"}
    path = write(tmp_path / "clip.mp4", smooth_frames(3, 32, 32), metadata=metadata)
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert json.loads(container.metadata["comment"]) == metadata
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    frames = smooth_frames(4, 32, 48)
    first = write(tmp_path / "a.mp4", frames).read_bytes()
    assert write(tmp_path / "b.mp4", frames).read_bytes() == first


@pytest.mark.parametrize(
    ("fps", "exact"),
    [
        (29.97, Fraction(30000, 1001)),
        (23.976, Fraction(24000, 1001)),
        (12.5, Fraction(25, 2)),
        (25, Fraction(25)),
    ],
)
def test_rates_are_exact_fractions(fps: float, exact: Fraction) -> None:
    assert exact_rate(fps) == exact


@pytest.mark.parametrize("fps", [0, -1, 241, float("nan"), float("inf")])
def test_impossible_rates_are_refused(tmp_path: Path, fps: float) -> None:
    with pytest.raises(UserError, match="1 to 240"):
        VideoWriter(tmp_path / "a.mp4", fps, (32, 32))


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError, UserError])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"old")

    def interrupted_render() -> None:
        with VideoWriter(path, 25, (32, 32)) as writer:
            writer.write(np.zeros((32, 32, 3), np.uint8))
            raise interruption("stop")

    with pytest.raises(interruption, match="stop"):
        interrupted_render()
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]
    assert path.read_bytes() == b"old"


def test_no_frames_and_wrong_frames_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no frames"), VideoWriter(tmp_path / "a.mp4", 25, (32, 32)):
        pass
    with (
        pytest.raises(ValueError, match="expected"),
        VideoWriter(tmp_path / "a.mp4", 25, (32, 32)) as writer,
    ):
        writer.write(np.zeros((30, 32, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_outputs_that_cannot_be_created_are_refused_before_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.mp4").mkdir()
    for bad in ("file/out.mp4", "missing/out.mp4", "folder.mp4", "a\0b.mp4", "x" * 300 + ".mp4"):
        with pytest.raises(UserError) as caught:
            VideoWriter(tmp_path / bad, 25, (32, 32)).__enter__()
        assert caught.value.code in (ExitCode.CANNOT_CREATE, ExitCode.IO), bad
    with pytest.raises(UserError) as caught:
        check_output(Path("/dev/null"))
    assert caught.value.code == ExitCode.CANNOT_CREATE
    with pytest.raises(UserError) as caught:
        VideoWriter(tmp_path / "out.avi", 25, (32, 32))
    assert caught.value.code == ExitCode.USAGE
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.mp4"]


def test_bad_video_inputs_have_the_right_exit_code(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\n/etc/hostname\n#EXT-X-ENDLIST\n")
    (tmp_path / "join.txt").write_text("ffconcat version 1.0\nfile text.mp4\n")
    (tmp_path / "folder").mkdir()
    cases = {"missing.mp4": 66} | dict.fromkeys(
        ["empty.mp4", "text.mp4", "list.m3u8", "join.txt", "folder"], 65
    )
    for name, code in cases.items():
        with pytest.raises(UserError) as caught:
            read_frames(tmp_path / name)
        assert caught.value.code == code, name
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    for address in ("http://127.0.0.1/a.mp4", "concat:/etc/a|/etc/b", "https://127.0.0.1/a.mp4"):
        with pytest.raises(UserError) as caught:
            read_frames(address)
        assert caught.value.code == ExitCode.NO_INPUT


def test_a_truncated_video_is_an_error_and_not_a_short_clip(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (20, 64, 64, 3), np.uint8)
    data = write(tmp_path / "whole.mp4", list(noise)).read_bytes()
    for share in (0.3, 0.6, 0.9, 0.99):
        (tmp_path / "cut.mp4").write_bytes(data[: int(len(data) * share)])
        with pytest.raises(UserError, match=r"cut\.mp4"):
            list(read_video(tmp_path / "cut.mp4"))


@pytest.mark.filterwarnings("ignore")
def test_mutated_videos_raise_user_errors_only(tmp_path: Path) -> None:
    data = write(tmp_path / "seed.mp4", smooth_frames(8, 32, 32)).read_bytes()
    path = tmp_path / "mutated.mp4"
    random_numbers = random.Random(1)
    outcomes = []
    for _ in range(300):
        path.write_bytes(mutate(data, random_numbers))
        try:
            outcomes.append(sum(1 for _ in read_frames(path)))
        except UserError as error:
            outcomes.append(str(error))
    messages = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert len(messages) > 100
    assert all("mutated.mp4" in message and "\n" not in message for message in messages)
    assert outcomes.count(8) > 20
    # A changed edit list is a valid way to show fewer frames; nothing else may pass unnoticed.
    assert len(outcomes) - len(messages) - outcomes.count(8) <= 3


def mutate(data: bytes, random_numbers: random.Random) -> bytes:
    """Flip bytes, cut, insert or delete."""
    changed = bytearray(data)
    position = random_numbers.randrange(len(data))
    match random_numbers.randrange(5):
        case 0:
            changed[position] ^= 1 << random_numbers.randrange(8)
        case 1:
            for _ in range(20):
                changed[random_numbers.randrange(len(data))] = random_numbers.randrange(256)
        case 2:
            del changed[position:]
        case 3:
            changed[position:position] = random_numbers.randbytes(16)
        case _:
            changed[random_numbers.randrange(min(200, len(data)))] = random_numbers.randrange(256)
    return bytes(changed)


def test_a_folder_is_read_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        save_image(tmp_path / f"f{number}.png", np.full((8, 6, 3), number, np.uint8))
    (tmp_path / "createDnnTrainingLabels-profile.py.lprof").write_text("stray")
    (tmp_path / ".hidden.png").write_text("stray")
    frames = read_frames(tmp_path, fps=12)
    assert [int(frame[0, 0, 0]) for frame in frames] == [1, 2, 10]
    assert [int(frame[0, 0, 0]) for frame in frames] == [1, 2, 10], "can be iterated again"
    assert (frames.fps, frames.info.size, frames.info.num_frames) == (12, (8, 6), 3)
    save_image(tmp_path / "images0001.png", np.full((8, 6, 3), 7, np.uint8))
    assert [int(frame[0, 0, 0]) for frame in read_frames(tmp_path)] == [7], "PHOENIX layout wins"


def test_a_folder_of_two_sizes_or_a_broken_picture_is_an_error(tmp_path: Path) -> None:
    save_image(tmp_path / "1.png", np.zeros((8, 6, 3), np.uint8))
    save_image(tmp_path / "2.png", np.zeros((8, 7, 3), np.uint8))
    with pytest.raises(UserError, match=r"2\.png is 7 x 8"):
        list(read_frames(tmp_path))
    (tmp_path / "2.png").write_bytes(b"\x89PNG")
    with pytest.raises(UserError, match=r"2\.png"):
        list(read_frames(tmp_path))


def test_a_consumer_error_is_not_taken_for_damage(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mp4", smooth_frames(3, 32, 32))

    def consumer() -> None:
        for _ in read_video(path):
            raise IndexError("mine")

    with pytest.raises(IndexError, match="mine"):
        consumer()


def test_the_pixel_limit_holds_for_video(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mp4", smooth_frames(2, 64, 64))
    with pytest.raises(UserError, match="limit is 4000"):
        list(read_video(path, max_pixels=4000))


def test_real_animated_gif() -> None:
    gifs = sorted((REAL / "fpdm_phoenix_strips").glob("*.gif"))
    if not gifs:
        pytest.skip("the shared real samples are not beside this checkout")
    frames = read_frames(gifs[0])
    assert frames.fps > 0
    assert sum(1 for _ in frames) >= 10
