"""Human-parsing-guided fusion attention (HPFA): self-attention that also looks at the source.

At a site with normalised tokens x of the target and x_s of the source, d the width of a head:

    O_base = Attn(Q, [K_t; K_s], [V_t; V_s])                              plain reference attention
    A_r    = softmax([Q K_s^T / sqrt(d) + B_r; b_r])                      b_r: a sink without value
    O      = O_base + sum_r lambda_r g_r A_r V_s                          lambda_r zero at first

B_r is log of the region's share in a token, -1e4 where that is below 0.05. Reconstructed: the
paper's equations are not public.
"""

from __future__ import annotations

import math
from collections.abc import MutableSequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from einops import rearrange
from torch import Tensor, nn

from signgen.config.parsing_guided import ReferenceConfig
from signgen.models.source_maps import SourceMaps

__all__ = ["Collected", "CollectingAttention", "Reference", "ReferenceAttention", "attend"]

ABSENT = -1e4
"""Logit of a token that is not there: finite, and far enough below for exactly 0."""
LEAST_SHARE = 0.05
"""Smaller shares of a region are none. A soft form, log(M + 1e-4), would leak."""
LEAST_PRESENCE = 1e-3
"""Mean share of a region below which a picture does not show it."""
GATE = -2.0
"""First logit of the gates."""


