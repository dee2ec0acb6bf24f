"""Hand kinematics and the drawing order of fingers and palm."""

from __future__ import annotations

import numpy as np
import pytest

from signgen.data.synthetic.body import elbows, limit_bend
from signgen.data.synthetic.canvas import Canvas
from signgen.data.synthetic.hand_drawing import draw_hand, drawing_order, palm_facing
from signgen.data.synthetic.hands import HANDSHAPES, hand_axes, handshape, place_hand
from signgen.data.synthetic.signer import PARTS, draw_signer

UP, TO_VIEWER = np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, 1.0])
PALM, THUMB = 5, 0


def joints(name, fingers=UP, palm=TO_VIEWER, side="right"):
    axes = hand_axes(np.asarray(fingers, float), np.asarray(palm, float), side)
    return place_hand(handshape(name)[None], axes[None], np.array([[64.0, 90.0, 0.0]]), 40.0)[0]


def test_the_library_is_large_and_bone_lengths_do_not_depend_on_the_shape():
    assert len(HANDSHAPES) >= 12
    reference = joints("FIVE")
    for name in HANDSHAPES:
        shape = joints(name)
        for base in range(1, 21, 4):
            bones = np.linalg.norm(np.diff(shape[base : base + 4], axis=0), axis=1)
            expected = np.linalg.norm(np.diff(reference[base : base + 4], axis=0), axis=1)
            np.testing.assert_allclose(bones, expected, rtol=1e-6)


def test_a_stretched_hand_has_unit_length():
    hand = joints("B")
    assert np.linalg.norm(hand[12] - hand[0]) == pytest.approx(40, rel=0.03)


@pytest.mark.parametrize(("side", "sign"), [("right", 1), ("left", -1)])
def test_the_thumb_is_on_the_correct_side(side, sign):
    facing = joints("FIVE", side=side)
    assert sign * (facing[4, 0] - facing[0, 0]) > 10
    assert palm_facing(facing, side) > 0
    back = joints("FIVE", palm=-TO_VIEWER, side=side)
    assert sign * (back[4, 0] - back[0, 0]) < -10
    assert palm_facing(back, side) < 0


@pytest.mark.parametrize("depth", [1.0, 0.0])
def test_curled_fingers_lie_before_a_palm_that_faces_the_viewer_and_behind_its_back(depth):
    flatten = np.array([1.0, 1.0, depth])
    front = drawing_order(joints("S") * flatten, "right")
    back = drawing_order(joints("S", palm=-TO_VIEWER) * flatten, "right")
    fingers = (1, 2, 3, 4) if depth else ()
    assert all(front.index(finger) > front.index(PALM) for finger in fingers)
    assert all(back.index(finger) < back.index(PALM) for finger in fingers)
    assert sorted(front) == sorted(back) == [0, 1, 2, 3, 4, 5]
    assert front.index(THUMB) > front.index(PALM)


def test_handshapes_differ_in_the_picture():
    signer = draw_signer(1)
    pictures = {}
    for name in HANDSHAPES:
        canvas = Canvas(np.full((256, 256, 3), 200, np.uint8))
        draw_hand(canvas, signer, joints(name), "right", 40.0)
        assert set(np.unique(canvas.labels)) == {0, PARTS["right_hand"]}
        pictures[name] = canvas.frame().astype(int)
    names = list(pictures)
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            changed = np.abs(pictures[first] - pictures[second]).max(axis=-1) > 30
            assert changed.sum() > 25, (first, second)


def test_elbows_keep_bone_lengths_and_lie_outward():
    shoulders = np.tile([[40.0, 98.0, 0.0]], (50, 1))
    rng = np.random.default_rng(0)
    wrists = np.stack(
        [rng.uniform(-20, 90, 50), rng.uniform(20, 300, 50), rng.uniform(15, 50, 50)], -1
    )
    elbow, wrist = elbows(shoulders, wrists, (64.0, 56.0), 1.0)
    np.testing.assert_allclose(np.linalg.norm(elbow - shoulders, axis=1), 64.0, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(wrist - elbow, axis=1), 56.0, rtol=1e-6)


def test_wrists_do_not_bend_beyond_their_limit():
    axes = hand_axes(UP, TO_VIEWER, "right")[None]
    bent = limit_bend(axes, np.array([[0.0, 1.0, 0.2]]))
    angle = np.degrees(np.arccos(bent[0, :, 1] @ np.array([0, 1, 0.2]) / np.hypot(1, 0.2)))
    assert angle == pytest.approx(62, abs=0.1)
    np.testing.assert_allclose(limit_bend(axes, np.array([[0.0, -1.0, 0.3]])), axes, atol=1e-12)
