"""`--model warp`: the source's own pixels, without weights, from key points of the source."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from signgen import WarpRenderer
from signgen.errors import UserError
from signgen.media import read_video
from signgen.pose.formats import write_poses
from signgen.pose.transforms import resize
from signgen.structures import PoseSequence
from tests.material.paper_doll import REST, Doll, paper_doll

RAISED = REST + np.array([[0, 40, 60], [0, 0, 0]])


@pytest.fixture(scope="module")
def doll() -> Doll:
    return paper_doll()


def joined(*poses: PoseSequence) -> PoseSequence:
    points = np.concatenate([one.keypoints for one in poses])
    return replace(
        poses[0],
        keypoints=points,
        confidence=np.concatenate([one.confidence for one in poses]),
    )


@pytest.fixture
def dolls(work: Any, doll: Doll) -> Any:
    """The folder with a doll as the source, and poses that raise an arm."""
    Image.fromarray(doll.picture).save(work.source)
    write_poses(doll.poses, work.folder / "doll.json")
    write_poses(joined(doll.poses, doll.posed(RAISED), doll.poses), work.poses)
    return replace(work, model="warp")


def test_the_source_in_its_own_pose_is_itself_and_a_raised_arm_moves(doll: Doll) -> None:
    poses = joined(doll.poses, doll.posed(RAISED))
    still, moved = WarpRenderer().render(doll.picture, poses, signer=doll.poses)
    assert (still == doll.picture).all()
    changed = (moved != doll.picture).any(axis=-1)
    assert 0.01 < changed.mean() < 0.3
    x, y = doll.joint(doll.posed(RAISED), "left_wrist").astype(int)
    assert changed[y - 2 : y + 3, x - 2 : x + 3].any()


def test_sizes_of_poses_signer_and_frames_may_differ(doll: Doll) -> None:
    poses, renderer = doll.posed(RAISED), WarpRenderer()
    expected = next(renderer.render(doll.picture, poses, signer=doll.poses))
    large, signer = resize(poses, (560, 480)), resize(doll.poses, (140, 120))
    found = next(renderer.render(doll.picture, large, signer=signer))
    assert np.abs(found.astype(int) - expected).mean() < 0.1
    assert next(renderer.render(doll.picture, poses, (70, 60), signer=signer)).shape == (70, 60, 3)


def test_points_that_flicker_move_on(doll: Doll) -> None:
    """A wrist that is missing for a frame would drop the arm for a frame."""
    poses = joined(*[doll.posed(RAISED)] * 3)
    gap = replace(poses, confidence=poses.confidence.copy())
    gap.confidence[1, [7, 9, *range(91, 112)]] = 0
    first, second, _ = WarpRenderer().render(doll.picture, gap, signer=doll.poses)
    assert np.abs(first.astype(int) - second).max() <= 1


def test_without_key_points_of_the_source_nothing_is_moved(doll: Doll) -> None:
    nothing = replace(doll.poses, confidence=np.zeros_like(doll.poses.confidence))
    for signer, message in ((None, "signer is not given"), (nothing, "is missing")):
        with pytest.raises(UserError, match=message):
            next(WarpRenderer().render(doll.picture, doll.poses, signer=signer))


def test_the_command_writes_all_files_and_says_what_was_used(dolls: Any, doll: Doll) -> None:
    words = ("--source-poses", dolls.folder / "doll.json", "--json")
    assert dolls.render(*words) == 0
    result = json.loads(dolls.capsys.readouterr().out)
    assert dolls.left() == ["a.compare.mp4", "a.mp4", "a.provenance.json", "a.sheet.png"]
    assert result["provenance"]["settings"]["model"] == "warp"
    assert result["provenance"]["sampling"] == {}
    first = next(iter(read_video(dolls.out / "a.mp4")))
    assert np.abs(first.astype(int) - doll.picture).mean() < 3, "but for the video's compression"


def test_poses_are_aligned_before(dolls: Any) -> None:
    other = paper_doll(scale=1.5)
    write_poses(other.posed(RAISED), dolls.poses)
    words = ("--source-poses", dolls.folder / "doll.json", "--align", "limb", "--no-compare")
    assert dolls.render(*words) == 0
    assert dolls.left() == ["a.mp4", "a.provenance.json"]


def test_the_plan_samples_nothing(dolls: Any) -> None:
    words = ("--source-poses", dolls.folder / "doll.json", "--dry-run")
    assert dolls.render(*words, "--json") == 0
    planned = json.loads(dolls.capsys.readouterr().out)
    assert (planned["model"], planned["steps"], planned["frames"]) == ("warp", None, 3)
    assert dolls.render(*words) == 0
    assert "None" not in dolls.capsys.readouterr().out
    assert dolls.left() == []


@pytest.mark.skipif(importlib.util.find_spec("mediapipe") is not None, reason="mediapipe is here")
def test_without_poses_of_the_source_and_estimator_one_line_says_what_to_do(dolls: Any) -> None:
    assert dolls.render() == 69
    line = dolls.only_line()
    assert "needs key points of" in line
    assert "--source-poses FILE" in line
    assert "make pose-mediapipe" in line
    assert dolls.left() == []


def test_source_poses_that_do_not_fit(dolls: Any, doll: Doll) -> None:
    file = dolls.folder / "doll.json"
    missing = replace(doll.poses, confidence=np.zeros_like(doll.poses.confidence))
    thin = resize(doll.poses, (280, 200))
    other = PoseSequence(
        doll.poses.keypoints[:, :18], np.ones((1, 18), np.float32), "openpose-18", (280, 240), 25
    )
    for poses, message in (
        (missing, "is missing"),
        (thin, "another shape"),
        (other, "of openpose-18, the poses of coco-wholebody-133"),
    ):
        write_poses(poses, file)
        assert dolls.render("--source-poses", file) == 65
        assert message in (line := dolls.only_line())
        assert str(file) in line
    assert dolls.left() == []


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (("--steps", 4), "--steps"),
        (("--guidance", 2, 2), "--guidance"),
        (("--precision", "bf16"), "--precision"),
        (("--seed", 3), "--seed"),
        (("--device", "cuda"), "--device"),
    ],
)
def test_settings_of_models_are_refused(words: tuple[object, ...], flag: str, dolls: Any) -> None:
    assert dolls.render("--source-poses", dolls.folder / "doll.json", *words) == 2
    assert f"{flag} is" in dolls.only_line()


def test_no_torch_is_loaded(dolls: Any) -> None:
    script = (
        "import sys; from signgen.cli.main import main; code = main(sys.argv[1:]); "
        "sys.exit(9 if 'torch' in sys.modules else code)"
    )
    words = ["render", "--model", "warp", "--source", dolls.source, "--poses", dolls.poses]
    words += ["--source-poses", dolls.folder / "doll.json", "--out", dolls.out / "a.mp4"]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", script, *map(str, words)], cwd=root, check=False)
    assert done.returncode == 0
