"""What a rendered clip of a synthetic signer promises."""

from __future__ import annotations

import numpy as np
import pytest

from signgen.data.synthetic import PARTS, draw_signer, render_clip, render_poses
from signgen.structures import PoseSequence

LEFT_HAND, RIGHT_HAND = slice(91, 112), slice(112, 133)
WRISTS = [9, 10]


@pytest.fixture(scope="module")
def clips():
    """Eight short clips of eight signers."""
    return [render_clip(seed, seed + 1, 12) for seed in range(8)]


def label_at(clip, frame, point):
    """Part label under a key point of a frame."""
    x, y = np.rint(clip.poses.keypoints[frame, point]).astype(int)
    return int(clip.parts[frame, y, x])


def test_same_seeds_give_the_same_clip_whatever_was_drawn_before():
    first = render_clip(3, 5, 4)
    np.random.seed(0)  # the global generator must not matter
    render_clip(9, 9, 2)
    second = render_clip(3, 5, 4)
    np.testing.assert_array_equal(first.frames, second.frames)
    np.testing.assert_array_equal(first.parts, second.parts)
    np.testing.assert_array_equal(first.poses.keypoints, second.poses.keypoints)


def test_another_clip_seed_moves_the_same_signer_otherwise():
    first, second = render_clip(3, 5, 2), render_clip(3, 6, 2)
    assert first.signer == second.signer
    assert not np.array_equal(first.poses.keypoints, second.poses.keypoints)
    assert draw_signer(3) == draw_signer(3)
    assert draw_signer(3) != draw_signer(4)


def test_a_longer_clip_begins_with_the_shorter_one():
    short, long = render_clip(2, 2, 5), render_clip(2, 2, 9)
    np.testing.assert_array_equal(short.frames, long.frames[:5])


@pytest.mark.parametrize("size", [(260, 210), (128, 104), (224, 272), (300, 210)])
def test_shapes_and_points_follow_the_size(size):
    clip = render_clip(1, 1, 3, size=size, fps=30.0)
    assert clip.frames.shape == (3, *size, 3)
    assert clip.frames.dtype == np.uint8
    assert clip.parts.shape == (3, *size)
    assert clip.poses.size == size
    assert clip.poses.fps == 30.0
    inside = clip.poses.keypoints[clip.poses.visible]
    assert (inside > -0.5).all()
    assert (inside < np.array(size[::-1]) - 0.5).all()
    # The torso reaches the lower edge at every size.
    assert (clip.parts[:, -1] == PARTS["upper_clothing"]).any()


def test_points_scale_with_the_frame():
    small, large = render_clip(4, 4, 2), render_clip(4, 4, 2, size=(520, 420))
    seen = small.poses.visible & large.poses.visible
    expected = (small.poses.keypoints + 0.5) * 2 - 0.5
    np.testing.assert_allclose(large.poses.keypoints[seen], expected[seen], atol=1e-3)


def test_every_part_appears_and_no_other_label(clips):
    found = set(np.unique(np.stack([clip.parts for clip in clips])).tolist())
    assert found == set(PARTS.values())


def test_legs_are_missing_and_the_upper_body_is_not(clips):
    for clip in clips:
        confidence = clip.poses.confidence
        assert (confidence[:, 11:23] == 0).all()
        assert (clip.poses.keypoints[:, 11:23] == 0).all()
        assert (confidence[:, :7] > 0).all()
        assert (confidence[:, 23:91] > 0).all()


def test_left_and_right_are_the_subjects(clips):
    for clip in clips:
        points = clip.poses.keypoints
        assert (points[:, 5, 0] > points[:, 6, 0]).all()
        assert (points[:, 1, 0] > points[:, 2, 0]).all()
        assert (points[:, 23, 0] < points[:, 39, 0]).all()


def test_palm_and_wrist_lie_on_hand_and_arm(clips):
    either = {PARTS[name] for name in ("left_hand", "right_hand", "left_arm", "right_arm")}
    for clip in clips:
        for side, wrist, root in (("left", 9, 91), ("right", 10, 112)):
            np.testing.assert_array_equal(
                clip.poses.keypoints[:, wrist], clip.poses.keypoints[:, root]
            )
            for frame in range(len(clip.frames)):
                if clip.poses.confidence[frame, root] == 0:
                    continue
                assert label_at(clip, frame, root) in either
                knuckle = root + 9
                if clip.poses.confidence[frame, knuckle] == 1:
                    assert label_at(clip, frame, knuckle) == PARTS[f"{side}_hand"]


def test_finger_tips_that_are_seen_lie_on_their_hand(clips):
    for clip in clips:
        for side, root in (("left", 91), ("right", 112)):
            for tip in (4, 8, 12, 16, 20):
                for frame in range(len(clip.frames)):
                    if clip.poses.confidence[frame, root + tip] == 1:
                        assert label_at(clip, frame, root + tip) == PARTS[f"{side}_hand"]


