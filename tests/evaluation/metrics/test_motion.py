"""Metrics of motion on videos whose motion is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from signgen.evaluation.metrics import Metric
from signgen.evaluation.metrics.motion import TCD, BrightnessJitter, Flicker, SecondDifference
from signgen.media import read_frames

STRIPS = Path(__file__).resolve().parents[3] / ".." / "shared" / "real" / "fpdm_phoenix_strips"
RATIOS: list[Callable[[], Metric]] = [Flicker, BrightnessJitter, SecondDifference]


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


def score_of(metric: Metric, generated: np.ndarray, reference: np.ndarray):
    metric.update(generated, reference, clip="a")
    return metric.compute()


@pytest.mark.parametrize("sigma", [2.0, 8.0])
def test_flicker_of_noise_of_known_strength(sigma: float) -> None:
    score = score_of(Flicker(), noisy(12, sigma), pulsing(12))
    assert score.value == pytest.approx(mean_change(sigma), rel=0.01)
    assert score.details["generated"] == pytest.approx(mean_change(sigma), rel=0.01)
    assert score.details["reference"] == 1
    assert (score.n, score.ideal) == (11, 1)


def test_flicker_is_measured_only_where_the_truth_stands_still() -> None:
    truth = pulsing(9)
    truth[::2, :, :35] = 200  # these flip by 99 levels
    generated = truth.copy()
    generated[1::3, :, :35] = 7
    assert score_of(Flicker(), generated, truth).value == 1
    # Three channels that change by 3, 3 and 6 are 4 in the mean: not still.
    truth = np.full((5, 20, 20, 3), 90, np.uint8)
    truth[1::2] += np.array([3, 3, 6], np.uint8)
    assert score_of(Flicker(), noisy(5, 3, size=(20, 20)), truth).value is None
    assert score_of(Flicker(limit=5), truth, truth).value == 1


def test_brightness_jitter_of_known_strength() -> None:
    truth, generated = (np.full((6, 20, 20, 3), 100, np.uint8) for _ in range(2))
    truth[::2] += 2  # changes of -2, 2, -2, 2, -2: deviation sqrt(4 - 0.16)
    generated[::2, ..., 1] += 10  # green: 0.587 of luma
    score = score_of(BrightnessJitter(), generated, truth)
    assert score.details["reference"] == pytest.approx(math.sqrt(4 - 0.16))
    assert score.value == pytest.approx(5.87 / 2)


def test_a_steady_fade_is_no_jitter() -> None:
    fade = (
        np.full((9, 20, 20, 3), 100, np.uint8) + np.arange(9, dtype=np.uint8)[:, None, None, None]
    )
    score = score_of(BrightnessJitter(), noisy(9, 5, size=(20, 20)), fade)
    assert (score.value, score.n) == (None, 0)
    assert score.details["clips_without_motion"] == 1
    assert score.details["generated"] > 0


def test_second_difference_is_that_of_numpy() -> None:
    generated, reference = noisy(7, 20, seed=1), noisy(7, 9, seed=2)
    both = [np.abs(np.diff(f.astype(int), n=2, axis=0)).mean() for f in (generated, reference)]
    score = score_of(SecondDifference(), generated, reference)
    assert score.value == pytest.approx(both[0] / both[1])
    assert [score.details[k] for k in ("generated", "reference")] == pytest.approx(both)
    assert score.details["over_smoothed"] == 0


def test_a_smoothed_video_is_flagged() -> None:
    truth = noisy(40, 12)
    padded = np.pad(truth.astype(float), ((1, 1), (0, 0), (0, 0), (0, 0)), mode="edge")
    smooth = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    metric = SecondDifference()
    metric.update(smooth.round().astype(np.uint8), truth, clip="smooth")
    metric.update(truth, truth, clip="same")
    score = metric.compute()
    # (1, 2, 1) / 4 and (1, -2, 1) are (1, 0, -2, 0, 1) / 4 together: a quarter of the deviation.
    assert score.per_clip["smooth"] == pytest.approx(0.25, rel=0.05)
    assert score.per_clip["same"] == 1
    assert score.details["over_smoothed"] == 1
    assert score.details["over_smoothed_clips"] == 0.5


@pytest.mark.parametrize("make", RATIOS, ids=lambda make: make().name)
def test_identical_videos_have_a_ratio_of_exactly_one(make: Callable[[], Metric]) -> None:
    frames = noisy(9, 1.2)
    assert score_of(make(), frames, frames).value == 1


@pytest.mark.parametrize("make", RATIOS, ids=lambda make: make().name)
@pytest.mark.parametrize("sigma", [0.0, 6.0])
def test_without_motion_in_the_truth_there_is_no_ratio(
    make: Callable[[], Metric], sigma: float
) -> None:
    metric = make()
    still = noisy(1, 30).repeat(6, axis=0)
    metric.update(noisy(6, sigma), still, clip="still")
    assert metric.compute().value is None
    assert metric.compute().details["clips_without_motion"] == 1
    assert metric.compute().details["reference"] == 0
    assert (metric.compute().details["generated"] > 0) == (sigma > 0)
    metric.update(noisy(5, 1.2), noisy(5, 1.2), clip="moving")
    assert (metric.compute().value, list(metric.compute().per_clip)) == (1, ["moving"])


@pytest.mark.parametrize("levels", ["unit", "bytes"])
@pytest.mark.parametrize("channels", ["mean", "sum"])
def test_tcd_is_that_of_its_formula(levels: str, channels: str) -> None:
    generated, truth = noisy(6, 40, seed=1), noisy(6, 30, seed=2)
    threshold = 0.5 * (255 if levels == "unit" else 1)
    middle = (truth[:-2] / 2) + (truth[2:] / 2)

    def share(frames: np.ndarray) -> float:
        off = getattr(np.abs(frames[1:-1] - middle), channels)(axis=-1)
        return float((off > threshold).mean())

    score = score_of(TCD(levels, channels), generated, truth)
    assert score.value == pytest.approx(share(generated), abs=1e-12)
    assert score.details["reference"] == pytest.approx(share(truth), abs=1e-12)
    assert f"levels:{levels}|channels:{channels}" in score.signature
    assert score.n == 4


def test_tcd_counts_what_is_above_the_threshold_only() -> None:
    truth = np.full((3, 20, 20, 3), 100, np.uint8)
    generated = truth.copy()
    generated[1, 0, 0] = 142, 142, 143  # off by 127 in the sum of bytes: 0.498
    generated[1, 0, 1] = 142, 143, 143  # by 128: 0.502
    assert score_of(TCD(), generated, truth).value == 1 / 400


def test_a_clip_that_comes_again_is_refused() -> None:
    metric = Flicker()
    for clip in ("a", "b"):
        metric.update(pulsing(2), pulsing(2), clip=clip)
    with pytest.raises(ValueError, match="'a' comes again"):
        metric.update(pulsing(2), pulsing(2), clip="a")
    other = pulsing(2, (30, 40))
    with pytest.raises(ValueError, match="changes its size"):
        metric.update(other, other, clip="b")


@pytest.mark.skipif(not STRIPS.is_dir(), reason="the published strips are absent")
def test_the_published_strips() -> None:
    """Source | pose | truth | FPDM; numbers of this code, near those others measured there."""
    metrics = {
        "flicker": Flicker(),
        "second_difference": SecondDifference(),
        "unit-mean": TCD("unit", "mean"),
        "unit-sum": TCD("unit", "sum"),
        "bytes-mean": TCD("bytes", "mean"),
    }
    for path in sorted(STRIPS.glob("*.gif")):
        strip = np.stack(list(read_frames(path)))
        truth, generated = strip[:, :, 420:630], strip[:, :, 630:840]
        for metric in metrics.values():
            metric.update(generated, truth, clip=path.stem[:10])
    scores = {name: metric.compute() for name, metric in metrics.items()}
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
