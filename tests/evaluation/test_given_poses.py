"""Key points of generated frames: one file, or one for each clip, without the source if asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.evaluation.clips import pair_paths
from signgen.evaluation.given_poses import GivenPoses
from signgen.media import save_image
from signgen.pose.formats import write_poses
from signgen.structures import PoseSequence

SIZE = (80, 60)


def poses(count: int) -> PoseSequence:
    keypoints = np.arange(count * 133 * 2, dtype=np.float32).reshape(count, 133, 2) % 50
    confidence = np.ones((count, 133), np.float32)
    return PoseSequence(keypoints, confidence, "coco-wholebody-133", SIZE, 25)


def frames_below(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for index in range(3):
        save_image(folder / f"{index}.png", np.zeros((*SIZE, 3), np.uint8))
    return folder


def test_poses_are_found_by_the_clip_s_name(tmp_path: Path) -> None:
    for root in ("ours", "truth"):
        for clip in ("one", "in/two"):
            frames_below(tmp_path / root / clip)
    (tmp_path / "poses" / "in").mkdir(parents=True)
    write_poses(poses(3), tmp_path / "poses" / "in" / "two.json")
    clips = pair_paths(tmp_path / "ours", tmp_path / "truth").clips
    given = GivenPoses(tmp_path / "poses", clips)
    assert sorted(given) == ["in/two", "one"]
    assert len(given) == 2
    assert np.allclose(given["in/two"].keypoints, poses(3).keypoints, atol=1e-3)
    with pytest.raises(UserError, match="has 0 files of poses for clip one"):
        given["one"]
    assert given.get("three") is None


def test_one_file_serves_one_clip_and_the_source_is_left_out(tmp_path: Path) -> None:
    clips = pair_paths(frames_below(tmp_path / "ours"), frames_below(tmp_path / "truth")).clips
    write_poses(poses(3), tmp_path / "seq.json")
    given = GivenPoses(tmp_path / "seq.json", clips, skip_source=True)
    assert len(given["truth"]) == 2
    assert np.allclose(given["truth"].keypoints, poses(3).keypoints[1:], atol=1e-3)
