"""Motion that bodies make."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from signgen.data.synthetic.keypoints import FACE_VERTICES, body_keypoints
from signgen.data.synthetic.motion.posing import draw_motion
from signgen.pose.skeleton import COCO_WHOLEBODY, SKELETONS

NAMES = SKELETONS[COCO_WHOLEBODY].names


@pytest.fixture(scope="module")
def motion(body, rest):
    return draw_motion(body, rest, (3,), np.arange(24) / 25, seated=False)


@pytest.fixture(scope="module")
def points(body, rest, motion):
    return body_keypoints(body, body.pose(rest, motion.articulation)).numpy()


def test_a_seed_gives_the_same_motion_and_another_one_another(body, rest, motion):
    again = draw_motion(body, rest, (3,), np.arange(24) / 25, seated=False)
    assert again.gloss == motion.gloss
    assert torch.equal(again.articulation.rotations, motion.articulation.rotations)
    assert torch.equal(again.articulation.actions, motion.articulation.actions)
    other = draw_motion(body, rest, (4,), np.arange(24) / 25, seated=False)
    assert not torch.equal(other.articulation.rotations, motion.articulation.rotations)


@pytest.mark.parametrize("seed", range(5))
def test_motion_is_smooth_and_made_of_rotations(body, rest, seed):
    motion = draw_motion(body, rest, (seed,), np.arange(50) / 25, seated=bool(seed % 2))
    rotations = motion.articulation.rotations
    torch.testing.assert_close(
        rotations @ rotations.mT, torch.eye(3).expand_as(rotations), atol=1e-4, rtol=0
    )
    points = body_keypoints(body, body.pose(rest, motion.articulation)).numpy()
    speed = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    assert speed.max() < 0.22  # metres in 40 ms
    assert (motion.articulation.actions >= 0).all()
    assert (motion.articulation.actions <= 1).all()


@pytest.mark.parametrize("seed", range(5))
def test_hands_stay_out_of_the_trunk(body, rest, seed):
    motion = draw_motion(body, rest, (seed,), np.arange(24) / 25, seated=False)
    posed = body.pose(rest, motion.articulation)
    points = body_keypoints(body, posed).numpy()
    # A coarse front of the chest: the foremost vertex of the spine's skin at a point's height
    owner = body.bone_indices.gather(1, body.bone_weights.argmax(1, keepdim=True))[:, 0]
    chest = torch.isin(owner, torch.tensor([body.bone("spine01"), body.bone("spine02")]))
    chest[13718:] = False
    for frame in range(0, 24, 4):
        skin = posed.vertices[frame, chest].numpy()
        for hand in (points[frame, 91:112], points[frame, 112:133]):
            near = np.linalg.norm(hand[:, None, ::2] - skin[None, :, ::2], axis=-1) < 0.01
            front = np.where(near, skin[None, :, 1], np.inf).min(1)
            assert (hand[:, 1] - front)[np.isfinite(front)].max(initial=-1) < 0.01


def test_key_points_are_the_joints_in_the_order_of_their_names(body, rest, motion, points):
    posed = body.pose(rest, motion.articulation)
    for name, bone in (
        ("left_wrist", "wrist.L"),
        ("right_elbow", "lowerarm01.R"),
        ("left_thumb_2", "finger1-2.L"),
        ("right_index_1", "finger2-1.R"),
        ("left_little_3", "finger5-3.L"),
        ("right_hand_root", "wrist.R"),
    ):
        expected = posed.heads[:, body.bone(bone)].numpy()
        np.testing.assert_array_equal(points[:, NAMES.index(name)], expected)
    tip = posed.tails[:, body.bone("finger3-3.R")].numpy()
    np.testing.assert_array_equal(points[:, NAMES.index("right_middle_4")], tip)
    assert points.shape == (24, 133, 3)


def test_the_face_points_of_a_neutral_face_are_mirror_images(body, rest):
    points = body_keypoints(body, body.pose(rest, body.still(1)))[0].numpy()
    mirrored = points[list(SKELETONS[COCO_WHOLEBODY].mirror)] * [-1, 1, 1]
    np.testing.assert_allclose(points, mirrored, atol=2e-3)
    assert len(set(FACE_VERTICES)) == 68
    chin, nose, brow = (points[23 + i] for i in (8, 30, 19))
    assert chin[2] < nose[2] < brow[2]
    assert nose[1] < chin[1]
