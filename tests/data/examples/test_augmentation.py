from __future__ import annotations

import numpy as np
import pytest

from signgen.data.examples.augmentation import CANVAS, choose_side, flips, jitter
from signgen.structures import PoseSequence


def sequence(size: tuple[int, int] = CANVAS, frames: int = 400) -> PoseSequence:
    points = np.full((frames, 18, 2), 100, np.float32)
    confidence = np.ones((frames, 18), np.float32)
    confidence[:, 4], points[:, 4] = 0, 0
    return PoseSequence(points, confidence, "openpose-18", size, 1.0)


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.5, 1.0])
def test_flip_rate_is_met(rate: float) -> None:
    share = np.mean([flips(7, position, rate) for position in range(4000)])
    assert abs(share - rate) < 0.03 * (0 < rate < 1) + 1e-9


def test_choices_do_not_depend_on_each_other_or_on_order() -> None:
    flipped = [flips(7, position, 0.5) for position in range(2000)]
    sides = [choose_side((256, 512), 7, position) == 256 for position in range(2000)]
    assert flipped[::-1] == [flips(7, position, 0.5) for position in reversed(range(2000))]
    assert abs(np.corrcoef(flipped, sides)[0, 1]) < 0.07
    assert 0.46 < np.mean(sides) < 0.54
    assert [flips(8, position, 0.5) for position in range(2000)] != flipped


def test_nothing_to_choose_from_is_none() -> None:
    assert choose_side((), 1, 2) is None
    assert {choose_side((64,), 1, position) for position in range(9)} == {64}


def test_jitter_has_its_deviation_on_the_canvas() -> None:
    poses = sequence()
    moved = jitter(poses, 7, 0, 1.5).keypoints - poses.keypoints
    seen = moved[:, np.arange(18) != 4]
    np.testing.assert_allclose(seen.std(axis=(0, 1)), 1.5, rtol=0.03)
    assert np.abs(seen.mean(axis=(0, 1))).max() < 0.06
    assert abs(np.corrcoef(seen[..., 0].ravel(), seen[..., 1].ravel())[0, 1]) < 0.05


def test_points_that_leave_the_canvas_go_missing_or_to_its_last_pixel() -> None:
    points = np.array(
        [(0.2, 100), (100, 0.2), (374.9, 100), (100, 549.9), (374.9, 0.2)], np.float32
    )
    count = 2000
    confidence = np.full((count, 5), 0.5, np.float32)
    poses = PoseSequence(
        np.broadcast_to(points, (count, 5, 2)).copy(), confidence, "any", CANVAS, 1.0
    )
    moved = jitter(poses, 3, 9, 1.0)
    noise = np.random.default_rng((3, 4, 9)).standard_normal((count, 5, 2))
    for frame in range(count):
        for point in range(5):
            x, y = points[point].astype(float) + noise[frame, point]
            if x < 0 or y < 0:
                assert moved.confidence[frame, point] == 0
                assert (moved.keypoints[frame, point] == 0).all()
            else:
                expected = (374 if x > 375 else x, 549 if y > 550 else y)
                assert moved.confidence[frame, point] == 0.5
                np.testing.assert_allclose(moved.keypoints[frame, point], expected, rtol=1e-6)
    assert 0.3 < (moved.confidence[:, 0] == 0).mean() < 0.5
    assert 0.3 < (moved.keypoints[:, 2, 0] == 374).mean() < 0.6
