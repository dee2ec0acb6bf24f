"""Transforms against their formulas, inverses and invariances."""

import numpy as np
import pytest

from signgen.pose.drawing.draw import draw_pose
from signgen.pose.skeleton import SKELETONS
from signgen.pose.transforms import (
    crop,
    fill_missing,
    fit_scale,
    fit_to_source,
    flip,
    hand_boxes,
    resize,
    smooth_one_euro,
)
from signgen.structures import PoseSequence


def sequence(frames: int = 7, size: tuple[int, int] = (260, 210)) -> PoseSequence:
    rng = np.random.default_rng(1)
    points = rng.uniform(10, 200, (frames, 133, 2)).astype(np.float32)
    confidence = rng.uniform(0.1, 1, (frames, 133)).astype(np.float32)
    confidence[0, 5] = 0
    points[0, 5] = 0
    return PoseSequence(points, confidence, "coco-wholebody-133", size, 25.0)


def test_resize_scales_each_axis_and_keeps_missing_points_at_zero():
    poses = sequence()
    scaled = resize(poses, (520, 420))
    assert scaled.size == (520, 420)
    np.testing.assert_allclose(scaled.keypoints, poses.keypoints * 2, rtol=1e-6)
    squashed = resize(poses, (130, 210))
    np.testing.assert_allclose(squashed.keypoints, poses.keypoints * (1, 0.5), rtol=1e-6)
    back = resize(squashed, poses.size)
    np.testing.assert_allclose(back.keypoints, poses.keypoints, rtol=1e-5)


def test_fit_keeps_proportions_and_centres():
    poses = sequence(size=(100, 200))
    fitted = fit_to_source(poses, (300, 300))
    assert fitted.size == (300, 300)
    seen = poses.visible
    np.testing.assert_allclose(
        fitted.keypoints[seen], poses.keypoints[seen] * 1.5 + (0, 75), rtol=1e-5
    )
    assert (fitted.keypoints[~seen] == 0).all()


def test_fit_equals_resize_for_equal_proportions():
    poses = sequence()
    assert fit_scale((100, 200), (300, 300)) == 1.5
    assert fit_scale(poses.size, (520, 420)) == 2
    np.testing.assert_allclose(
        fit_to_source(poses, (520, 420)).keypoints, resize(poses, (520, 420)).keypoints, rtol=1e-5
    )
    for change in (resize, fit_to_source):
        assert change(poses, poses.size) is poses
        with pytest.raises(ValueError, match="positive"):
            change(poses, (0, 10))


def test_crop_moves_the_origin_and_may_pad():
    poses = sequence()
    cut = crop(poses, (20, 30, 120, 230))
    assert cut.size == (200, 100)
    seen = poses.visible
    np.testing.assert_allclose(cut.keypoints[seen], poses.keypoints[seen] - (20, 30), atol=1e-4)
    assert (cut.keypoints[~seen] == 0).all()
    np.testing.assert_array_equal(cut.confidence, poses.confidence)
    back = crop(cut, (-20, -30, 190, 230))
    assert back.size == poses.size
    np.testing.assert_allclose(back.keypoints, poses.keypoints, atol=1e-4)
    with pytest.raises(ValueError, match="box"):
        crop(poses, (20, 30, 20, 230))


@pytest.mark.parametrize("skeleton", list(SKELETONS))
def test_flipping_twice_is_the_identity(skeleton):
    rng = np.random.default_rng(4)
    count = SKELETONS[skeleton].num_keypoints
    points = (rng.integers(-40, 400, (5, count, 2)) / 16).astype(np.float32)
    confidence = rng.uniform(0.1, 1, (5, count)).astype(np.float32)
    confidence[rng.random((5, count)) < 0.2] = 0
    points[confidence == 0] = 0
    poses = PoseSequence(points, confidence, skeleton, (33, 47), 25.0)
    once = flip(poses)
    assert not np.array_equal(once.keypoints, points)
    np.testing.assert_array_equal(flip(once).keypoints, points)
    np.testing.assert_array_equal(flip(once).confidence, confidence)
    left, right = (SKELETONS[skeleton].index(f"{side}_wrist") for side in ("left", "right"))
    seen = confidence[:, left] > 0
    np.testing.assert_array_equal(once.confidence[:, right], confidence[:, left])
    np.testing.assert_array_equal(once.keypoints[seen, right, 0], 46 - points[seen, left, 0])


def test_a_flipped_pose_is_drawn_as_the_mirror_image():
    # A body of 18 points: sides have colours of their own, so that only the shape is compared.
    names = SKELETONS["openpose-18"].names
    points = np.random.default_rng(2).uniform(15, 85, (1, 18, 2)).astype(np.float32)
    shown = np.zeros((1, 18), np.float32)
    shown[0, [names.index(f"left_{joint}") for joint in ("shoulder", "elbow", "wrist")]] = 1
    points[shown == 0] = 0
    poses = PoseSequence(points, shown, "openpose-18", (100, 101), 25.0)

    def ink(p):
        drawn = draw_pose(p.keypoints[0], p.confidence[0], p.skeleton, p.size)
        return (drawn > 20).any(axis=-1)

    ours, mirrored = ink(flip(poses)), ink(poses)[:, ::-1]
    assert mirrored.sum() > 250
    assert (ours != mirrored).sum() < 0.03 * mirrored.sum(), "anti-aliasing alone"
    assert (np.roll(ours, 1, axis=1) != mirrored).sum() > 0.1 * mirrored.sum(), "not by a pixel"


