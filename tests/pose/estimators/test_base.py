"""Stretching shows the estimator other frames; points come back in pixels of the clip."""

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.pose.estimators import StretchedEstimator, open_estimator


class Brightest:
    """Puts all points on the brightest pixel's centre, and remembers what it saw."""

    name = "brightest"

    def __init__(self):
        self.shapes, self.boxes = [], None

    def estimate(self, frames, boxes=None):
        self.boxes = boxes
        for frame in frames:
            self.shapes.append(frame.shape)
            y, x = np.unravel_index(frame[..., 0].argmax(), frame.shape[:2])
            yield np.full((133, 2), (x + 0.5, y + 0.5), np.float32), np.ones(133, np.float32)


def spot(x, y, height=130, width=105):
    rows, columns = np.mgrid[:height, :width]
    blob = 255 * np.exp(-((columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2) / 18)
    return np.repeat(blob[..., None], 3, axis=-1).astype(np.uint8)


@pytest.mark.parametrize("aspect", [300 / 260, 0.8, 2.0])
def test_points_are_those_of_the_clip(aspect):
    inner = Brightest()
    frames = [spot(30.5, 20.5), spot(80.5, 110.5)]
    found = list(StretchedEstimator(inner, aspect).estimate(frames))
    assert inner.shapes == [(round(130 * aspect), 105, 3)] * 2
    for (points, confidence), expected in zip(found, [(30.5, 20.5), (80.5, 110.5)], strict=True):
        assert np.abs(points - expected).max() < 1.1
        assert points.dtype == np.float32
        assert (confidence == 1).all()


def test_boxes_are_stretched_too():
    inner = Brightest()
    list(StretchedEstimator(inner, 1.5).estimate([spot(9, 9)] * 2, [(1, 2, 3, 4), None]))
    assert inner.boxes == [(1, 3, 3, 6), None]
    list(StretchedEstimator(inner, 1.5).estimate([spot(9, 9)]))
    assert inner.boxes is None


def test_the_name_tells_the_factor():
    assert StretchedEstimator(Brightest(), 300 / 260).name == "brightest-aspect1.154"


@pytest.mark.parametrize("aspect", [0, -1, 5, float("nan")])
def test_absurd_factors_are_refused(aspect):
    with pytest.raises(UserError, match="--aspect"):
        StretchedEstimator(Brightest(), aspect)


def test_settings_are_checked_before_anything_is_loaded():
    with pytest.raises(UserError, match="--batch-size"):
        open_estimator("auto", batch_size=0)
