"""Holes are closed from their borders; borders of a person are mixtures."""

from __future__ import annotations

import cv2
import numpy as np

from signgen.pose.warping.filling import fill
from signgen.pose.warping.matting import matte


def test_what_is_known_stays_and_one_colour_fills_all():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (61, 47, 3)).astype(np.uint8)
    known = rng.random((61, 47)) < 0.3
    np.testing.assert_array_equal(fill(picture, known)[known], picture[known])
    picture[known] = (10, 200, 90)
    np.testing.assert_array_equal(fill(picture, known), np.broadcast_to((10, 200, 90), (61, 47, 3)))


def test_a_hole_in_a_slope_is_closed_smoothly():
    slope = np.repeat(np.linspace(0, 250, 120)[None], 90, axis=0)
    picture = np.repeat(slope[..., None], 3, axis=2).astype(np.uint8)
    known = np.ones((90, 120), bool)
    known[30:60, 45:75] = False
    hidden = picture.copy()
    hidden[~known] = 0
    filled = fill(hidden, known)
    assert np.abs(filled.astype(int) - picture)[~known].max() < 35
    assert np.abs(filled.astype(int) - picture)[~known].mean() < 10


def test_nothing_known_changes_nothing():
    picture = np.random.default_rng(1).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    np.testing.assert_array_equal(fill(picture, np.zeros((20, 30), bool)), picture)


def test_a_rough_mask_becomes_the_true_border():
    """The disc's border is off by 2 pixels; the true share of every pixel is known."""
    true = np.zeros((160, 160), np.float32)
    cv2.circle(true, (80, 80), 40, 1, -1, cv2.LINE_AA)
    true = cv2.GaussianBlur(true, (0, 0), 1)
    person, wall = np.array([200.0, 60, 60]), np.array([40.0, 90, 160])
    picture = (true[..., None] * person + (1 - true[..., None]) * wall).round().astype(np.uint8)
    rough = np.zeros((160, 160), np.float32)
    cv2.circle(rough, (80, 80), 42, 1, -1)
    found = matte(picture, rough, unit=100.0)
    assert np.abs(rough - true).max() > 0.9
    assert np.abs(found.person - true).max() < 0.15
    np.testing.assert_allclose(
        found.background[found.hidden], np.tile(wall, (found.hidden.sum(), 1)), atol=2
    )
