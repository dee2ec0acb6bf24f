import cv2
import numpy as np
import pytest

from signgen.errors import UserError
from signgen.pose.estimators.hrnet.boxes import PADDING, crop_frame, crop_of

INPUT = (384, 288)
FRAME = (260, 210)
BOXES = [None, (20.0, 30.0, 120.0, 90.0), (-50.0, 100.5, 80.25, 400.0), (0.0, 0.0, 3.0, 200.0)]


@pytest.mark.parametrize("box", BOXES)
def test_there_and_back_is_the_identity(box: tuple[float, float, float, float] | None) -> None:
    crop = crop_of(box, FRAME, INPUT)
    points = np.random.default_rng(0).uniform(-50, 300, (40, 2))
    matrix = crop.matrix()
    there = points @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(crop.to_frame(there), points, atol=1e-3)


@pytest.mark.parametrize("box", BOXES)
def test_box_grows_around_its_centre_to_the_proportions_of_the_input(
    box: tuple[float, float, float, float] | None,
) -> None:
    crop = crop_of(box, FRAME, INPUT)
    x0, y0, x1, y1 = box or (0, 0, 210, 260)
    np.testing.assert_allclose(crop.center, [(x0 + x1) / 2, (y0 + y1) / 2], rtol=1e-6)
    width, height = crop.extent
    assert width / height == pytest.approx(288 / 384)
    tight = max((x1 - x0) * PADDING / width, (y1 - y0) * PADDING / height)
    assert tight == pytest.approx(1)


def test_picture_is_black_outside_the_frame() -> None:
    frame = np.full((60, 60, 3), 200, np.uint8)
    picture = crop_frame(frame, crop_of(None, (60, 60), (256, 256)))
    # 75 pixels are seen for 256: 7.5 of them, 25.6 of the input, on each side are black.
    assert not picture[:22].any()
    assert not picture[:, -24:].any()
    assert (picture[26:-30, 26:-30] == 200).all()


def test_enlarging_by_a_whole_number_keeps_pixels() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (96, 72, 3), np.uint8)
    # With its padding this box is the frame.
    box = (36 - 28.8, 48 - 38.4, 36 + 28.8, 48 + 38.4)
    picture = crop_frame(frame, crop_of(box, (96, 72), INPUT))
    np.testing.assert_array_equal(picture[::4, ::4], frame)


def test_mirrored_view_of_a_frame_is_accepted() -> None:
    frame = np.random.default_rng(2).integers(0, 256, (*FRAME, 3), np.uint8)
    crop = crop_of(None, FRAME, INPUT)
    view = frame[:, :, ::-1]
    np.testing.assert_array_equal(crop_frame(view, crop), crop_frame(frame, crop)[..., ::-1])
    assert cv2.mean(crop_frame(view, crop))[0] > 0


@pytest.mark.parametrize(
    "box", [(5, 5, 5, 20), (10, 10, 20, 5), (0, 0, float("nan"), 3), (0, 0, float("inf"), 3)]
)
def test_empty_box_is_refused(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(UserError, match="holds no pixels"):
        crop_of(box, FRAME, INPUT)
