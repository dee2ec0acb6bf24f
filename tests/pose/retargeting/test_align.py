"""`signgen pose align`: files in, files out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from signgen.cli.main import main
from signgen.media import probe_video, read_image, save_image
from signgen.pose.formats import read_poses, write_poses
from signgen.pose.retargeting.retarget import retarget
from signgen.pose.skeleton import SKELETONS
from signgen.pose.transforms import fit_to_source, flip, resize

ALIGN = ("pose", "align", "--poses", "driving.json", "--source-poses", "signer.json")


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


def test_align_refuses_bad_pairs_and_names_the_files(folder, clip, failure):
    assert "--poses is missing" in failure("pose", "align")
    assert "--source-poses is missing" in failure(*ALIGN[:4])
    confidence = clip.poses.confidence.copy()
    confidence[:, 5] = 0
    points = np.where(confidence[..., None] > 0, clip.poses.keypoints, 0)
    write_poses(replace(clip.poses, keypoints=points, confidence=confidence), Path("no.json"))
    words = ["pose", "align", "--poses", "no.json", "--source-poses", "signer.json"]
    error = failure(*words)
    assert "no.json on signer.json: driving poses cannot be aligned" in error
    assert "none of 6 frames shows both shoulders" in error
    save_image("other.png", np.zeros((90, 90, 3), np.uint8))
    assert "other.png has 90 x 90" in failure(*ALIGN, "--source", "other.png")
    assert "is an input" in failure(*ALIGN, "--out", "driving.json")
    assert "written twice" in failure(*ALIGN, "--out", "a.png", "--preview", "a.png")
    assert ".mp4 or .png" in failure(*ALIGN, "--preview", "p.jpg")
    signer = flip(read_poses(Path("signer.json")))
    mirror = list(SKELETONS["coco-wholebody-133"].mirror)
    back = replace(signer, keypoints=signer.keypoints[:, mirror])
    write_poses(back, Path("mirrored.json"))
    words = ["pose", "align", "--poses", "driving.json", "--source-poses", "mirrored.json"]
    assert "mirrored, or seen from behind" in failure(*words)
