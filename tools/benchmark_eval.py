"""Print how many frames per second `signgen eval` scores, as a whole process, and its peak memory.

    OMP_NUM_THREADS=2 python tools/benchmark_eval.py [--frames 300 3000] [--rounds 5] [-- FLAGS]

A clip of the bundled sample, 210 x 260 pixels, of two lengths, as PNG folders and as MP4: 12 frames
that run forward and backward until the length is reached. What is scored is a blurred copy. Every
run is a new process, so start-up and decoding are in its time; runs of all clips take turns. Shown
are the median of the rounds with its 95 % bootstrap interval, processor seconds per second, and the
largest resident memory of the process; memory that does not grow with the length has a ratio of
about 1. Files are in the page cache of the system: what is measured is computing, not the disk.

FLAGS are those of `signgen eval`, `--hand-metrics` if none are given. Which metrics they make it
compute is read from the report of a run, and printed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.data.dataset import open_dataset
from signgen.evaluation.metrics.score import BOOTSTRAP_SEED, RESAMPLES
from signgen.media import VideoWriter, save_image
from signgen.pose.formats import write_poses
from signgen.structures import FrameRef, PoseSequence

DISTINCT = 12
FLAGS = ("--hand-metrics",)
KINDS = ("png", "mp4")
MEASURE = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
seconds = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([code, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""
"""Runs a command and tells what it used. A small process has to do so: the peak memory of a process
begins with the memory of the process that started it."""


@dataclass(frozen=True)
class Run:
    """What one run of the command took.

    Args:
        seconds: On the clock.
        processor: Seconds of processor time, of all threads.
        memory: Largest resident memory in MiB.
    """

    seconds: float
    processor: float
    memory: float


def there_and_back(count: int) -> Iterator[int]:
    """Yield `count` numbers of frames, forward and backward in turns, without a jump."""
    period = 2 * (DISTINCT - 1)
    for t in range(count):
        yield min(t % period, period - t % period)


def write_clips(folder: Path, count: int, clip: NDArray[np.uint8], poses: PoseSequence) -> None:
    """Write a clip of `count` frames, its blurred copy and its poses below a folder.

    Args:
        folder: New folder; gets `png/truth`, `png/generated`, `mp4/truth.mp4`, `mp4/generated.mp4`
            and `poses.npz`.
        count: Number of frames.
        clip: (DISTINCT, H, W, 3) frames.
        poses: Their poses.
    """
    order = list(there_and_back(count))
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 1.2) for frame in clip])
    for name, frames in (("truth", clip), ("generated", blurred.astype(np.uint8))):
        _write_pictures(folder / "png" / name, frames, order)
        video = folder / "mp4" / f"{name}.mp4"
        video.parent.mkdir(parents=True, exist_ok=True)
        size = (int(frames.shape[1]), int(frames.shape[2]))
        with VideoWriter(video, poses.fps, size) as writer:
            for index in order:
                writer.write(frames[index])
    write_poses(poses.frames(order), folder / "poses.npz")


def _write_pictures(folder: Path, frames: NDArray[np.uint8], order: Sequence[int]) -> None:
    """Write each picture once; where it is shown again stands a second name of the same file."""
    folder.mkdir(parents=True)
    first: dict[int, Path] = {}
    for t, index in enumerate(order):
        path = folder / f"{t:06}.png"
        if index in first:
            os.link(first[index], path)
        else:
            save_image(path, frames[index])
            first[index] = path


def run(folder: Path, kind: str, flags: Sequence[str], out: Path) -> Run:
    """Score the clip of a folder in a process of its own.

    Args:
        folder: Written by `write_clips`.
        kind: `png` or `mp4`.
        flags: Further flags of `signgen eval`.
        out: File of the report.

    Raises:
        SystemExit: If the command fails; its complaint is passed on.
    """
    suffix = ".mp4" if kind == "mp4" else ""
    paths = {
        "--generated": folder / kind / f"generated{suffix}",
        "--reference": folder / kind / f"truth{suffix}",
        "--poses": folder / "poses.npz",
        "--out": out,
    }
    words = [word for flag, path in paths.items() for word in (flag, str(path))]
    command = [sys.executable, "-m", "signgen", "eval", *words, *flags]
    words = [sys.executable, "-S", "-c", MEASURE, *command]
    finished = subprocess.run(words, capture_output=True, text=True, check=True)
    code, seconds, processor, memory = json.loads(finished.stdout)
    if code:
        sys.exit(finished.stderr.strip())
    # Linux counts in KiB, macOS in bytes.
    return Run(seconds, processor, memory / (1 << 20 if sys.platform == "darwin" else 1 << 10))


def middle(values: Sequence[float]) -> str:
    """Return the median with its 95 % bootstrap interval."""
    measured = np.array(values)
    numbers = np.random.default_rng(BOOTSTRAP_SEED)
    again = np.median(numbers.choice(measured, (RESAMPLES, len(measured))), axis=1)
    low, high = np.percentile(again, [2.5, 97.5])
    return f"{np.median(measured):7.1f} ({low:.1f} to {high:.1f})"


def report(runs: dict[tuple[str, int], list[Run]]) -> None:
    """Print a row for each clip, and the ratios of the lengths."""
    for (kind, count), measured in runs.items():
        rates = [count / run.seconds for run in measured]
        cores = np.median([run.processor / run.seconds for run in measured])
        memory = np.median([run.memory for run in measured])
        print(
            f"  {kind}, {count:5} frames: {middle(rates)} frames per second, "
            f"{cores:.2f} cores busy, peak {memory:.0f} MiB"
        )
    for kind in dict.fromkeys(kind for kind, _ in runs):
        counts = sorted(count for other, count in runs if other == kind)
        short, long = runs[kind, counts[0]], runs[kind, counts[-1]]
        further = [
            (counts[-1] - counts[0]) / (b.seconds - a.seconds)
            for a, b in zip(short, long, strict=True)
            if b.seconds > a.seconds
        ]
        growth = np.median([b.memory / a.memory for a, b in zip(short, long, strict=True)])
        if counts[0] < counts[-1] and further:
            print(
                f"  {kind}, start-up left out: {middle(further)} frames per second; peak memory "
                f"of {counts[-1]} over {counts[0]} frames: {growth:.3f}"
            )


def main() -> None:
    """Write the clips, let them take turns, and print what was measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", nargs="+", type=int, default=[300, 3000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("flags", nargs="*", metavar="FLAG", help="after --; for signgen eval")
    options = parser.parse_args()
    flags = options.flags or list(FLAGS)
    runs: dict[tuple[str, int], list[Run]] = {
        (kind, count): [] for kind in options.kinds for count in options.frames
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = open_dataset("sample", ("test",))
        record = dataset.records("test")[0]
        clip = np.stack([dataset.frame(FrameRef(record, index)) for index in range(DISTINCT)])
        for count in options.frames:
            write_clips(folder / str(count), count, clip, dataset.poses(record))
        out = folder / "report.json"
        for _ in range(options.rounds):
            for (kind, count), measured in runs.items():
                measured.append(run(folder / str(count), kind, flags, out))
        entries = json.loads(out.read_text("utf-8"))["metrics"]
    height, width = clip.shape[1:3]
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    print(f"signgen eval {' '.join(flags)}: {width} x {height}, {options.rounds} rounds")
    print(f"{os.cpu_count()} cores, OMP_NUM_THREADS {threads}")
    for key in ("name", "system"):
        print(f"{key}s: {', '.join(dict.fromkeys(entry[key] for entry in entries))}")
    report(runs)


if __name__ == "__main__":
    main()
