"""Frechet and kernel distances against closed forms, scipy and slow restatements."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from signgen.evaluation.metrics.features.accumulation import FeatureStatistics, Moments
from signgen.evaluation.metrics.features.set_distances import frechet_distance, kernel_distance

RNG = np.random.default_rng(8)


def statistics(features: np.ndarray):
    return Moments().add(features).statistics("net:test")


def test_frechet_distance_equals_scipys_root() -> None:
    one = RNG.normal(size=(300, 12)) @ RNG.normal(size=(12, 12))
    other = RNG.normal(size=(200, 12)) @ RNG.normal(size=(12, 12)) + 0.3
    covariances = [np.cov(features, rowvar=False) for features in (one, other)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    shift = one.mean(axis=0) - other.mean(axis=0)
    expected = shift @ shift + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet_distance(statistics(one), statistics(other)) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_scaled_features_is_the_closed_form() -> None:
    """Of N(m, S) and N(m + v, k^2 S): |v|^2 + (k - 1)^2 tr S."""
    features = RNG.normal(size=(400, 6)) @ RNG.normal(size=(6, 6))
    one = statistics(features)
    other = statistics(3 * (features - features.mean(axis=0)) + features.mean(axis=0) + 2)
    expected = 6 * 2**2 + (3 - 1) ** 2 * np.trace(one.covariance)
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("count", [40, 500])
def test_equal_sets_have_no_distance_even_with_fewer_items_than_dimensions(count: int) -> None:
    features = RNG.normal(0.4, 0.3, (count, 200))
    assert abs(frechet_distance(statistics(features), statistics(features))) < 1e-6
    shuffled = RNG.permutation(features)
    assert abs(frechet_distance(statistics(features), statistics(shuffled))) < 1e-6


def test_frechet_distance_of_flat_sets() -> None:
    """Items on a line in 50 dimensions, and on another at a right angle: nothing is in common."""
    line = np.linspace(-1, 1, 21)
    one, other = np.zeros((2, 21, 50))
    one[:, 0], other[:, 1] = line, 2 * line
    expected = line.var(ddof=1) * (1 + 4)
    assert frechet_distance(statistics(one), statistics(other)) == pytest.approx(expected)
    constant = statistics(np.ones((3, 50)))
    assert frechet_distance(constant, constant) == 0


def test_directions_without_variance_add_nothing() -> None:
    """Rounding gives each of 280 an eigenvalue, whose root would count beside the other set's 2."""
    rotation, _ = np.linalg.qr(RNG.normal(size=(300, 300)))
    values = np.concatenate([RNG.uniform(50, 100, 20), np.zeros(280)])
    one = FeatureStatistics(2, np.zeros(300), rotation @ np.diag(values) @ rotation.T, "")
    other = FeatureStatistics(2, np.zeros(300), 4 * np.eye(300), "")
    expected = ((np.sqrt(values) - 2) ** 2).sum()
    assert frechet_distance(one, other) == pytest.approx(expected, abs=1e-8)


def test_kernel_distance_equals_the_double_sum() -> None:
    one, other = RNG.normal(size=(7, 4)), RNG.normal(0.5, 1, (9, 4))

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return (float(x @ y) / 4 + 1) ** 3

    # With one subset of all seven, the first set is whole; the choice of the other is repeated.
    random = np.random.default_rng(3)
    first = one[random.choice(7, 7, replace=False)]
    second = other[random.choice(9, 7, replace=False)]
    pairs = [(i, j) for i in range(7) for j in range(7)]
    within = sum(
        kernel(items[i], items[j]) for items in (first, second) for i, j in pairs if i != j
    )
    between = sum(kernel(first[i], second[j]) for i, j in pairs)
    expected = within / (7 * 6) - 2 * between / 49
    value, deviation = kernel_distance(one, other, subsets=1, size=7, seed=3)
    assert value == pytest.approx(expected)
    assert deviation == 0
