"""Key points found again: units, parts, what is missing, and warped time."""

from __future__ import annotations

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.evaluation.metrics.keypoints.keypoint_error import PARTS, keypoint_metrics
from signgen.evaluation.metrics.networks import Unavailable
from signgen.evaluation.metrics.score import Score
from signgen.structures import PoseSequence
from tests.material.scoring import chunks, score_of
from tests.material.tiny_estimators import WrittenPoints, written

SIZE = (120, 200)
SHOULDERS = ((100, 40), (60, 40))  # 40 pixels apart
HAND, MOUTH = 95, 75


def body(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (T, 133, 2) whole points that move to the right, and which of them are seen."""
    points = np.random.default_rng(2).integers(10, 80, (1, 133, 2)).repeat(count, axis=0)
    points[:, [5, 6]] = SHOULDERS
    points[..., 0] += 3 * np.arange(count)[:, None]
    return points, np.ones((count, 133), np.int64)


def poses(points: np.ndarray, seen: np.ndarray) -> PoseSequence:
    keypoints = (points * seen[..., None]).astype(np.float32)
    return PoseSequence(keypoints, seen.astype(np.float32), "coco-wholebody-133", SIZE, 25)


def black(count: int) -> np.ndarray:
    return np.zeros((count, *SIZE, 3), np.uint8)


def error_of(generated: np.ndarray, truth: PoseSequence) -> Score:
    metric, _ = keypoint_metrics(WrittenPoints())
    return score_of(metric, generated, black(len(generated)), truth)


def dtw_of(generated: np.ndarray, truth: PoseSequence) -> Score:
    _, metric = keypoint_metrics(WrittenPoints())
    return score_of(metric, generated, black(len(generated)), truth)


def test_errors_are_in_shoulder_widths_and_by_part() -> None:
    points, seen = body(3)
    moved = points.copy()
    moved[:, HAND, 1] += 6  # 0.15 shoulder widths
    moved[:, MOUTH, 0] += 10  # 0.25
    score = error_of(
        written(moved, seen, SIZE),
        poses(points, seen),
    )
    total = sum(map(len, PARTS.values()))
    assert total == 17 + 42 + 20
    assert score.value == pytest.approx((0.15 + 0.25) / total)
    assert score.details["body"] == 0
    assert score.details["hands"] == pytest.approx(0.15 / 42)
    assert score.details["mouth"] == pytest.approx(0.25 / 20)
    assert score.details["hands_pck@0.1"] == pytest.approx(41 / 42)
    assert score.details["hands_pck@0.2"] == 1
    assert score.details["pck@0.2"] == pytest.approx(1 - 1 / total)
    assert (score.n, score.details["missed"]) == (3 * total, 0)
    assert "truth:given" in score.signature
    assert "estimator:written" in score.signature


def test_points_that_are_not_found_are_counted_as_missed_and_wrong() -> None:
    points, seen = body(2)
    points[:, HAND] = 1  # beside (0, 0), where missing points are
    found = seen.copy()
    found[1, HAND] = 0
    unseen = seen.copy()
    unseen[0, MOUTH] = 0  # unknown in the truth: not counted at all
    points[:, 16] = (199, 130)  # below the frame: neither
    score = error_of(
        written(points, found, SIZE),
        poses(points, unseen),
    )
    assert (score.value, score.n) == (0, 2 * 79 - 1 - 1 - 2)
    assert score.details["missed"] == pytest.approx(1 / (2 * 79 - 3))
    assert score.details["hands_missed"] == pytest.approx(1 / 84)
    assert score.details["hands_pck@0.2"] == pytest.approx(83 / 84)
    assert score.details["mouth_pck@0.1"] == 1


def test_estimators_see_clips_whole_and_once_for_both_scores() -> None:
    points, seen = body(4)
    finder = WrittenPoints(first=8)  # 8 pixels both ways in the first frame only
    error, dtw = keypoint_metrics(finder)
    assert error.begin is dtw.begin
    measure = error.begin("a", {})
    for pair in chunks("a", written(points, seen, SIZE), black(4), poses(points, seen), size=3):
        measure.add(*pair)
    results = measure.results()
    assert finder.clips == 1
    assert error.score(results, []).value == pytest.approx(8 * np.sqrt(2) / 40 / 4)
    assert dtw.score(results, []).n == 1


def test_a_clip_without_shoulders_has_no_unit_and_is_counted() -> None:
    points, seen = body(2)
    seen[:, 5] = 0
    for score in (f(written(points, seen, SIZE), poses(points, seen)) for f in (error_of, dtw_of)):
        assert (score.value, score.n) == (None, 0)
        assert score.details["clips_without_shoulders"] == 1


def test_warped_time_costs_nothing_but_a_moved_body_does() -> None:
    points, seen = body(6)
    truth = poses(points, seen)
    late = points[[0, 0, 1, 2, 3, 5]]
    late[-1] = points[5]
    error = error_of(written(late, seen, SIZE), truth)
    warped = dtw_of(written(late, seen, SIZE), truth)
    assert error.value > 0.04
    assert warped.value == pytest.approx(3 / 40 / 7), "one frame is skipped: 3 pixels, 7 cells"
    moved = dtw_of(written(points + np.array([0, 20]), seen, SIZE), truth)
    assert moved.value == pytest.approx(0.5)


def test_warping_charges_points_that_are_missing() -> None:
    points, seen = body(3)
    found = seen.copy()
    found[:, 91:133] = 0
    score = dtw_of(written(points, found, SIZE), poses(points, seen))
    assert score.value == pytest.approx(0.5 * 42 / 79)
    unseen = seen.copy()
    unseen[1, :] = 0
    score = dtw_of(written(points, seen, SIZE), poses(points, unseen))
    assert score.details["frames_without_truth"] == 1


def test_missing_poses_and_missing_estimators() -> None:
    points, seen = body(2)
    frames = written(points, seen, SIZE)
    with pytest.raises(UserError, match="keypoint_error needs the poses"):
        score_of(keypoint_metrics(WrittenPoints())[0], frames, frames)
    for metric in keypoint_metrics(Unavailable("needs FILE, get it with COMMAND")):
        score = metric.score({}, [SIZE])
        assert (score.value, score.details) == (None, {})
        assert score.unavailable == "needs FILE, get it with COMMAND"
