"""`signgen pose view` and `pose align`: files in, files out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from signgen.cli.main import main
from signgen.data.synthetic import render_clip
from signgen.errors import UserError
from signgen.media import VideoWriter, probe_video, read_image, read_video, save_image
from signgen.pose.drawing.draw import draw_pose
from signgen.pose.drawing.viewing import overlay, view_file
from signgen.pose.formats import read_poses, write_poses
from signgen.pose.retargeting.retarget import retarget
from signgen.pose.transforms import fit_to_source, flip, resize


@pytest.fixture(scope="module")
def clip():
    return render_clip(1, 2, 6, size=(91, 73))


@pytest.fixture
def folder(tmp_path, clip, monkeypatch):
    """A driver of 6 frames with its video, and another signer: one pose with its picture."""
    signer = render_clip(5, 1, 1, size=(130, 104))
    write_poses(clip.poses, tmp_path / "driving.json")
    with VideoWriter(tmp_path / "driving.mp4", 25.0, (91, 73), crf=0) as writer:
        for frame in clip.frames:
            writer.write(frame)
    write_poses(signer.poses, tmp_path / "signer.json")
    save_image(tmp_path / "signer.png", signer.frames[0])
    monkeypatch.chdir(tmp_path)
    return tmp_path


ALIGN = ("pose", "align", "--poses", "driving.json", "--source-poses", "signer.json")


def failure(capsys, *words: str) -> str:
    before = sorted(Path().iterdir())
    assert main(list(words)) in {2, 65, 66, 73}
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    assert sorted(Path().iterdir()) == before, "nothing was written"
    return captured.err


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


def test_view_refuses_what_does_not_belong_together(folder, clip, capsys):
    write_poses(clip.poses.frames(slice(0, 5)), Path("short.json"))
    words = ["pose", "view", "short.json", "--video", "driving.mp4", "-o", "v.mp4"]
    assert "driving.mp4 has 6 frames, short.json 5 poses" in failure(capsys, *words)
    write_poses(resize(clip.poses, (91, 91)), Path("wide.json"))
    words[2] = "wide.json"
    assert "wide.json is of frames of 91 x 91" in failure(capsys, *words)
    both = ("--video", "driving.mp4", "--frame", "signer.png")
    assert "expected one of them" in failure(capsys, "pose", "view", "driving.json", *both)
    assert "FILE is missing" in failure(capsys, "pose", "view")
    assert ".mp4 or .png" in failure(capsys, "pose", "view", "driving.json", "-o", "v.gif")
    slow = replace(clip.poses, fps=0.5)
    write_poses(slow, Path("slow.json"))
    assert "slow.json: fps is 0.5" in failure(capsys, "pose", "view", "slow.json")
    assert "is an input" in failure(
        capsys, "pose", "view", "driving.json", "--frame", "signer.png", "-o", "signer.png"
    )


@pytest.mark.parametrize("mode", ["none", "affine", "limb"])
def test_align_writes_poses_of_the_source_frame(folder, mode, capsys):
    assert main([*ALIGN, "--mode", mode, "-o", "a.json", "--source", "signer.png"]) == 0
    aligned = read_poses(Path("a.json"))
    assert aligned.size == (130, 104)
    driving, signer = read_poses(Path("driving.json")), read_poses(Path("signer.json"))
    expected = fit_to_source(driving, (130, 104)) if mode == "none" else None
    if mode == "limb":
        expected = retarget(driving, signer)
    if expected is not None:
        np.testing.assert_allclose(aligned.keypoints, expected.keypoints, atol=0.01)
    shown = capsys.readouterr().out
    assert f"mode                {mode}" in shown
    assert "upper arm" in shown
    assert ("left as it is (measured" in shown) == (mode != "limb")


def test_align_previews_before_and_after(folder, capsys):
    assert main([*ALIGN, "--source", "signer.png", "--preview", "p.png", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["files"] == ["aligned.json", "p.png"]
    assert report["mode"] == "limb"
    assert 0.8 < report["alignment"]["scale"] / report["alignment"]["fitted"] < 1.25
    assert read_image("p.png").shape == (2 * 130 + 4, 4 * (2 * 104 + 4) + 3 * 4, 3)
    assert main([*ALIGN, "--preview", "p.mp4"]) == 0
    info = probe_video("p.mp4")
    assert (info.size, info.num_frames) == ((130, 212), 6)


def test_align_says_what_differs(folder, clip, capsys):
    small = resize(clip.poses.frames([0]), (45, 36))
    write_poses(replace(small, size=(91, 73)), Path("far.json"))
    words = ["pose", "align", "--poses", "driving.json", "--source-poses", "far.json"]
    assert main([*words, "--mode", "none"]) == 0
    warning = capsys.readouterr().err
    assert warning.startswith("signgen: warning: shoulders of the source: 0.49")
    assert main([*words, "--mode", "affine"]) == 0
    assert "shoulders" not in capsys.readouterr().err


def test_align_refuses_bad_pairs_and_names_the_files(folder, clip, capsys):
    assert "--poses is missing" in failure(capsys, "pose", "align")
    assert "--source-poses is missing" in failure(capsys, *ALIGN[:4])
    confidence = clip.poses.confidence.copy()
    confidence[:, 5] = 0
    points = np.where(confidence[..., None] > 0, clip.poses.keypoints, 0)
    write_poses(replace(clip.poses, keypoints=points, confidence=confidence), Path("no.json"))
    words = ["pose", "align", "--poses", "no.json", "--source-poses", "signer.json"]
    error = failure(capsys, *words)
    assert "no.json on signer.json: driving poses cannot be aligned" in error
    assert "none of 6 frames shows both shoulders" in error
    save_image("other.png", np.zeros((90, 90, 3), np.uint8))
    assert "other.png has 90 x 90" in failure(capsys, *ALIGN, "--source", "other.png")
    assert "is an input" in failure(capsys, *ALIGN, "--out", "driving.json")
    assert "written twice" in failure(capsys, *ALIGN, "--out", "a.png", "--preview", "a.png")
    assert ".mp4 or .png" in failure(capsys, *ALIGN, "--preview", "p.jpg")


def test_a_mirrored_source_is_refused(folder, capsys):
    signer = flip(read_poses(Path("signer.json")))
    back = replace(signer, keypoints=signer.keypoints[:, list(mirror())])
    write_poses(back, Path("mirrored.json"))
    words = ["pose", "align", "--poses", "driving.json", "--source-poses", "mirrored.json"]
    assert "mirrored, or seen from behind" in failure(capsys, *words)


def mirror() -> tuple[int, ...]:
    from signgen.pose.skeleton import SKELETONS

    return SKELETONS["coco-wholebody-133"].mirror


def test_errors_are_the_users(folder):
    with pytest.raises(UserError, match="does not exist"):
        view_file("none.json", "v.mp4")
