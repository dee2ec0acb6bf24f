"""From heatmaps to points: DARK decoding and the flip test.

DARK (Zhang et al. 2020, arXiv 1910.06278): blur the heatmap, take its logarithm, and step from the
maximum to the top of the parabola fitted there. Numbers and edge cases as in MMPose 1.1.0.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

__all__ = ["BLUR", "decode_dark", "merge_flipped"]

#: Width of the blur in cells. MMPose 1.x leaves it at 11 for the whole body, too, though its
#: heatmaps were drawn with a deviation of 3 cells and MMPose 0.x took 17.
BLUR = 11


def merge_flipped(heatmaps: Tensor, flipped: Tensor, mirror: Sequence[int]) -> Tensor:
    """Average the (B, K, h, w) heatmaps of a picture and of its mirror image.

    The mirrored heatmaps are shifted by one cell to the right, because cell i is the mirror image
    of cell w - i: convolutions of stride 2 see the pixels left of it, too (`shift_heatmap` of
    MMPose).
    """
    back = flipped.flip(-1)[:, list(mirror)]
    back = torch.cat([back[..., :1], back[..., :-1]], dim=-1)
    return (heatmaps + back) * 0.5


def decode_dark(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Find the centre of the peak of each heatmap, (B, K, h, w), to a fraction of a cell.

    Returns:
        (B, K, 2) float64 x, y in cells, and the (B, K) maxima before the blur. A maximum closer
        than two cells to the edge is not refined.
    """
    # The highest cell
    height, width = heatmaps.shape[-2:]
    peak, place = rearrange(heatmaps, "b k h w -> b k (h w)").max(dim=-1)  # (B, K)
    x, y = place % width, place // width

    # Logarithm of the blurred heatmap, whose maximum stays as high as it was
    smooth = _gaussian_blur(heatmaps)
    smooth = smooth * (peak / smooth.amax((-2, -1)))[..., None, None]
    logs = rearrange(smooth.clamp(min=1e-10).log(), "b k h w -> b k (h w)").double()
    inside = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2) & (peak > 0)
    origin = torch.where(inside, place, 2 * width + 2)

    def at(right: int, down: int) -> Tensor:
        return logs.gather(2, (origin + down * width + right)[..., None])[..., 0]

    # Slope and curvature around the highest cell
    dx = 0.5 * (at(1, 0) - at(-1, 0))
    dy = 0.5 * (at(0, 1) - at(0, -1))
    dxx = 0.25 * (at(2, 0) - 2 * at(0, 0) + at(-2, 0))
    dyy = 0.25 * (at(0, 2) - 2 * at(0, 0) + at(0, -2))
    dxy = 0.25 * (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1))
    # One step of Newton's method
    determinant = dxx * dyy - dxy**2
    refine = inside & (determinant != 0)
    divisor = torch.where(refine, determinant, 1.0)
    step = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], -1) / divisor[..., None]
    step = torch.where(refine[..., None], step, 0.0)
    return torch.stack([x, y], dim=-1) + step, peak


def _gaussian_blur(heatmaps: Tensor) -> Tensor:
    """Blur (B, K, h, w) with zeros outside; the deviation is OpenCV's for a kernel of `BLUR`."""
    deviation = 0.3 * ((BLUR - 1) * 0.5 - 1) + 0.8
    steps = torch.arange(BLUR, dtype=torch.float64) - (BLUR - 1) / 2
    kernel = torch.exp(-(steps**2) / (2 * deviation**2))
    kernel = (kernel / kernel.sum()).to(heatmaps)
    flat = rearrange(heatmaps, "b k h w -> (b k) 1 h w")
    flat = F.conv2d(flat, kernel.view(1, 1, 1, -1), padding=(0, BLUR // 2))
    flat = F.conv2d(flat, kernel.view(1, 1, -1, 1), padding=(BLUR // 2, 0))
    return rearrange(flat, "(b k) 1 h w -> b k h w", b=len(heatmaps))
