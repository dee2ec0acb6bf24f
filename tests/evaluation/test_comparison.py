"""Paired bootstrap: cases with known answers, and the coverage of its interval."""

from __future__ import annotations

import numpy as np
import pytest

from signgen.evaluation.comparison import (
    FEW_CLIPS,
    Comparison,
    compare,
    compare_with_others,
    paired_bootstrap,
)
from signgen.evaluation.metrics.score import RESAMPLES, Mean, Score, mean_score

RNG = np.random.default_rng(3)
HARDNESS = RNG.uniform(0.2, 0.9, 20)


def score(values: np.ndarray, counts: int = 4, name: str = "ssim") -> Score:
    means = {f"clip{i:02}": Mean(value * counts, counts) for i, value in enumerate(values)}
    return mean_score(name, means, signature=name, higher_is_better=True)


def test_a_constant_difference_has_an_interval_without_width_and_the_smallest_p() -> None:
    found = compare(score(HARDNESS + 0.25), score(HARDNESS), system="a", other_system="b")
    assert found.difference == pytest.approx(0.25)
    assert found.ci95 == pytest.approx((0.25, 0.25))
    assert found.p == pytest.approx(2 / (RESAMPLES + 1))
    assert found.clips == 20


def test_equal_systems_differ_by_nothing() -> None:
    found = compare(score(HARDNESS), score(HARDNESS), system="a", other_system="b")
    assert (found.difference, found.ci95, found.p) == (0, (0, 0), 1)


def test_exchanging_the_systems_turns_the_signs() -> None:
    noisy = HARDNESS + RNG.normal(0.01, 0.05, 20)
    one = compare(score(noisy), score(HARDNESS), system="a", other_system="b")
    other = compare(score(HARDNESS), score(noisy), system="b", other_system="a")
    assert one.difference == pytest.approx(-other.difference)
    assert one.ci95 == pytest.approx((-other.ci95[1], -other.ci95[0]))
    assert one.p == other.p
    assert 2 / (RESAMPLES + 1) < one.p < 1


def test_clips_weigh_by_their_items() -> None:
    means = np.array([[1.0, 0.0], [0.0, 0.0]])
    difference, _, _ = paired_bootstrap(means, np.array([[3.0, 1.0], [1.0, 1.0]]))
    assert difference == 0.75


def test_pairing_sees_what_separate_intervals_hide() -> None:
    ours, theirs = score(HARDNESS + 0.02), score(HARDNESS)
    assert ours.ci95[0] < theirs.ci95[1], "the intervals of the two overlap"
    assert compare(ours, theirs, system="a", other_system="b").ci95[0] > 0


def test_only_shared_clips_are_compared() -> None:
    ours = score(np.array([0.5, 0.7, 0.9]))
    theirs = score(np.array([0.4, 0.6]))
    found = compare(ours, theirs, system="a", other_system="b")
    assert (found.clips, found.difference) == (2, pytest.approx(0.1))


def test_many_clips_give_what_the_normal_distribution_says() -> None:
    rng = np.random.default_rng(5)
    means = np.stack([rng.normal(0.01, 1, 5000), np.zeros(5000)])
    difference, (low, high), _ = paired_bootstrap(means, np.ones((2, 5000)))
    error = means[0].std() / np.sqrt(5000)
    assert (low, high) == pytest.approx(
        (difference - 1.96 * error, difference + 1.96 * error), abs=0.2 * error
    )


def test_one_clip_has_a_difference_but_no_interval() -> None:
    found = compare(score(HARDNESS[:1] + 1), score(HARDNESS[:1]), system="a", other_system="b")
    assert (found.ci95, found.p, found.clips) == (None, None, 1)
    assert found.difference == pytest.approx(1)


def test_one_system_is_compared_with_all_others_in_all_metrics() -> None:
    fid = Score("fid", 12.0, None, 100, False, "fid|version:1", {})
    scores = {
        "ours": [score(HARDNESS), score(HARDNESS, name="psnr"), fid],
        "theirs": [score(HARDNESS, name="psnr"), fid],
        "copy": [score(HARDNESS), score(HARDNESS, name="psnr")],
    }
    found = compare_with_others(scores, "ours")
    assert [(entry.other, entry.metric) for entry in found] == [
        ("theirs", "psnr"),
        ("copy", "ssim"),
        ("copy", "psnr"),
    ]
    assert found[0] == Comparison("psnr", "ours", "theirs", 0.0, (0.0, 0.0), 1.0, 20)


def experiments(clips: int, number: int = 300) -> tuple[float, float]:
    """Repeat an experiment in which both systems share the hardness of a clip, ours is 0.02 better.

    Returns:
        Share of the intervals that hold the true difference; share of p below 0.05 when the 0.02
        are taken away again, where 0.05 would be right.
    """
    rng = np.random.default_rng(11)
    covered = wrongly = 0
    for _ in range(number):
        base = rng.uniform(0.2, 0.9, clips)
        noise = rng.normal(0, 0.05, (2, clips))
        counts = np.full((2, clips), 5.0)
        _, ci95, _ = paired_bootstrap(np.stack([base + 0.02, base]) + noise, counts, 400)
        covered += ci95[0] <= 0.02 <= ci95[1]
        _, _, p = paired_bootstrap(np.stack([base, base]) + noise, counts, 400)
        wrongly += p < 0.05
    return covered / number, wrongly / number


def test_the_interval_covers_the_true_difference_and_p_is_calibrated() -> None:
    covered, wrongly = experiments(2 * FEW_CLIPS)
    assert 0.90 <= covered <= 0.98
    assert 0.02 <= wrongly <= 0.10


def test_few_clips_promise_too_much() -> None:
    covered, wrongly = experiments(FEW_CLIPS // 4)
    assert 0.75 <= covered <= 0.88
    assert 0.12 <= wrongly <= 0.25
