"""What `tools/benchmark_eval.py` writes and measures, on a short clip."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from signgen.media import list_pictures, read_frames
from signgen.pose.formats import read_poses
from signgen.structures import PoseSequence
from tests.material.tools import load_tool

SIZE = (66, 52)


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_tool("benchmark_eval")


@pytest.fixture(scope="module")
def clips(tool: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 70 frames made of random ones."""
    rng = np.random.default_rng(0)
    keypoints = np.full((tool.DISTINCT, 133, 2), 26, np.float32)
    confidence = np.ones((tool.DISTINCT, 133), np.float32)
    poses = PoseSequence(keypoints, confidence, "coco-wholebody-133", SIZE, 25)
    frames = rng.integers(0, 256, (tool.DISTINCT, *SIZE, 3), np.uint8)
    folder = tmp_path_factory.mktemp("clips") / "70"
    tool.write_clips(folder, 70, frames, poses)
    return folder


def test_frames_run_forward_and_backward_without_a_jump(tool: ModuleType) -> None:
    numbers = list(tool.there_and_back(1000))
    assert {abs(b - a) for a, b in pairwise(numbers)} == {1}
    assert (min(numbers), max(numbers)) == (0, tool.DISTINCT - 1)


def test_clips_have_the_length_and_poses_asked_for(tool: ModuleType, clips: Path) -> None:
    for name in ("truth", "generated"):
        pictures = list_pictures(clips / "png" / name)
        assert len(pictures) == 70
        assert pictures[12].samefile(pictures[10])
        assert not pictures[12].samefile(pictures[11])
        video = read_frames(clips / "mp4" / f"{name}.mp4")
        assert (video.info.size, sum(1 for _ in video)) == (SIZE, 70)
    assert len(read_poses(clips / "poses.npz")) == 70


# A whole process that imports torch: about 2 seconds.
def test_a_run_is_measured_and_its_failure_said(
    tool: ModuleType, clips: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report.json"
    measured = tool.run(clips, "png", ["--hand-metrics", "--size", "78", "62"], out)
    entries = json.loads(out.read_text("utf-8"))["metrics"]
    assert {entry["name"] for entry in entries} >= {"ssim", "psnr", "hand_ssim"}
    assert 0 < measured.processor < 60
    assert measured.seconds > 0
    assert 50 < measured.memory < 5000
    with pytest.raises(SystemExit, match="no-such is not a flag"):
        tool.run(clips, "png", ["--no-such"], out)


def test_rows_and_ratios_are_printed(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    runs = {
        ("png", 300): [tool.Run(4.0, 6.0, 200.0)] * 3,
        ("png", 3000): [tool.Run(31.0, 46.5, 210.0)] * 3,
    }
    tool.report(runs)
    first, second, last = capsys.readouterr().out.splitlines()
    assert "png,   300 frames:    75.0 (75.0 to 75.0) frames per second, 1.50 cores" in first
    assert "96.8" in second
    assert "start-up left out:   100.0" in last
    assert last.endswith("1.050")
