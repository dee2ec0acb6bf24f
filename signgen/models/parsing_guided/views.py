"""CLIP-guided attention alignment, first reading: tokens of three views for both U-Nets.

The views are the whole source, its face and its clothes, what is elsewhere made grey. Encoded by
CLIP (or whatever encodes source tokens), they pass a resampler of learned queries (Perceiver;
Alayrac et al., Flamingo, 2022). Reconstructed: the paper's own layers are not public.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn

__all__ = ["Resampler", "region_view"]

MARGIN = 0.1
"""Share of its box's sides that is added around a region."""


def region_view(source: Tensor, inside: Tensor) -> Tensor:
    """Cut regions out of pictures and stretch them to the pictures' size.

    Args:
        source: (B, 3, H, W) in [-1, 1].
        inside: (B, H, W) bool, where the region is. A picture without it becomes grey.

    Returns:
        (B, 3, H, W); what is elsewhere is grey.
    """
    masked = source * inside[:, None]
    across, down = (_places(inside.any(dim=axis)) for axis in (1, 2))  # (B, W), (B, H)
    grid = torch.stack(
        [
            repeat(across, "b w -> b h w", h=source.shape[-2]),
            repeat(down, "b h -> b h w", w=source.shape[-1]),
        ],
        dim=-1,
    )
    # A box is never larger than its picture, so nothing is shrunk
    return F.grid_sample(masked, grid.to(masked.dtype), padding_mode="border", align_corners=False)


def _places(inside: Tensor) -> Tensor:
    """Return where each pixel of a view lies along an axis, (B, L) in [-1, 1] of the picture.

    Args:
        inside: (B, L) bool, whether the region has a pixel there; without any, all of it is shown.
    """
    side = inside.shape[1]
    numbers = torch.arange(side, device=inside.device)
    found = inside.any(dim=1, keepdim=True)
    first = torch.where(inside, numbers, side).amin(dim=1, keepdim=True)
    stop = torch.where(inside, numbers, -1).amax(dim=1, keepdim=True) + 1
    margin = MARGIN * (stop - first)
    start = torch.where(found, (first - margin).clamp(min=0), 0)
    end = torch.where(found, (stop + margin).clamp(max=side), side)
    share = (numbers + 0.5) / side  # middles of pixels
    return (start + share * (end - start)) / side * 2 - 1


class Resampler(nn.Module):
    """Turn the tokens of each view into a few, which say what view they are of.

    Args:
        width: Width of the encoder's tokens.
        context: Width of the U-Nets' context.
        queries: Tokens of each view.
        layers: Layers.
        heads: Heads of attention; a divisor of `context`.
    """

    def __init__(
        self, width: int, context: int, queries: tuple[int, ...], layers: int, heads: int
    ) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(width, context), nn.LayerNorm(context))
        self.queries = nn.ParameterList(
            nn.Parameter(torch.randn(count, context) * context**-0.5) for count in queries
        )
        self.view = nn.Parameter(torch.zeros(len(queries), context))
        self.layers = nn.ModuleList(_Layer(context, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(context)

    def forward(self, views: list[Tensor], kept: Tensor | None = None) -> Tensor:
        """Resample.

        Args:
            views: (B, N, width) tokens of each view.
            kept: (B, views), false where a view is taken away; its tokens become zeros.

        Returns:
            (B, sum of queries, context).
        """
        resampled = []
        for index, tokens in enumerate(views):
            x = repeat(self.queries[index], "q d -> b q d", b=len(tokens))
            seen = self.project(tokens)
            for layer in self.layers:
                x = layer(x, seen)
            x = self.norm(x) + self.view[index]
            resampled.append(x if kept is None else x * kept[:, index, None, None])
        return torch.cat(resampled, dim=1)


class _Layer(nn.Module):
    """Queries attend to the tokens and to themselves, then each is transformed."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_kv = nn.Linear(width, 2 * width, bias=False)
        self.to_out = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        """Return (B, Q, D) for queries (B, Q, D) and tokens (B, N, D)."""
        normed = self.norm(x)
        both = torch.cat([tokens, normed], dim=1)
        query = rearrange(self.to_q(normed), "b q (h d) -> b h q d", h=self.heads)
        key, value = rearrange(
            self.to_kv(both), "b n (two h d) -> two b h n d", two=2, h=self.heads
        )
        mixed = F.scaled_dot_product_attention(query, key, value)
        x = x + self.to_out(rearrange(mixed, "b h q d -> b q (h d)"))
        added: Tensor = self.feed_forward(x)
        return x + added
