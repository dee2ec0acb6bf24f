"""Regions of frames by their human parsing, as models with regions want them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from signgen.config.regions import Region
from signgen.data.adapter import DatasetAdapter
from signgen.data.dataset import parts_of
from signgen.structures import FrameRef

__all__ = ["check_parts", "frame_regions"]


def frame_regions(
    adapter: DatasetAdapter,
    regions: Sequence[Region],
    mirrored: bool,
    ref: FrameRef,
    size: tuple[int, int],
) -> Tensor | None:
    """Return the regions (H, W) int64 of a frame at a size, or None for a model without any."""
    if not regions:
        return None
    parts = parts_of(adapter, ref)
    if mirrored:
        parts = parts.mirrored()
    return torch.from_numpy(parts.regions(regions, size))


def check_parts(adapter: DatasetAdapter, split: str, regions: Sequence[Region]) -> None:
    """Refuse a split that a model with regions cannot train on, by its first frame.

    Args:
        adapter: The dataset.
        split: Which of its splits.
        regions: The model's regions; without any, nothing is read.

    Raises:
        UserError: If it has no human parsing, shows nobody, or its label set lacks a region.
    """
    if regions and (records := adapter.records(split)):
        parts = parts_of(adapter, FrameRef(records[0], 0))
        parts.check_person()
        parts.labelled.in_regions(parts.labels, regions, parts.where)
