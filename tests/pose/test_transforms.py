import numpy as np
import pytest

from signgen.pose.skeleton import SKELETONS
from signgen.pose.transforms import fill_missing, fit_to_source, flip, hand_boxes, resize, smooth
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
    np.testing.assert_allclose(
        fit_to_source(poses, (520, 420)).keypoints, resize(poses, (520, 420)).keypoints, rtol=1e-5
    )


@pytest.mark.parametrize("name", SKELETONS)
def test_flip_mirrors_places_and_swaps_sides(name):
    skeleton = SKELETONS[name]
    count = skeleton.num_keypoints
    points = np.random.default_rng(2).uniform(1, 200, (3, count, 2)).astype(np.float32)
    confidence = np.random.default_rng(3).uniform(0.1, 1, (3, count)).astype(np.float32)
    left, right = skeleton.index("left_wrist"), skeleton.index("right_wrist")
    confidence[0, left], points[0, left] = 0, 0
    poses = PoseSequence(points, confidence, name, (260, 210), 25.0)
    flipped = flip(poses)
    np.testing.assert_allclose(flipped.keypoints[:, left, 0], 210 - points[:, right, 0], rtol=1e-6)
    np.testing.assert_array_equal(flipped.keypoints[:, left, 1], points[:, right, 1])
    np.testing.assert_array_equal(flipped.confidence[:, left], confidence[:, right])
    assert not flipped.visible[0, right]
    assert (flipped.keypoints[0, right] == 0).all()
    nose = skeleton.index("nose")
    np.testing.assert_allclose(flipped.keypoints[:, nose, 0], 210 - points[:, nose, 0], rtol=1e-6)
    np.testing.assert_allclose(flip(flipped).keypoints, points, atol=1e-4)
    # Squashing and mirroring are the same in either order.
    np.testing.assert_allclose(
        flip(resize(poses, (100, 50))).keypoints,
        resize(flipped, (100, 50)).keypoints,
        atol=1e-4,
    )


@pytest.mark.parametrize("change", [resize, fit_to_source])
def test_sizes_must_be_positive(change):
    with pytest.raises(ValueError, match="positive"):
        change(sequence(), (0, 10))


def test_smooth_keeps_lines_and_calms_noise():
    poses = sequence(40)
    still = PoseSequence(
        np.full_like(poses.keypoints, 50),
        np.ones((40, 133), np.float32),
        poses.skeleton,
        poses.size,
        25.0,
    )
    np.testing.assert_allclose(smooth(still, 2).keypoints, 50, atol=1e-4)
    calm = smooth(poses, 1.5)

    def steps(p):
        return np.abs(np.diff(p.keypoints[1:], axis=0)).mean()

    assert steps(calm) < 0.5 * steps(poses)
    assert (calm.keypoints[0, 5] == 0).all()
    assert smooth(poses, 0) is poses
    with pytest.raises(ValueError, match="sigma"):
        smooth(poses, -1)


def test_smooth_matches_a_plain_weighted_mean():
    poses = sequence(6)
    smoothed = smooth(poses, 1.0)
    weights = np.exp(-0.5 * (np.arange(6) - 2.0) ** 2) * poses.visible[:, 5]
    weights[np.abs(np.arange(6) - 2) > 3] = 0
    expected = (poses.keypoints[:, 5] * weights[:, None]).sum(0) / weights.sum()
    np.testing.assert_allclose(smoothed.keypoints[2, 5], expected, rtol=1e-5)


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


def test_hand_boxes_of_a_skeleton_without_hands():
    count = SKELETONS["openpose-18"].num_keypoints
    assert hand_boxes(np.zeros((count, 2)), np.ones(count)) == []