def path(values, fps: float = 25.0, seen=None) -> PoseSequence:
    """One moving point, x along `values` in pixels of a frame of side 1000."""
    values = np.asarray(values, dtype=np.float32)
    count = SKELETONS["openpose-18"].num_keypoints
    points = np.zeros((len(values), count, 2), np.float32)
    points[:, 0, 0], points[:, 0, 1] = values, 500
    confidence = np.zeros((len(values), count), np.float32)
    confidence[:, 0] = 1 if seen is None else seen
    points[confidence == 0] = 0
    return PoseSequence(points, confidence, "openpose-18", (1000, 1000), fps)


def x_of(poses: PoseSequence):
    return poses.keypoints[:, 0, 0].astype(float)


def test_one_euro_keeps_a_constant_and_calms_noise():
    np.testing.assert_allclose(x_of(smooth_one_euro(path(np.full(30, 321.0)))), 321, atol=1e-3)
    noisy = 500 + np.random.default_rng(0).normal(0, 2, 400)
    assert x_of(smooth_one_euro(path(noisy)))[20:].var() < 0.4 * noisy.var()


def test_one_euro_lags_less_in_a_fast_move_than_a_low_pass_of_the_same_calm():
    noise = np.random.default_rng(1).normal(0, 2, 400)
    ramp = np.concatenate([np.full(20, 100.0), 100 + 30.0 * np.arange(25)])

    def calm(beta: float, cutoff: float) -> float:
        return float(x_of(smooth_one_euro(path(500 + noise), cutoff, beta))[20:].std())

    def lag(beta: float, cutoff: float) -> float:
        return float(np.abs(ramp - x_of(smooth_one_euro(path(ramp), cutoff, beta)))[30:].mean())

    adaptive = calm(8.0, 1.5)
    # Without beta it is a plain low-pass filter; raise its cutoff until it trembles as much.
    cutoff = next(c for c in np.arange(0.5, 12, 0.05) if calm(0.0, c) >= adaptive)
    assert lag(8.0, 1.5) < 0.5 * lag(0.0, cutoff)


def test_one_euro_is_causal():
    poses = sequence(20)
    for now in (1, 7, 19):
        start = smooth_one_euro(poses.frames(slice(0, now)))
        np.testing.assert_array_equal(
            start.keypoints, smooth_one_euro(poses).keypoints[:now], strict=True
        )


def test_one_euro_starts_anew_after_a_gap():
    values = np.array([100, 103, 99, 0, 700, 703, 699], dtype=float)
    seen = np.array([1, 1, 1, 0, 1, 1, 1])
    smoothed = smooth_one_euro(path(values, seen=seen))
    np.testing.assert_array_equal(smoothed.visible[:, 0], seen.astype(bool))
    assert (smoothed.keypoints[3] == 0).all()
    fresh = smooth_one_euro(path(values[4:]))
    np.testing.assert_allclose(x_of(smoothed)[4:], x_of(fresh), atol=1e-4)
    assert x_of(smoothed)[4] == 700


def test_one_euro_parameters_are_in_seconds_and_frame_sides():
    values = 500 + np.random.default_rng(3).normal(0, 30, 50).cumsum() / 5
    plain = smooth_one_euro(path(values), 1.5, 8.0, 1.0)
    # Twice as fast with twice the cutoffs: the same frames.
    fast = smooth_one_euro(path(values, fps=50.0), 3.0, 8.0, 2.0)
    np.testing.assert_allclose(x_of(fast), x_of(plain), atol=1e-3)
    small = smooth_one_euro(resize(path(values), (250, 250)))
    np.testing.assert_allclose(x_of(resize(small, (1000, 1000))), x_of(plain), atol=1e-2)
    # The same move, sampled twice as densely, lags by about the same time.
    slow, dense = (path(600 * np.arange(int(fps)) / fps, fps=float(fps)) for fps in (25, 50))
    lags = [600 * (p.fps - 1) / p.fps - x_of(smooth_one_euro(p))[-1] for p in (slow, dense)]
    assert lags[0] == pytest.approx(lags[1], rel=0.2)


def test_fill_missing_bridges_short_gaps_only():
    poses = sequence(9)
    points, confidence = poses.keypoints.copy(), poses.confidence.copy()
    confidence[:, 7] = (1, 0, 0, 0.5, 0, 0, 0, 1, 0)
    points[:, 7] = np.where(confidence[:, 7, None] > 0, np.arange(9)[:, None] * (3.0, 6.0), 0)
    gaps = PoseSequence(points, confidence, poses.skeleton, poses.size, 25.0)
    filled = fill_missing(gaps, 2)
    np.testing.assert_allclose(filled.keypoints[1:3, 7], [(3, 6), (6, 12)], rtol=1e-6)
    assert filled.confidence[1, 7] == 0.5
    assert not filled.visible[4:7, 7].any()
    assert not filled.visible[8, 7]
    assert fill_missing(gaps, 3).visible[:8, 7].all()
    with pytest.raises(ValueError, match="max_gap"):
        fill_missing(gaps, -1)


def test_hand_boxes_surround_visible_hands():
    points, confidence = np.zeros((133, 2)), np.zeros(133)
    assert hand_boxes(points, confidence) == []
    points[91:112] = np.linspace((100, 50), (140, 70), 21)
    confidence[91:112] = 1
    assert hand_boxes(points, confidence) == [(90.0, 40.0, 150.0, 80.0)]
    assert hand_boxes(points, confidence, margin=0) == [(100.0, 50.0, 140.0, 70.0)]
    points[112:116] = 30
    confidence[112:116] = 1
    assert len(hand_boxes(points, confidence)) == 1, "four points are too few for a hand"
    assert hand_boxes(np.zeros((18, 2)), np.ones(18)) == [], "a skeleton without hands"