def test_a_hand_before_the_face_hides_it_and_lowers_confidence():
    hands = [PARTS["left_hand"], PARTS["right_hand"]]
    covered = 0
    for seed in range(10):
        clip = render_clip(seed, 0, 16)
        for frame in range(16):
            for point in range(23, 91):
                on_hand = label_at(clip, frame, point) in hands
                assert (clip.poses.confidence[frame, point] < 1) == on_hand
                covered += on_hand
    assert covered > 100


def test_hands_leave_the_first_frame():
    moved = []
    for seed in range(12):
        wrists = render_clip(seed, 1, 24).poses.keypoints[:, WRISTS]
        moved.append(np.linalg.norm(wrists - wrists[:1], axis=-1).max(axis=0).max())
    # A hand is about 40 pixels long.
    assert min(moved) > 40
    assert np.mean(moved) > 70


def test_motion_is_smooth():
    for seed in range(6):
        wrists = render_clip(seed, 2, 30).poses.keypoints[:, WRISTS]
        steps = np.linalg.norm(np.diff(wrists, axis=0), axis=-1)
        # Hands cross signing space in about a quarter of a second: fast, but no jump.
        assert steps.max() < 55
        assert np.median(steps) < 15


def test_background_is_smooth_and_static(clips):
    for clip in clips:
        free = (clip.parts == PARTS["background"]).all(axis=0)
        free[:, :-1] &= free[:, 1:]
        free[:-1] &= free[1:]
        corner = clip.frames[:, :24, :24].astype(int)
        assert free[:24, :24].any()
        assert np.abs(np.diff(corner[:, :12, :12], axis=2)).max() <= 4
        np.testing.assert_array_equal(corner[0, :8, :8], corner[-1, :8, :8])


def test_motion_blur_changes_moving_pixels_only_and_keeps_the_key_points():
    sharp, blurred = render_clip(5, 5, 8), render_clip(5, 5, 8, motion_blur=True)
    np.testing.assert_array_equal(sharp.poses.keypoints, blurred.poses.keypoints)
    np.testing.assert_array_equal(sharp.parts, blurred.parts)
    difference = np.abs(sharp.frames.astype(int) - blurred.frames.astype(int)).max(axis=-1)
    assert difference.max() > 20
    assert (difference[:, :10, :10] == 0).all()


def test_drawing_own_poses_gives_nearly_the_same_frames():
    clip = render_clip(2, 4, 10)
    again = render_poses(draw_signer(2), clip.poses)
    assert again.shape == clip.frames.shape
    difference = np.abs(again.astype(int) - clip.frames.astype(int)).mean()
    assert difference < 3
    copied = np.abs(clip.frames[:1].astype(int) - clip.frames.astype(int)).mean()
    assert difference < copied / 2


def test_drawing_poses_with_missing_points_leaves_parts_out():
    clip = render_clip(2, 4, 2)
    confidence = clip.poses.confidence.copy()
    confidence[1] = 0
    confidence[0, LEFT_HAND] = 0
    keypoints = np.where(confidence[..., None] > 0, clip.poses.keypoints, 0)
    poses = PoseSequence(keypoints, confidence, clip.poses.skeleton, clip.poses.size, 25.0)
    frames = render_poses(draw_signer(2), poses)
    # Nothing known: only the smooth background is drawn.
    assert np.abs(np.diff(frames[1].astype(int), axis=0)).max() <= 4
    assert np.abs(np.diff(frames[0].astype(int), axis=0)).max() > 60


def test_drawing_poses_rejects_another_skeleton():
    poses = PoseSequence(
        np.zeros((1, 18, 2), np.float32),
        np.zeros((1, 18), np.float32),
        "openpose-18",
        (64, 64),
        25.0,
    )
    with pytest.raises(ValueError, match="openpose-18"):
        render_poses(draw_signer(0), poses)


@pytest.mark.parametrize(
    "arguments",
    [{"num_frames": 0}, {"num_frames": 1, "fps": 0.0}, {"num_frames": 1, "size": (20, 20)}],
)
def test_bad_numbers_are_refused(arguments):
    with pytest.raises(ValueError, match="expected at least"):
        render_clip(0, 0, **arguments)


def test_signers_contrast_with_clothes_and_background():
    def distance(first, second):
        return float(np.linalg.norm(np.subtract(first, second)))

    signers = [draw_signer(seed) for seed in range(200)]
    assert min(distance(one.skin, one.cloth) for one in signers) > 60
    assert min(distance(one.skin, one.background_colours[0]) for one in signers) > 30
    assert {one.hair_style for one in signers} == {"short", "long", "bob", "bun", "bald"}
    assert {one.pattern for one in signers} == {"plain", "striped", "lettered"}
    brightness = [sum(one.skin) for one in signers]
    assert min(brightness) < 280
    assert max(brightness) > 650
