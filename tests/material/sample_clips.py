"""Clips of the bundled sample: frames with their key points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from signgen.data.dataset import open_dataset
from signgen.media.resizing import resize_image
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
