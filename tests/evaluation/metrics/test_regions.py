"""Parts of the signer: where patches are cut, which of them count, and their SSIM."""

from __future__ import annotations

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.evaluation.metrics.pixels.ssim import ssim
from signgen.evaluation.metrics.regions import (
    FACE,
    HAND,
    MOUTH,
    Part,
    Patches,
    cut,
    find_patches,
    region_ssim,
)
from signgen.evaluation.metrics.score import Score
from signgen.pose.skeleton import SKELETONS
from signgen.structures import PoseSequence
from tests.material.scoring import measured, score_of

RNG = np.random.default_rng(11)
SIZE = (260, 210)
LEFT, RIGHT = 100, 121
Point = tuple[float, float]


def poses(
    left: Point | None, right: Point | None, count: int = 1, size: tuple[int, int] = SIZE
) -> PoseSequence:
    keypoints = np.zeros((count, 133, 2), np.float32)
    confidence = np.zeros((count, 133), np.float32)
    for index, point in ((LEFT, left), (RIGHT, right)):
        if point is not None:
            keypoints[:, index] = point
            confidence[:, index] = 1
    return PoseSequence(keypoints, confidence, "coco-wholebody-133", size, 25)


def frames(count: int = 1, size: tuple[int, int] = SIZE) -> np.ndarray:
    return RNG.integers(0, 256, (count, *size, 3), np.uint8)


def hand_ssim(generated: np.ndarray, reference: np.ndarray, points: PoseSequence) -> Score:
    return score_of(region_ssim(HAND), generated, reference, points)


# ----- patches ------------------------------------------------------------------------------------


def test_patches_are_as_large_as_the_frame_is_high() -> None:
    sides = [HAND.side(size) for size in ((260, 210), (520, 420), (64, 48))]
    assert sides == [60, 120, 15]
    assert MOUTH.side((260, 210)) == 30
    assert HAND.too_small((48, 40), 11) == ""
    reason = MOUTH.too_small((80, 64), 11)
    assert reason.startswith("needs mouth patches of at least 11 pixels")
    assert reason.endswith("frames of 64 x 80 have 9")


def test_the_points_of_the_parts_are_what_they_are_called() -> None:
    names = SKELETONS["coco-wholebody-133"].names
    assert names[HAND.regions["left"][0]] == "left_middle_1"
    assert names[HAND.regions["right"][0]] == "right_middle_1"
    # Corners and middles of the outer lips: 48, 51, 54, 57 of iBUG.
    assert [names[k] for k in MOUTH.regions["mouth"]] == [f"face_{k}" for k in (48, 51, 54, 57)]


def test_patches_are_found_and_cut_in_frames_of_another_size_than_the_poses() -> None:
    points = poses((20, 10), None, 4, size=(40, 60))
    points.keypoints[2:, LEFT] = (0, 0), (-1, 10)
    points.confidence[1, LEFT] = 0.2
    part = Part("hand", "knuckle", 33, {"left": (LEFT,)})
    found = find_patches(part, points, (80, 120))["left"]
    assert found.side == 10
    assert found.corners.tolist() == [[35, 15], [35, 15], [-5, -5], [-7, 15]]
    assert found.frames.tolist() == [0]  # too little confidence, a quarter inside, centre outside
    pictures = frames(4, (80, 120))
    np.testing.assert_array_equal(cut(pictures, found), pictures[:1, 15:25, 35:45])
    nothing = find_patches(part, points.frames([1]), (80, 120))["left"]
    assert cut(pictures[1:2], nothing).shape == (0, 10, 10, 3)


def test_frames_are_mirrored_like_numpy() -> None:
    picture = frames(1, (9, 7))
    padded = np.pad(picture[0], ((20, 20), (20, 20), (0, 0)), mode="reflect")
    for x, y in ((-3, -4), (2, 3), (5, 7), (-15, 1)):
        patch = cut(picture, Patches(np.array([[x, y]]), 6, np.array([0])))[0]
        np.testing.assert_array_equal(patch, padded[y + 20 : y + 26, x + 20 : x + 26])
    line = cut(frames(1, (6, 1)), Patches(np.array([[-2, 0]]), 4, np.array([0])))
    assert (line == line[:, :, :1]).all(), "of one column"


@pytest.mark.parametrize(
    ("point", "counts"),
    [
        ((105, 130), True),
        ((0, 130), True),  # half of the patch is inside
        ((1, 1), False),  # 31 x 31 of 60 x 60 is 27 %
        ((4, 4), True),  # 34 x 34 of 60 x 60 is 32 %
        ((-1, 130), False),
        ((210, 130), False),
        ((209, 130), True),
        ((105, 260), False),
    ],
)
def test_hands_at_the_border(point: Point, counts: bool) -> None:
    assert hand_ssim(frames(), frames(), poses(point, None)).n == int(counts)


