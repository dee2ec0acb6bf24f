"""Is one system better than another? Paired bootstrap over the clips that both were measured on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.metrics.score import RESAMPLES, Score, resampled_means

__all__ = ["FEW_CLIPS", "Comparison", "compare", "compare_with_others", "paired_bootstrap"]

FEW_CLIPS = 20
"""Below so many clips a percentile bootstrap promises too much: intervals are too narrow and
p-values too small. A test shows by how much."""


@dataclass(frozen=True)
class Comparison:
    """The difference of two systems in one metric.

    Args:
        difference: Mean of `system` minus mean of `other`, over the items of the shared clips.
        ci95: 95 % bootstrap interval of the difference (low, high); None with one clip.
        p: Two-sided p-value in (0, 1], not corrected for other comparisons; None with one clip.
        clips: Clips that both were measured on, at least 1.
    """

    metric: str
    system: str
    other: str
    difference: float
    ci95: tuple[float, float] | None
    p: float | None
    clips: int


def compare_with_others(
    scores: Mapping[str, Sequence[Score]], system: str
) -> tuple[Comparison, ...]:
    """Compare one system with each other one, in every metric that both have clips of.

    Metrics of whole sets, such as FID, have no clips and so no comparison.
    """
    comparisons = []
    for other, entries in scores.items():
        theirs = {score.name: score for score in entries}
        for score in scores[system] if other != system else ():
            compared = score.name in theirs and compare(
                score, theirs[score.name], system=system, other_system=other
            )
            if compared:
                comparisons.append(compared)
    return tuple(comparisons)


def compare(score: Score, other: Score, *, system: str, other_system: str) -> Comparison | None:
    """Compare two systems in one metric, on the clips that both were measured on; None without."""
    clips = sorted(set(score.per_clip) & set(other.per_clip))
    if not clips:
        return None
    means = np.array([[s.per_clip[clip] for clip in clips] for s in (score, other)], np.float64)
    counts = np.array([[s.counts[clip] for clip in clips] for s in (score, other)], np.float64)
    difference, ci95, p = paired_bootstrap(means, counts)
    return Comparison(score.name, system, other_system, difference, ci95, p, len(clips))


def paired_bootstrap(
    means: NDArray[np.float64], counts: NDArray[np.float64], resamples: int = RESAMPLES
) -> tuple[float, tuple[float, float] | None, float | None]:
    """Return difference, 95 % percentile interval and p-value of two means over the same clips.

    Clips are resampled once for both systems, so that what makes a clip hard for both cancels out
    (Efron and Tibshirani 1993, chapter 16; Koehn 2004 for the scores of systems). The p-value is
    twice the smaller share of resampled differences on one side of 0, where 0 itself counts to both
    sides, with 1 added to both counts (Davison and Hinkley 1997, Eq. 4.11), at most 1. Its minimum
    is therefore 2 / (resamples + 1). Below `FEW_CLIPS` clips both promise too much.

    Args:
        means: (2, N) mean of each clip, of both systems.
        counts: (2, N) measured items of each clip, above 0: the weights of the means.
        resamples: Number of resamples.

    Returns:
        First mean minus second; interval and p-value, both None if N is 1.
    """
    sums = means * counts
    totals = sums.sum(axis=1) / counts.sum(axis=1)
    difference = float(totals[0] - totals[1])
    if means.shape[1] < 2:
        return difference, None, None
    ours, theirs = resampled_means(sums, counts, resamples)
    differences = ours - theirs
    low, high = np.percentile(differences, [2.5, 97.5])
    smaller = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return difference, (float(low), float(high)), min(1.0, 2 * (smaller + 1) / (resamples + 1))
