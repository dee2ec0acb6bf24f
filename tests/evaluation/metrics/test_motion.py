"""Metrics of motion on videos whose motion is known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from signgen.evaluation.metrics.base import MeanMetric
from signgen.evaluation.metrics.motion import (
    BRIGHTNESS_JITTER,
    FLICKER,
    SECOND_DIFFERENCE,
    flicker,
    tcd_metric,
)
from signgen.media import read_frames
from tests.material.scoring import chunks, measured, score_of

STRIPS = Path(__file__).resolve().parents[3] / ".." / "shared" / "real" / "fpdm_phoenix_strips"
RATIOS = [FLICKER, BRIGHTNESS_JITTER, SECOND_DIFFERENCE]
ratios = pytest.mark.parametrize("metric", RATIOS, ids=lambda metric: metric.name)


def noisy(count: int, sigma: float, seed: int = 3, size: tuple[int, int] = (80, 70)) -> np.ndarray:
    """A still grey picture with noise in every value of every frame."""
    noise = np.random.default_rng(seed).normal(128, sigma, (count, *size, 3))
    return noise.round().astype(np.uint8)


def pulsing(count: int, size: tuple[int, int] = (80, 70)) -> np.ndarray:
    """Grey frames that are brighter by one level every other time."""
    frames = np.full((count, *size, 3), 100, np.uint8)
    frames[1::2] += 1
    return frames


def mean_change(sigma: float) -> float:
    """Mean |difference| of two rounded normal numbers (rounding adds 1/12 to the variance)."""
    return math.sqrt(2 * (sigma**2 + 1 / 12)) * math.sqrt(2 / math.pi)


@pytest.mark.parametrize("sigma", [2.0, 8.0])
def test_flicker_of_noise_of_known_strength(sigma: float) -> None:
    score = score_of(FLICKER, noisy(12, sigma), pulsing(12))
    assert score.value == pytest.approx(mean_change(sigma), rel=0.01)
    assert score.details["generated"] == pytest.approx(mean_change(sigma), rel=0.01)
    assert score.details["reference"] == 1
    assert (score.n, score.ideal) == (11, 1)


def test_flicker_is_measured_only_where_the_truth_stands_still() -> None:
    truth = pulsing(9)
    truth[::2, :, :35] = 200  # these flip by 99 levels
    generated = truth.copy()
    generated[1::3, :, :35] = 7
    assert score_of(FLICKER, generated, truth).value == 1
    # Three channels that change by 3, 3 and 6 are 4 in the mean: not still.
    truth = np.full((5, 20, 20, 3), 90, np.uint8)
    truth[1::2] += np.array([3, 3, 6], np.uint8)
    assert score_of(FLICKER, noisy(5, 3, size=(20, 20)), truth).value is None
    ((ours, reference),) = chunks("a", truth, truth)
    assert flicker(ours, reference, 4)["values"].tolist() == [0] * 4
    assert flicker(ours, reference, 5)["values"].tolist() == [20 * 20 * 3] * 4


def test_brightness_jitter_of_known_strength() -> None:
    truth, generated = (np.full((6, 20, 20, 3), 100, np.uint8) for _ in range(2))
    truth[::2] += 2  # changes of -2, 2, -2, 2, -2: deviation sqrt(4 - 0.16)
    generated[::2, ..., 1] += 10  # green: 0.587 of luma
    score = score_of(BRIGHTNESS_JITTER, generated, truth)
    assert score.details["reference"] == pytest.approx(math.sqrt(4 - 0.16))
    assert score.value == pytest.approx(5.87 / 2)


def test_a_steady_fade_is_no_jitter() -> None:
    fade = (
        np.full((9, 20, 20, 3), 100, np.uint8) + np.arange(9, dtype=np.uint8)[:, None, None, None]
    )
    score = score_of(BRIGHTNESS_JITTER, noisy(9, 5, size=(20, 20)), fade)
    assert (score.value, score.n) == (None, 0)
    assert score.details["clips_without_motion"] == 1
    assert score.details["generated"] > 0


def test_second_difference_is_that_of_numpy() -> None:
    generated, reference = noisy(7, 20, seed=1), noisy(7, 9, seed=2)
    both = [np.abs(np.diff(f.astype(int), n=2, axis=0)).mean() for f in (generated, reference)]
    score = score_of(SECOND_DIFFERENCE, generated, reference)
    assert score.value == pytest.approx(both[0] / both[1])
    assert [score.details[k] for k in ("generated", "reference")] == pytest.approx(both)
    assert score.details["over_smoothed"] == 0


def test_a_smoothed_video_is_flagged() -> None:
    truth = noisy(40, 12)
    padded = np.pad(truth.astype(float), ((1, 1), (0, 0), (0, 0), (0, 0)), mode="edge")
    smooth = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    clips = {"smooth": (smooth.round().astype(np.uint8), truth), "same": (truth, truth)}
    score, _ = measured(SECOND_DIFFERENCE, clips)
    # (1, 2, 1) / 4 and (1, -2, 1) are (1, 0, -2, 0, 1) / 4 together: a quarter of the deviation.
    assert score.per_clip["smooth"] == pytest.approx(0.25, rel=0.05)
    assert score.per_clip["same"] == 1
    assert score.details["over_smoothed"] == 1
    assert score.details["over_smoothed_clips"] == 0.5


@ratios
@pytest.mark.parametrize("sigma", [0.0, 6.0])
def test_without_motion_in_the_truth_there_is_no_ratio(metric: MeanMetric, sigma: float) -> None:
    still = noisy(1, 30).repeat(6, axis=0)
    clips = {"still": (noisy(6, sigma), still), "frame": (still[:1], still[:1])}
    score, _ = measured(metric, clips)
    assert (score.value, score.n) == (None, 0)
    assert score.details["clips_without_motion"] == 1, "one frame has no motion to have none of"
    assert score.details["reference"] == 0
    assert (score.details["generated"] > 0) == (sigma > 0)
    clips["moving"] = noisy(5, 1.2), noisy(5, 1.2)
    score, _ = measured(metric, clips)
    assert (score.value, list(score.per_clip)) == (1, ["moving"])


def test_ratios_are_of_sums_and_weighted_by_steps() -> None:
    levels = {"a": ([0, 9, 9, 4], [0, 1, 4, 4]), "b": ([0, 30], [0, 3])}
    clips = {
        name: tuple(np.array(own, np.uint8).repeat(300).reshape(-1, 10, 10, 3) for own in both)
        for name, both in levels.items()
    }
    score, _ = measured(FLICKER, clips)
    assert score.per_clip == pytest.approx({"a": 14 / 4, "b": 10})
    assert score.counts == {"a": 3, "b": 1}
    assert score.value == pytest.approx((3 * 14 / 4 + 10) / 4)
    assert score.details == {
        "generated": pytest.approx((14 + 30) / 4),
        "reference": pytest.approx((4 + 3) / 4),
        "clips_without_motion": 0,
    }


@pytest.mark.parametrize("levels", ["unit", "bytes"])
@pytest.mark.parametrize("channels", ["mean", "sum"])
def test_tcd_is_that_of_its_formula(levels: str, channels: str) -> None:
    generated, truth = noisy(6, 40, seed=1), noisy(6, 30, seed=2)
    threshold = 0.5 * (255 if levels == "unit" else 1)
    middle = (truth[:-2] / 2) + (truth[2:] / 2)

    def share(frames: np.ndarray) -> float:
        off = getattr(np.abs(frames[1:-1] - middle), channels)(axis=-1)
        return float((off > threshold).mean())

    score = score_of(tcd_metric(levels, channels), generated, truth)
    assert score.value == pytest.approx(share(generated), abs=1e-12)
    assert score.details["reference"] == pytest.approx(share(truth), abs=1e-12)
    assert f"levels:{levels}|channels:{channels}" in score.signature
    assert score.n == 4


def test_tcd_counts_what_is_above_the_threshold_only() -> None:
    truth = np.full((3, 20, 20, 3), 100, np.uint8)
    generated = truth.copy()
    generated[1, 0, 0] = 142, 142, 143  # off by 127 in the sum of bytes: 0.498
    generated[1, 0, 1] = 142, 143, 143  # by 128: 0.502
    assert score_of(tcd_metric(), generated, truth).value == 1 / 400


@pytest.mark.skipif(not STRIPS.is_dir(), reason="the published strips are absent")
def test_the_published_strips() -> None:
    """Source | pose | truth | FPDM; numbers of this code, near those others measured there."""
    metrics = {
        "flicker": FLICKER,
        "second_difference": SECOND_DIFFERENCE,
        "unit-mean": tcd_metric("unit", "mean"),
        "unit-sum": tcd_metric("unit", "sum"),
        "bytes-mean": tcd_metric("bytes", "mean"),
    }
    clips = {}
    for path in sorted(STRIPS.glob("*.gif")):
        strip = np.stack(list(read_frames(path)))
        clips[path.stem[:10]] = strip[:, :, 630:840], strip[:, :, 420:630]
    scores = {name: measured(metric, clips)[0] for name, metric in metrics.items()}
    assert sorted(scores["flicker"].per_clip.values()) == pytest.approx([2.718, 2.872], abs=1e-3)
    assert sorted(scores["second_difference"].per_clip.values()) == pytest.approx(
        [1.287, 1.389], abs=1e-3
    )
    found = {
        name: (score.details["reference"], score.value)
        for name, score in scores.items()
        if "-" in name
    }
    assert found["unit-mean"] == pytest.approx((0.0002, 0.0016), abs=1e-4)
    assert found["unit-sum"] == pytest.approx((0.024, 0.039), abs=1e-3)
    assert found["bytes-mean"] == pytest.approx((0.575, 0.868), abs=1e-3)
