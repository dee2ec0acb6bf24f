"""Arms reach what they should."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from signgen.data.synthetic.motion.hands import hand_axes
from signgen.data.synthetic.motion.reach import reach, rig_arm


@pytest.fixture(scope="module", params=["left", "right"])
def arm(body, rest, request):
    return rig_arm(body, rest, request.param)


def signing(arm, frames=40):
    """Shoulders, wrists and hand axes of a slow random walk before the chest."""
    rng = np.random.default_rng(1)
    outward = 1 if arm.side == "left" else -1
    steps = np.cumsum(rng.normal(0, 0.015, (frames, 3)), axis=0)
    wrists = arm.shoulder + np.array([-0.1 * outward, -0.3, -0.15]) + steps
    axes = hand_axes(np.array([-0.3 * outward, -0.2, 1.0]), np.array([0, -1.0, 0]), arm.side)
    turns = Rotation.from_rotvec(np.cumsum(rng.normal(0, 0.04, (frames, 3)), axis=0)).as_matrix()
    return np.tile(arm.shoulder, (frames, 1)), wrists, turns @ axes


def test_wrists_are_where_they_should_be_and_bones_keep_their_lengths(arm):
    shoulders, wrists, axes = signing(arm)
    pose = reach(arm, shoulders, wrists, axes)
    np.testing.assert_allclose(pose.wrists, wrists, atol=1e-9)
    upper = np.linalg.norm(pose.elbows - shoulders, axis=1)
    lower = np.linalg.norm(pose.wrists - pose.elbows, axis=1)
    np.testing.assert_allclose(np.stack([upper, lower], 1), [arm.lengths] * len(upper), rtol=1e-6)
    # The turns say the same
    upper02, lower01 = (pose.turns[arm.bones[index]] for index in (1, 2))
    np.testing.assert_allclose(
        pose.elbows + lower01 @ (arm.wrist - arm.elbow), pose.wrists, atol=1e-6
    )
    middle = shoulders + pose.turns[arm.bones[0]] @ (arm.middle - arm.shoulder)
    np.testing.assert_allclose(middle + upper02 @ (arm.elbow - arm.middle), pose.elbows, atol=1e-3)


def test_what_is_too_far_is_reached_as_far_as_the_arm_goes(arm):
    shoulders, wrists, axes = signing(arm, 5)
    wrists = shoulders + 3 * (wrists - shoulders)
    pose = reach(arm, shoulders, wrists, axes)
    distance = np.linalg.norm(pose.wrists - shoulders, axis=1)
    assert (distance <= 0.9851 * sum(arm.lengths)).all()
    line = (wrists - shoulders) / np.linalg.norm(wrists - shoulders, axis=1, keepdims=True)
    np.testing.assert_allclose(pose.wrists, shoulders + line * distance[:, None], atol=1e-9)


def test_a_wrist_that_may_stay_straight_does_and_never_bends_too_far(arm):
    shoulders, wrists, _ = signing(arm, 3)
    rng = np.random.default_rng(2)
    axes = Rotation.random(3, rng=rng).as_matrix() @ arm.hand.axes
    pose = reach(arm, shoulders, wrists, axes)
    forearm = pose.wrists - pose.elbows
    forearm /= np.linalg.norm(forearm, axis=1, keepdims=True)
    rest_angle = np.arccos(arm.hand.axes[:, 1] @ arm.lower[:, 0])
    angle = np.arccos((pose.axes[:, :, 1] * forearm).sum(1))
    assert np.degrees(angle).max() < 56 + np.degrees(rest_angle)
    again = reach(arm, shoulders, wrists, pose.axes)
    np.testing.assert_allclose(again.axes[0, :, 1] @ pose.axes[0, :, 1], 1, atol=0.05)
