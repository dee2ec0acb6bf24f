"""What the frozen parts of FPDM make of pictures: computed, or read from a cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from signgen.diffusion import draws
from signgen.models.encoders import source_pixels
from signgen.models.ipf import tower_pixels
from signgen.structures import Batch, SourceFeatures

if TYPE_CHECKING:
    from signgen.models.fpdm import FPDM

__all__ = ["CachedFeatures", "of_sources", "of_targets", "source_features", "target_latents"]


class CachedFeatures(NamedTuple):
    """What the frozen parts of a model make of an example, read from a cache.

    A named tuple, because loaders stack those.

    Args:
        mean: (B, C, h, w) mean of the posterior of the target's latents, not scaled.
        deviation: (B, C, h, w) its standard deviation.
        tokens: (B, N, D) tokens of the source, not projected.
        pooled: (B, E) embedding of the source by stage 1; (B, 0) without fusion.
    """

    mean: Tensor
    deviation: Tensor
    tokens: Tensor
    pooled: Tensor

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> CachedFeatures:
        """Return the features on another device."""
        return CachedFeatures(*(value.to(device, non_blocking=non_blocking) for value in self))

    def pin_memory(self) -> CachedFeatures:
        """Return the features in memory that a GPU reads by itself."""
        return CachedFeatures(*(value.pin_memory() for value in self))


@torch.no_grad()
def of_targets(model: FPDM, target: Tensor) -> tuple[Tensor, Tensor]:
    """Compute what a cache keeps of targets (B, 3, H, W) in [-1, 1].

    Returns:
        Mean and deviation of the posterior, (B, C, h, w) each, not scaled.
    """
    posterior = model.autoencoder.encode(target).latent_dist
    return posterior.mean, posterior.std


@torch.no_grad()
def of_sources(model: FPDM, source: Tensor) -> tuple[Tensor, Tensor]:
    """Compute what a cache keeps of sources (B, 3, Hs, Ws) in [-1, 1].

    Returns:
        Tokens (B, N, D), not projected, and embeddings (B, E); (B, 0) without fusion.
    """
    pixels = source_pixels(model.config.source_encoder, source)
    tokens = model.source_encoder(
        pixel_values=pixels.to(model.source_encoder.dtype)
    ).last_hidden_state
    pooled = tokens.new_zeros(len(tokens), 0) if model.ipf is None else model.ipf.embed(source)
    return tokens, pooled


def target_latents(model: FPDM, batch: Batch) -> Tensor:
    """Draw scaled latents (B, C, h, w) of the targets from their posterior, as FPDM does."""
    if batch.features is None:
        return model.latents.encode(batch.target)
    mean, deviation = batch.features.mean.float(), batch.features.deviation.float()
    return (mean + deviation * draws.normal(mean)) * model.latents.scaling


def source_features(model: FPDM, batch: Batch) -> SourceFeatures:
    """Encode the sources, or project what is cached of them."""
    if batch.features is None:
        clip = tower_pixels(model.ipf, batch.tower_source)
        return model.encode_source(batch.source, batch.source_parts, clip)
    tokens = model.source_projection(batch.features.tokens.to(model.source_encoder.dtype))
    pooled = None if model.ipf is None else batch.features.pooled.float()
    return SourceFeatures(tokens, pooled)  # tokens (B, N, D)
