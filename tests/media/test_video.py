"""Reading video and folders of pictures in order: damaged, foreign and truncated files."""

from __future__ import annotations

import os
import random
import struct
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from signgen.errors import ExitCode, UserError
from signgen.media import (
    VideoWriter,
    looks_like_video,
    open_video,
    probe_video,
    read_frames,
    read_video,
    save_image,
    write_video,
)
from tests.material.places import REAL, needs_real
from tests.material.recordings import ramps, record_video


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


@pytest.mark.filterwarnings("ignore")
def test_mutated_videos_raise_user_errors_only(tmp_path: Path) -> None:
    write_video(tmp_path / "seed.mp4", ramps(8), 25)
    data = (tmp_path / "seed.mp4").read_bytes()
    path = tmp_path / "mutated.mp4"
    random_numbers = random.Random(1)
    outcomes: list[int | str] = []
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


def test_errors_of_the_consumer_and_too_many_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_video(tmp_path / "clip.mp4", ramps(3, 64), 25)

    def consumer() -> None:
        for _ in read_video(tmp_path / "clip.mp4"):
            raise IndexError("mine")

    with pytest.raises(IndexError, match="mine"):
        consumer()
    monkeypatch.setattr("signgen.media.decoding.MAX_PIXELS", 4000)
    with pytest.raises(UserError, match="limit is 4000"):
        list(read_video(tmp_path / "clip.mp4"))


@needs_real
def test_real_animated_gif() -> None:
    frames = read_frames(min((REAL / "fpdm_phoenix_strips").glob("*.gif")))
    assert frames.fps > 0
    assert sum(1 for _ in frames) >= 10


# x' = a x + c y and y' = b x + d y of the display matrix, and the picture that is shown
@pytest.mark.parametrize(
    ("a", "b", "c", "d", "shown"),
    [
        (1, 0, 0, 1, lambda p: p),
        (-1, 0, 0, 1, np.fliplr),
        (1, 0, 0, -1, np.flipud),
        (-1, 0, 0, -1, lambda p: np.rot90(p, 2)),
        (0, 1, -1, 0, lambda p: np.rot90(p, -1)),
        (0, -1, 1, 0, lambda p: np.rot90(p, 1)),
        (0, 1, 1, 0, lambda p: p.swapaxes(0, 1)),
        (0, -1, -1, 0, lambda p: np.rot90(p, 2).swapaxes(0, 1)),
    ],
)
def test_pictures_are_turned_and_mirrored_as_the_file_says(tmp_path, a, b, c, d, shown):
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[:16, :24], picture[:16, 24:], picture[16:, :24] = 250, 160, 80
    path = tmp_path / "a.mp4"
    with VideoWriter(path, 25.0, (32, 48), crf=0) as writer:
        writer.write(picture)
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 44
    data[place : place + 36] = struct.pack(
        ">9i", *(round(v * 65536) for v in (a, b, 0, c, d, 0, 0, 0)), 1 << 30
    )
    path.write_bytes(data)
    (frame,) = read_video(path)
    expected = shown(picture)
    assert frame.shape == expected.shape == (*probe_video(path).size, 3)
    assert np.abs(frame.astype(int) - expected).max() < 12


def test_pictures_are_no_videos(tmp_path):
    for suffix in ("png", "jpg", "webp", "bmp"):
        Image.new("RGB", (8, 8)).save(tmp_path / f"a.{suffix}")
        assert not looks_like_video(tmp_path / f"a.{suffix}")
    assert looks_like_video(record_video(tmp_path / "a.avi", "mpeg4", [0, 40]))


