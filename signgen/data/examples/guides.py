"""Guides: the source moved to the target's pose, as tensors."""

from __future__ import annotations

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from signgen.pose.warping import Warped
from signgen.structures import Guide

__all__ = ["guide_of", "to_pixels", "unknown_guide"]


def to_pixels(frame: NDArray[np.uint8]) -> Tensor:
    """Return a (H, W, 3) uint8 RGB frame as (3, H, W) float32 in [-1, 1]."""
    # In place: fresh memory for each step costs more than the arithmetic.
    pixels = rearrange(torch.from_numpy(frame.copy()), "h w c -> c h w").float()
    return pixels.div_(127.5).sub_(1)


def guide_of(source: NDArray[np.uint8], warped: Warped) -> Guide:
    """Return the guide (B = 1) of a source picture (H, W, 3) that was moved to one pose."""
    maps = warped.maps
    masks = np.stack([maps.holes, maps.pasted, maps.valid.astype(np.float32)])
    return Guide(
        warped=to_pixels(warped.picture)[None],
        source=to_pixels(source)[None],
        moved=torch.from_numpy(maps.moved)[None, None],
        masks=torch.from_numpy(masks)[None],
    )


def unknown_guide(source: NDArray[np.uint8]) -> Guide:
    """Return the guide of a source (H, W, 3) whose key points are unknown: anything may move."""
    pixels = to_pixels(source)[None]
    plane = torch.zeros_like(pixels[:, :1])
    return Guide(pixels, pixels, plane + 1, plane.expand(-1, 3, -1, -1))
