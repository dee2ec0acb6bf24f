"""Sets of features that come in parts: moments, and a random choice."""

from __future__ import annotations

import numpy as np
import pytest

from signgen.evaluation.metrics.features.accumulation import BLOCK, Moments, Sample

RNG = np.random.default_rng(8)


def test_moments_are_those_of_numpy_however_the_parts_are_cut() -> None:
    features = RNG.normal(1e4, 0.01, (2 * BLOCK + 37, 5))  # digits would be lost in plain sums
    whole, parts = Moments().add(features), Moments()
    for start in range(0, len(features), 11):
        parts = parts.add(features[start : start + 11])
    assert whole.count == parts.count == len(features)
    one, other = whole.statistics("net:test"), parts.statistics("net:test")
    np.testing.assert_allclose(one.mean, features.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(one.covariance, np.cov(features, rowvar=False), rtol=1e-6)
    np.testing.assert_array_equal(one.scatter, other.scatter)


def test_moments_are_values_that_never_change() -> None:
    before = Moments().add(RNG.normal(size=(BLOCK + 10, 3)))
    first = before.statistics()
    after = before.add(RNG.normal(size=(BLOCK, 3)))
    assert (before.count, after.count) == (BLOCK + 10, 2 * BLOCK + 10)
    np.testing.assert_array_equal(before.statistics().scatter, first.scatter)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((2, 4)), r"expected \(N, 3\)"),
        (np.full((2, 3), np.nan), "NaN"),
        (np.zeros(3), "expected"),
    ],
)
def test_odd_features_are_refused(features: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Moments().add(np.zeros((2, 3))).add(features)


def test_a_choice_is_uniform_in_order_and_independent_of_the_parts() -> None:
    items = np.arange(900.0)[:, None]
    whole, parts = Sample(300, seed=1).add(items), Sample(300, seed=1)
    for start in range(0, 900, 7):
        parts = parts.add(items[start : start + 7])
    kept = whole.features[:, 0]
    np.testing.assert_array_equal(kept, parts.features[:, 0])
    assert (len(kept), whole.count) == (300, 900)
    assert (np.diff(kept) > 0).all()
    thirds = [int(((kept >= start) & (kept < start + 300)).sum()) for start in (0, 300, 600)]
    assert min(thirds) > 70, "each third of the stream gives about a third"


def test_a_choice_is_the_one_of_the_smallest_draws() -> None:
    draws = np.random.default_rng(4).random(50)
    kept = Sample(5, seed=4).add(np.arange(20.0)[:, None]).add(np.arange(20.0, 50)[:, None])
    assert sorted(kept.features[:, 0]) == sorted(np.argsort(draws)[:5])
    assert Sample(60, seed=4).add(np.arange(4.0)[:, None]).features[:, 0].tolist() == [0, 1, 2, 3]
