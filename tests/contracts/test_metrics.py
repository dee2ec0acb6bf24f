"""What every metric must keep: one suite for all of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch

from signgen.evaluation.metric_choice import FRAME_METRICS, Metric
from signgen.evaluation.metrics.base import MeanMetric
from signgen.evaluation.metrics.features.distribution import fid, fvd, kid
from signgen.evaluation.metrics.keypoints.hand_points import EstimatedHands
from signgen.evaluation.metrics.keypoints.keypoint_error import keypoint_metrics
from signgen.evaluation.metrics.keypoints.pose_error import hand_pe
from signgen.evaluation.metrics.networks import FeatureExtractor
from signgen.evaluation.metrics.perceptual.lpips import lpips_extractor, lpips_metric
from signgen.evaluation.metrics.perceptual.network import LPIPSNetwork, load_heads
from signgen.evaluation.metrics.score import Score
from signgen.structures import PoseSequence
from tests.material.scoring import chunks, measured, score_of
from tests.material.tiny_estimators import BrightCells, WrittenPoints

RNG = np.random.default_rng(17)
SIZE = (130, 104)


@cache
def lpips_network() -> LPIPSNetwork:
    """Return a network with drawn trunk and published heads."""
    torch.manual_seed(0)
    network = LPIPSNetwork()
    load_heads(network)
    return network


def brightness(items: np.ndarray) -> np.ndarray:
    """Return three features of pictures or stacks: the mean of each colour."""
    return items.reshape(len(items), -1, 3).mean(axis=1)


def networks() -> list[Callable[[], Metric]]:
    extractor = FeatureExtractor(brightness, "net:brightness")
    return [
        lambda: lpips_metric(lpips_extractor(lpips_network())),
        lambda: lpips_metric(lpips_extractor(lpips_network()), full_batches=7),
        *(lambda place=place: hand_pe(EstimatedHands(BrightCells()))[place] for place in (0, 1)),
        *(lambda place=place: keypoint_metrics(WrittenPoints())[place] for place in (0, 1)),
        lambda: fid(extractor),
        lambda: fid(extractor, "unique-reference", name="fid_unique"),
        lambda: kid(extractor),
        lambda: fvd(extractor),
    ]


METRICS = [*(lambda metric=metric: metric for metric in FRAME_METRICS.values()), *networks()]
metrics = pytest.mark.parametrize("make", METRICS, ids=lambda make: make().name)


def clip(count: int) -> tuple[np.ndarray, np.ndarray, PoseSequence]:
    """Return noisy frames, nearly still reference frames and poses with all in the frame."""
    picture = RNG.integers(0, 250, (*SIZE, 3))
    reference = (picture + RNG.integers(0, 6, (count, *SIZE, 3))).astype(np.uint8)
    noise = RNG.normal(0, 40, reference.shape)
    generated = np.clip(reference + noise, 0, 255).astype(np.uint8)
    keypoints = np.tile(np.array([52, 60], np.float32), (count, 133, 1))
    keypoints[:, 5] += 20  # a shoulder
    confidence = np.ones((count, 133), np.float32)
    poses = PoseSequence(keypoints, confidence, "coco-wholebody-133", SIZE, 25)
    for array in (generated, reference, keypoints, confidence):
        array.setflags(write=False)  # no metric changes what it is shown
    return generated, reference, poses


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


@metrics
def test_chunks_do_not_change_the_score(make: Callable[[], Metric]) -> None:
    clips = {"a": clip(19), "b": clip(17)}
    whole, small = (measured(make(), clips, size=size)[0] for size in (100, 2))
    tolerance = 1e-6 if whole.name == "lpips" else 1e-12
    assert whole.value == pytest.approx(small.value, abs=tolerance)
    assert whole.per_clip == pytest.approx(small.per_clip)
    assert (whole.n, whole.counts, whole.signature) == (small.n, small.counts, small.signature)


@metrics
def test_identical_frames_are_best(make: Callable[[], Metric]) -> None:
    generated, reference, poses = clip(32)
    if make().name.startswith("keypoint"):
        poses = PoseSequence(
            *(np.stack(a) for a in zip(*WrittenPoints().estimate(reference), strict=True)),
            poses.skeleton,
            SIZE,
            25,
        )
    perfect = score_of(make(), reference, reference, poses)
    assert goodness(perfect) > goodness(score_of(make(), generated, reference, poses))
    if perfect.name != "kid":  # which is unbiased, and so on either side of 0
        assert perfect.value == pytest.approx(best(perfect), abs=1e-6)


@metrics
def test_the_score_is_complete(make: Callable[[], Metric]) -> None:
    metric = make()
    score, values = measured(metric, {"a": clip(4), "b": clip(18), "c": clip(14)})
    assert score.name == metric.name
    assert score.signature.startswith(f"{metric.name}|")
    assert "size:130x104" in score.signature
    assert "version:" in score.signature
    if not isinstance(metric, MeanMetric):
        assert (score.ci95, score.per_clip, score.counts) == (None, {}, {}), "of whole sets"
        return
    assert set(score.per_clip) == set(score.counts) == {"a", "b", "c"}
    total = sum(score.per_clip[name] * count for name, count in score.counts.items())
    assert sum(score.counts.values()) == score.n
    assert total / score.n == pytest.approx(score.value)
    assert score.ci95 is not None
    low, high = score.ci95
    lowest, highest = min(score.per_clip.values()), max(score.per_clip.values())
    assert lowest - 1e-9 <= low <= score.value <= high <= highest + 1e-9, "but for rounding"
    for name in metric.columns if metric.name in ("ssim", "hand_ssim") else ():
        assert values[0][name].shape == (4,), "the worst frames are found by these"


@metrics
def test_a_clip_that_fails_halfway_leaves_nothing(make: Callable[[], Metric]) -> None:
    clips, failed = {"a": clip(17), "c": clip(16)}, clip(9)
    metric, plain = make(), make()
    results = {}
    for name, frames in clips.items():
        bad = metric.begin("failed", results)
        for pair in chunks("failed", *failed, context=metric.context):
            bad.add(*pair)
        good = metric.begin(name, results)
        for pair in chunks(name, *frames, context=metric.context):
            good.add(*pair)
        results |= good.results()
    assert metric.score(results, [SIZE]) == measured(plain, clips)[0]


@metrics
def test_without_frames_there_is_no_value(make: Callable[[], Metric]) -> None:
    for score in (make().score({}, []), measured(make(), {"a": clip(0)})[0]):
        assert (score.value, score.ci95, score.n, score.per_clip) == (None, None, 0, {})
