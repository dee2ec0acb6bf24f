"""`signgen pose view`: poses over videos, pictures and black."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from signgen.cli.main import main
from signgen.media import probe_video, read_image, read_video, save_image
from signgen.pose.drawing.draw import draw_pose
from signgen.pose.drawing.viewing import overlay, view_file
from signgen.pose.formats import read_poses, write_poses
from signgen.pose.transforms import resize


def test_overlay_shows_the_frame_and_the_pose(clip):
    poses = resize(clip.poses, clip.poses.size)
    shown = list(overlay(poses, clip.frames))
    assert len(shown) == 6
    drawn = draw_pose(poses.keypoints[0], poses.confidence[0], poses.skeleton, poses.size)
    empty, bright = drawn.max(axis=-1) == 0, drawn.max(axis=-1) >= 96
    np.testing.assert_array_equal(shown[0][empty], clip.frames[0][empty])
    np.testing.assert_array_equal(shown[0][bright], drawn[bright])


def test_view_on_the_video_of_an_odd_size(folder, clip, capsys):
    assert main(["pose", "view", "driving.json", "--video", "driving.mp4", "-o", "v.mp4"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "v.mp4\n"
    assert captured.err == ""
    info = probe_video("v.mp4")
    assert (info.size, info.num_frames, info.fps) == ((92, 74), 6, 25.0)
    # The video itself is of 92 x 74 pixels: the frames and poses were of 91 x 73.
    placed = resize(read_poses(Path("driving.json")), (92, 74))
    expected = list(overlay(placed, read_video("driving.mp4")))
    for ours, theirs in zip(read_video("v.mp4"), expected, strict=True):
        assert np.abs(ours.astype(int) - theirs).mean() < 6


def test_the_rate_of_the_video_is_taken_and_the_other_one_said(folder, clip, caplog):
    for name in ("slow.json", "slow.pose", "slow.npz"):
        write_poses(replace(clip.poses, fps=24.0), Path(name))
        assert main(["pose", "view", name, "--video", "driving.mp4", "-o", "v.mp4"]) == 0
        assert caplog.messages == [f"{name} says 24 frames per second; 25 are taken."]
        caplog.clear()
        assert probe_video("v.mp4").fps == 25.0


def test_view_without_a_picture_is_the_skeleton_on_black(folder, capsys):
    assert main(["pose", "view", "--poses", "driving.json", "-o", "v.mp4", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made == {"schema_version": 1, "file": "v.mp4", "frames": 6}
    first = next(read_video("v.mp4"))
    assert first.shape == (92, 74, 3)
    assert (first.max(axis=-1) < 12).mean() > 0.4
    assert first.max() > 200


def test_view_on_a_picture_writes_a_sheet(folder, clip):
    save_image("still.png", clip.frames[0])
    assert view_file("driving.json", "sheet.png", picture="still.png") == 6
    assert read_image("sheet.png").shape == (2 * 91 + 4, 4 * 73 + 3 * 4, 3)
    assert view_file("signer.json", "one.png", picture="signer.png") == 1
    assert read_image("one.png").shape == (130, 104, 3)


def test_large_poses_are_drawn_smaller(folder, clip):
    write_poses(resize(clip.poses.frames([0]), (4000, 3000)), Path("large.json"))
    view_file("large.json", "large.png")
    assert read_image("large.png").shape == (1080, 810, 3)


def test_view_refuses_what_does_not_belong_together(folder, clip, failure):
    write_poses(clip.poses.frames(slice(0, 5)), Path("short.json"))
    words = ["pose", "view", "short.json", "--video", "driving.mp4", "-o", "v.mp4"]
    assert "driving.mp4 has 6 frames, short.json 5 poses" in failure(*words)
    assert view_file("short.json", "v.mp4", video="driving.mp4", trim_ends=1) == 5
    assert probe_video("v.mp4").num_frames == 5
    Path("v.mp4").unlink()
    write_poses(resize(clip.poses, (91, 91)), Path("wide.json"))
    words[2] = "wide.json"
    assert "wide.json is of frames of 91 x 91" in failure(*words)
    both = ("--video", "driving.mp4", "--frame", "signer.png")
    assert "expected one of them" in failure("pose", "view", "driving.json", *both)
    assert "FILE is missing" in failure("pose", "view")
    assert ".mp4 or .png" in failure("pose", "view", "driving.json", "-o", "v.gif")
    slow = replace(clip.poses, fps=0.5)
    write_poses(slow, Path("slow.json"))
    assert "slow.json: fps is 0.5" in failure("pose", "view", "slow.json")
    assert "is an input" in failure(
        "pose", "view", "driving.json", "--frame", "signer.png", "-o", "signer.png"
    )
    assert "none.json does not exist" in failure("pose", "view", "none.json")
