"""Similarity inside regions: what counts, what cannot move it, and frames without the region."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.evaluation.metrics.base import Chunk, MeanMetric
from signgen.evaluation.metrics.pixels.colour import ciede2000, lab
from signgen.evaluation.metrics.pixels.parsed_regions import (
    PARSED_METRICS,
    colour_distance_inside,
    ssim_inside,
)
from signgen.evaluation.metrics.pixels.ssim import ssim
from signgen.evaluation.metrics.score import Score
from signgen.human_parsing.label_sets import LABEL_SETS
from signgen.human_parsing.maps import Parts

RNG = np.random.default_rng(8)
SIZE = (44, 36)
TRUTH = RNG.integers(0, 256, (3, *SIZE, 3), np.uint8)
NOISY = np.clip(TRUTH + RNG.normal(0, 25, TRUTH.shape), 0, 255).astype(np.uint8)
LIP = LABEL_SETS["lip-20"]
FUNCTIONS = pytest.mark.parametrize("function", [ssim_inside, colour_distance_inside])


def inside() -> np.ndarray:
    """Return a ragged region (3, H, W), which the last frame does not have."""
    mask = np.zeros((3, *SIZE), bool)
    mask[:2, 4:30, 9:28] = RNG.random((2, 26, 19)) < 0.8
    return mask


def labels(face: int = 1) -> tuple[Parts, ...]:
    """Return maps of three frames: a face in the first ones, clothes in all."""
    maps = np.zeros((3, *SIZE), np.uint8)
    maps[:face, :15] = LIP.number("face")
    maps[:, 20:] = LIP.number("coat")
    return tuple(Parts(one, LIP, "test") for one in maps)


def scored(metric: MeanMetric, generated: np.ndarray, parts: tuple[Parts, ...]) -> Score:
    """Return the score of one clip, shown frame by frame."""
    measure = metric.begin("a", {})
    for t, one in enumerate(parts):
        now = slice(t, t + 1)
        measure.add(Chunk(generated[now], clip="a"), Chunk(TRUTH[now], clip="a", parts=(one,)))
    return metric.score(measure.results(), [SIZE])


# ----- functions ----------------------------------------------------------------------------------


def test_a_region_that_is_the_frame_has_the_scores_of_the_frame() -> None:
    every = np.ones((3, *SIZE), bool)
    assert ssim_inside(NOISY, TRUTH, every) == pytest.approx(ssim(NOISY, TRUTH), abs=1e-5)
    expected = ciede2000(lab(NOISY), lab(TRUTH)).mean(axis=(1, 2))
    assert colour_distance_inside(NOISY, TRUTH, every) == pytest.approx(expected)


def test_equal_pictures() -> None:
    assert ssim_inside(TRUTH, TRUTH, inside())[:2].tolist() == [1, 1]
    assert colour_distance_inside(TRUTH, TRUTH, inside())[:2].tolist() == [0, 0]


@FUNCTIONS
def test_nothing_outside_of_a_region_counts_and_all_inside_does(function) -> None:
    mask = inside()
    other = np.where(mask[..., None], NOISY, 255 - NOISY)
    plain = function(NOISY, TRUTH, mask)
    assert np.array_equal(function(other, TRUTH, mask)[:2], plain[:2])
    row, column = np.argwhere(mask[0])[40]
    other[0, row, column] ^= 128
    assert function(other, TRUTH, mask)[0] != plain[0]


@FUNCTIONS
def test_an_empty_region_has_no_value(function) -> None:
    assert np.isnan(function(NOISY, TRUTH, inside())).tolist() == [False, False, True]


def test_ssim_against_a_slow_reference() -> None:
    mask = inside()
    offsets = np.arange(-5, 6)
    kernel = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    values = []
    for y, x in np.argwhere(mask[0, 5:-5, 5:-5]) + 5:
        window = (slice(y - 5, y + 6), slice(x - 5, x + 6))
        weights = (kernel * mask[0][window]).ravel()
        a, b = (f[0][window].reshape(-1, 3).astype(float) for f in (NOISY, TRUTH))
        for one, two in zip(a.T, b.T, strict=True):
            (va, c), (_, vb) = np.cov(one, two, aweights=weights, ddof=0)
            ma, mb = np.average(one, weights=weights), np.average(two, weights=weights)
            top = (2 * ma * mb + 2.55**2) * (2 * c + 7.65**2)
            values.append(top / ((ma**2 + mb**2 + 2.55**2) * (va + vb + 7.65**2)))
    assert ssim_inside(NOISY, TRUTH, mask)[0] == pytest.approx(np.mean(values), abs=1e-9)


# ----- metrics ------------------------------------------------------------------------------------


def test_scores_are_means_over_frames_that_have_the_region() -> None:
    face = PARSED_METRICS["face_region_ciede2000"]
    score = scored(face, NOISY, labels(face=2))
    expected = ciede2000(lab(NOISY[:2, :15]), lab(TRUTH[:2, :15])).mean()
    assert score.value == pytest.approx(expected)
    assert (score.n, score.details["coverage"]) == (2, pytest.approx(2 / 3))
    assert scored(PARSED_METRICS["cloth_region_ssim"], NOISY, labels()).n == 3
    none = scored(face, NOISY, labels(face=0))
    assert (none.value, none.details["coverage"]) == (None, 0)


def test_each_metric_sees_its_own_region() -> None:
    painted = TRUTH.copy()
    painted[:, :15] = 255 - painted[:, :15]
    for name, metric in PARSED_METRICS.items():
        best = 1 if metric.higher_is_better else 0
        assert (scored(metric, painted, labels()).value == best) is name.startswith("cloth")
        assert scored(metric, TRUTH, labels()).value == best


def test_frames_without_parsing_and_small_ones() -> None:
    metric = PARSED_METRICS["face_region_ssim"]
    with pytest.raises(UserError, match="clip a: no human parsing of the true frames"):
        metric.begin("a", {}).add(Chunk(NOISY, clip="a"), Chunk(TRUTH, clip="a"))
    small = [replace(one, labels=one.labels[:8, :8]) for one in labels()]
    measure = metric.begin("a", {})
    measure.add(Chunk(NOISY[:, :8, :8]), Chunk(TRUTH[:, :8, :8], parts=tuple(small)))
    score = metric.score(measure.results(), [(8, 8)])
    assert score.value is None
