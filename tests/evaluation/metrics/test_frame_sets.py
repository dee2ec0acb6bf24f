"""Which frames of a stream count."""

from __future__ import annotations

import numpy as np

from signgen.evaluation.metrics.frame_sets import NewFrames, Sample

RNG = np.random.default_rng(4)


def test_equal_frames_count_once() -> None:
    pictures = RNG.integers(0, 256, (4, 5, 5, 3), np.uint8)
    new = NewFrames()
    np.testing.assert_array_equal(new.among(pictures[[0, 1, 0]]), pictures[[0, 1]])
    np.testing.assert_array_equal(new.among(pictures), pictures[[2, 3]])
    assert len(new.among(pictures)) == 0


def test_a_choice_is_uniform_in_order_and_independent_of_the_parts() -> None:
    items = np.arange(900.0)[:, None]
    whole, parts = Sample(300, seed=1), Sample(300, seed=1)
    whole.add(items)
    for start in range(0, 900, 7):
        parts.add(items[start : start + 7])
    kept = whole.features()[:, 0]
    np.testing.assert_array_equal(kept, parts.features()[:, 0])
    assert (len(kept), whole.count) == (300, 900)
    assert (np.diff(kept) > 0).all()
    thirds = [int(((kept >= start) & (kept < start + 300)).sum()) for start in (0, 300, 600)]
    assert min(thirds) > 70, "each third of the stream gives about a third"


def test_a_short_stream_is_kept_whole() -> None:
    sample = Sample(10, seed=0)
    sample.add(np.arange(4.0)[:, None])
    np.testing.assert_array_equal(sample.features()[:, 0], [0, 1, 2, 3])
