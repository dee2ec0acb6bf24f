"""What `signgen pose info` says of a sequence."""

import json
from dataclasses import replace

import numpy as np

from signgen.cli.main import main
from signgen.pose.formats import write_poses
from signgen.pose.summary import coverage, summarize
from signgen.structures import PoseSequence


def half_body(frames: int = 4) -> PoseSequence:
    """Upper body and right hand; the left hand in the first frame only."""
    confidence = np.zeros((frames, 133), np.float32)
    confidence[:, [0, 5, 6, 7, 8, 9, 10]] = 0.9
    confidence[:, 112:133] = 0.9
    confidence[0, 91:112] = 0.9
    points = np.where(confidence[..., None] > 0, 50.0, 0).repeat(2, axis=-1).astype(np.float32)
    return PoseSequence(points, confidence, "coco-wholebody-133", (260, 210), 25.0)


def test_coverage_is_a_share_of_frames():
    shares = coverage(half_body())
    assert shares == {"body": 1.0, "face": 0.0, "left_hand": 0.25, "right_hand": 1.0}
    confidence = np.ones((2, 18), np.float32)
    poses = PoseSequence(np.ones((2, 18, 2), np.float32), confidence, "openpose-18", (9, 9), 25.0)
    assert coverage(poses) == {"body": 1.0}, "a skeleton without hands"


def test_info_shows_files_and_names_bad_ones(tmp_path, capsys):
    first, second, bad = (str(tmp_path / name) for name in ("a.json", "b.npz", "bad.json"))
    for path in (first, second):
        write_poses(half_body(), tmp_path / path)
    (tmp_path / bad).write_text("{}")
    assert main(["pose", "info", bad, first]) == 3
    out, err = capsys.readouterr()
    assert "left hand coverage  0.25" in out
    assert err.count("\n") == 1
    assert "bad.json" in err
    assert main(["pose", "info", bad]) == 65
    capsys.readouterr()
    assert main(["pose", "info", "--json", first, "--fps", "50", second]) == 0
    row, _ = json.loads(capsys.readouterr().out)["files"]
    assert (row["frames"], row["fps"], row["size"]) == (4, 50.0, [260, 210])
    assert row["left_hand_coverage"] == 0.25


def test_info_says_what_the_file_leaves_open(tmp_path):
    poses = half_body()
    spread = poses.keypoints + np.where(poses.visible, np.arange(133) % 50, 0)[..., None]
    poses = replace(poses, keypoints=spread.astype(np.float32))
    for name, format in (("own.json", None), ("frames", "openpose"), ("list.json", "openpose")):
        write_poses(poses, tmp_path / name, format)
    assert "assumed" not in summarize(tmp_path / "own.json")
    assert summarize(tmp_path / "frames")["assumed"] == ["size", "fps"]
    assert summarize(tmp_path / "frames", size=(260, 210))["assumed"] == ["fps"]
    assert summarize(tmp_path / "list.json")["assumed"] == ["fps"]


def test_info_says_who_is_missing_who_else_is_there_and_what_rate_cannot_be(tmp_path, capsys):
    poses = half_body()
    spread = poses.keypoints + np.where(poses.visible, np.arange(133) % 50, 0)[..., None]
    gap = np.where(np.arange(4)[:, None] == 2, 0, poses.confidence).astype(np.float32)
    poses = replace(poses, keypoints=spread.astype(np.float32), confidence=gap)
    write_poses(poses, tmp_path / "list.json", "openpose")
    frames = json.loads((tmp_path / "list.json").read_text())
    frames[0]["people"] *= 2
    (tmp_path / "list.json").write_text(json.dumps(frames))
    write_poses(replace(half_body(), fps=1000.0), tmp_path / "fast.json")
    assert main(["pose", "info", str(tmp_path / "list.json"), str(tmp_path / "fast.json")]) == 0
    missing, people, rate = capsys.readouterr().err.splitlines()
    assert "list.json: the signer is missing in 1 of 4 frames" in missing
    assert "list.json: up to 2 people" in people
    assert "fast.json: 1000 frames per second" in rate
    assert "--fps" in rate
    (replaced,) = summarize(tmp_path / "fast.json", fps=25)["remarks"]
    assert "says 1000 frames per second; 25 are taken" in replaced
