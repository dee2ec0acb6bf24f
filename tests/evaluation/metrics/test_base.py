"""Means and bootstrap intervals over clips."""

from __future__ import annotations

import numpy as np
import pytest

from signgen.evaluation.metrics.base import ClipMeans, FrameSizes, bootstrap_interval, check_frames


def test_the_mean_is_over_items_and_per_clip_means_are_kept() -> None:
    means = ClipMeans()
    means.add("a", [1.0, 2.0])
    means.add("b", [6.0])
    means.add("a", [3.0])
    means.add("empty", [])
    assert means.mean() == pytest.approx(3.0)
    assert means.count == 4
    assert means.per_clip() == {"a": 2.0, "b": 6.0}


def test_nothing_measured_is_none_and_not_a_number() -> None:
    assert ClipMeans().mean() is None
    assert ClipMeans().interval() is None


def test_the_interval_covers_the_mean_of_normal_clips_as_theory_says() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    interval = bootstrap_interval(values, np.ones(400))
    assert interval is not None
    half = 1.96 * values.std() / np.sqrt(400)
    assert interval[0] == pytest.approx(values.mean() - half, abs=0.03)
    assert interval[1] == pytest.approx(values.mean() + half, abs=0.03)


def test_clips_are_resampled_and_not_frames() -> None:
    """Repeating every frame 100 times must not make the interval narrower."""
    few, many = ClipMeans(), ClipMeans()
    for clip, value in {"a": 1.0, "b": 2.0, "c": 4.0}.items():
        few.add(clip, [value])
        many.add(clip, [value] * 100)
    assert few.interval() == pytest.approx(many.interval())


def test_the_interval_repeats_and_does_not_depend_on_the_order_of_clips() -> None:
    one, other = ClipMeans(), ClipMeans()
    values = {f"clip{i}": float(v) for i, v in enumerate(np.random.default_rng(1).normal(size=9))}
    for clip, value in values.items():
        one.add(clip, [value])
    for clip, value in reversed(values.items()):
        other.add(clip, [value])
    assert one.interval() == other.interval() == one.interval()


def test_one_clip_has_no_interval() -> None:
    assert bootstrap_interval(np.array([3.0]), np.array([2.0])) is None


def test_frames_of_different_shape_or_type_are_refused() -> None:
    frames = np.zeros((2, 8, 8, 3), np.uint8)
    check_frames(frames, frames)
    for other in (frames[:1], frames[:, :7], frames.astype(np.float32), frames[..., :1]):
        with pytest.raises(ValueError, match="expected"):
            check_frames(frames, other)


def test_sizes_for_the_signature() -> None:
    sizes = FrameSizes()
    assert str(sizes) == "none"
    sizes.add(np.zeros((1, 26, 21, 3), np.uint8))
    assert str(sizes) == "26x21"
    sizes.add(np.zeros((1, 26, 20, 3), np.uint8))
    assert str(sizes) == "mixed"
