from dataclasses import replace

import numpy as np
import pytest

from signgen.pose.resting import RESTS, rest_arms
from signgen.pose.skeleton import COCO_WHOLEBODY
from signgen.structures import PoseSequence

UNIT = 100.0
ARM = np.array([7, 9, *range(91, 112)])
"""Elbow, wrist and hand of the left side."""


def poses(frames: int = 1) -> PoseSequence:
    """A pose whose shoulders are `UNIT` apart, its nose near them."""
    rng = np.random.default_rng(3)
    points = rng.uniform(100, 400, (133, 2))
    points[[5, 6, 0]] = (300, 200), (200, 200), (250, 180)
    shape = (frames, 133)
    return PoseSequence(
        keypoints=np.broadcast_to(points, (*shape, 2)).astype(np.float32),
        confidence=np.ones(shape, np.float32),
        size=(512, 512),
        fps=25.0,
        skeleton=COCO_WHOLEBODY,
    )


def moved(by: float, points: np.ndarray = ARM) -> PoseSequence:
    """The pose with points moved to the right, by widths of the shoulders."""
    keypoints = poses().keypoints.copy()
    keypoints[:, points, 0] += by * UNIT
    return replace(poses(), keypoints=keypoints)


def test_the_noise_of_an_arm_that_rests_is_taken_away_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    noisy = poses(5).keypoints + rng.normal(0, 0.01 * UNIT, (5, 133, 2)).astype(np.float32)
    found = rest_arms(replace(poses(5), keypoints=noisy), poses())
    both = np.concatenate([ARM, [8, 10], np.arange(112, 133)])
    others = np.setdiff1d(np.arange(133), both)
    assert np.array_equal(found.keypoints[:, both], poses(5).keypoints[:, both])
    assert np.array_equal(found.keypoints[:, others], noisy[:, others])


@pytest.mark.parametrize("points", [ARM, ARM[2:], ARM[-4:]], ids=["arm", "hand", "little finger"])
def test_what_moves_is_where_its_pose_has_it(points: np.ndarray) -> None:
    away = moved(1.6 * RESTS, points)
    assert np.allclose(rest_arms(away, poses()).keypoints, away.keypoints, atol=1e-4)


def test_between_rest_and_motion_nothing_jumps() -> None:
    ways = np.linspace(0, 2 * RESTS, 81)
    offsets = [
        float((rest_arms(moved(way), poses()).keypoints - poses().keypoints)[0, 9, 0]) / UNIT
        for way in ways
    ]
    steps = np.diff(offsets)
    assert offsets[0] == 0
    assert offsets[-1] == pytest.approx(2 * RESTS, abs=1e-4)
    assert (steps >= -1e-6).all()
    assert steps.max() < 6 * (ways[1] - ways[0])


@pytest.mark.parametrize("missing", [7, 9, slice(91, 112)])
def test_an_arm_that_is_not_wholly_known_is_left_alone(missing: int | slice) -> None:
    near = moved(0.5 * RESTS)
    confidence = near.confidence.copy()
    confidence[:, missing] = 0
    for pose, source in (
        (replace(near, confidence=confidence), poses()),
        (near, replace(poses(), confidence=confidence)),
    ):
        assert np.array_equal(rest_arms(pose, source).keypoints, pose.keypoints)
