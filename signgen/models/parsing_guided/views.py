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
    size = (int(source.shape[-2]), int(source.shape[-1]))
    views = []
    for picture, mask in zip(source, inside, strict=True):
        masked = picture * mask
        rows, columns = (mask.any(dim=axis).nonzero()[:, 0].tolist() for axis in (1, 0))
        if rows:
            top, bottom = _around(rows, size[0])
            left, right = _around(columns, size[1])
            cut = masked[None, :, top:bottom, left:right]
            masked = F.interpolate(cut, size, mode="bilinear", antialias=True)[0]
        views.append(masked)
    return torch.stack(views)


def _around(places: list[int], side: int) -> tuple[int, int]:
    margin = round(MARGIN * (places[-1] + 1 - places[0]))
    return max(0, places[0] - margin), min(side, places[-1] + 1 + margin)


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