def test_pipes_are_no_videos(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    assert not looks_like_video(tmp_path / "a.mp4")
    assert not looks_like_video("/dev/zero")
    with pytest.raises(UserError, match="not a regular file"):
        probe_video(tmp_path / "a.mp4")


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_recordings_of_browsers_have_the_rate_of_their_times(tmp_path: Path, codec: str) -> None:
    jitter = np.random.default_rng(1).integers(-6, 7, 30)
    times = [100 + round(1000 * t / 30) + int(jitter[t]) for t in range(30)]
    path = record_video(tmp_path / "browser.webm", codec, times, declared=False)
    expected = 29 / (times[-1] - times[0]) * 1000
    for fps in (probe_video(path).fps, open_video(path).fps):
        assert fps == pytest.approx(expected, abs=1e-3)
    assert read_frames(path).remarks == ()


def test_uneven_times_give_one_rate_in_every_container_and_a_warning(tmp_path: Path) -> None:
    times = [0, 40, 80, 120, 600, 640, 680, 1160, 1200, 1240]
    for name in ("a.mp4", "a.mkv"):
        path = record_video(tmp_path / name, "libx264", times)
        info = probe_video(path)
        assert info.fps == pytest.approx(9 / 1.24, rel=0.02)
        assert info.drift > 1
        (remark,) = read_frames(path).remarks
        assert "has no constant frame rate" in remark
        assert open_video(path).remarks == (remark,)


def test_pixels_that_are_not_square_are_said(tmp_path: Path) -> None:
    path = record_video(tmp_path / "a.mp4", "libx264", [0, 40, 80], stretch=Fraction(16, 15))
    (remark,) = read_frames(path).remarks
    assert "a.mp4 has pixels 1.07 times as wide as high" in remark
    assert open_video(path).remarks == read_frames(path, constant_rate=25.0).remarks == (remark,)


def test_frames_that_are_days_apart_are_refused(tmp_path: Path) -> None:
    path = record_video(tmp_path / "a.mkv", "libx264", [0, 40, 80, 10**8])
    with pytest.raises(UserError, match=r"a\.mkv shows 4 frames in 100,000 seconds; expected at"):
        read_frames(path)
    with pytest.raises(UserError, match="shows 4 frames"):
        len(open_video(path))


def test_a_constant_rate_shows_each_frame_when_the_file_says(tmp_path: Path) -> None:
    times = [0, 40, 80, 280, 320, 330, 340, 400]
    path = record_video(tmp_path / "a.mkv", "libx264", times)
    one = [int(frame[0, 0, 0]) for frame in read_video(path)]
    at_25 = [int(frame[0, 0, 0]) for frame in read_frames(path, constant_rate=25.0)]
    #        0 40 80 120 .. 240 280 320 360 400: those of 330 and 340 are nearest to 320
    order = [0, 1, 2, 2, 2, 2, 2, 3, 6, 6, 7]
    assert at_25 == [one[number] for number in order]
    assert read_frames(path, constant_rate=25.0).fps == 25.0
    video = open_video(path, constant_rate=25.0)
    assert (list(video.numbers), video.fps, video.remarks) == (order, 25, ())
    assert [int(video.frame(index)[0, 0, 0]) for index in range(len(video))] == at_25
    with pytest.raises(UserError, match="frames 0 seconds apart, more than 1,000,000"):
        open_video(path, constant_rate=1e8).frame(0)
    even = record_video(tmp_path / "even.mp4", "libx264", [40 * t for t in range(8)])
    for one, two in zip(read_video(even), read_video(even, 25.0), strict=True):
        np.testing.assert_array_equal(one, two)


CODECS = {
    **{"a.mp4": "libx264", "a.mkv": "libx264", "a.webm": "libvpx", "b.webm": "libvpx-vp9"},
    "a.avi": "mpeg4",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CODECS)
def test_no_damage_makes_a_video_shorter_in_silence(tmp_path: Path, name: str) -> None:
    path = record_video(tmp_path / name, CODECS[name], [40 * t for t in range(12)])
    data, random_numbers = path.read_bytes(), random.Random(2)
    assert len(list(read_video(path))) == 12
    counts = set()
    for _ in range(60):
        path.write_bytes(mutate(data, random_numbers))
        with suppress(UserError):
            counts.add(len(list(read_video(path))))
    assert counts == {12}


@pytest.mark.parametrize(("name", "share"), [("a.mkv", 0.9), ("a.webm", 0.7), ("a.avi", 0.95)])
def test_a_shortfall_is_an_error_or_a_warning_with_counts(
    tmp_path: Path, name: str, share: float, caplog: pytest.LogCaptureFixture
) -> None:
    path = record_video(tmp_path / name, CODECS[name], [40 * t for t in range(12)])
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(
        UserError, match=r"holds \d+ frames, but the element .* about \d+"
    ) as caught:
        list(read_frames(path))
    frames = list(read_frames(path, strict=False))
    assert 1 < len(frames) < 12
    assert caplog.messages == [str(caught.value)]
    assert f"{name} holds {len(frames)} frames" in caplog.text


def test_packets_of_a_lost_track_are_missed(tmp_path: Path) -> None:
    path = record_video(tmp_path / "a.webm", "libvpx-vp9", [20 * t for t in range(12)])
    data = path.read_bytes()
    # The last SimpleBlock: its size, the number of its track, its time in the cluster
    time = (220).to_bytes(2)
    last = max(place for place in range(len(data)) if data[place : place + 3] == b"\x81" + time)
    path.write_bytes(data[:last] + b"\x82" + data[last + 1 :])
    with pytest.raises(UserError, match="holds 11 frames, but 1 of its 12 packets cannot be read"):
        list(read_video(path))


@pytest.mark.parametrize("name", ["a.mkv", "a.avi"])
def test_what_comes_after_a_video_harms_nothing(tmp_path: Path, name: str) -> None:
    path = record_video(tmp_path / name, CODECS[name], [40 * t for t in range(12)])
    path.write_bytes(path.read_bytes() + bytes(64))
    assert len(list(read_video(path))) == 12
