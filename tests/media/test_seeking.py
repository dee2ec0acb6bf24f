"""Frames of video files by number: the same pixels as `read_video`, whatever file and backend."""

from __future__ import annotations

import gc
import hashlib
import importlib.util
import multiprocessing
import pickle
import random
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from signgen.errors import ExitCode, UserError
from signgen.media import VideoReader, open_video, read_video, write_video
from tests.material.places import REAL, needs_real

needs_decord = pytest.mark.skipif(
    importlib.util.find_spec("decord") is None, reason="decord is not installed here"
)
BACKENDS = ["pyav", pytest.param("decord", marks=needs_decord)]


def pictures(count: int, height: int, width: int) -> list[np.ndarray]:
    """Moving ramps and a moving texture, every frame different."""
    texture = np.random.default_rng(0).integers(0, 99, (height // 4 + 1, width // 4 + 1, 3))
    texture = texture.repeat(4, 0).repeat(4, 1)[:height, :width]
    y, x = np.mgrid[:height, :width]
    ramps = np.stack([x * 150 // width, y * 150 // height, (x + y) % 150], -1)
    return [
        (np.roll(ramps, 3 * t, 1) + np.roll(texture, 2 * t, 0)).astype(np.uint8)
        for t in range(count)
    ]


def encode(
    path: Path,
    codec: str,
    options: dict[str, str],
    *,
    pixels: str = "yuv420p",
    times: Sequence[int] | None = None,
    size: tuple[int, int] = (260, 210),
    count: int = 40,
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = *size, pixels
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 100)
        for number, picture in enumerate(pictures(count, *size)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[number], Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def copy(source: Path, path: Path, shift: int = 0, rotation: int = 0) -> Path:
    """Copy a video without encoding: `shift` frames earlier, hidden by an edit list, or turned."""
    options = {"avoid_negative_ts": "disabled", "use_editlist": "1"}
    with av.open(str(source)) as old, av.open(str(path), "w", options=options) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        if rotation:
            stream.set_display_rotation(rotation)
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is not None and packet.pts is not None:
                ticks = int(shift / 25 / packet.time_base)
                packet.pts, packet.dts = packet.pts - ticks, packet.dts - ticks
                packet.stream = stream
                new.mux(packet)
    return path


UNEVEN = np.cumsum(np.random.default_rng(1).integers(1, 9, 40)).tolist()
BFRAMES = {"g": "12", "bf": "3"}
OPEN = {**BFRAMES, "x264-params": "open-gop=1"}
REFRESH = {"g": "12", "bf": "0", "x264-params": "intra-refresh=1"}
HEVC = {"x265-params": "log-level=none:keyint=12:open-gop=1"}
VPX = {"g": "15", "cpu-used": "8", "deadline": "realtime", "b": "300k"}
HIDDEN = {"g": "15", "cpu-used": "5", "lag-in-frames": "16", "auto-alt-ref": "1", "b": "300k"}

CLIPS: dict[str, tuple[str, dict[str, str], dict[str, object]]] = {
    "bframes.mp4": ("libx264", BFRAMES, {}),
    "long.mp4": ("libx264", {"g": "250", "bf": "3"}, {"count": 80, "size": (130, 106)}),
    "bframes.mkv": ("libx264", BFRAMES, {}),
    "bframes.avi": ("libx264", BFRAMES, {}),
    "bframes.ts": ("libx264", BFRAMES, {}),
    "open.mp4": ("libx264", OPEN, {}),
    "refresh.mp4": ("libx264", REFRESH, {}),
    "ten-bit.mp4": ("libx264", BFRAMES, {"pixels": "yuv420p10le"}),
    "full-range.mp4": ("libx264", BFRAMES, {"pixels": "yuvj420p"}),
    "uneven.mp4": ("libx264", BFRAMES, {"times": UNEVEN}),
    "uneven.mkv": ("libx264", BFRAMES, {"times": UNEVEN}),
    "hevc.mp4": ("libx265", HEVC, {"size": (130, 106)}),
    "vp9.webm": ("libvpx-vp9", VPX, {}),
    "vp9-hidden.webm": ("libvpx-vp9", HIDDEN, {}),
    "vp8-hidden.webm": ("libvpx", HIDDEN, {}),
    "mpeg4.avi": ("mpeg4", {"g": "12", "b": "800k"}, {}),
    "mpeg4-bframes.avi": ("mpeg4", {"g": "12", "bf": "2", "b": "800k"}, {}),
    "mpeg4-bframes.mp4": ("mpeg4", {"g": "12", "bf": "2", "b": "800k"}, {}),
    "mjpeg.avi": ("mjpeg", {"q": "3"}, {"pixels": "yuvj420p"}),
    "odd.avi": ("mjpeg", {"q": "3"}, {"pixels": "yuvj444p", "size": (47, 33)}),
    "picture.gif": ("gif", {}, {"pixels": "rgb8", "size": (64, 48)}),
    "narrow.mp4": ("libx264", BFRAMES, {"size": (64, 48)}),
}
COPIES = {"edit.mp4": {"shift": 5}, "late.mp4": {"shift": -7}, "turned.mp4": {"rotation": 90}}
DECORD_SAME = {
    *("bframes.mp4", "long.mp4", "bframes.mkv", "full-range.mp4", "uneven.mp4", "uneven.mkv"),
    *("vp9.webm", "vp9-hidden.webm", "vp8-hidden.webm", "mjpeg.avi", "late.mp4", "turned.mp4"),
}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    made = {
        name: encode(folder / name, codec, options, **rest)
        for name, (codec, options, rest) in CLIPS.items()
    }
    made |= {name: copy(made["bframes.mp4"], folder / name, **how) for name, how in COPIES.items()}
    return made


def orders(count: int) -> list[list[int]]:
    """Random, backwards, with gaps, around the end."""
    numbers = random.Random(3)
    return [
        [numbers.randrange(count) for _ in range(15)],
        list(range(count))[::-3],
        sorted(numbers.sample(range(count), count // 3)),
        [count - 1, 0, count - 1, count - 2],
    ]


def same_as_reading_in_order(path: Path, backend: str) -> None:
    wanted = np.stack(list(read_video(path)))
    reader = open_video(path, backend)
    assert (len(reader), reader.size) == (len(wanted), wanted.shape[1:3])
    for order in orders(len(wanted)):
        for index in order:
            assert np.array_equal(reader.frame(index), wanted[index]), (path.name, index)


@pytest.mark.parametrize("name", [*CLIPS, *COPIES])
def test_every_frame_is_the_one_of_reading_in_order(name: str, clips: dict[str, Path]) -> None:
    same_as_reading_in_order(clips[name], "auto")


@needs_decord
@pytest.mark.parametrize("name", [*CLIPS, *COPIES])
def test_decord_gives_the_same_frames_or_is_refused(name: str, clips: dict[str, Path]) -> None:
    if name in DECORD_SAME:
        same_as_reading_in_order(clips[name], "decord")
    else:
        with pytest.raises(UserError, match="expected video_reader pyav") as caught:
            open_video(clips[name], "decord").frame(0)
        assert name in str(caught.value)


@needs_real
@pytest.mark.parametrize("backend", BACKENDS)
def test_real_videos(backend: str) -> None:
    for path in [*sorted((REAL / "autsl").glob("*.mp4")), REAL / "people" / "test_video.mp4"]:
        wanted = np.stack(list(read_video(path)))
        reader = open_video(path, backend)
        for index in (len(wanted) - 1, *random.Random(7).sample(range(len(wanted)), 12)):
            assert np.array_equal(reader.frame(index), wanted[index])
        assert len(reader) == len(wanted)


@pytest.mark.parametrize("name", ["bframes.mp4", "long.mp4"])
def test_reading_on_does_not_seek(name: str, clips: dict[str, Path]) -> None:
    reader = open_video(clips[name])
    seeking = reader._opened()
    starts: list[int] = []
    seek = seeking._seek
    seeking._seek = lambda start: starts.append(start.position) or seek(start)  # type: ignore[method-assign]
    for index in range(len(reader)):
        reader.frame(index)
    assert len(starts) == 1
    reader.frame(2)
    reader.frame(5)
    assert len(starts) == 2


def test_shapes_and_frames_that_are_not_there(clips: dict[str, Path]) -> None:
    reader = open_video(clips["turned.mp4"])
    assert (len(reader), reader.fps, reader.size) == (40, 25.0, (210, 260))
    assert reader.frame(np.int64(3)).dtype == np.uint8
    for index in (-1, 40, 10**9):
        with pytest.raises(UserError, match=rf"turned\.mp4 has 40 frames; frame {index} "):
            reader.frame(index)


def send_digest(reader: VideoReader, index: int, answers: multiprocessing.SimpleQueue) -> None:  # type: ignore[type-arg]
    answers.put(hashlib.sha256(reader.frame(index)).digest())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("method", "threads"), [("fork", 1), ("fork", 2), ("spawn", 1)])
def test_a_reader_that_was_used_works_in_other_processes(
    method: str, threads: int, backend: str, clips: dict[str, Path]
) -> None:
    reader = open_video(clips["bframes.mp4"], backend, threads=threads)
    before = [hashlib.sha256(reader.frame(index)).digest() for index in (30, 5)]
    context = multiprocessing.get_context(method)
    answers = context.SimpleQueue()
    workers = [
        context.Process(target=send_digest, args=(reader, index, answers), daemon=True)
        for index in (30, 30, 30)
    ]
    for worker in workers:
        worker.start()
    after = [hashlib.sha256(reader.frame(index)).digest() for index in (30, 5)]
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert after == before
    assert [answers.get() for _ in workers] == before[:1] * 3


def test_only_the_path_travels(clips: dict[str, Path]) -> None:
    reader = open_video(clips["bframes.mp4"])
    frame = reader.frame(7)
    assert len(pickle.dumps(reader)) < 1000
    assert np.array_equal(pickle.loads(pickle.dumps(reader)).frame(7), frame)


def test_bad_files_and_readers_are_named(
    tmp_path: Path, clips: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips["bframes.mp4"]
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video")
    monkeypatch.setitem(sys.modules, "decord", None)
    for read, message, code in (
        (lambda: len(open_video(tmp_path / "missing.mp4")), r"missing\.mp4", ExitCode.NO_INPUT),
        (lambda: len(open_video(tmp_path / "empty.mp4")), r"empty\.mp4", ExitCode.DATA),
        (lambda: len(open_video(tmp_path / "text.mp4")), r"text\.mp4", ExitCode.DATA),
        (lambda: open_video(path, "opencv"), "expected auto, pyav or decord", ExitCode.USAGE),
        (lambda: open_video(path, "decord"), "pip install decord==0.6.0", ExitCode.UNAVAILABLE),
    ):
        with pytest.raises(UserError, match=message) as caught:
            read()
        assert caught.value.code == code
    assert open_video(path).frame(3).shape == (260, 210, 3)
    monkeypatch.setattr("signgen.media.decoding.MAX_PIXELS", 4000)
    with pytest.raises(UserError, match="the limit is 4000"):
        open_video(path).frame(0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_truncated_video_is_an_error_and_not_a_short_clip(tmp_path: Path, backend: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (20, 64, 64, 3), np.uint8)
    write_video(tmp_path / "whole.mp4", noise, 25)
    data = (tmp_path / "whole.mp4").read_bytes()
    for share in (0.3, 0.6, 0.9, 0.99):
        (tmp_path / "cut.mp4").write_bytes(data[: int(len(data) * share)])
        with pytest.raises(UserError, match=r"cut\.mp4"):
            list(read_video(tmp_path / "cut.mp4"))
        with pytest.raises(UserError, match=r"cut\.mp4"):
            all_of(open_video(tmp_path / "cut.mp4", backend))


@pytest.mark.filterwarnings("ignore")
def test_mutated_videos_give_the_frames_of_reading_in_order_or_a_user_error(
    tmp_path: Path, clips: dict[str, Path]
) -> None:
    path, numbers = tmp_path / "mutated.mp4", random.Random(5)
    small = encode(tmp_path / "small.mp4", "libx264", BFRAMES, size=(32, 32), count=16)
    outcomes = {"same": 0, "both refuse": 0, "one refuses": 0}
    for _ in range(150):
        data = bytearray(small.read_bytes())
        for _ in range(numbers.choice((1, 20))):
            data[numbers.randrange(len(data))] = numbers.randrange(256)
        path.write_bytes(data)
        in_order = frames_or_none(lambda: list(read_video(path)))
        at_random = frames_or_none(lambda: all_of(open_video(path)))
        if in_order is not None and at_random is not None:
            assert np.array_equal(in_order, at_random)
            outcomes["same"] += 1
        else:
            outcomes["both refuse" if in_order is at_random else "one refuses"] += 1
    assert outcomes["same"] > 20
    assert outcomes["both refuse"] > 20
    assert outcomes["one refuses"] <= 5


def all_of(reader: VideoReader) -> list[np.ndarray]:
    return [reader.frame(index) for index in range(len(reader))]


def frames_or_none(read: Callable[[], list[np.ndarray]]) -> list[np.ndarray] | None:
    try:
        return read()
    except UserError as error:
        message = str(error)
    assert "mutated.mp4" in message
    assert "\n" not in message
    return None


def collect_and_read(
    reader: VideoReader,
    kept: list[VideoReader],
    answers: multiprocessing.SimpleQueue,  # type: ignore[type-arg]
) -> None:
    kept.clear()  # as a cache of readers drops the oldest
    gc.collect()
    answers.put(hashlib.sha256(reader.frame(5)).digest())


@pytest.mark.parametrize("backend", BACKENDS)
def test_forked_process_leaves_its_parents_readers_alone(
    backend: str, clips: dict[str, Path]
) -> None:
    reader = open_video(clips["bframes.mp4"], backend, threads=2)
    expected = hashlib.sha256(reader.frame(5)).digest()
    kept = [open_video(clips["bframes.mp4"], backend, threads=2) for _ in range(3)]
    circle: list[object] = [open_video(clips["bframes.mp4"], backend, threads=2)]
    circle.append(circle)
    for other in (*kept, circle[0]):
        assert isinstance(other, VideoReader)
        other.frame(20)
    gc.disable()
    try:
        del circle, other
        context = multiprocessing.get_context("fork")
        answers = context.SimpleQueue()
        worker = context.Process(target=collect_and_read, args=(reader, kept, answers), daemon=True)
        worker.start()
    finally:
        gc.enable()
    worker.join(60)
    assert worker.exitcode == 0
    assert answers.get() == expected
