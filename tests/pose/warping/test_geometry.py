"""Maps of bones and of the trunk: exact where they can be, and smooth in between."""

from __future__ import annotations

import numpy as np
import pytest

from signgen.pose.warping import BoneMove, Figure, HeadMove, Station, TrunkMove, find_motion
from signgen.pose.warping.bones import capsule_distance, similar
from tests.material.pose_figures import HANDS, WHOLEBODY

MOVE = BoneMove(np.array([[10.0, 20], [50, 20]]), np.array([[30.0, 30], [30, 110]]), across=1.5)
TURN = np.array([[0.0, -1], [1, 0]])
UNIT = 70.0


def test_a_bone_s_ends_come_from_its_ends():
    points = np.float32([[30, 30], [30, 70], [30, 110]])
    np.testing.assert_allclose(MOVE.back(points), [[10, 20], [30, 20], [50, 20]], atol=1e-4)


def test_beyond_its_ends_and_across_a_bone_scales_alike():
    back = MOVE.back(np.float32([[30, 110 + 15], [30 - 15, 70], [30, 30 - 15]]))
    np.testing.assert_allclose(back, [[60, 20], [30, 30], [0, 20]], atol=1e-4)


def test_the_affine_map_is_that_between_the_ends():
    points = np.random.default_rng(0).uniform([0, 30], [60, 110], (50, 2)).astype(np.float32)
    affine = MOVE.affine()
    expected = points @ affine[:, :2].T + affine[:, 2]
    np.testing.assert_allclose(MOVE.back(points), expected, atol=1e-3)


def test_what_hangs_on_a_bone_keeps_its_shape():
    hand = np.array([[50.0, 20], [60, 20], [60, 30]])
    carried = MOVE.carry(hand)
    np.testing.assert_allclose(carried, [[30, 110], [30, 125], [15, 125]], atol=1e-9)
    still = BoneMove(MOVE.source, MOVE.source, 1.0)
    assert still.carry(hand) is hand


def test_distance_from_a_capsule():
    bone, radii = np.array([[0.0, 0], [10, 0]]), (2.0, 4.0)
    points = np.float32([[0, 2], [10, -4], [5, 3], [-2, 0], [18, 0]])
    np.testing.assert_allclose(capsule_distance(points, bone, radii), [1, 1, 1, 1, 2], atol=1e-6)


def test_a_similarity_is_found():
    points = np.random.default_rng(1).normal(size=(9, 2))
    wanted = 2 * points @ TURN.T + np.array((3, 4))
    np.testing.assert_allclose(similar(points, wanted)(points), wanted, atol=1e-9)


@pytest.mark.parametrize("scale", [1.0, 1.3])
def test_a_head_that_moves_as_a_whole_moves_so_everywhere(scale):
    points = np.random.default_rng(2).uniform(100, 160, (68, 2))
    angle = 0.3
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = points @ turn.T + np.array((20, -10))
    head = HeadMove(points, moved, 3.0, np.array([0.0, 300]), np.array([0.0, 250]))
    targets = np.random.default_rng(3).uniform(0, 300, (200, 2))
    expected = (targets - (20, -10)) @ np.linalg.inv(turn).T
    np.testing.assert_allclose(head.back(targets), expected, atol=1e-6)


def test_a_head_follows_its_points():
    rng = np.random.default_rng(4)
    points = np.stack(np.meshgrid(np.arange(5), np.arange(5)), -1).reshape(-1, 2) * 12.0
    moved = points + rng.uniform(-2, 2, points.shape)
    head = HeadMove(points, moved, 0.5, np.array([0.0, 300]), np.array([0.0, 250]))
    np.testing.assert_allclose(head.back(moved), points, atol=0.1)


