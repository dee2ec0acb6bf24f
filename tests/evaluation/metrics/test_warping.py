"""Warping error on pictures that are moved by known steps."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from signgen.errors import UserError
from signgen.evaluation.metrics.warping import WARPING_ERROR, motion_back, warp
from tests.material.scoring import measured, score_of


def texture(size: tuple[int, int] = (120, 140), seed: int = 0) -> np.ndarray:
    """A smooth random picture with much to follow."""
    noise = np.random.default_rng(seed).normal(0, 1, (*size, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.clip(128 + 60 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def moving(count: int, step: int = 2) -> np.ndarray:
    """A window that moves to the left over a wide picture: what it shows moves to the right."""
    wide = texture((120, 160))
    return np.stack([wide[:, 40 - step * t : 140 - step * t] for t in range(count)])


def test_the_flow_of_a_known_motion() -> None:
    before, after = moving(2, step=3)
    back, visible = motion_back(before, after)
    inner = np.s_[20:-20, 20:-20]
    assert np.abs(back[inner] - (-3, 0)).mean() < 0.15
    assert visible[inner].mean() > 0.99
    assert not visible[:, 0].any(), "what came in from the left has no place in the frame before"
    np.testing.assert_allclose(warp(before, back)[inner], after[inner], atol=12)


def test_a_covered_object_is_left_out() -> None:
    before = texture()
    after = before.copy()
    after[40:80, 50:90] = texture(seed=1)[40:80, 50:90]
    _, visible = motion_back(before, after)
    assert visible[45:75, 55:85].mean() < 0.5
    assert visible[:30].mean() > 0.95


def test_frames_that_move_with_the_truth_have_little_error() -> None:
    truth = moving(4)
    inverted = 255 - truth  # moves alike, looks different
    standing = np.broadcast_to(truth[0], truth.shape)
    scores = {
        name: score_of(WARPING_ERROR, frames, truth)
        for name, frames in (("same", truth), ("inverted", inverted), ("standing", standing))
    }
    for score in scores.values():
        assert score.n == 3
        assert score.details["visible"] > 0.9
        assert scores["same"].value == score.details["reference"]
    assert scores["inverted"].value == pytest.approx(scores["same"].value, rel=1e-3)
    assert scores["standing"].value > 5 * scores["same"].value


def test_frames_too_small_for_the_flow_are_refused() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 12, 11, 3), np.uint8)
    with pytest.raises(UserError, match="frames of 11 x 12; expected at least 12 x 12"):
        score_of(WARPING_ERROR, frames, frames)
    assert score_of(WARPING_ERROR, frames.repeat(2, axis=2), frames.repeat(2, axis=2)).n <= 1


def test_noise_of_known_strength_in_a_still_picture() -> None:
    truth = np.broadcast_to(texture(), (3, 120, 140, 3))
    noise = np.random.default_rng(1).normal(0, 10, truth.shape)
    generated = np.clip(np.full(truth.shape, 128) + noise, 0, 255).round().astype(np.uint8)
    score, (values,) = measured(WARPING_ERROR, {"a": (generated, truth)})
    assert score.value == pytest.approx(2 * (100 + 1 / 12) / 255**2, rel=0.02)
    assert score.details["reference"] == 0
    assert values["value"].shape == (2,)
