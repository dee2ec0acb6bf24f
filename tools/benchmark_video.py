"""Print how many frames of video files each backend decodes per second, in order and at random.

OMP_NUM_THREADS=1 python tools/benchmark_video.py [FILE ...]

Without files it makes clips: 210 x 260 pixels with key frames every 12 and 250 frames in H.264 and
in VP9, and 1280 x 720. Backends take turns in one process with one decoder thread each; shown are
the median and, in brackets, least and most of all rounds, per second of CPU time: clocks on the
wall also count the rest of the machine. decord is left out where it is not installed or would give
other frames.
"""

from __future__ import annotations

import importlib.util
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

from signgen.errors import UserError
from signgen.media import Backend, VideoReader, open_video, read_video

ROUNDS = 7
PICKS = 40
CLIPS = {
    "h264-gop12.mp4": ("libx264", {"g": "12"}, (260, 210), 250),
    "h264-gop250.mp4": ("libx264", {"g": "250"}, (260, 210), 250),
    "vp9-gop12.webm": ("libvpx-vp9", {"g": "12", "deadline": "realtime"}, (260, 210), 250),
    "h264-720p.mp4": ("libx264", {"g": "50"}, (720, 1280), 100),
}


def pictures(count: int, height: int, width: int) -> Iterator[np.ndarray]:
    """Yield a moving texture on a moving ramp: some work for every part of a decoder."""
    cells = np.random.default_rng(0).integers(0, 99, (height // 8 + 1, width // 8 + 1, 3))
    texture = cells.repeat(8, 0).repeat(8, 1)[:height, :width]
    y, x = np.mgrid[:height, :width]
    ramps = np.stack([x * 150 // width, y * 150 // height, (x + y) % 150], -1)
    for t in range(count):
        yield (np.roll(ramps, 3 * t, 1) + np.roll(texture, 2 * t, 0)).astype(np.uint8)


def make(folder: Path) -> list[Path]:
    """Encode the clips."""
    for name, (codec, options, size, count) in CLIPS.items():
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, rate=25, options=options)
            assert isinstance(stream, VideoStream)
            stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
            for picture in pictures(count, *size):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
    return [folder / name for name in CLIPS]


def backends(path: Path) -> list[Backend]:
    """List the backends that read a file."""
    found: list[Backend] = ["pyav"]
    if importlib.util.find_spec("decord") is not None:
        try:
            open_video(path, "decord").frame(0)
            found.append("decord")
        except UserError as error:
            print(f"  (without decord: {error})")
    return found


def in_order(reader: VideoReader) -> int:
    """Read all frames of an open video, from the first."""
    for index in range(len(reader)):
        reader.frame(index)
    return len(reader)


def at_random(reader: VideoReader, seed: int) -> int:
    """Read frames of an open video in random order."""
    numbers = random.Random(seed)
    for _ in range(PICKS):
        reader.frame(numbers.randrange(len(reader)))
    return PICKS


def first_frame(path: Path, backend: Backend, seed: int) -> int:
    """Open a video anew for each of some random frames."""
    numbers, count = random.Random(seed), len(open_video(path))
    for _ in range(PICKS // 4):
        open_video(path, backend).frame(numbers.randrange(count))
    return PICKS // 4


def main() -> None:
    """Measure the files that are named, or clips made for it."""
    with tempfile.TemporaryDirectory() as folder:
        for path in [Path(name) for name in sys.argv[1:]] or make(Path(folder)):
            print(f"{path.name}: {len(open_video(path))} frames, {open_video(path).size}")
            report(path)


def report(path: Path) -> None:
    """Measure one file and print a row for each way to read it."""
    readers = {backend: open_video(path, backend) for backend in backends(path)}
    tasks: dict[str, Callable[[int], int]] = {
        "in order, read_video": lambda _: sum(1 for _ in read_video(path))
    }
    for backend, reader in readers.items():
        tasks[f"in order, {backend}"] = lambda _, reader=reader: in_order(reader)  # type: ignore[misc]
    for backend, reader in readers.items():
        tasks[f"random, {backend}"] = lambda seed, reader=reader: at_random(reader, seed)  # type: ignore[misc]
    for backend in readers:
        tasks[f"open and random, {backend}"] = lambda seed, backend=backend: first_frame(  # type: ignore[misc]
            path, backend, seed
        )
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
    for seed in range(ROUNDS):
        for name, task in tasks.items():
            wall, cpu = time.perf_counter(), time.process_time()
            count = task(seed)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            rates[name].append((count / cpu, count / wall))
    for name, measured in rates.items():
        values = np.array(measured)
        middle, least, most = np.median(values, 0), values.min(0), values.max(0)
        print(
            f"  {name:<26} {middle[0]:7.0f} per second of CPU ({least[0]:.0f} to {most[0]:.0f}), "
            f"{middle[1]:.0f} on the clock"
        )


if __name__ == "__main__":
    main()
