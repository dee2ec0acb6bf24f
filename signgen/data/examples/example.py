"""One training example, and how several become a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from signgen.structures import Batch, Guide

__all__ = ["Example", "box_mask", "collate"]


@dataclass(frozen=True)
class Example:
    """One training example: the fields of `Batch` without their first axis."""

    source: Tensor
    target: Tensor
    pose: Tensor
    hands: Tensor
    face: Tensor
    source_parts: Tensor | None = None
    target_parts: Tensor | None = None
    guide: Guide | None = None
    tower_source: Tensor | None = None
    tower_target: Tensor | None = None
    tower_pose: Tensor | None = None


def box_mask(boxes: Sequence[tuple[float, float, float, float]], size: tuple[int, int]) -> Tensor:
    """Return (1, H, W) float32, 1 inside the boxes (x0, y0, x1, y1) in pixels."""
    mask = torch.zeros(1, *size)
    for box in boxes:
        left, top = (max(0, int(edge)) for edge in box[:2])
        right, bottom = (max(0, int(np.ceil(edge))) for edge in box[2:])
        mask[:, top:bottom, left:right] = 1
    return mask


def collate(examples: Sequence[Example]) -> Batch:
    """Stack examples along a first axis; a loader process does so in memory that it shares."""
    guides = [example.guide for example in examples if example.guide is not None]
    plain = [
        {name: value for name, value in vars(example).items() if isinstance(value, Tensor | tuple)}
        for example in examples
    ]
    return Batch(**default_collate(plain), guide=Guide.cat(guides) if guides else None)