@dataclass(frozen=True, eq=False)
class Collected:
    """Takes the tokens of each site on the way through SourceNet, in order."""

    tokens: MutableSequence[Tensor] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Reference:
    """What the sites of TargetNet are given.

    Args:
        maps: Of the rows that have a source: of each, or of one that all share.
        absent: Rows without one, which come first.
        projected: Keys and values of the sites, kept for the next step; None keeps none.
        compared: Takes the attention (B, L, N) to the source, mean of the heads, of each site with
            at most `most` tokens, for the alignment loss; None where there is none.
        most: Most tokens of a site that is compared.
        temperature: Temperature of that attention.
    """

    maps: SourceMaps
    absent: int = 0
    projected: dict[int, tuple[Tensor, Tensor]] | None = None
    compared: MutableSequence[Tensor] | None = None
    most: int = 0
    temperature: float = 1.0


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Attend with a bias per key, in the form that fast kernels take: it is one more channel.

    Args:
        query: (B, heads, L, d).
        key: (B, heads, N, d).
        value: (B, heads, N, d).
        bias: (B, heads or 1, N), added to the logits.

    Returns:
        (B, heads, L, d), the softmax of `query key^T / sqrt(d) + bias`, times `value`.
    """
    width = query.shape[-1]
    spare = -(width + 1) % 8  # widths of heads are multiples of 8
    one = query.new_full((*query.shape[:-1], 1), math.sqrt(width))
    added = bias.to(key.dtype).expand(key.shape[:-1])[..., None]
    mixed = F.scaled_dot_product_attention(
        F.pad(torch.cat([query, one], dim=-1), (0, spare)),
        F.pad(torch.cat([key, added], dim=-1), (0, spare)),
        F.pad(value, (0, spare + 1)),
        scale=1 / math.sqrt(width),
    )
    return mixed[..., :width]


def token_bias(share: Tensor) -> Tensor:
    """Return log of a share where it counts, else `ABSENT`; any shape."""
    present = share >= LEAST_SHARE
    return torch.where(present, share.clamp(min=LEAST_SHARE).log(), ABSENT)


class CollectingAttention(AttnProcessor2_0):
    """Self-attention of SourceNet, or where the source is not looked at."""

    def __init__(self, collects: bool = True) -> None:
        super().__init__()
        self.collects = collects

    def __call__(
        self, attn: Attention, hidden_states: Tensor, *args: Any, source: object = None, **kw: Any
    ) -> Tensor:
        """Attend as the library does; tokens (B, N, C) are noted where that is asked for."""
        if self.collects and isinstance(source, Collected):
            source.tokens.append(hidden_states)
        plain: Tensor = super().__call__(attn, hidden_states, *args, **kw)
        return plain


class ReferenceAttention(nn.Module):
    """Self-attention of TargetNet.

    Args:
        attn: The layer whose processor it is; its projections are used.
        site: Its number among the sites.
        config: Switches.
    """

    def __init__(self, attn: Attention, site: int, config: ReferenceConfig) -> None:
        super().__init__()
        self.site, self.config = site, config
        inner, width = attn.to_k.out_features, attn.to_q.in_features
        count = 0 if config.fusion == "off" else len(config.fused)
        if config.join == "additive":
            self.to_k_source = nn.Linear(width, inner, bias=False)
            self.to_v_source = nn.Linear(width, inner, bias=False)
            for projection in (self.to_k_source, self.to_v_source):
                nn.init.zeros_(projection.weight)
        if count:
            self.scale = nn.Parameter(torch.zeros(count, inner))  # lambda
            self.sink = nn.Parameter(torch.zeros(count, attn.heads))  # b
        if count and config.fusion == "gated":
            self.gate = nn.Linear(width, count)
            nn.init.zeros_(self.gate.weight)
            nn.init.constant_(self.gate.bias, GATE)

    def __call__(
        self, attn: Attention, hidden_states: Tensor, *args: Any, source: object = None, **kw: Any
    ) -> Tensor:
        """Attend.

        Args:
            attn: The layer.
            hidden_states: (B, L, C) normalised tokens.
            args: As the library's.
            source: A `Reference`; a `Collected`, which takes the tokens; or None.
            kw: As the library's.

        Returns:
            (B, L, C).
        """
        if not isinstance(source, Reference):
            return CollectingAttention()(attn, hidden_states, *args, source=source, **kw)
        without, given = hidden_states[: source.absent], hidden_states[source.absent :]
        parts = []
        if len(without):
            parts.append(CollectingAttention()(attn, without))
        if len(given):
            output = self._fused(attn, given, source)
            parts.append(attn.to_out[1](attn.to_out[0](output)))
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _fused(self, attn: Attention, tokens: Tensor, source: Reference) -> Tensor:
        """Return (B, L, inner) for rows that have a source, before the last projection."""
        query, key, value = (
            _heads(project(tokens), attn.heads) for project in (attn.to_q, attn.to_k, attn.to_v)
        )
        rows = len(tokens)
        source_key, source_value = (_rows(x, rows) for x in self._projected(attn, source))
        shares = _rows(source.maps.shares[self.site], rows)  # (B, 1 + R, N)
        if source.compared is not None and query.shape[2] <= source.most:
            logits = query @ source_key.transpose(-1, -2) / math.sqrt(query.shape[-1])
            attention = (logits.float() / source.temperature).softmax(dim=-1)
            source.compared.append(attention.mean(dim=1))  # (B, L, N)

        # Plain reference attention
        seen = token_bias(shares[:, :1])  # (B, 1, N)
        if self.config.join == "concat":
            bias = torch.cat([seen.new_zeros(rows, 1, key.shape[2]), seen], dim=-1)
            mixed = attend(
                query,
                torch.cat([key, source_key], dim=2),
                torch.cat([value, source_value], dim=2),
                bias,
            )
        else:
            any_seen = (shares[:, 0] >= LEAST_SHARE).any(dim=-1).to(query.dtype)
            added = attend(query, source_key, source_value, seen) * any_seen.view(-1, 1, 1, 1)
            mixed = F.scaled_dot_product_attention(query, key, value) + added
        output = rearrange(mixed, "b h l d -> b l (h d)")

        # And attention to each region
        if self.config.fusion != "off":
            gates = self._gates(tokens, shares)  # (B, L, R)
            for region in range(len(self.config.fused)):
                own = self._region(query, source_key, source_value, shares[:, region + 1], region)
                output = output + self.scale[region].to(own.dtype) * gates[..., region, None] * own
        return output

    def _region(
        self, query: Tensor, key: Tensor, value: Tensor, share: Tensor, region: int
    ) -> Tensor:
        """Return (B, L, inner): attention to the tokens of one region, and to a sink."""
        bias = token_bias(share)[:, None].expand(-1, key.shape[1], -1)  # (B, heads, N)
        sink = self.sink[region].to(bias.dtype).view(1, -1, 1).expand(len(bias), -1, -1)
        mixed = attend(
            query,
            F.pad(key, (0, 0, 0, 1)),
            F.pad(value, (0, 0, 0, 1)),
            torch.cat([bias, sink], dim=-1),
        )
        return rearrange(mixed, "b h l d -> b l (h d)")

    def _gates(self, tokens: Tensor, shares: Tensor) -> Tensor:
        """Return (B, L, R), zero where a picture does not show the region."""
        present = (shares[:, 1:].mean(dim=-1) > LEAST_PRESENCE)[:, None].to(tokens.dtype)
        if self.config.fusion == "masks_only":
            return present.expand(-1, tokens.shape[1], -1)
        return torch.sigmoid(self.gate(F.layer_norm(tokens, tokens.shape[-1:]))) * present

    def _projected(self, attn: Attention, source: Reference) -> tuple[Tensor, Tensor]:
        """Return keys and values of the source, each (1 or B, heads, N, d)."""
        if source.projected is not None and self.site in source.projected:
            return source.projected[self.site]
        own = self.config.join == "additive"
        to_k, to_v = (self.to_k_source, self.to_v_source) if own else (attn.to_k, attn.to_v)
        features = source.maps.features[self.site]
        both = _heads(to_k(features), attn.heads), _heads(to_v(features), attn.heads)
        if source.projected is not None:
            source.projected[self.site] = both
        return both


def _heads(tokens: Tensor, heads: int) -> Tensor:
    return rearrange(tokens, "b n (h d) -> b h n d", h=heads)


def _rows(value: Tensor, rows: int) -> Tensor:
    """Repeat what belongs to one source, or to B, to one for every row; of one without copies."""
    if len(value) == 1:
        return value.expand(rows, *[-1] * (value.ndim - 1))
    return value.repeat(rows // len(value), *[1] * (value.ndim - 1))
