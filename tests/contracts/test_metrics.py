"""What every metric must keep: one suite for all of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache, partial

import numpy as np
import pytest
import torch

from signgen.evaluation.metrics import (
    FID,
    FVD,
    KID,
    LPIPS,
    PSNR,
    SSIM,
    TCD,
    AbsoluteError,
    BrightnessJitter,
    FaceSSIM,
    FeatureExtractor,
    Flicker,
    HandPE,
    HandSSIM,
    KeypointDTW,
    KeypointError,
    Metric,
    MouthSSIM,
    Score,
    SecondDifference,
    WarpingError,
    default_metrics,
)
from signgen.evaluation.metrics.keypoints.hand_points import EstimatedHands
from signgen.evaluation.metrics.keypoints.redetection import RememberingEstimator
from signgen.evaluation.metrics.perceptual.lpips import lpips_extractor
from signgen.evaluation.metrics.perceptual.network import LPIPSNetwork, load_heads
from signgen.evaluation.metrics.pixels.ssim import SSIM_256, SSIM_256_PIDM, WINDOW_7, WINDOW_51
from signgen.structures import PoseSequence
from tests.material.tiny_estimators import BrightCells, WrittenPoints


@cache
def lpips_network() -> LPIPSNetwork:
    """Return a network with drawn trunk and published heads."""
    torch.manual_seed(0)
    network = LPIPSNetwork()
    load_heads(network)
    return network


def lpips() -> Metric:
    return LPIPS(lpips_extractor(lpips_network()))


def brightness(items: np.ndarray) -> np.ndarray:
    """Return three features of pictures or stacks: the mean of each colour."""
    return items.reshape(len(items), -1, 3).mean(axis=1)


EXTRACTOR = FeatureExtractor(brightness, "net:brightness")
SET_METRICS: list[Callable[[], Metric]] = [
    partial(FID, EXTRACTOR),
    partial(FID, EXTRACTOR, "unique-reference", name="fid_unique"),
    partial(KID, EXTRACTOR),
    partial(FVD, EXTRACTOR),
]
"""Metrics of all frames together, without values of clips or frames."""
METRICS: list[Callable[[], Metric]] = [
    SSIM,
    partial(SSIM, WINDOW_7),
    partial(SSIM, WINDOW_51),
    partial(SSIM, SSIM_256),
    partial(SSIM, SSIM_256_PIDM),
    PSNR,
    AbsoluteError,
    partial(AbsoluteError, relative=True),
    HandSSIM,
    lpips,
    FaceSSIM,
    MouthSSIM,
    lambda: HandPE(EstimatedHands(BrightCells())),
    lambda: HandPE(EstimatedHands(BrightCells()), penalty=64),
    lambda: KeypointError(RememberingEstimator(WrittenPoints()), "detected"),
    lambda: KeypointDTW(RememberingEstimator(WrittenPoints()), "detected"),
    *(Flicker, BrightnessJitter, SecondDifference, TCD, WarpingError),
]
WITHOUT_VALUES_PER_FRAME = {"flicker", "brightness_jitter", "second_difference", "tcd"}
WITHOUT_VALUES_PER_FRAME |= {"keypoint_error", "keypoint_dtw"}
RNG = np.random.default_rng(17)
SIZE = (130, 104)


def clip(count: int) -> tuple[np.ndarray, np.ndarray, PoseSequence]:
    """Return noisy frames, nearly still reference frames and poses with both hands in the frame."""
    picture = RNG.integers(0, 250, (*SIZE, 3))
    reference = (picture + RNG.integers(0, 6, (count, *SIZE, 3))).astype(np.uint8)
    noise = RNG.normal(0, 40, reference.shape)
    generated = np.clip(reference + noise, 0, 255).astype(np.uint8)
    keypoints = np.tile(np.array([52, 60], np.float32), (count, 133, 1))
    confidence = np.ones((count, 133), np.float32)
    return generated, reference, PoseSequence(keypoints, confidence, "coco-wholebody-133", SIZE, 25)


def goodness(score: Score) -> float:
    """Return a number that is higher the better the score is."""
    if score.ideal is not None:
        return -abs(score.value - score.ideal)
    return score.value if score.higher_is_better else -score.value


def best(score: Score) -> float:
    """Return what identical frames should score; of some, that is the truth's own score."""
    if score.ideal is not None:
        return score.ideal
    if score.higher_is_better:
        return {"psnr": 100.0}.get(score.name, 1.0)
    return score.details.get("reference") or 0.0


@pytest.fixture(params=METRICS, ids=lambda metric: metric().name)
def make(request: pytest.FixtureRequest) -> Callable[[], Metric]:
    return request.param


@pytest.fixture(params=METRICS + SET_METRICS, ids=lambda metric: metric().name)
def make_any(request: pytest.FixtureRequest) -> Callable[[], Metric]:
    return request.param


