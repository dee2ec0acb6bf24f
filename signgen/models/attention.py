"""Cross-attention that projects the source once, and nothing where no source is given.

The source's tokens are the same for all frames and steps of a clip, so their keys and values are
too. Of tokens that are all alike, such as the zeros of guidance's "nothing given", attention gives
their common value whatever the query, so neither queries nor scores are needed. Both equal plain
attention up to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from einops import rearrange
from torch import Tensor

from signgen.models.source_maps import SourceMaps

__all__ = ["SourceAttention", "SourceContext", "SourceMemory", "share_source"]


@dataclass(frozen=True, eq=False)
class SourceMemory:
    """Keys and values of one source, or of B, kept per layer when they are first wanted.

    It belongs to one clip, one precision and one model; it must not be shared by threads.

    Args:
        tokens: (1, N, D) tokens of the source that all frames share, or (B, N, D).
        maps: What self-attention looks at in the source, for models that do.
        sites: Its keys and values by attention site, kept when they are first wanted.
    """

    tokens: Tensor
    maps: SourceMaps | None = None
    sites: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False)
    _projected: dict[Attention, tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False)
    _nothing: dict[Attention, Tensor] = field(default_factory=dict, repr=False)

    def keys_and_values(self, layer: Attention) -> tuple[Tensor, Tensor]:
        """Return keys and values of a layer, each (1 or B, heads, N, width of a head)."""
        if layer not in self._projected:
            key, value = (
                rearrange(project(self.tokens), "b n (h d) -> b h n d", h=layer.heads)
                for project in (layer.to_k, layer.to_v)
            )
            self._projected[layer] = key, value
        return self._projected[layer]

    def nothing(self, layer: Attention) -> Tensor:
        """Return (1, 1, C), what a layer gives for tokens that are zero: the bias of its output."""
        if layer not in self._nothing:
            zero = self.tokens.new_zeros(1, 1, self.tokens.shape[-1])
            self._nothing[layer] = layer.to_out[0](layer.to_v(zero))
        return self._nothing[layer]


@dataclass(frozen=True, eq=False)
class SourceContext:
    """What the U-Net is given in place of tokens: branches of guidance, one after the other.

    Args:
        memory: Keys and values of the source.
        absent: Branches without a source, which come first.
        given: Branches with it.
    """

    memory: SourceMemory
    absent: int
    given: int


class SourceAttention(AttnProcessor2_0):
    """Cross-attention of tokens, as the library has it, or of a `SourceContext`."""

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | SourceContext | None = None,
        *args: Any,
        source: object = None,
        **kwargs: Any,
    ) -> Tensor:
        """Attend.

        Args:
            attn: The layer.
            hidden_states: (branches B, L, C).
            encoder_hidden_states: (branches B, N, D), or the context.
            args: As the library's.
            source: What self-attention is given besides; not used.
            kwargs: As the library's.

        Returns:
            (branches B, L, C).
        """
        if not isinstance(encoder_hidden_states, SourceContext):
            plain: Tensor = super().__call__(
                attn, hidden_states, encoder_hidden_states, *args, **kwargs
            )
            return plain
        context, memory = encoder_hidden_states, encoder_hidden_states.memory
        rows = len(hidden_states) // (context.absent + context.given)  # B

        # Branches without a source
        parts = []
        if context.absent:
            shape = (context.absent * rows, hidden_states.shape[1], -1)
            parts.append(memory.nothing(attn).expand(shape))

        # Branches with it
        if context.given:
            query = attn.to_q(hidden_states[context.absent * rows :])
            query = rearrange(query, "b l (h d) -> b h l d", h=attn.heads)
            key, value = (_per_row(kept, len(query)) for kept in memory.keys_and_values(attn))
            mixed = F.scaled_dot_product_attention(query, key, value)  # (B, heads, L, width)
            parts.append(attn.to_out[0](rearrange(mixed, "b h l d -> b l (h d)")))
        return torch.cat(parts) if len(parts) > 1 else parts[0]


def _per_row(kept: Tensor, rows: int) -> Tensor:
    """Repeat what is kept for one source, or for B, to one for every row; of one without copies."""
    if len(kept) == 1:
        return kept.expand(rows, -1, -1, -1)
    return kept.repeat(rows // len(kept), 1, 1, 1)


def share_source(unet: UNet2DConditionModel) -> None:
    """Let the cross-attention of a U-Net take a `SourceContext` in place of tokens."""
    for layer in unet.modules():
        if isinstance(layer, Attention) and layer.is_cross_attention:
            layer.set_processor(SourceAttention())  # type: ignore[arg-type]  # a union is meant
