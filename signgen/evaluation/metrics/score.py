"""Sums of values, clip by clip, and the score that they make: a mean with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BOOTSTRAP_SEED",
    "RESAMPLES",
    "Mean",
    "Means",
    "Score",
    "bootstrap_interval",
    "mean_score",
    "pooled",
    "resampled_means",
]

RESAMPLES = 1000
"""Bootstrap resamples, as sacreBLEU's `--confidence`."""
BOOTSTRAP_SEED = 12345
"""Seed of the resamples, as sacreBLEU, so that the same scores give the same interval."""


@dataclass(frozen=True)
class Mean:
    """All that is kept of any number of values.

    Args:
        total: Their sum.
        count: Their number.
        scatter: Sum of the squares of their deviations from the mean.
    """

    total: float = 0.0
    count: int = 0
    scatter: float = 0.0

    @classmethod
    def of(cls, values: Sequence[float] | NDArray[np.generic]) -> Mean:
        """Return that of values, NaN left out."""
        numbers = np.asarray(values, np.float64)
        numbers = numbers[~np.isnan(numbers)]
        if not numbers.size:
            return cls()
        total = float(numbers.sum())
        return cls(total, numbers.size, float(((numbers - total / numbers.size) ** 2).sum()))

    def __add__(self, other: Mean) -> Mean:
        """Return that of the values of both (Chan, Golub and LeVeque 1983)."""
        if not (self.count and other.count):
            return self if self.count else other
        count = self.count + other.count
        shift = other.total / other.count - self.total / self.count
        between = shift**2 * self.count * other.count / count
        return Mean(self.total + other.total, count, self.scatter + other.scatter + between)

    @property
    def value(self) -> float | None:
        """The mean; None of no values."""
        return self.total / self.count if self.count else None

    @property
    def deviation(self) -> float:
        """Population standard deviation; 0 of no values."""
        return math.sqrt(self.scatter / self.count) if self.count else 0.0


Means = Mapping[str, Mean]
"""What is kept of a clip, by the name of the values."""


def pooled(clips: Iterable[Means], *names: str) -> Mean:
    """Return the mean over all values of some names, of all clips."""
    found = (means[name] for means in clips for name in names if name in means)
    return sum(found, Mean())


@dataclass(frozen=True)
class Score:
    """One number about a set of clips, and all that is needed to read it.

    Args:
        value: Mean over all measured items; None if nothing could be measured.
        ci95: 95 % bootstrap interval over clips (low, high); None with fewer than two clips.
        n: Measured items: frames, or hands.
        signature: What exactly was computed, after sacreBLEU: `ssim|win:gauss11-1.5|...`.
        per_clip: Mean of each clip with at least one measured item.
        details: Further numbers, such as `coverage`.
        counts: Measured items of each clip in `per_clip`, its weight in `value`; empty for metrics
            of whole sets, such as FID.
        unavailable: Why nothing could be measured, as `needs FILE, get it with COMMAND`; empty
            where something was.
        ideal: The best value where it is neither end of the scale, such as 1 for the ratio of two
            motions; `higher_is_better` then means nothing.
    """

    name: str
    value: float | None
    ci95: tuple[float, float] | None
    n: int
    higher_is_better: bool
    signature: str
    per_clip: Mapping[str, float]
    details: Mapping[str, float | None] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    unavailable: str = ""
    ideal: float | None = None


def mean_score(
    name: str,
    clips: Mapping[str, Mean],
    *,
    signature: str,
    higher_is_better: bool,
    details: Mapping[str, float | None] | None = None,
    unavailable: str = "",
    ideal: float | None = None,
) -> Score:
    """Return the mean over the items of clips as a score, with its interval over clips.

    Clips without items are left out; `unavailable` says why there are none. See `Score`.
    """
    clips = {clip: mean for clip, mean in clips.items() if mean.count}
    count = sum(mean.count for mean in clips.values())
    ordered = [clips[clip] for clip in sorted(clips)]
    return Score(
        name=name,
        value=sum(mean.total for mean in clips.values()) / count if count else None,
        ci95=bootstrap_interval(
            np.array([mean.total for mean in ordered]),
            np.array([mean.count for mean in ordered], np.float64),
        ),
        n=count,
        higher_is_better=higher_is_better,
        signature=signature,
        per_clip={clip: mean.total / mean.count for clip, mean in clips.items()},
        details=details or {},
        counts={clip: mean.count for clip, mean in clips.items()},
        unavailable="" if count else unavailable,
        ideal=ideal,
    )


def bootstrap_interval(
    sums: NDArray[np.float64], counts: NDArray[np.float64]
) -> tuple[float, float] | None:
    """Return the percentile bootstrap interval (95 %) of a mean, resampling clips and not frames.

    Frames of one clip resemble each other, so resampling them would give intervals far too narrow.
    After Efron 1979; the number of resamples and the seed are sacreBLEU's.

    Args:
        sums: (N,) sum of the items of each clip.
        counts: (N,) number of items of each clip, above 0.

    Returns:
        (low, high), or None if N is below 2.
    """
    if len(sums) < 2:
        return None
    low, high = np.percentile(resampled_means(sums, counts), [2.5, 97.5])
    return float(low), float(high)


def resampled_means(
    sums: NDArray[np.float64], counts: NDArray[np.float64], resamples: int = RESAMPLES
) -> NDArray[np.float64]:
    """Return the means of resampled clips, of (..., N) sums and counts (..., resamples)."""
    clips = sums.shape[-1]
    drawn = np.random.default_rng(BOOTSTRAP_SEED).integers(0, clips, (resamples, clips))
    # Thousands of clips would need hundreds of megabytes at once.
    blocks = np.array_split(drawn, 1 + drawn.size // 1_000_000)
    means = [sums[..., rows].sum(axis=-1) / counts[..., rows].sum(axis=-1) for rows in blocks]
    return np.concatenate(means, axis=-1)
