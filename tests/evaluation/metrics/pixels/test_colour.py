"""CIEDE2000 against the pairs of its test data, and scikit-image's."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from signgen.evaluation.metrics.pixels.colour import ciede2000, lab

RNG = np.random.default_rng(3)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 3.1571, -77.2803), (50, 0, -82.7485), 2.8615),
        ((50, 2.8361, -74.0200), (50, 0, -82.7485), 3.4412),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((50, 2.5, 0), (50, 0, -2.5), 4.3065),
    ],
)
def test_published_pairs(one: tuple, other: tuple, expected: float) -> None:
    """Sharma, Wu and Dalal 2005, Table 1, both ways round."""
    pair = np.array([one, other], float)
    assert ciede2000(pair, pair[::-1]) == pytest.approx([expected] * 2, abs=5e-5)


def test_any_colours_as_in_skimage() -> None:
    one, other = RNG.uniform((0, -120, -120), (100, 120, 120), (2, 5000, 3))
    other[:20, 1:] = 0  # greys have no hue
    assert ciede2000(one, other) == pytest.approx(deltaE_ciede2000(one, other), abs=1e-9)
    assert not ciede2000(one, one).any()


def test_lab_of_srgb() -> None:
    pixels = RNG.integers(0, 256, (60, 40, 3), np.uint8)
    assert np.abs(lab(pixels) - rgb2lab(pixels)).max() < 0.01
    assert lab(np.array([[255, 255, 255], [0, 0, 0]], np.uint8)) == pytest.approx(
        np.array([[100, 0, 0], [0, 0, 0]]), abs=1e-9
    )
    assert lab(pixels[:0]).shape == (0, 40, 3)
