"""Shapes and articulations of bodies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from signgen.data.synthetic.body import FACIAL_ACTIONS, Articulation, Shape
from signgen.data.synthetic.keypoints import FACE_VERTICES


def test_the_rest_pose_is_the_shape_itself(body, rest):
    posed = body.pose(rest, body.still(2))
    for name in ("vertices", "heads", "tails"):
        torch.testing.assert_close(getattr(posed, name)[1], getattr(rest, name))
    assert 1.4 < rest.vertices[:, 2].max() < 2.0


def test_a_bone_turns_all_that_hangs_on_it_about_its_head(body, rest):
    still = body.still(1)
    turn = torch.tensor(Rotation.from_rotvec([0.3, -0.5, 0.2]).as_matrix(), dtype=torch.float32)
    elbow, wrist, tip = (body.bone(f"{n}.L") for n in ("lowerarm01", "wrist", "finger2-3"))
    still.rotations[0, elbow] = turn
    posed = body.pose(rest, still)
    torch.testing.assert_close(posed.heads[0, elbow], rest.heads[elbow])
    for bone in (wrist, tip):
        expected = rest.heads[elbow] + turn @ (rest.tails[bone] - rest.heads[elbow])
        torch.testing.assert_close(posed.tails[0, bone], expected)
    # The skin goes along
    owner = body.bone_indices.gather(1, body.bone_weights.argmax(1, keepdim=True))[:, 0]
    whole = (owner == tip) & (body.bone_weights.amax(1) > 0.999)
    expected = rest.heads[elbow] + (rest.vertices[whole] - rest.heads[elbow]) @ turn.T
    torch.testing.assert_close(posed.vertices[0, whole], expected)


def test_actions_move_one_side_of_the_face_and_a_blink_closes_the_eye(body, rest):
    actions = torch.zeros(2, 52)
    actions[0, FACIAL_ACTIONS.index("browOuterUpLeft")] = 1
    actions[1, [FACIAL_ACTIONS.index(f"eyeBlink{side}") for side in ("Left", "Right")]] = 1
    posed = body.pose(rest, Articulation(body.still(2).rotations, actions))
    moved = (posed.vertices[0] - rest.vertices).norm(dim=1) > 1e-3
    assert moved.any()
    assert (rest.vertices[moved, 0] > 0).all()  # the signer's left
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        lids = [FACE_VERTICES[upper], FACE_VERTICES[lower]]
        gaps = [float(v[lids[0], 2] - v[lids[1], 2]) for v in (rest.vertices, posed.vertices[1])]
        assert gaps[0] > 0.005 > gaps[1] + 0.002


def test_shapes_differ_as_they_say(body):
    def height(shape):
        return float(np.ptp(body.rest(shape).vertices[:, 2].numpy()))

    assert height(Shape(height=0.9)) > height(Shape(height=0.1)) + 0.1
    wide = body.rest(replace(Shape(), features={"nose-scale-horiz-incr": 1.0})).vertices
    assert not torch.allclose(wide, body.rest(Shape()).vertices)