# ----- SSIM ---------------------------------------------------------------------------------------


def test_the_value_is_the_ssim_of_the_cut_patch() -> None:
    generated, reference = frames(), frames()
    score = hand_ssim(generated, reference, poses((100, 120), None))
    window = np.s_[:, 90:150, 70:130]
    expected = ssim(generated[window], reference[window])[0]
    assert score.value == pytest.approx(expected, abs=1e-9)
    assert score.details == {"coverage": 0.5, "left": pytest.approx(expected), "right": None}
    assert score.n == 1


def test_the_mean_is_over_hands_and_not_over_frames() -> None:
    reference = frames(2)
    generated = 255 - reference
    for x, y in ((60, 100), (150, 130)):  # only the hands are looked at
        window = np.s_[0, y - 30 : y + 30, x - 30 : x + 30]
        generated[window] = reference[window]
    sequence = poses((60, 100), (150, 130), 2)
    sequence.confidence[1, RIGHT] = 0.1
    score = hand_ssim(generated, reference, sequence)
    wrong = score.details["left"] * 2 - 1
    assert wrong < 0
    assert score.details["right"] == pytest.approx(1)
    assert score.value == pytest.approx((1 + 1 + wrong) / 3)
    assert score.details["coverage"] == pytest.approx(3 / 4)


def test_no_hand_gives_no_value_instead_of_a_made_up_one() -> None:
    score = hand_ssim(frames(), frames(), poses(None, None))
    assert (score.value, score.per_clip, score.details["coverage"]) == (None, {}, 0)


def test_the_patch_and_the_points_scale_with_the_frame() -> None:
    generated, reference = frames(size=(130, 105)), frames(size=(130, 105))
    half = hand_ssim(generated, reference, poses((100, 120), None))
    assert half == hand_ssim(generated, reference, poses((50, 60), None, size=(130, 105)))


@pytest.mark.parametrize(
    ("part", "points", "side"), [(FACE, (0,), 60), (MOUTH, (71, 74, 77, 80), 30)]
)
def test_face_and_mouth_are_measured_around_their_centres(
    part: Part, points: tuple[int, ...], side: int
) -> None:
    generated, reference = frames(2), frames(2)
    sequence = poses(None, None, 2)
    around = ((-9, 1), (2, -4), (9, 1), (-2, 2)) if len(points) == 4 else ((0, 0),)
    for index, (dx, dy) in zip(points, around, strict=True):
        sequence.keypoints[:, index] = 100 + dx, 80 + dy
        sequence.confidence[:, index] = 1
    sequence.confidence[1, points[-1]] = 0.29
    clips = {"a": (generated, reference, sequence)}
    score, (values,) = measured(region_ssim(part), clips)
    half = side // 2
    window = np.s_[:1, 80 - half : 80 + half, 100 - half : 100 + half]
    assert score.value == pytest.approx(ssim(generated[window], reference[window])[0], abs=1e-9)
    assert (score.n, score.details) == (1, {"coverage": 0.5})
    assert np.isnan(values[part.name]).tolist() == [False, True]
    assert f"patch:{side}@260" in score.signature


def test_missing_and_foreign_poses_are_user_errors() -> None:
    body = PoseSequence(np.zeros((1, 18, 2)), np.zeros((1, 18)), "openpose-18", SIZE, 25)
    for part in (HAND, FACE, MOUTH):
        metric = region_ssim(part)
        with pytest.raises(UserError, match=r"clip a: .* needs the poses .* with --poses"):
            score_of(metric, frames(), frames())
        message = f"skeleton openpose-18; {metric.name} expects coco-wholebody-133"
        with pytest.raises(UserError, match=message):
            score_of(metric, frames(), frames(), body)


def test_frames_whose_patches_are_too_small_are_not_measured_but_counted() -> None:
    size = (40, 32)  # hands of 9 pixels
    small = frames(2, size), frames(2, size), poses((16, 20), (16, 20), 2, size)
    score, (values,) = measured(region_ssim(HAND), {"small": small})
    assert (score.value, score.n, score.details["coverage"]) == (None, 0, 0)
    assert score.unavailable.startswith("needs hand patches of at least 11 pixels")
    assert np.isnan(values["left"]).tolist() == [True, True]
    large = frames(2), frames(2), poses((90, 120), (120, 120), 2)
    score, _ = measured(region_ssim(HAND), {"small": small, "large": large})
    assert (score.unavailable, score.counts, score.details["coverage"]) == ("", {"large": 4}, 0.5)
