"""Hand pose error: its unit, hands without points, the noise floor, and given key points."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from signgen.errors import UserError
from signgen.evaluation.metrics.keypoints.hand_points import EstimatedHands, GivenHands
from signgen.evaluation.metrics.keypoints.pose_error import hand_pe, sharpness
from signgen.structures import PoseSequence
from tests.material.scoring import chunks, measured, score_of
from tests.material.tiny_estimators import BrightCells

SIZE = (130, 105)
CENTRE = {"left": (30, 60), "right": (70, 66)}
SIDE = 30
LEFT, RIGHT = slice(91, 112), slice(112, 133)


def poses(count: int, scale: float = 1.0) -> PoseSequence:
    """Hands of 21 points around both knuckles."""
    keypoints = np.zeros((count, 133, 2), np.float32)
    for span, centre in ((LEFT, CENTRE["left"]), (RIGHT, CENTRE["right"])):
        spread = np.random.default_rng(1).uniform(-9, 9, (21, 2))
        spread[9] = 0  # the middle knuckle
        keypoints[:, span] = (np.array(centre) + spread) * scale
    size = (int(SIZE[0] * scale), int(SIZE[1] * scale))
    confidence = np.ones((count, 133), np.float32)
    return PoseSequence(keypoints, confidence, "coco-wholebody-133", size, 25)


def frames(count: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, (count, *SIZE, 3))
    smooth = np.stack([cv2.GaussianBlur(frame, (0, 0), 2) for frame in noise])
    return np.clip(128 + 300 * smooth, 0, 255).astype(np.uint8)


def patch_of(stack: np.ndarray, hand: str) -> np.ndarray:
    x, y = (c - SIDE // 2 for c in CENTRE[hand])
    cut = [cv2.resize(f[y : y + SIDE, x : x + SIDE], (256, 256), interpolation=2) for f in stack]
    return np.stack(cut)


def test_the_score_is_the_distance_in_patches_of_256_pixels() -> None:
    generated, reference = frames(2, 1), frames(2, 2)
    finder = BrightCells()
    expected = {
        hand: np.abs(
            finder.find(patch_of(generated, hand))[0] - finder.find(patch_of(reference, hand))[0]
        ).mean()
        for hand in CENTRE
    }
    score = score_of(hand_pe(EstimatedHands(BrightCells()))[0], generated, reference, poses(2))
    assert score.value == pytest.approx(np.mean(list(expected.values())), rel=1e-6)
    assert {hand: score.details[hand] for hand in CENTRE} == pytest.approx(expected, rel=1e-6)
    assert score.details["frame_pixels"] == pytest.approx(score.value * SIDE / 256)
    assert (score.n, score.details["coverage"], score.details["detected_rate"]) == (4, 1, 1)
    assert 0 < score.details["noise_floor"] < score.value
    assert "estimator:bright-cells" in score.signature
    assert not score.higher_is_better


def test_generated_hands_without_points_are_counted_and_charged() -> None:
    reference = frames(2, 2)
    generated = reference.copy()
    x, y = (c - SIDE // 2 for c in CENTRE["left"])
    generated[1, y : y + SIDE, x : x + SIDE] = 90  # nothing to be seen
    out, charged = (
        score_of(metric, generated, reference, poses(2))
        for metric in hand_pe(EstimatedHands(BrightCells()))
    )
    assert (out.value, out.n) == (pytest.approx(0, abs=0.2), 3)
    assert out.details["detected_rate"] == charged.details["detected_rate"] == 0.75
    assert charged.value == pytest.approx(out.value * 0.75 + 16)
    assert charged.details["left"] == pytest.approx((out.details["left"] + 64) / 2)
    assert charged.details["frame_pixels"] == pytest.approx(charged.value * SIDE / 256)
    assert (charged.n, charged.name) == (4, "hand_pe_penalty")
    assert "missed:64" in charged.signature


def test_true_hands_without_points_are_not_measured_but_counted() -> None:
    generated, reference = frames(3, 1), frames(3, 2)
    reference[0] = 90
    _, charged = hand_pe(EstimatedHands(BrightCells()))
    score = score_of(charged, generated, reference, poses(3))
    assert score.n == 4
    assert score.details["truth_detected"] == score.details["coverage"] == pytest.approx(2 / 3)
    assert score.details["detected_rate"] == 1


def test_points_are_estimated_once_for_both_scores_and_all_systems() -> None:
    finder = BrightCells()
    metric, charged = hand_pe(EstimatedHands(finder))
    assert metric.begin is charged.begin, "so that an evaluation measures once"
    ((generated, reference),) = chunks("a", frames(2, 1), frames(2, 2), poses(2))
    metric.begin("a", {}).add(generated, reference)
    assert finder.seen == 2 * 2 * 3  # hands, frames; generated, true and coded again
    ((other, _),) = chunks("a", frames(2, 3), frames(2, 2))
    metric.begin("a", {}).add(other, reference)
    assert finder.seen == 2 * 2 * 4


def test_given_points_have_the_same_unit() -> None:
    reference, ours = frames(4, 2), poses(4, scale=2)
    ours.keypoints[:, LEFT, 0] += 6  # 3 pixels of the frame
    ours.confidence[3, RIGHT.start + 4] = 0
    _, charged = hand_pe(GivenHands())
    score = score_of(charged, reference, reference, poses(4), ours, size=3)
    moved = 3 / 2 * 256 / SIDE  # half of the coordinates
    assert score.details["left"] == pytest.approx(moved, rel=1e-5)
    assert score.details["right"] == pytest.approx(64 / 4, rel=1e-5)
    assert score.details["detected_rate"] == 7 / 8
    assert score.details["noise_floor"] is None
    assert "estimator:given" in score.signature
    assert charged.generated_only


def test_given_points_that_do_not_fit_are_user_errors() -> None:
    body = PoseSequence(np.zeros((2, 18, 2)), np.zeros((2, 18)), "openpose-18", SIZE, 25)
    for given, message in ((None, "clip a: no key points"), (body, "openpose-18")):
        with pytest.raises(UserError, match=message):
            score_of(hand_pe(GivenHands())[0], frames(2, 2), frames(2, 2), poses(2), given)


def test_blurred_true_hands_are_measured_and_reported() -> None:
    reference = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    reference[1] = cv2.GaussianBlur(reference[1], (0, 0), 5)
    score = score_of(hand_pe(EstimatedHands(BrightCells()))[0], reference, reference, poses(2))
    assert score.details["blurred"] == 0.5
    assert (score.n, score.value) == (4, 0)


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    board = np.indices((60, 60)).sum(axis=0) % 2 * 100
    patch = np.repeat(board[..., None], 3, axis=-1).astype(np.uint8)
    assert sharpness(patch) == pytest.approx(400**2)
    large = patch.repeat(2, axis=0).repeat(2, axis=1)
    assert sharpness(large) == pytest.approx(sharpness(patch))
    assert sharpness(np.full((30, 30, 3), 7, np.uint8)) == 0


def test_hands_that_are_too_small_are_not_measured_but_counted() -> None:
    small = frames(2, 1)[:, ::2, ::2]  # 65 x 53: patches of 15 pixels
    clips = {"small": (small, small, poses(2, 0.5))}
    metric = hand_pe(EstimatedHands(BrightCells()))[0]
    score, _ = measured(metric, clips)
    assert (score.value, score.n, score.details["coverage"]) == (None, 0, 0)
    assert score.unavailable.endswith("frames of 53 x 65 have 15")
    clips["large"] = frames(2, 1), frames(2, 2), poses(2)
    score, _ = measured(metric, clips)
    assert (score.n, score.unavailable, score.details["coverage"]) == (4, "", 0.5)
