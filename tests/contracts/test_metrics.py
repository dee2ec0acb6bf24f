"""What every metric must keep: one suite for all of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from signgen.metrics import PSNR, SSIM, AbsoluteError, HandSSIM, Metric, default_metrics
from signgen.metrics.ssim import SSIM_256, SSIM_256_PIDM, WINDOW_7, WINDOW_51
from signgen.structures import PoseSequence

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
]
BEST = {"psnr": 100.0, "l1": 0.0, "mae": 0.0}
"""Scores of identical frames; 1 where nothing is said."""
RNG = np.random.default_rng(17)
SIZE = (65, 52)


def clip(count: int) -> tuple[np.ndarray, np.ndarray, PoseSequence]:
    """Return generated frames, reference frames and poses with both hands in the frame."""
    reference = RNG.integers(0, 256, (count, *SIZE, 3), np.uint8)
    noise = RNG.normal(0, 20, reference.shape)
    generated = np.clip(reference + noise, 0, 255).astype(np.uint8)
    keypoints = np.tile(np.array([26, 30], np.float32), (count, 133, 1))
    confidence = np.ones((count, 133), np.float32)
    return generated, reference, PoseSequence(keypoints, confidence, "coco-wholebody-133", SIZE, 25)


@pytest.fixture(params=METRICS, ids=lambda metric: metric().name)
def make(request: pytest.FixtureRequest) -> Callable[[], Metric]:
    return request.param


def test_chunks_do_not_change_the_score(make: Callable[[], Metric]) -> None:
    clips = {"a": clip(5), "b": clip(3)}
    whole, chunked = make(), make()
    for name, (generated, reference, poses) in clips.items():
        whole.update(generated, reference, poses, clip=name)
        for start in range(0, len(generated), 2):
            part = slice(start, start + 2)
            chunked.update(generated[part], reference[part], poses.frames(part), clip=name)
    one, other = whole.compute(), chunked.compute()
    assert one.value == pytest.approx(other.value, abs=1e-12)
    assert one.per_clip == pytest.approx(other.per_clip)
    assert (one.n, one.signature) == (other.n, other.signature)


def test_identical_frames_are_best(make: Callable[[], Metric]) -> None:
    generated, reference, poses = clip(2)
    perfect, imperfect = make(), make()
    perfect.update(reference, reference, poses, clip="a")
    imperfect.update(generated, reference, poses, clip="a")
    best, other = perfect.compute(), imperfect.compute()
    assert (best.value > other.value) == best.higher_is_better
    assert best.value == pytest.approx(BEST.get(best.name, 1.0), abs=1e-6)


def test_the_score_is_complete(make: Callable[[], Metric]) -> None:
    metric = make()
    for name in ("a", "b", "c"):
        metric.update(*clip(2), clip=name)
    score = metric.compute()
    assert score.name == metric.name
    assert sorted(score.per_clip) == ["a", "b", "c"]
    assert score.ci95 is not None
    low, high = score.ci95
    lowest, highest = min(score.per_clip.values()), max(score.per_clip.values())
    assert lowest - 1e-9 <= low <= score.value <= high <= highest + 1e-9, "but for rounding"
    assert score.signature.startswith(f"{metric.name}|")
    assert "size:65x52" in score.signature
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
    assert metric.latest.shape == (3,)
    assert metric.latest.mean() == pytest.approx(metric.compute().value)


def test_without_frames_there_is_no_value(make: Callable[[], Metric]) -> None:
    score = make().compute()
    assert (score.value, score.ci95, score.n) == (None, None, 0)


def test_unequal_frames_are_refused(make: Callable[[], Metric]) -> None:
    generated, reference, poses = clip(2)
    with pytest.raises(ValueError, match="expected"):
        make().update(generated[:, :-1], reference, poses)


def test_inputs_are_not_changed(make: Callable[[], Metric]) -> None:
    generated, reference, poses = clip(2)
    for array in (generated, reference, poses.keypoints, poses.confidence):
        array.setflags(write=False)
    make().update(generated, reference, poses)


def test_default_metrics_are_fresh() -> None:
    assert [metric.name for metric in default_metrics()] == ["ssim", "psnr"]
    assert [metric.name for metric in default_metrics(hands=True)] == ["ssim", "psnr", "hand_ssim"]
    first = default_metrics()[0]
    first.update(*clip(1))
    assert default_metrics()[0].compute().n == 0
