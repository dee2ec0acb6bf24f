"""Means of values that come in parts, and bootstrap intervals over clips."""

from __future__ import annotations

import numpy as np
import pytest

from signgen.evaluation.metrics.score import Mean, Score, bootstrap_interval, mean_score, pooled

RNG = np.random.default_rng(1)


def score(clips: dict[str, list[float]]) -> Score:
    means = {clip: Mean.of(values) for clip, values in clips.items()}
    return mean_score("m", means, signature="m", higher_is_better=True)


def test_means_and_deviations_are_those_of_numpy_however_the_parts_are_cut() -> None:
    numbers = RNG.normal(1e3, 2, 50)
    parts = [Mean.of(part) for part in np.split(numbers, [1, 1, 17, 40])]
    for mean in (Mean.of(numbers), sum(parts, Mean())):
        assert (mean.value, mean.count) == (pytest.approx(numbers.mean(), rel=1e-14), 50)
        assert mean.deviation == pytest.approx(numbers.std(), rel=1e-12)
    assert (Mean().value, Mean().deviation) == (None, 0)
    assert Mean.of([np.nan, 3.0]) == Mean(3.0, 1), "what is missing is left out"


def test_names_are_pooled_over_clips() -> None:
    clips = [{"left": Mean.of([1, 2]), "right": Mean.of([6])}, {"left": Mean.of([3])}]
    assert pooled(clips, "left", "right").value == 3
    assert pooled(clips, "right").value == 6
    assert pooled(clips, "none") == Mean()


def test_the_mean_is_over_items_and_clips_without_items_are_left_out() -> None:
    found = score({"a": [1.0, 2.0, 3.0], "empty": [], "b": [6.0]})
    assert (found.value, found.n) == (3.0, 4)
    assert found.per_clip == {"a": 2.0, "b": 6.0}
    assert found.counts == {"a": 3, "b": 1}
    assert (score({}).value, score({}).ci95) == (None, None), "not a number"


def test_the_interval_covers_the_mean_of_normal_clips_as_theory_says() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    interval = bootstrap_interval(values, np.ones(400))
    assert interval is not None
    half = 1.96 * values.std() / np.sqrt(400)
    assert interval == pytest.approx((values.mean() - half, values.mean() + half), abs=0.03)
    assert bootstrap_interval(np.array([3.0]), np.array([2.0])) is None, "of one clip"


def test_clips_are_resampled_and_not_frames() -> None:
    """Repeating every frame 100 times must not make the interval narrower."""
    values = {"a": 1.0, "b": 2.0, "c": 4.0}
    few, many = (score({c: [v] * times for c, v in values.items()}) for times in (1, 100))
    assert few.ci95 == pytest.approx(many.ci95)


def test_the_interval_repeats_and_does_not_depend_on_the_order_of_clips() -> None:
    clips = {f"clip{i}": [float(v)] for i, v in enumerate(RNG.normal(size=9))}
    assert score(clips).ci95 == score(dict(reversed(clips.items()))).ci95 == score(clips).ci95
