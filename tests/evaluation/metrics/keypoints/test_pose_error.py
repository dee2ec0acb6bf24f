"""Hand pose error: its unit, hands without points, the noise floor, and given key points."""

from __future__ import annotations

import copy

import cv2
import numpy as np
import pytest

from signgen.errors import UserError
from signgen.evaluation.metrics.keypoints.hand_points import EstimatedHands, GivenHands
from signgen.evaluation.metrics.keypoints.pose_error import HandPE, sharpness
from signgen.evaluation.metrics.networks import Missing
from signgen.structures import PoseSequence
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
    metric = HandPE(EstimatedHands(BrightCells()))
    metric.update(generated, reference, poses(2), clip="a")
    finder = BrightCells()
    expected = {
        hand: np.abs(
            finder.find(patch_of(generated, hand))[0] - finder.find(patch_of(reference, hand))[0]
        ).mean()
        for hand in CENTRE
    }
    score = metric.compute()
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
    out, charged = HandPE(EstimatedHands(BrightCells())), HandPE(EstimatedHands(BrightCells()), 64)
    for metric in (out, charged):
        metric.update(generated, reference, poses(2), clip="a")
    assert (out.compute().value, out.compute().n) == (pytest.approx(0, abs=0.2), 3)
    assert out.compute().details["detected_rate"] == 0.75
    assert charged.compute().value == pytest.approx(out.compute().value * 0.75 + 16)
    assert (charged.compute().n, charged.name) == (4, "hand_pe_penalty")
    assert "missed:64" in charged.compute().signature


def test_true_hands_without_points_are_not_measured_but_counted() -> None:
    generated = frames(3, 1)
    reference = frames(3, 2)
    reference[0] = 90
    metric = HandPE(EstimatedHands(BrightCells()), 64)
    metric.update(generated, reference, poses(3), clip="a")
    score = metric.compute()
    assert score.n == 4
    assert score.details["truth_detected"] == score.details["coverage"] == pytest.approx(2 / 3)
    assert score.details["detected_rate"] == 1
    assert np.isnan(metric.latest).tolist() == [True, False, False]


def test_points_are_estimated_once_for_all_metrics_and_systems() -> None:
    finder = BrightCells()
    source = EstimatedHands(finder)
    generated, reference = frames(2, 1), frames(2, 2)
    metrics = [HandPE(source), HandPE(source, 64)]
    for metric in metrics:
        metric.update(generated, reference, poses(2))
    assert finder.seen == 2 * 2 * 3  # hands, frames; generated, true and coded again
    for metric in copy.deepcopy(metrics):
        metric.update(frames(2, 3), reference, poses(2))
    assert finder.seen == 2 * 2 * 4
    without = HandPE(EstimatedHands(BrightCells(), noise_floor=False))
    without.update(generated, reference, poses(2))
    assert without.compute().value == metrics[0].compute().value
    assert without.compute().details["noise_floor"] is None


def test_given_points_have_the_same_unit() -> None:
    reference = frames(4, 2)
    ours = poses(4, scale=2)
    ours.keypoints[:, LEFT, 0] += 6  # 3 pixels of the frame
    ours.confidence[3, RIGHT.start + 4] = 0
    metric = HandPE(GivenHands({"a": ours}, name="hrnet"), 64)
    for start in (0, 1):
        chosen = slice(start, 1 if start == 0 else 4)
        metric.update(reference[chosen], reference[chosen], poses(4).frames(chosen), clip="a")
    score = metric.compute()
    moved = 3 / 2 * 256 / SIDE  # half of the coordinates
    assert score.details["left"] == pytest.approx(moved, rel=1e-5)
    assert score.details["right"] == pytest.approx(64 / 4, rel=1e-5)
    assert score.details["detected_rate"] == 7 / 8
    assert score.details["noise_floor"] is None
    assert "estimator:hrnet" in score.signature


def test_given_points_that_do_not_fit_are_user_errors() -> None:
    reference = frames(2, 2)
    body = PoseSequence(np.zeros((2, 18, 2)), np.zeros((2, 18)), "openpose-18", SIZE, 25)
    for given, message in (
        ({}, "clip a: no key points"),
        ({"a": poses(1)}, "clip a: 1 key points .* at least 2 frames"),
        ({"a": body}, "openpose-18"),
    ):
        with pytest.raises(UserError, match=message):
            HandPE(GivenHands(given)).update(reference, reference, poses(2), clip="a")


def test_given_points_that_are_left_over_are_a_user_error() -> None:
    reference = frames(2, 2)
    metric = HandPE(GivenHands({"a": poses(3)}))
    metric.update(reference, reference, poses(2), clip="a")
    with pytest.raises(UserError, match=r"clip a: 3 key points .* for 2 frames"):
        metric.compute()


def test_without_an_estimator_the_score_says_what_is_missing() -> None:
    metric = HandPE(Missing("needs WEIGHTS, get them with COMMAND"))
    metric.update(frames(2, 1), frames(2, 2), poses(2), clip="a")
    score = metric.compute()
    assert (score.value, score.n, score.ci95) == (None, 0, None)
    assert score.unavailable == "needs WEIGHTS, get them with COMMAND"
    assert "size:130x105" in score.signature


def test_blurred_true_hands_are_measured_and_reported() -> None:
    reference = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    reference[1] = cv2.GaussianBlur(reference[1], (0, 0), 5)
    metric = HandPE(EstimatedHands(BrightCells()))
    metric.update(reference, reference, poses(2), clip="a")
    assert metric.compute().details["blurred"] == 0.5
    assert (metric.compute().n, metric.compute().value) == (4, 0)


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    board = np.indices((60, 60)).sum(axis=0) % 2 * 100
    patch = np.repeat(board[..., None], 3, axis=-1).astype(np.uint8)
    assert sharpness(patch) == pytest.approx(400**2)
    large = patch.repeat(2, axis=0).repeat(2, axis=1)
    assert sharpness(large) == pytest.approx(sharpness(patch))
    assert sharpness(np.full((30, 30, 3), 7, np.uint8)) == 0


def test_hands_that_are_too_small_are_not_measured_but_counted() -> None:
    small = frames(2, 1)[:, ::2, ::2]  # 65 x 53: patches of 15 pixels
    metric = HandPE(EstimatedHands(BrightCells()))
    metric.update(small, small, poses(2, 0.5), clip="small")
    score = metric.compute()
    assert (score.value, score.n, score.details["coverage"]) == (None, 0, 0)
    assert score.unavailable.endswith("frames of 53 x 65 have 15")
    metric.update(frames(2, 1), frames(2, 2), poses(2), clip="large")
    score = metric.compute()
    assert (score.n, score.unavailable, score.details["coverage"]) == (4, "", 0.5)


def test_key_points_left_over_are_found_when_their_clip_is_finished() -> None:
    metric = HandPE(GivenHands({"a": poses(2), "b": poses(3)}))
    for clip in ("a", "b"):
        metric.update(frames(2, 1), frames(2, 2), poses(2), clip=clip)
    metric.finish("a")
    metric.finish("a clip of which no frame came")
    with pytest.raises(UserError, match="clip b: 3 key points of the generated video for 2 frames"):
        metric.finish("b")
