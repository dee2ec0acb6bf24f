"""What attention looks at in pictures of the signer, as a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["SourceMaps"]


@dataclass(frozen=True)
class SourceMaps:
    """Tokens of pictures of the signer for each attention site, and the regions they show.

    Args:
        features: (B, N, C) for each site, normalised tokens of one picture, or of several joined.
        shares: (B, 1 + R, N) in [0, 1] for each site: whether a token is seen by plain attention,
            then the share of each region in it. A token of zeros is as good as absent.
    """

    features: tuple[Tensor, ...]
    shares: tuple[Tensor, ...]

    def expand(self, count: int) -> SourceMaps:
        """Repeat the maps of one signer (B = 1) `count` times, without copying."""
        return self._mapped(lambda value: value.expand(count, -1, -1))

    def nothing(self) -> SourceMaps:
        """Return maps none of whose tokens is there."""
        shares = tuple(value.new_zeros(1).expand_as(value) for value in self.shares)
        return SourceMaps(self.features, shares)

    def keep(self, kept: Tensor) -> SourceMaps:
        """Take all tokens of samples away; (B,) is true where they stay."""
        shares = tuple(value * kept.to(value.dtype).view(-1, 1, 1) for value in self.shares)
        return SourceMaps(self.features, shares)

    def without(self, region: int) -> SourceMaps:
        """Take the tokens of a region (0 .. R - 1) away, by their share of it."""

        def change(value: Tensor) -> Tensor:
            share = value[:, 1 + region : 2 + region]
            left = value.clone()
            left[:, :1], left[:, 1 + region : 2 + region] = value[:, :1] * (1 - share), 0
            return left

        return SourceMaps(self.features, tuple(map(change, self.shares)))

    def only(self, region: int) -> SourceMaps:
        """Keep the tokens of a region (0 .. R - 1) alone, by their share of it."""

        def change(value: Tensor) -> Tensor:
            share = value[:, 1 + region : 2 + region]
            own = torch.zeros_like(value)
            own[:, :1], own[:, 1 + region : 2 + region] = value[:, :1] * share, share
            return own

        return SourceMaps(self.features, tuple(map(change, self.shares)))

    def joined(self, other: SourceMaps) -> SourceMaps:
        """Return the tokens of both, those of the other picture behind."""
        return SourceMaps(
            tuple(map(_tokens, self.features, other.features)),
            tuple(map(_shares, self.shares, other.shares)),
        )

    @staticmethod
    def cat(parts: Sequence[SourceMaps]) -> SourceMaps:
        """Concatenate along the batch."""
        return SourceMaps(
            tuple(map(_stacked, zip(*(part.features for part in parts), strict=True))),
            tuple(map(_stacked, zip(*(part.shares for part in parts), strict=True))),
        )

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> SourceMaps:
        return SourceMaps(tuple(map(change, self.features)), tuple(map(change, self.shares)))


def _tokens(one: Tensor, other: Tensor) -> Tensor:
    return torch.cat([one, other], dim=1)


def _shares(one: Tensor, other: Tensor) -> Tensor:
    return torch.cat([one, other], dim=2)


def _stacked(values: tuple[Tensor, ...]) -> Tensor:
    return torch.cat(values)
