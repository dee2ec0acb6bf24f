"""Estimators of one hand in a square picture; `make test-mediapipe` runs those of MediaPipe."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

import signgen
from signgen.errors import ExitCode, UserError
from signgen.media import read_frames
from signgen.pose.estimators.hand_patches import open_hand_estimator
from signgen.pose.estimators.hrnet.boxes import crop_frame, crop_of
from signgen.pose.estimators.hrnet.estimator import WHOLE_PATCH
from signgen.pose.formats import read_poses

HAS_MEDIAPIPE = importlib.util.find_spec("mediapipe") is not None
SAMPLE = Path(signgen.__file__).parent / "assets" / "sample"


def test_hrnet_sees_the_picture_as_it_is() -> None:
    patch = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    seen = crop_frame(patch, crop_of(WHOLE_PATCH, (256, 256), (256, 256)))
    np.testing.assert_array_equal(seen, patch)


def test_hrnet_answers_for_every_picture(hand_file: Path) -> None:
    estimator = open_hand_estimator("hrnet", hand_file, "cpu")
    patches = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), np.uint8)
    points, found = estimator.find(patches)
    assert (points.shape, found.shape) == ((1, 21, 2), (1,))
    assert not points[~found].any()
    assert [part.shape for part in estimator.find(patches[:0])] == [(0, 21, 2), (0,)]


def test_the_estimator_is_chosen_by_name(no_caches: Path) -> None:
    with pytest.raises(UserError, match=r"curl .*hrnetv2_w18_coco_wholebody_hand") as missing:
        open_hand_estimator("hrnet")
    assert missing.value.code == ExitCode.NO_INPUT
    with pytest.raises(UserError, match="no such file") as wrong:
        open_hand_estimator("auto", no_caches / "weights.pth")
    assert wrong.value.code == ExitCode.NO_INPUT
    with pytest.raises(UserError, match="Leave the file out"):
        open_hand_estimator("mediapipe", no_caches / "weights.pth")


@pytest.mark.skipif(HAS_MEDIAPIPE, reason="mediapipe is installed")
def test_without_any_the_message_names_both(no_caches: Path) -> None:
    with pytest.raises(UserError, match=r"1: .*curl .*2: .*make pose-mediapipe") as error:
        open_hand_estimator()
    assert error.value.code == ExitCode.UNAVAILABLE


@pytest.mark.skipif(not HAS_MEDIAPIPE, reason="mediapipe is not installed; `make test-mediapipe`")
def test_mediapipe_finds_the_points_of_drawn_hands() -> None:
    name = "dev/Signer036_clip001"
    drawn = read_poses(SAMPLE / "keypoints" / f"{name}.json")
    clip = list(read_frames(SAMPLE / "features" / "fullFrame-210x260px" / name))
    patches, expected = [], []
    for frame, points in zip(clip, drawn.keypoints[:, 112:133], strict=True):
        x, y = np.round(points[9]).astype(int) - 30
        if x >= 0 and y >= 0 and x + 60 <= 210 and y + 60 <= 260:
            cut = frame[y : y + 60, x : x + 60]
            patches.append(cv2.resize(cut, (256, 256), interpolation=cv2.INTER_CUBIC))
            expected.append((points - (x, y)) * 256 / 60)
    estimator = open_hand_estimator("mediapipe")
    patches.append(np.zeros((256, 256, 3), np.uint8))
    points, found = estimator.find(np.stack(patches))
    assert not found[-1]
    assert found[:-1].mean() > 0.5
    away = np.abs(points[:-1] - np.stack(expected))[found[:-1]].mean(axis=(1, 2))
    assert np.median(away) < 20
    # Pictures have nothing to do with each other.
    alone = estimator.find(np.stack(patches[2:3]))
    np.testing.assert_allclose(alone[0][0], points[2], atol=1e-3)
