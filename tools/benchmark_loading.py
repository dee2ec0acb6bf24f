"""Print how many training samples one core loads per second: pictures, videos, the frame cache.

OMP_NUM_THREADS=1 python tools/benchmark_loading.py [ROUNDS]

A sample is a source and a target frame, and the drawn pose of the target. The straightforward
loader opens both PNG files with Pillow and resizes each bicubically. All loaders take turns on the
same samples of the bundled sample (210 x 260), in one process with one thread; the ratio to the
straightforward loader is the median over the rounds, with its 95 % bootstrap interval. Files are in
the page cache of the system: what is measured is computing, not the disk.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from signgen.config.data import DataConfig
from signgen.config.model import tiny_fpdm
from signgen.data.dataset import ManifestDataset, open_dataset
from signgen.data.examples.loading import TripletDataset, to_pixels
from signgen.data.frame_cache.reading import FrameCache
from signgen.data.frame_cache.writing import write_cache
from signgen.media import VideoWriter
from signgen.media.resizing import resize_image
from signgen.structures import FrameRef, Triplet

SIZES = ((256, 256), (512, 512), (128, 104))
SAMPLES = 24
BASE = "straightforward"
Task = Callable[[int], object]


def as_videos(pictures: ManifestDataset, folder: Path) -> ManifestDataset:
    """Encode the clips of a dataset and return the same dataset with videos in their place."""
    entries = []
    for entry in pictures.manifest.split("train"):
        name = f"{entry.record.id}.mp4"
        with VideoWriter(folder / name, entry.fps, entry.size) as writer:
            for index in range(entry.record.num_frames):
                writer.write(pictures.frame(FrameRef(entry.record, index)))
        entries.append(replace(entry, frames=name))
    return ManifestDataset(replace(pictures.manifest, root=folder, entries=tuple(entries)))


def straightforward(dataset: ManifestDataset, ref: FrameRef, size: tuple[int, int]) -> np.ndarray:
    """Read and resize a frame as most loaders do."""
    path = dataset.manifest.root / dataset.entry(ref.record).frame_path(ref.index)
    with Image.open(path) as picture:
        small = picture.convert("RGB").resize((size[1], size[0]), Image.Resampling.BICUBIC)
        return np.array(small)


def draw(dataset: TripletDataset, triplet: Triplet) -> np.ndarray:
    """Draw the pose of a target as `TripletDataset` does."""
    return dataset.drawing.draw(dataset.adapter.pose(triplet.target))


def tasks(
    pictures: ManifestDataset, videos: ManifestDataset, cache: FrameCache
) -> tuple[dict[str, Task], dict[str, Task]]:
    """Return what to measure: for the frames of a sample, and for whole samples."""
    size = cache.index.size
    model = replace(tiny_fpdm(), size=size)
    config = DataConfig(workers=0)
    plain = TripletDataset(pictures, config, model, 1)
    moving = TripletDataset(videos, config, model, 1)
    cached = TripletDataset(pictures, replace(config, frame_cache=str(cache.folder)), model, 1)

    def both(read: Callable[[FrameRef], object]) -> Task:
        def task(position: int) -> None:
            triplet = plain.triplet(position)
            read(triplet.source)
            read(triplet.target)

        return task

    def whole(position: int) -> None:
        triplet = plain.triplet(position)
        for ref in (triplet.source, triplet.target):
            to_pixels(straightforward(pictures, ref, size))
        torch.from_numpy(draw(plain, triplet).copy()).permute(2, 0, 1).float().div(255)

    frames = {
        BASE: both(lambda ref: straightforward(pictures, ref, size)),
        "pictures": both(lambda ref: resize_image(pictures.frame(ref), size, model.resize)),
        "videos": both(lambda ref: resize_image(videos.frame(ref), size, model.resize)),
        "cache": both(lambda ref: cache.frame(ref).copy()),
    }
    samples: dict[str, Task] = {
        BASE: whole,
        "pictures": plain.__getitem__,
        "videos": moving.__getitem__,
        "cache": cached.__getitem__,
        "drawing the pose alone": lambda position: draw(plain, plain.triplet(position)),
    }
    return frames, samples


def measure(measured: dict[str, Task], rounds: int) -> None:
    """Let the loaders take turns, and print samples per second of CPU and the ratios."""
    seconds: dict[str, list[float]] = {name: [] for name in measured}
    for turn in range(rounds + 1):
        for name, task in measured.items():
            start = time.process_time()
            for position in range(turn * SAMPLES, (turn + 1) * SAMPLES):
                task(position)
            # The first turn fills caches and is not counted.
            if turn:
                seconds[name].append(time.process_time() - start)
    base, numbers = np.array(seconds[BASE]), np.random.default_rng(0)
    for name, spent in seconds.items():
        ratios = base / np.array(spent)
        again = np.median(numbers.choice(ratios, (2000, len(ratios))), 1)
        low, high = np.percentile(again, (2.5, 97.5))
        print(
            f"    {name:<24} {SAMPLES / np.median(spent):8.0f} per second"
            f"   x {np.median(ratios):6.2f} ({low:.2f} to {high:.2f})"
        )


def main() -> None:
    """Measure every size."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = open_dataset("sample", ("train",))
        (folder / "videos").mkdir()
        videos = as_videos(pictures, folder / "videos")
        for size in SIZES:
            cache = write_cache(pictures, ("train",), folder / f"{size[0]}", size)
            frames, samples = tasks(pictures, videos, cache)
            print(f"{size[0]} x {size[1]} (height x width)")
            print("  source and target frame, as pixels of this size")
            measure(frames, rounds)
            print("  whole sample, as tensors, with the drawn pose")
            measure(samples, rounds)


if __name__ == "__main__":
    main()
