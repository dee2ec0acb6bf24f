"""SSIM of hands, face and mouth: which count, what is cut out, what the score averages."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.evaluation.metrics.hands import FaceSSIM, HandSSIM, MouthSSIM, RegionSSIM
from signgen.evaluation.metrics.pixels.image import ssim
from signgen.structures import PoseSequence

RNG = np.random.default_rng(11)
SIZE = (260, 210)
LEFT, RIGHT = 100, 121


def poses(
    left: tuple[float, float] | None,
    right: tuple[float, float] | None,
    count: int = 1,
    size: tuple[int, int] = SIZE,
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


def test_the_value_is_the_ssim_of_the_cut_patch() -> None:
    generated, reference = frames(), frames()
    metric = HandSSIM()
    metric.update(generated, reference, poses((100, 120), None))
    window = np.s_[:, 90:150, 70:130]
    expected = ssim(generated[window], reference[window])[0]
    score = metric.compute()
    assert score.value == pytest.approx(expected, abs=1e-9)
    assert score.details["left"] == pytest.approx(expected)
    assert score.details["right"] is None
    assert (score.n, score.details["coverage"]) == (1, 0.5)


def test_only_the_hands_are_looked_at() -> None:
    reference = frames(3)
    generated = frames(3)
    for x, y in ((60, 100), (150, 130)):
        window = np.s_[:, y - 30 : y + 30, x - 30 : x + 30]
        generated[window] = reference[window]
    metric = HandSSIM()
    metric.update(generated, reference, poses((60, 100), (150, 130), 3))
    assert metric.compute().value == pytest.approx(1)
    assert metric.compute().n == 6


def test_the_mean_is_over_hands_and_not_over_frames() -> None:
    reference = frames(2)
    generated = reference.copy()
    generated[1] = 255 - generated[1]
    sequence = poses((60, 100), (150, 130), 2)
    sequence.confidence[1, RIGHT] = 0.1
    metric = HandSSIM()
    metric.update(generated, reference, sequence)
    score = metric.compute()
    wrong = score.details["left"] * 2 - 1
    assert score.value == pytest.approx((1 + 1 + wrong) / 3)
    assert score.details["coverage"] == pytest.approx(3 / 4)


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
def test_hands_at_the_border(point: tuple[float, float], counts: bool) -> None:
    metric = HandSSIM()
    metric.update(frames(), frames(), poses(point, None))
    assert metric.compute().n == int(counts)


def test_no_hand_gives_no_value_instead_of_a_made_up_one() -> None:
    metric = HandSSIM()
    metric.update(frames(), frames(), poses(None, None))
    score = metric.compute()
    assert score.value is None
    assert score.details["coverage"] == 0
    assert score.per_clip == {}


def test_the_patch_and_the_points_scale_with_the_frame() -> None:
    generated, reference = frames(size=(130, 105)), frames(size=(130, 105))
    half, whole = HandSSIM(), HandSSIM()
    half.update(generated, reference, poses((100, 120), None))
    whole.update(generated, reference, poses((50, 60), None, size=(130, 105)))
    assert half.compute().value == whole.compute().value


@pytest.mark.parametrize(
    ("make", "points", "side"), [(FaceSSIM, (0,), 60), (MouthSSIM, (71, 74, 77, 80), 30)]
)
def test_face_and_mouth_are_measured_around_their_centres(
    make: Callable[[], RegionSSIM], points: tuple[int, ...], side: int
) -> None:
    generated, reference = frames(2), frames(2)
    sequence = poses(None, None, 2)
    around = ((-9, 1), (2, -4), (9, 1), (-2, 2)) if len(points) == 4 else ((0, 0),)
    for index, (dx, dy) in zip(points, around, strict=True):
        sequence.keypoints[:, index] = 100 + dx, 80 + dy
        sequence.confidence[:, index] = 1
    sequence.confidence[1, points[-1]] = 0.29
    metric = make()
    metric.update(generated, reference, sequence)
    half = side // 2
    window = np.s_[:1, 80 - half : 80 + half, 100 - half : 100 + half]
    score = metric.compute()
    assert score.value == pytest.approx(ssim(generated[window], reference[window])[0], abs=1e-9)
    assert (score.n, score.details) == (1, {"coverage": 0.5})
    assert np.isnan(metric.latest).tolist() == [False, True]
    assert f"patch:{side}@260" in score.signature


def test_missing_and_foreign_poses_are_user_errors() -> None:
    with pytest.raises(UserError, match="--poses"):
        HandSSIM().update(frames(), frames())
    body = PoseSequence(np.zeros((1, 18, 2)), np.zeros((1, 18)), "openpose-18", SIZE, 25)
    for make in (HandSSIM, FaceSSIM, MouthSSIM):
        message = f"skeleton openpose-18; {make().name} expects coco-wholebody-133"
        with pytest.raises(UserError, match=message):
            make().update(frames(), frames(), body)
    with pytest.raises(ValueError, match="1 poses for 2 frames"):
        HandSSIM().update(frames(2), frames(2), poses(None, None, 1))


def test_frames_whose_patches_are_too_small_are_not_measured_but_counted() -> None:
    size = (40, 32)  # hands of 9 pixels
    metric = HandSSIM()
    metric.update(
        frames(2, size), frames(2, size), poses((16, 20), (16, 20), 2, size), clip="small"
    )
    score = metric.compute()
    assert (score.value, score.n, score.details["coverage"]) == (None, 0, 0)
    assert score.unavailable.startswith("needs hand patches of at least 11 pixels")
    assert np.isnan(metric.latest).tolist() == [True, True]
    metric.update(frames(2), frames(2), poses((90, 120), (120, 120), 2), clip="large")
    score = metric.compute()
    assert (score.unavailable, score.counts, score.details["coverage"]) == ("", {"large": 4}, 0.5)
