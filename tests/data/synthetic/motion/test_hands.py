"""Handshapes on the finger bones of a body."""

from __future__ import annotations

import numpy as np
import pytest

from signgen.data.synthetic.motion.hands import (
    HANDSHAPES,
    finger_joints,
    finger_turns,
    hand_axes,
    handshape,
    rig_hand,
)

UP, TO_VIEWER = np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])


@pytest.fixture(scope="module", params=["left", "right"])
def rig(body, rest, request):
    return rig_hand(body, rest, request.param)


def joints(rig, name):
    return finger_joints(rig, finger_turns(rig, handshape(name)[None]))[0]


@pytest.mark.parametrize(("side", "sign"), [("right", 1), ("left", -1)])
def test_with_the_palm_to_the_viewer_thumbs_point_to_the_middle(side, sign):
    axes = hand_axes(UP, TO_VIEWER, side)
    assert np.sign(axes[0, 0]) == sign
    assert np.linalg.det(axes) == pytest.approx(sign)


@pytest.mark.parametrize("name", [*HANDSHAPES, "REST"])
def test_a_handshape_turns_bones_and_keeps_their_lengths(rig, name):
    turns = finger_turns(rig, handshape(name)[None])
    for turn in turns.values():
        np.testing.assert_allclose(turn[0] @ turn[0].T, np.eye(3), atol=1e-9)
        assert np.linalg.det(turn[0]) == pytest.approx(1)
    bones = np.linalg.norm(np.diff(joints(rig, name).reshape(5, 4, 3), axis=1), axis=-1)
    np.testing.assert_allclose(bones, rig.lengths, rtol=1e-6)


def test_the_tips_of_a_fist_lie_near_the_palm_and_those_of_a_flat_hand_far(rig):
    tips = [7, 11, 15, 19]
    assert np.linalg.norm(joints(rig, "S")[tips] - rig.palm, axis=1).max() < 0.05
    flat = joints(rig, "FLAT")[tips]
    assert np.linalg.norm(flat - rig.palm, axis=1).min() > 0.08
    assert flat[:, 1].min() > 0.12  # along the hand
    np.testing.assert_allclose(flat[1:3, 2], 0, atol=0.03)  # in its plane


def test_the_thumb_meets_the_index_in_an_o_and_leaves_it_in_an_l(rig):
    def gap(name):
        return np.linalg.norm(joints(rig, name)[3] - joints(rig, name)[7])

    assert gap("O") < 0.03
    assert gap("L") > 0.1
