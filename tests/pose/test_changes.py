"""Transforms of `signgen pose convert`."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from signgen.cli.main import main
from signgen.pose.changes import Changes
from signgen.pose.formats import read_poses, write_poses
from signgen.pose.transforms import crop, fill_missing, flip, resize, smooth_one_euro
from signgen.structures import PoseSequence


def walk(frames: int = 9) -> PoseSequence:
    """A random walk of all points, one of them hidden for two frames."""
    rng = np.random.default_rng(3)
    steps = rng.normal(0, 2, (frames, 133, 2)).cumsum(axis=0)
    points = (rng.uniform(40, 160, (133, 2)) + steps).astype(np.float32)
    confidence = np.ones((frames, 133), np.float32)
    confidence[3:5, 95], points[3:5, 95] = 0, 0
    return PoseSequence(points, confidence, "coco-wholebody-133", (260, 210), 25.0)


def test_nothing_changes_nothing() -> None:
    poses = walk()
    assert Changes().apply(poses) is poses


def test_changes_come_in_the_order_of_the_fields() -> None:
    poses, box, size = walk(), (10, 20, 200, 240), (110, 95)
    changed = Changes(box, size, flip=True, fill_gaps=2, smooth=True).apply(poses)
    expected = smooth_one_euro(fill_missing(flip(resize(crop(poses, box), size)), 2))
    np.testing.assert_array_equal(changed.keypoints, expected.keypoints)
    np.testing.assert_array_equal(changed.confidence, expected.confidence)
    assert changed.size == size
    assert changed.visible.all()


def test_convert_takes_them_as_flags(tmp_path: Path) -> None:
    write_poses(walk(), tmp_path / "in.npz")
    words = ["--resize", "130", "105", "--flip", "--fill-gaps", "2", "--smooth"]
    out = tmp_path / "out.npz"
    assert main(["pose", "convert", str(tmp_path / "in.npz"), str(out), *words]) == 0
    expected = Changes(None, (130, 105), flip=True, fill_gaps=2, smooth=True).apply(walk())
    np.testing.assert_array_equal(read_poses(out).keypoints, expected.keypoints)


def test_convert_changes_every_clip_of_an_archive(tmp_path: Path) -> None:
    poses = walk()
    table = np.concatenate([poses.keypoints, poses.confidence[..., None]], axis=-1)
    clips = {f"train/{name}": {"keypoints": table} for name in "ab"}
    (tmp_path / "many.pkl").write_bytes(pickle.dumps(clips))
    assert (
        main(["pose", "convert", str(tmp_path / "many.pkl"), str(tmp_path / "out"), "--flip"]) == 0
    )
    for name in "ab":
        changed = read_poses(tmp_path / "out" / "train" / f"{name}.npz")
        np.testing.assert_array_equal(changed.keypoints, flip(poses).keypoints)


@pytest.mark.parametrize(
    "words", [["--crop", "9", "9", "5", "9"], ["--resize", "0", "5"], ["--fill-gaps", "-1"]]
)
def test_changes_that_cannot_be_made_are_one_line(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_poses(walk(), tmp_path / "in.npz")
    assert main(["pose", "convert", str(tmp_path / "in.npz"), str(tmp_path / "x.npz"), *words]) == 2
    assert "cannot be changed so" in capsys.readouterr().err
    assert not (tmp_path / "x.npz").exists()
