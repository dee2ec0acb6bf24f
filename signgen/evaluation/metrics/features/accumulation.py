"""Sets of features that come in parts: their moments, or a random choice. Values, never changed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["FeatureStatistics", "Moments", "Sample"]

Array = NDArray[np.float64]
BLOCK = 256
"""Items that are merged at once: few merges, little memory."""


@dataclass(frozen=True)
class FeatureStatistics:
    """Mean and covariance of a set of features.

    Args:
        count: Number of items, at least 1.
        mean: (D,) mean.
        scatter: (D, D) sum of the outer products of the deviations from the mean.
        signature: How the features were made; sets are comparable only if it is the same.
    """

    count: int
    mean: Array
    scatter: Array
    signature: str

    @property
    def covariance(self) -> Array:
        """(D, D) sample covariance, as `np.cov` gives it; needs at least two items."""
        return self.scatter / (self.count - 1)


@dataclass(frozen=True)
class Moments:
    """Mean and scatter of features that come in any number of parts; memory does not grow.

    Blocks of features are merged by the formula of Chan, Golub and LeVeque 1983, which does not
    lose digits where a mean is large beside its deviations. Blocks do not depend on the parts, so
    the parts change nothing.

    Args:
        merged: Items in `mean` and `scatter`.
        mean: (D,) mean.
        scatter: (D, D) as in `FeatureStatistics`.
        waiting: (D,) items that make no block yet.
    """

    merged: int = 0
    mean: Array = field(default_factory=lambda: np.zeros(0))
    scatter: Array = field(default_factory=lambda: np.zeros((0, 0)))
    waiting: tuple[Array, ...] = ()

    @property
    def count(self) -> int:
        """Items so far."""
        return self.merged + len(self.waiting)

    @property
    def width(self) -> int:
        """Numbers in an item; 0 before the first."""
        return len(self.waiting[0]) if self.waiting else len(self.mean)

    def add(self, features: NDArray[np.floating]) -> Moments:
        """Return the moments with (N, D) more features, N of any number.

        Raises:
            ValueError: If their width differs from that of earlier ones, or one is not finite.
        """
        if not np.isfinite(features).all():
            raise ValueError("features hold NaN or infinity; expected finite numbers")
        if features.ndim != 2 or (self.count and features.shape[1] != self.width):
            raise ValueError(f"features are {features.shape}; expected (N, {self.width or 'D'})")
        moments, waiting = self, (*self.waiting, *features.astype(np.float64))
        while len(waiting) >= BLOCK:
            moments, waiting = moments._merge(waiting[:BLOCK]), waiting[BLOCK:]
        return replace(moments, waiting=waiting)

    def _merge(self, items: tuple[Array, ...]) -> Moments:
        """Return the moments with a block of items, nothing waiting."""
        block = np.stack(items)  # (N, D)
        count, total = len(block), self.merged + len(block)
        before = self.mean if self.merged else np.zeros(block.shape[1])
        mean = block.mean(axis=0)
        deviations, shift = block - mean, mean - before
        scatter = deviations.T @ deviations
        if self.merged:
            scatter = self.scatter + scatter
        scatter += np.outer(shift, shift * (self.merged * count / total))
        return Moments(total, before + shift * (count / total), scatter)

    def statistics(self, signature: str = "") -> FeatureStatistics:
        """Return what was gathered."""
        whole = self._merge(self.waiting) if self.waiting else self
        return FeatureStatistics(whole.merged, whole.mean, whole.scatter, signature)


@dataclass(frozen=True)
class Sample:
    """A uniform random choice of at most `size` items of a stream, in their order.

    They are kept in float32. Every item draws a number, and those with the smallest stay. Draws
    follow the order of the items, so the parts that they come in change nothing.

    Args:
        size: Items kept at most.
        seed: Seed of the draws.
        count: Items so far.
        draws: (M,) the numbers that the kept items drew.
        kept: (D,) float32 items.
    """

    size: int
    seed: int = 0
    count: int = 0
    draws: Array = field(default_factory=lambda: np.zeros(0))
    kept: tuple[NDArray[np.float32], ...] = ()

    def add(self, items: NDArray[np.floating]) -> Sample:
        """Return the choice among (N, D) more items."""
        bits = np.random.PCG64(self.seed).advance(self.count)
        draws = np.concatenate([self.draws, np.random.Generator(bits).random(len(items))])
        kept = (*self.kept, *items.astype(np.float32))
        if len(draws) > self.size:
            smallest = np.sort(np.argsort(draws, kind="stable")[: self.size])
            draws, kept = draws[smallest], tuple(kept[place] for place in smallest)
        return replace(self, count=self.count + len(items), draws=draws, kept=kept)

    @property
    def features(self) -> Array:
        """(M, D) the items kept, M at least 1."""
        return np.stack(self.kept).astype(np.float64)
