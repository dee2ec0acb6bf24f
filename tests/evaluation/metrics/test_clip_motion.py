"""What metrics of motion share."""

from __future__ import annotations

import numpy as np
import pytest

from signgen.evaluation.metrics.clip_motion import LastFrames, MotionRatios, Spread

RNG = np.random.default_rng(4)


def test_last_frames_come_before_the_next_chunk() -> None:
    frames = RNG.integers(0, 256, (6, 8, 9, 3), np.uint8)
    last = LastFrames(2)
    assert len(last.extend("a", frames[:1], frames[:1])[0]) == 1
    filled = frames[1:4].copy()
    ours, _ = last.extend("a", filled, filled)
    np.testing.assert_array_equal(np.stack(ours), frames[:4])
    filled[:] = 0  # the caller's stack is the caller's
    ours, truth = last.extend("a", frames[4:], frames[:2])
    np.testing.assert_array_equal(np.stack(ours), frames[2:])
    np.testing.assert_array_equal(np.stack(truth[2:]), frames[:2])
    assert len(last.extend("b", frames[:3], frames[:3])[0]) == 3, "nothing of the clip before"


def test_spread_is_that_of_numpy() -> None:
    numbers = RNG.normal(3, 2, 50)
    spread = Spread()
    assert spread.deviation == 0
    for number in numbers:
        spread.add(number)
    assert spread.deviation == pytest.approx(numbers.std())


def test_ratios_are_of_sums_and_weighted_by_steps() -> None:
    ratios = MotionRatios()
    ratios.add("a", 2.0, 1.0, 10)
    ratios.add("a", 1.0, 2.0, 10)
    ratios.add("b", 8.0, 2.0, 5)
    ratios.add("still", 8.0, 0.0, 5, steps=7)
    score = ratios.score("name", ("version:1",))
    assert dict(score.per_clip) == {"a": 1, "b": 4}
    assert dict(score.counts) == {"a": 2, "b": 1}
    assert score.value == pytest.approx(2)
    assert score.details == {
        "generated": pytest.approx(19 / 30),
        "reference": pytest.approx(5 / 30),
        "clips_without_motion": 1,
    }
    assert MotionRatios().score("name", ()).details["reference"] is None
