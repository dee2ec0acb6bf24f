"""Regions: where patches are cut, which of them count, and what lies beyond the frame."""

from __future__ import annotations

import numpy as np

from signgen.evaluation.metrics.regions import (
    HAND,
    MOUTH,
    PatchRules,
    crop,
    cut,
    find_places,
    inside_share,
    mean_of_present,
    mirrored,
    patch_side,
    too_small,
)
from signgen.pose.skeleton import SKELETONS
from signgen.structures import PoseSequence

RNG = np.random.default_rng(11)


def test_patches_are_as_large_as_the_frame_is_high() -> None:
    assert patch_side(HAND, 260, (260, 210)) == 60
    assert patch_side(HAND, 260, (520, 420)) == 120
    assert patch_side(HAND, 260, (64, 48)) == 15
    assert patch_side(MOUTH, 260, (260, 210)) == 30


def test_patches_that_are_too_small_are_named_with_their_size() -> None:
    assert too_small(HAND, 11, (48, 40), 11) == ""
    reason = too_small(MOUTH, 9, (80, 64), 11)
    assert reason.startswith("needs mouth patches of at least 11 pixels")
    assert reason.endswith("frames of 64 x 80 have 9")


def test_the_points_of_the_parts_are_what_they_are_called() -> None:
    names = SKELETONS["coco-wholebody-133"].names
    assert names[HAND.regions["left"][0]] == "left_middle_1"
    assert names[HAND.regions["right"][0]] == "right_middle_1"
    # Corners and middles of the outer lips: 48, 51, 54, 57 of iBUG.
    assert [names[k] for k in MOUTH.regions["mouth"]] == [f"face_{k}" for k in (48, 51, 54, 57)]


def test_places_are_found_and_cut() -> None:
    keypoints = np.zeros((4, 133, 2), np.float32)
    keypoints[:, 100] = (20, 10), (20, 10), (0, 0), (-1, 10)
    confidence = np.ones((4, 133), np.float32)
    confidence[1, 100] = 0.2
    poses = PoseSequence(keypoints, confidence, "coco-wholebody-133", (40, 60), 25)
    places = find_places(poses, (100,), 10, (80, 120), PatchRules())
    assert places.corners.tolist() == [[35, 15], [35, 15], [-5, -5], [-7, 15]]
    assert places.chosen.tolist() == [0]  # too little confidence, a quarter inside, centre outside
    frames = RNG.integers(0, 256, (4, 80, 120, 3), np.uint8)
    np.testing.assert_array_equal(cut(frames, places), frames[:1, 15:25, 35:45])
    nothing = find_places(poses.frames([1]), (100,), 10, (80, 120), PatchRules())
    assert cut(frames[1:2], nothing).shape == (0, 10, 10, 3)


def test_crop_mirrors_like_numpy() -> None:
    frame = RNG.integers(0, 256, (9, 7, 3), np.uint8)
    padded = np.pad(frame, ((20, 20), (20, 20), (0, 0)), mode="reflect")
    for x, y in ((-3, -4), (2, 3), (5, 7), (-15, 1)):
        expected = padded[y + 20 : y + 26, x + 20 : x + 26]
        np.testing.assert_array_equal(crop(frame, np.array([x, y]), 6), expected)
    np.testing.assert_array_equal(mirrored(np.arange(-3, 3), 1), np.zeros(6))


def test_inside_share() -> None:
    corners = np.array([[0, 0], [-5, 0], [95, 45], [100, 0], [-20, -20]])
    shares = inside_share(corners, 10, (50, 100))
    np.testing.assert_allclose(shares, [1, 0.5, 0.25, 0, 0])


def test_mean_of_present() -> None:
    values = np.array([[1.0, np.nan, np.nan], [3.0, 5.0, np.nan]])
    np.testing.assert_array_equal(mean_of_present(values), [2, 5, np.nan])
