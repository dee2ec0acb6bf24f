"""A source in other poses: what moves lands where it should, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

import signgen
from signgen.media import read_image
from signgen.pose.formats import read_poses
from signgen.pose.skeleton import SKELETONS
from signgen.pose.warping import PARTS, WarpSource, prepare_source, warp
from signgen.structures import PoseSequence
from tests.material.paper_doll import REST, SKIN, SLEEVE
from tests.material.pose_figures import HANDS, WHOLEBODY

SAMPLE = Path(signgen.__file__).parent / "assets" / "sample" / "demo"
RAISED = np.array([[60.0, -75.0, -75.0], [120.0, 80.0, 80.0]])


def prepared(picture: np.ndarray, poses: PoseSequence) -> WarpSource:
    return prepare_source(picture, poses.keypoints[0], poses.confidence[0], skeleton=poses.skeleton)


def warped(source: WarpSource, poses: PoseSequence, frame: int = 0):
    return warp(source, poses.keypoints[frame], poses.confidence[frame])


def without(poses: PoseSequence, points: object) -> PoseSequence:
    confidence = poses.confidence.copy()
    confidence[:, points] = 0
    return replace(poses, confidence=confidence)


@pytest.fixture(scope="module")
def signer() -> tuple[np.ndarray, PoseSequence]:
    return read_image(SAMPLE / "source.png"), read_poses(SAMPLE / "poses.json")


# ----- what does not move -------------------------------------------------------------------------


def test_a_source_in_its_own_pose_is_itself(signer, doll):
    for picture, poses in (signer, (doll.picture, doll.poses)):
        result = warped(prepared(picture, poses), poses)
        np.testing.assert_array_equal(result.picture, picture)
        assert not result.maps.moved.any()
        assert not result.maps.flow.any()
        assert result.maps.valid.all()


def test_key_points_that_tremble_move_nothing(doll):
    source = prepared(doll.picture, doll.poses)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, doll.poses.keypoints.shape)
    trembling = replace(doll.poses, keypoints=(doll.poses.keypoints + noise).astype(np.float32))
    np.testing.assert_array_equal(warped(source, trembling).picture, doll.picture)


def test_what_moves_in_neither_pose_is_the_source(signer, doll):
    result = warped(prepared(doll.picture, doll.poses), doll.posed(RAISED))
    still = result.maps.moved == 0
    assert 0.5 < still.mean() < 0.95
    np.testing.assert_array_equal(result.picture[still], doll.picture[still])
    assert still[:, :110].all()  # the other arm's half
    picture, poses = signer
    source = prepared(picture, poses)
    for frame in range(0, len(poses), 15):
        result = warped(source, poses, frame)
        still = result.maps.moved == 0
        np.testing.assert_array_equal(result.picture[still], picture[still])


# ----- what moves ---------------------------------------------------------------------------------


def test_a_rotated_limb_lands_where_its_points_are(doll):
    raised = doll.posed(RAISED)
    result = warped(prepared(doll.picture, doll.poses), raised)
    before, after = (
        [doll.joint(poses, f"left_{name}") for name in ("elbow", "wrist")]
        for poses in (doll.poses, raised)
    )
    for share in (0.25, 0.5, 0.75):
        x, y = np.rint(after[0] + share * (after[1] - after[0])).astype(int)
        assert np.abs(result.picture[y, x] - np.array(SLEEVE, float)).max() < 12
        assert PARTS[result.maps.part[y, x]] == "left_forearm"
        assert result.maps.valid[y, x]
        expected = before[0] + share * (before[1] - before[0])
        np.testing.assert_allclose((x, y) + result.maps.flow[y, x], expected, atol=1.0)
        # Where it was, the wall is: its blue grows downwards.
        x, y = np.rint(expected).astype(int)
        if share > 0.25:  # the upper arm's end still covers the elbow
            assert np.abs(result.picture[y, x] - doll.picture[y, -5].astype(float)).max() < 12
            assert result.maps.holes[y, x] > 0.9
    knuckle = raised.keypoints[0, HANDS["left"]][9]
    x, y = np.rint(knuckle).astype(int)
    assert np.abs(result.picture[y, x] - np.array(SKIN, float)).max() < 12
    assert PARTS[result.maps.part[y, x]] == "left_hand"


def test_a_bent_finger_lands_where_its_points_are(doll):
    # The thumb, bent away from the fingers by a quarter turn.
    bent = doll.poses.keypoints.copy()
    hand = bent[0, HANDS["left"]]
    away = hand[1:5] - hand[1]
    hand[1:5] = hand[1] + np.stack([away[:, 1], -away[:, 0]], axis=-1)
    bent[0, HANDS["left"]] = hand
    result = warped(prepared(doll.picture, doll.poses), replace(doll.poses, keypoints=bent))
    x, y = np.rint(hand[3]).astype(int)
    assert np.abs(result.picture[y, x] - np.array(SKIN, float)).max() < 15
    assert np.abs(doll.picture[y, x] - np.array(SKIN, float)).max() > 40


def test_a_translated_body_keeps_its_pixels(doll):
    dx, dy = 24, 10
    result = warped(prepared(doll.picture, doll.poses), doll.posed(REST, (dx, dy)))
    moved = np.float32([[1, 0, dx], [0, 1, dy]])
    expected = cv2.warpAffine(doll.picture, moved, doll.picture.shape[1::-1])
    wall = np.abs(doll.picture[..., :2].astype(int) - (90, 140)).max(axis=-1) < 8
    person = cv2.erode((~wall).astype(np.uint8), np.ones((5, 5)))
    inside = cv2.warpAffine(person, moved, doll.picture.shape[1::-1]) > 0
    inside[-12:] = False
    off = np.abs(result.picture.astype(int) - expected.astype(int)).max(axis=-1)
    assert np.percentile(off[inside], 95) <= 3
    np.testing.assert_allclose(np.median(result.maps.flow[inside], axis=0), (-dx, -dy), atol=0.05)
    # The wall does not move with the body.
    np.testing.assert_array_equal(result.picture[:, :20], doll.picture[:, :20])


def test_the_size_of_the_picture_changes_nothing(make_doll):
    results = []
    for scale in (1.0, 2.0):
        doll = make_doll(scale=scale)
        results.append(warped(prepared(doll.picture, doll.poses), doll.posed(RAISED)))
    small, large = results
    size = small.picture.shape[1::-1]
    less = cv2.resize(large.picture, size, interpolation=cv2.INTER_AREA)
    assert np.abs(less.astype(int) - small.picture).mean() < 2.5
    halved = large.maps.resized(size[::-1])
    agree = (halved.part == small.maps.part) & halved.valid & small.maps.valid
    assert agree.mean() > 0.9
    assert np.abs(halved.flow - small.maps.flow)[agree].mean() < 0.3


def test_a_small_move_changes_little(doll):
    source = prepared(doll.picture, doll.poses)
    angles = np.linspace(0, 12, 25)
    frames = [
        warped(source, doll.posed(REST - [[0, angle, angle], [0, 0, 0]])).picture.astype(int)
        for angle in angles
    ]
    steps = [np.abs(b - a).mean() for a, b in pairwise(frames)]
    assert max(steps) < 0.5


# ----- what is missing ----------------------------------------------------------------------------


def test_an_arm_that_the_pose_lacks_stays(doll):
    source = prepared(doll.picture, doll.poses)
    left_arm = [WHOLEBODY.index(f"left_{name}") for name in ("elbow", "wrist")]
    raised = without(doll.posed(RAISED), [*left_arm, *range(91, 112)])
    np.testing.assert_array_equal(warped(source, raised).picture, doll.picture)


def test_a_hand_that_the_source_lacks_is_drawn_in_the_colour_of_its_skin(doll):
    picture = doll.picture.copy()
    elbow, wrist = (doll.joint(doll.poses, f"left_{name}") for name in ("elbow", "wrist"))
    x, y = np.rint(wrist + 0.5 * (wrist - elbow)).astype(int)
    picture[y - 25 : y + 45, x - 25 : x + 30] = picture[y - 25 : y + 45, -1:]
    handless = without(doll.poses, HANDS["left"])
    raised = doll.posed(RAISED)
    result = warped(prepared(picture, handless), raised)
    x, y = np.rint(raised.keypoints[0, HANDS["left"]][9]).astype(int)
    assert np.abs(result.picture[y, x] - np.array(SKIN, float)).max() < 45
    assert result.maps.holes[y, x] > 0.9
    assert not result.maps.valid[y, x]
    # Without points of the target's hand, one is drawn at the end of its forearm.
    result = warped(prepared(picture, handless), without(raised, HANDS["left"]))
    x, y = np.rint(doll.joint(raised, "left_wrist") + np.array((4, -15))).astype(int)
    assert np.abs(result.picture[y, x] - np.array(SKIN, float)).max() < 45


def test_any_points_may_be_missing(signer):
    picture, poses = signer
    rng = np.random.default_rng(1)
    groups = [[0], [5], [6], [5, 6], [7], [9], [0, 1, 2, 3, 4], range(23, 91), range(91, 112)]
    groups += [rng.choice(133, size, replace=False).tolist() for size in (20, 60, 100, 130)]
    groups += [range(133), []]
    for k, gone in enumerate(groups):
        source = prepared(picture, without(poses, list(gone)))
        target = without(poses, list(groups[(k * 5 + 3) % len(groups)]))
        for frame in (20, 40):
            maps = warped(source, target, frame).maps
            for plane in (maps.moved, maps.holes, maps.pasted, maps.flow):
                assert np.isfinite(plane).all()
            assert min(plane.min() for plane in (maps.moved, maps.holes, maps.pasted)) >= 0
            assert max(plane.max() for plane in (maps.moved, maps.holes, maps.pasted)) <= 1


def test_a_source_without_key_points_is_itself(signer):
    picture, poses = signer
    source = prepared(picture, without(poses, slice(None)))
    np.testing.assert_array_equal(warped(source, poses, 30).picture, picture)


@pytest.mark.parametrize("shift", [500, 3e4, 1e7])
def test_points_may_lie_far_outside(signer, shift):
    picture, poses = signer
    source = prepared(picture, poses)
    away = replace(poses, keypoints=poses.keypoints + np.float32(shift))
    result = warped(source, away, 20)
    assert np.isfinite(result.maps.flow).all()
    assert prepared(picture, away).layers["background"].rgba.shape[:2] == picture.shape[:2]


def test_poses_without_hands_and_face_move_the_body(signer):
    picture, poses = signer
    names = SKELETONS["openpose-18"].names
    found = [WHOLEBODY.index("nose" if name == "neck" else name) for name in names]
    body = replace(
        poses,
        keypoints=poses.keypoints[:, found],
        confidence=poses.confidence[:, found],
        skeleton="openpose-18",
    )
    result = warped(prepared(picture, body), body, 20)
    assert result.maps.moved.max() == 1
    assert np.isfinite(result.maps.flow).all()


# ----- the source ---------------------------------------------------------------------------------


def test_preparing_twice_gives_the_same(signer):
    picture, poses = signer
    first = prepared(picture, poses)
    cv2.setRNGSeed(12345)
    second = prepared(picture, poses)
    for name, layer in first.layers.items():
        np.testing.assert_array_equal(layer.rgba, second.layers[name].rgba)


def test_known_parts_are_cut_as_they_are(doll):
    sleeve = np.abs(doll.picture.astype(int) - SLEEVE).max(axis=-1) < 30
    labels = np.where(np.abs(doll.picture[..., :2].astype(int) - (90, 140)).max(-1) < 8, 0, 1)
    forearm = np.zeros(sleeve.shape, np.uint8)
    ends = [doll.joint(doll.poses, f"left_{name}") for name in ("elbow", "wrist")]
    cv2.line(forearm, *[tuple(np.rint(end).astype(int).tolist()) for end in ends], 1, 14)
    labels[forearm > 0] = PARTS.index("left_forearm")
    source = prepare_source(
        doll.picture,
        doll.poses.keypoints[0],
        doll.poses.confidence[0],
        labels=labels.astype(np.uint8),
    )
    layer = source.layers["left_forearm"]
    opacity = np.zeros(sleeve.shape, np.uint8)
    x0, y0, x1, y1 = layer.box
    opacity[y0:y1, x0:x1] = layer.rgba[..., 3]
    shown = cv2.erode(forearm, np.ones((5, 5))) > 0
    assert (opacity[shown] > 200).all()
    beside = (cv2.dilate(forearm, np.ones((7, 7))) == 0) & (labels <= 2)
    assert (opacity[beside] == 0).all()