def test_a_trunk_that_shifts_shifts_everywhere_and_passes_into_the_head():
    shift = np.array((12.0, -7))
    shoulders, hips = (
        Station(middle, middle + shift, np.eye(2))
        for middle in (np.array([100.0, 100]), np.array([100.0, 200]))
    )
    targets = np.random.default_rng(5).uniform(0, 300, (100, 2))
    trunk = TrunkMove(shoulders, hips, None)
    np.testing.assert_allclose(trunk.back(targets), targets - shift, atol=1e-9)
    face = np.random.default_rng(6).uniform(80, 120, (30, 2)) - (0, 70)
    base, chin = shoulders.target, np.array([112.0, 60])
    turned = TrunkMove(shoulders, hips, HeadMove(face, face + np.array((30, 0)), 2.0, base, chin))
    line = np.stack([np.full(200, 112.0), np.linspace(93, 20, 200)], axis=-1)
    moved = turned.back(line) - line
    np.testing.assert_allclose(moved[0], -shift, atol=1e-9)
    np.testing.assert_allclose(moved[-1], (-30, 0), atol=1e-6)
    assert np.abs(np.diff(moved, axis=0)).max() < 0.6


# ----- from poses to moves ------------------------------------------------------------------------


def moved_by(doll, points: list[int], shift: tuple[float, float]):
    """The motion where some points are shifted, in units."""
    source = Figure.of(doll.poses.keypoints[0], doll.poses.confidence[0], WHOLEBODY.name)
    keypoints = doll.poses.keypoints[0].astype(float)
    keypoints[points] += UNIT * np.array(shift)
    target = Figure.of(keypoints, doll.poses.confidence[0], WHOLEBODY.name)
    return find_motion(source, target, UNIT)


def test_parts_at_rest_are_left_out(doll):
    assert moved_by(doll, [], (0, 0)).still
    assert moved_by(doll, list(range(133)), (0.005, 0.005)).still


def test_a_wrist_takes_its_hand_along_and_nothing_else(doll):
    motion = moved_by(doll, [9, *range(91, 112)], (0.3, -0.2))
    assert motion.trunk is None
    assert set(motion.limbs) == {"left_forearm"}
    assert set(motion.hands) == {"left"}
    forearm, hand = motion.limbs["left_forearm"], motion.hands["left"]
    np.testing.assert_allclose(forearm.target[1] - forearm.source[1], (21, -14), atol=1e-3)
    np.testing.assert_allclose(hand.target - hand.source, np.tile((21, -14), (21, 1)), atol=1e-3)


def test_shoulders_take_everything_along(doll):
    motion = moved_by(doll, list(range(133)), (0.5, 0.1))
    assert motion.trunk is not None
    for move in (*motion.limbs.values(), *motion.hands.values()):
        expected = np.broadcast_to((35, 7), move.source.shape)
        np.testing.assert_allclose(move.target - move.source, expected, atol=1e-3)
        assert move.across == pytest.approx(1, abs=1e-4)


def test_a_movement_begins_without_a_jump(doll):
    places = []
    for shift in np.linspace(0, 0.2, 81):
        motion = moved_by(doll, [9, *range(91, 112)], (shift, 0))
        limb = motion.limbs.get("left_forearm")
        places.append(0.0 if limb is None else limb.target[1, 0] - limb.source[1, 0])
    steps = np.diff(places)
    assert places[0] == 0
    assert places[-1] == pytest.approx(0.2 * UNIT, abs=1e-3)
    assert (steps >= 0).all()
    assert steps.max() < 4 * 0.2 * UNIT / 80


def test_a_hand_without_points_in_the_target_goes_with_its_forearm(doll):
    confidence = doll.poses.confidence[0].copy()
    source = Figure.of(doll.poses.keypoints[0], confidence, WHOLEBODY.name)
    confidence[HANDS["left"]] = 0
    keypoints = doll.poses.keypoints[0].astype(float)
    elbow, wrist = keypoints[7], keypoints[9].copy()
    keypoints[9] = elbow + (wrist - elbow) @ TURN.T
    motion = find_motion(source, Figure.of(keypoints, confidence, WHOLEBODY.name), UNIT)
    hand = motion.hands["left"]
    expected = keypoints[9] + (hand.source - wrist) @ TURN.T
    np.testing.assert_allclose(hand.target, expected, atol=1e-3)
