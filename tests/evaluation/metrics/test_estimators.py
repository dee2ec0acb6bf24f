"""Metrics that need an estimator, where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.evaluation.metrics.estimators import hand_pose_metrics, keypoint_metrics
from signgen.structures import PoseSequence


@pytest.fixture(autouse=True)
def nothing_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))


def test_scores_say_what_is_missing_and_how_to_get_it() -> None:
    metrics = [*hand_pose_metrics("hrnet"), *keypoint_metrics("hrnet")]
    frames = np.zeros((2, 260, 210, 3), np.uint8)
    poses = PoseSequence(
        np.zeros((2, 133, 2)), np.zeros((2, 133)), "coco-wholebody-133", (260, 210), 25
    )
    names = ("hand_pe", "hand_pe_penalty", "keypoint_error", "keypoint_dtw")
    for metric, name in zip(metrics, names, strict=True):
        metric.update(frames, frames, poses, clip="a")
        score = metric.compute()
        assert (score.name, score.value, score.n) == (name, None, 0)
        assert "curl -fL" in score.unavailable
        assert "\n" not in score.unavailable


def test_a_file_that_is_named_must_be_good(tmp_path: Path) -> None:
    for make in (hand_pose_metrics, keypoint_metrics):
        with pytest.raises(UserError, match="no such file"):
            make("hrnet", tmp_path / "weights.pth")
