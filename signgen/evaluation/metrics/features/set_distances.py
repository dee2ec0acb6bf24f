"""Distances of two sets of features: Frechet distance of their moments, and the kernel distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.metrics.features.accumulation import FeatureStatistics

__all__ = ["frechet_distance", "kernel_distance"]

Array = NDArray[np.float64]


def frechet_distance(one: FeatureStatistics, other: FeatureStatistics) -> float:
    """Return the squared Frechet distance of two Gaussians: Heusel et al. 2017, Eq. 6.

    |m1 - m2|^2 + tr(S1) + tr(S2) - 2 tr((S1 S2)^(1/2)). The last trace is the sum of the singular
    values of A1^T A2, where S = A A^T. That equals the trace of scipy's `sqrtm(S1 @ S2)`, as CFLD,
    FPDM and pytorch-fid compute it, where both are of full rank, and needs neither their 1e-6 on
    the diagonal nor the real part of a complex root where there are fewer items than dimensions.

    Args:
        one: At least two items.
        other: At least two items, features of the same width.
    """
    first, second = one.covariance, other.covariance
    roots = np.linalg.svd(_factor(first).T @ _factor(second), compute_uv=False)
    shift = one.mean - other.mean
    distance = shift @ shift + np.trace(first) + np.trace(second) - 2 * roots.sum()
    return max(float(distance), 0.0)  # rounding can take equal sets below 0


def _factor(covariance: Array) -> Array:
    """Return A of shape (D, rank) with A A^T = covariance.

    Directions without variance are left out: rounding gives them eigenvalues of the order of 1e-16,
    whose roots would not be small.
    """
    values, vectors = np.linalg.eigh(covariance)
    kept = values > max(float(values[-1]), 0.0) * len(values) * np.finfo(np.float64).eps
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]), np.float64)


def kernel_distance(
    one: Array, other: Array, *, subsets: int = 100, size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return the kernel distance (KID) and its deviation over subsets: Binkowski et al. 2018.

    Unbiased squared maximum mean discrepancy with the kernel (x y / D + 1)^3, averaged over random
    subsets without replacement; numbers of subsets as in torch-fidelity. Subsets are smaller where
    a set is.

    Args:
        one: (N, D), at least two items.
        other: (M, D), at least two items.
        subsets: Number of subsets.
        size: Items of each set in a subset, at most.
        seed: Seed of the subsets.
    """
    size = min(size, len(one), len(other))
    random = np.random.default_rng(seed)
    values = [
        _discrepancy(
            one[random.choice(len(one), size, replace=False)],
            other[random.choice(len(other), size, replace=False)],
        )
        for _ in range(subsets)
    ]
    return float(np.mean(values)), float(np.std(values))


def _discrepancy(one: Array, other: Array) -> float:
    """Return the unbiased squared discrepancy of two (N, D) sets: Gretton et al. 2012, Eq. 3."""
    count, width = one.shape
    within = 0.0
    for items in (one, other):
        kernel = (items @ items.T / width + 1) ** 3
        within += (kernel.sum() - np.trace(kernel)) / (count * (count - 1))
    between = ((one @ other.T / width + 1) ** 3).mean()
    return float(within - 2 * between)
