"""Clips of the bundled sample: frames with their key points, and a part of it as a corpus."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from signgen.data.dataset import open_dataset
from signgen.data.manifest import SPLITS
from signgen.media import save_image
from signgen.media.resizing import resize_image
from signgen.pose.formats import write_poses
from signgen.pose.transforms import resize
from signgen.structures import FrameRef, PoseSequence


@dataclass(frozen=True)
class SampleClip:
    """Frames (T, H, W, 3) uint8 RGB and their poses."""

    frames: np.ndarray
    poses: PoseSequence


def sample_clip(number: int, frames: int = 12, size: tuple[int, int] = (260, 210)) -> SampleClip:
    """Read the first frames of a clip of the train split, at any size (H, W)."""
    dataset = open_dataset("sample", ("train",))
    record = dataset.records("train")[number]
    pictures = [dataset.frame(FrameRef(record, index)) for index in range(frames)]
    poses = resize(dataset.poses(record).frames(slice(frames)), size)
    return SampleClip(
        np.stack([resize_image(picture, size, "area") for picture in pictures]), poses
    )


def write_sample(root: Path, frames: int, size: tuple[int, int]) -> Path:
    """Write one clip of every split, shorter and smaller, in the PHOENIX-2014T layout."""
    dataset = open_dataset("sample")
    (root / "annotations" / "manual").mkdir(parents=True)
    for split in SPLITS:
        record = dataset.records(split)[0]
        folder = root / "features" / f"fullFrame-{size[1]}x{size[0]}px" / split / record.id
        folder.mkdir(parents=True)
        for index in range(frames):
            picture = resize_image(dataset.frame(FrameRef(record, index)), size, "area")
            save_image(folder / f"images{index + 1:04d}.png", picture)
        poses = root / "keypoints" / split / f"{record.id}.json"
        poses.parent.mkdir(parents=True)
        write_poses(resize(dataset.poses(record).frames(slice(frames)), size), poses)
        row = f"{record.id}|{record.id}/1/*.png|-1|-1|{record.signer}|{record.gloss}|{record.text}"
        table = root / "annotations" / "manual" / f"PHOENIX-2014-T.{split}.corpus.csv"
        table.write_text(f"name|video|start|end|speaker|orth|translation\n{row}\n", "utf-8")
    return root
