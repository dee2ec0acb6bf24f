"""CLIP-guided attention alignment, second reading: attention is to find what encoded patches find.

    T_ij ~ exp(cos(phi_t(i), phi_s(j)) / tau) where target cell i and source cell j show one region
    L    = mean over sites of KL(T || A), A the attention of target cells to source cells

Sites, timesteps and the temperature of A are limited as Leffa limits its loss on attention
(arXiv 2412.08486). Reconstructed: the paper's own loss is not public.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from signgen.models.parsing_guided.source_net import one_hot, site_grid

__all__ = ["alignment_loss", "likeness"]


def likeness(
    target: Tensor, source: Tensor, same: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """Return which source cells each target cell is like.

    Args:
        target: (B, L, D) features of cells of the target.
        source: (B, N, D) features of cells of the source.
        same: (B, L, N) bool, where both show one region.
        temperature: tau.

    Returns:
        (B, L, N) distributions over the source's cells, zero elsewhere than in the region, and
        (B, L) bool, whether there is any such cell.
    """
    cosine = F.normalize(target.float(), dim=-1) @ F.normalize(source.float(), dim=-1).mT
    logits = (cosine / temperature).masked_fill(~same, -torch.inf)
    known = same.any(dim=-1)  # (B, L)
    logits = torch.where(known[..., None], logits, torch.zeros_like(logits))
    return logits.softmax(dim=-1) * known[..., None], known


def alignment_loss(
    attention: list[Tensor],
    patches: tuple[Tensor, Tensor],
    parts: tuple[Tensor, Tensor],
    size: tuple[int, int],
    temperature: float,
    regions: int,
) -> Tensor:
    """Return the mean divergence of attention from the likeness of patches.

    Args:
        attention: (B, L, N) of each site, rows that sum to 1.
        patches: (B, D, h, w) frozen features of target and source.
        parts: (B, H, W) int64 regions of target and source; 0 counts as one too.
        size: (h, w) of the latents.
        temperature: tau.
        regions: Number of regions, 0 included.

    Returns:
        (B,), the mean over sites and cells that have a cell of their region in the source.
    """
    losses = []
    for seen in attention:
        grids = [site_grid(cells, size) for cells in seen.shape[1:]]
        cells = [
            F.interpolate(one, grid, mode="bilinear").flatten(2).mT
            for one, grid in zip(patches, grids, strict=True)
        ]
        shown = [
            F.adaptive_avg_pool2d(one_hot(one, regions), grid).flatten(2).argmax(dim=1)
            for one, grid in zip(parts, grids, strict=True)
        ]
        same = shown[0][:, :, None] == shown[1][:, None]  # (B, L, N)
        wanted, known = likeness(cells[0], cells[1], same, temperature)
        divergence = F.kl_div((seen + 1e-8).log(), wanted, reduction="none").sum(dim=-1)  # (B, L)
        losses.append((divergence * known).sum(dim=1) / known.sum(dim=1).clamp(min=1))
    return torch.stack(losses).mean(dim=0)
