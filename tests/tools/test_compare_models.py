"""Models side by side: cost, scores and differences of tiny models of both kinds."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from signgen.checkpoints.models import save_pretrained
from signgen.config.model import tiny_fpdm, tiny_parsing
from signgen.media import read_image
from signgen.models import build_model
from signgen.structures import PoseSequence
from tests.material.tools import load_tool

compare_models = load_tool("compare_models")


def test_models_are_scored_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    for name, config in (("one", tiny_fpdm()), ("two", tiny_parsing())):
        save_pretrained(build_model(config), tmp_path / name)
    words = [f"one={tmp_path / 'one'}", f"two={tmp_path / 'two'}", f"three={tmp_path / 'one'}"]
    words += ["--sampling", "three=ddim,3,1,1", "--data", "sample"]
    sheet = tmp_path / "sheet.png"
    monkeypatch.setattr(
        sys, "argv", ["compare_models", *words, "--clips", "2", "--sheet", str(sheet)]
    )
    compare_models.main()
    table = capsys.readouterr().out
    # SourceNet sees a signer once, the denoiser every frame at every step, in two branches or one
    assert "source_net 0.0833" in table
    assert [f"unet {count}" in table for count in (2, 3, 4)] == [False, True, True]
    assert table.splitlines()[-1].startswith("- three: ")
    assert "1 clips with large changes of pose" in table
    rows = [line for line in table.splitlines() if line.startswith("| cloth_region_ssim")]
    assert [len(row.split("|")) for row in rows] == [8, 8, 5]
    assert read_image(sheet).shape[:2] == (2 * 260, 5 * 210)


def test_change_is_measured_in_shoulder_widths() -> None:
    points = np.zeros((2, 133, 2), np.float32)
    points[:, 5], points[:, 6] = (60, 50), (40, 50)
    points[1, [7, 8, 9, 10], 1] = (0, 20, 20, 40)
    confidence = np.ones((2, 133), np.float32)
    poses = PoseSequence(points, confidence, "coco-wholebody-133", (100, 100), 25)
    np.testing.assert_allclose(compare_models.pose_change(poses), [0, 1])
    confidence[1, 9:11] = 0
    np.testing.assert_allclose(compare_models.pose_change(poses), [0, 0.5])