def test_chunks_do_not_change_the_score(make_any: Callable[[], Metric]) -> None:
    clips = {"a": clip(19), "b": clip(17)}
    whole, chunked = make_any(), make_any()
    for name, (generated, reference, poses) in clips.items():
        whole.update(generated, reference, poses, clip=name)
        for start in range(0, len(generated), 2):
            part = slice(start, start + 2)
            chunked.update(generated[part], reference[part], poses.frames(part), clip=name)
    one, other = whole.compute(), chunked.compute()
    assert one.value == pytest.approx(other.value, abs=1e-6 if one.name == "lpips" else 1e-12)
    assert one.per_clip == pytest.approx(other.per_clip)
    assert (one.n, one.signature) == (other.n, other.signature)


def test_identical_frames_are_best(make_any: Callable[[], Metric]) -> None:
    generated, reference, poses = clip(32)
    perfect, imperfect = make_any(), make_any()
    perfect.update(reference, reference, poses, clip="a")
    imperfect.update(generated, reference, poses, clip="a")
    assert goodness(perfect.compute()) > goodness(imperfect.compute())
    if perfect.compute().name != "kid":  # which is unbiased, and so on either side of 0
        assert perfect.compute().value == pytest.approx(best(perfect.compute()), abs=1e-6)


def test_the_score_is_complete(make: Callable[[], Metric]) -> None:
    metric = make()
    for name in ("a", "b", "c"):
        metric.update(*clip(4), clip=name)
    score = metric.compute()
    assert score.name == metric.name
    assert sorted(score.per_clip) == ["a", "b", "c"]
    assert score.ci95 is not None
    low, high = score.ci95
    lowest, highest = min(score.per_clip.values()), max(score.per_clip.values())
    assert lowest - 1e-9 <= low <= score.value <= high <= highest + 1e-9, "but for rounding"
    assert score.signature.startswith(f"{metric.name}|")
    assert "size:130x104" in score.signature
    assert "version:" in score.signature
    assert metric.compute() == score, "computing does not change the metric"


def test_clips_and_their_counts_make_up_the_score(make: Callable[[], Metric]) -> None:
    metric = make()
    for name, count in (("a", 4), ("b", 1)):
        metric.update(*clip(count), clip=name)
    score = metric.compute()
    assert sum(score.counts.values()) == score.n
    total = sum(score.per_clip[name] * count for name, count in score.counts.items())
    assert total / score.n == pytest.approx(score.value)


def test_latest_holds_a_value_per_frame(make: Callable[[], Metric]) -> None:
    metric = make()
    assert metric.latest is None
    metric.update(*clip(3), clip="a")
    if metric.name not in WITHOUT_VALUES_PER_FRAME:
        assert metric.latest.shape == (3,)
        assert np.nanmean(metric.latest) == pytest.approx(metric.compute().value)


def test_metrics_of_sets_have_no_value_of_a_clip_or_frame() -> None:
    for make in SET_METRICS:
        metric = make()
        for name in ("a", "b"):
            metric.update(*clip(16), clip=name)
        score = metric.compute()
        assert score.value is not None
        assert (metric.latest, score.ci95, score.per_clip, score.counts) == (None, None, {}, {})
        assert metric.compute() == score, "computing does not change the metric"


def test_a_copy_of_a_fresh_metric_measures_on_its_own(make: Callable[[], Metric]) -> None:
    """Baselines are measured with copies."""
    metric = make()
    other = copy.deepcopy(metric)
    metric.update(*clip(4), clip="a")
    assert other.compute().n == 0
    other.update(*clip(4), clip="b")
    assert (list(other.compute().per_clip), list(metric.compute().per_clip)) == (["b"], ["a"])


def test_a_copy_goes_on_where_a_clip_failed_halfway(make_any: Callable[[], Metric]) -> None:
    clips = {"a": clip(17), "failed": clip(9), "c": clip(16)}
    metric, plain = make_any(), make_any()
    metric.update(*clips["a"], clip="a")
    before = copy.deepcopy(metric)
    metric.update(*clips["failed"], clip="failed")
    metric.update(*clips["c"], clip="c")
    before.update(*clips["c"], clip="c")
    for name in ("a", "c"):
        plain.update(*clips[name], clip=name)
    assert before.compute() == plain.compute()
    assert metric.compute().n > plain.compute().n or metric.name == "fvd"


def test_without_frames_there_is_no_value(make_any: Callable[[], Metric]) -> None:
    score = make_any().compute()
    assert (score.value, score.ci95, score.n) == (None, None, 0)


def test_unequal_frames_are_refused(make_any: Callable[[], Metric]) -> None:
    generated, reference, poses = clip(2)
    with pytest.raises(ValueError, match="expected"):
        make_any().update(generated[:, :-1], reference, poses)


def test_inputs_are_not_changed(make_any: Callable[[], Metric]) -> None:
    generated, reference, poses = clip(32)
    for array in (generated, reference, poses.keypoints, poses.confidence):
        array.setflags(write=False)
    make_any().update(generated, reference, poses)


def test_default_metrics_are_fresh() -> None:
    assert [metric.name for metric in default_metrics()] == ["ssim", "psnr"]
    assert [metric.name for metric in default_metrics(hands=True)] == ["ssim", "psnr", "hand_ssim"]
    first = default_metrics()[0]
    first.update(*clip(1))
    assert default_metrics()[0].compute().n == 0
