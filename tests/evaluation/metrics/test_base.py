"""Chunks and their features, and metrics that are means over clips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from signgen.evaluation.metrics.base import Chunk, MeanMetric, frame_by_frame, per_frame
from signgen.evaluation.metrics.score import Mean
from tests.material.scoring import measured

FRAMES = np.random.default_rng(1).integers(0, 256, (6, 8, 9, 3), np.uint8)


def first_pixel(generated: np.ndarray, reference: np.ndarray) -> np.ndarray:
    return generated[:, 0, 0, 0] - reference[:, 0, 0, 0].astype(float)


def test_a_feature_is_computed_once_for_its_arguments() -> None:
    asked: list[int] = []

    def sums(chunk: Chunk, factor: int) -> int:
        asked.append(factor)
        return factor * int(chunk.frames.sum())

    chunk, other = Chunk(FRAMES), Chunk(FRAMES)
    for factor in (1, 2, 1):
        assert chunk.feature(sums, factor) == factor * int(FRAMES.sum())
    assert asked == [1, 2]
    other.feature(sums, 1)
    assert asked == [1, 2, 1], "of another chunk"


def test_frames_come_behind_those_before_them() -> None:
    chunk = Chunk(FRAMES[2:], before=tuple(FRAMES[:2]))
    for count, start in ((1, 1), (2, 0), (9, 0)):
        np.testing.assert_array_equal(np.stack(chunk.preceded(count)), FRAMES[start:])
    assert chunk.size == (8, 9)
    view = Chunk(FRAMES[:, :, ::2])
    assert all(frame.flags.c_contiguous for frame in view.preceded(1))


def test_scores_are_means_over_clips_with_the_size_in_their_signature() -> None:
    metric = MeanMetric(name="m", signature="a|size:{size}|b", begin=per_frame(first_pixel))
    clips = {"one": (FRAMES[:2], FRAMES[2:4]), "two": (FRAMES[:1], FRAMES[5:])}
    score, _ = measured(metric, clips)
    values = first_pixel(FRAMES[[0, 1, 0]], FRAMES[[2, 3, 5]])
    assert score.value == pytest.approx(values.mean())
    assert score.per_clip == pytest.approx({"one": values[:2].mean(), "two": values[2]})
    assert score.signature == "m|a|size:8x9|b"
    clips["three"] = (FRAMES[:1, :5], FRAMES[:1, :5])
    assert measured(metric, clips)[0].signature == "m|a|size:mixed|b"
    assert replace(metric, signature="").score({}, []).signature == "m"
    assert metric.score({}, []).signature == "m|a|size:none|b"


def test_reasons_why_nothing_was_measured() -> None:
    metric = MeanMetric(
        name="m",
        begin=frame_by_frame(lambda ours, truth: {"value": np.full(len(ours.frames), np.nan)}),
        too_small=lambda size: f"{size} is small" if size < (9, 9) else "",
    )
    score, _ = measured(metric, {"a": (FRAMES, FRAMES)})
    assert (score.n, score.unavailable) == (0, "(8, 9) is small")
    assert metric.score({"a": {"value": Mean(1, 1)}}, [(8, 9)]).unavailable == ""
    absent = replace(metric, unavailable="needs FILE")
    assert absent.score({}, [(8, 9)]).unavailable == "needs FILE"
