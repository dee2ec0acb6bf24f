"""`signgen render`: what it writes, what it prints, and what it leaves alone when it fails."""

from __future__ import annotations

import importlib.util
import json
import pickle
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from signgen.checkpoints.models import save_pretrained
from signgen.config.model import tiny_fpdm
from signgen.config.render import RenderConfig
from signgen.config.sampling import Sampling
from signgen.errors import UserError
from signgen.media import contact_sheet, read_image, read_video, write_video
from signgen.models import FPDM, build_model
from signgen.pose.formats import read_poses, write_poses
from signgen.pose.transforms import fit_to_source
from signgen.rendering.command import render_files
from signgen.rendering.inputs import check_inputs, sampling_of
from signgen.rendering.planning import plan
from signgen.structures import PoseSequence
from tests.material.sample_clips import sample_clip

ALL = ["a.mp4", "a.compare.mp4", "a.sheet.png", "a.provenance.json"]


def config_of(work: Any, **changes: Any) -> RenderConfig:
    return RenderConfig(
        str(work.source), str(work.poses), str(work.out / "a.mp4"), str(work.model), **changes
    )


def test_writes_video_comparison_and_sheet(work: Any, source: np.ndarray) -> None:
    assert work.render(seed=5) == 0
    files = [Path(line) for line in work.capsys.readouterr().out.splitlines()]
    assert [file.name for file in files] == ALL
    assert work.left() == sorted(ALL)
    with av.open(str(files[0])) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert float(stream.average_rate) == 12.5
        assert (stream.height, stream.width) == source.shape[:2]
        settings = json.loads(container.metadata["comment"])
        assert sum(1 for _ in container.decode(stream)) == 5
    sampling = settings["sampling"]
    assert (sampling["seed"], sampling["sampler"], sampling["precision"]) == (5, "ddpm", "no")
    assert {"steps", "guidance"} <= sampling.keys()
    assert "official_noise" not in sampling
    with av.open(str(files[1])) as container:
        stream = container.streams.video[0]
        assert stream.width > 3 * source.shape[1]
        assert sum(1 for _ in container.decode(stream)) == 5
    sheet = read_image(files[2])
    height, width = source.shape[:2]
    both = 2 * height + 8  # five frames in two rows
    large = contact_sheet([source], scale=both / height)
    assert sheet.shape == (both, large.shape[1] + 3 * (2 * width + 4) + 3 * 8, 3)
    np.testing.assert_array_equal(sheet[:, : large.shape[1]], large)


def test_json_is_one_object_and_no_compare_is_the_video_alone(work: Any) -> None:
    assert work.render("--json", "--no-compare", "--size", 64, 48) == 0
    captured = work.capsys.readouterr()
    result = json.loads(captured.out)
    assert captured.err == ""
    assert result["files"] == [str(work.out / name) for name in ("a.mp4", "a.provenance.json")]
    assert (result["frames"], result["size"], result["fps"]) == (5, [64, 48], 12.5)
    assert work.left() == ["a.mp4", "a.provenance.json"]


def test_sampler_noise_and_precision_are_planned_and_recorded(work: Any) -> None:
    words = ("--sampler", "unipc", "--official-noise", "--precision", "bf16", "--chunk", 3)
    assert work.render(*words, "--dry-run", "--json") == 0
    planned = json.loads(work.capsys.readouterr().out)
    assert work.render(*words, "--json", "--no-compare") == 0
    settings = json.loads(work.capsys.readouterr().out)["provenance"]["sampling"]
    expected = {"sampler": "unipc", "official_noise": True, "precision": "bf16"}
    for made in (planned, settings):
        assert {key: made[key] for key in expected} == expected
    assert settings["chunk"] == 3


def test_a_preset_is_a_sampler_and_steps_that_flags_go_before(work: Any) -> None:
    assert sampling_of(config_of(work)) == Sampling()
    assert sampling_of(config_of(work, preset="live")) == Sampling(sampler="unipc", steps=4)
    given = sampling_of(config_of(work, preset="fast", steps=3, sampler="ddim", seed=5))
    assert given == Sampling(sampler="ddim", steps=3, seed=5)


def test_smooth_and_fill_gaps_change_what_is_rendered(work: Any) -> None:
    poses = read_poses(work.poses)
    confidence = poses.confidence.copy()
    confidence[2, 100] = 0
    write_poses(replace(poses, confidence=confidence), work.poses)
    plain, mended, calm = (
        check_inputs(config).motion(config).poses
        for config in (
            config_of(work),
            config_of(work, fill_gaps=1),
            config_of(work, smooth=True),
        )
    )
    assert not plain.visible[2, 100]
    assert mended.visible.all()
    moves = [np.abs(np.diff(one.keypoints[:, :90], axis=0)).mean() for one in (plain, calm)]
    assert moves[1] < 0.9 * moves[0]
    assert work.render("--fill-gaps", -1) == 2
    assert "--fill-gaps is -1" in work.only_line()


def test_official_noise_of_a_model_can_be_refused(work: Any, tmp_path: Path) -> None:
    sampling = replace(tiny_fpdm().sampling, official_noise=True)
    save_pretrained(build_model(replace(tiny_fpdm(), sampling=sampling)), tmp_path / "official")
    for flags, official in (([], True), (["--no-official-noise"], False)):
        words = [*flags, "--json", "--no-compare"]
        for more in ([], ["--dry-run"]):
            assert work.render(*words, *more, model=tmp_path / "official") == 0
            made = json.loads(work.capsys.readouterr().out)
            sampled = made if more else made["provenance"]["sampling"]
            assert sampled.get("official_noise", False) is official


def test_plan_of_a_model_without_fusion_counts_two_branches(work: Any, tmp_path: Path) -> None:
    config = replace(tiny_fpdm(), fusion="none")
    save_pretrained(build_model(config), tmp_path / "plain")
    work = replace(work, model=tmp_path / "plain")
    assert plan(config_of(work, guidance=(1.5, 3.0), steps=4)).forwards_per_frame == 8
    assert plan(config_of(work, guidance=(1.0, 3.0), steps=4)).forwards_per_frame == 4


def test_a_folder_of_predictions_renders_like_one_file(work: Any, tmp_path: Path) -> None:
    poses = read_poses(work.poses)
    folder = tmp_path / "predictions"
    folder.mkdir()
    for t in range(len(poses)):
        points, scores = poses.keypoints[t].tolist(), poses.confidence[t].tolist()
        person = {"keypoints": points, "keypoint_scores": scores}
        (folder / f"frame_{t}.json").write_text(json.dumps([person]))
    digests = []
    for change in ("", "\n"):
        (folder / "frame_0.json").write_text((folder / "frame_0.json").read_text() + change)
        assert work.render(poses=folder) == 0
        with av.open(str(work.out / "a.mp4")) as container:
            assert sum(1 for _ in container.decode(video=0)) == len(poses)
            digests.append(json.loads(container.metadata["comment"])["inputs"]["poses"])
    assert digests[0] != digests[1]


def test_same_command_same_video(work: Any) -> None:
    for name in ("a.mp4", "b.mp4"):
        assert work.render(out=work.out / name) == 0
    first, again = (
        np.stack([frame.astype(int) for frame in read_video(work.out / name)])
        for name in ("a.mp4", "b.mp4")
    )
    assert np.abs(first - again).mean() < 0.1


def test_align_takes_the_proportions_of_the_source(work: Any, tmp_path: Path) -> None:
    driving, signer = (sample_clip(n, frames).poses for n, frames in ((15, 3), (17, 2)))
    write_poses(driving, work.poses)
    height, width = read_image(work.source).shape[:2]
    write_poses(fit_to_source(signer, (height, width)), tmp_path / "signer.json")
    drawn = []
    for words in ((), ("--align", "limb", "--source-poses", tmp_path / "signer.json")):
        assert work.render(*words, "--json") == 0
        result = json.loads(work.capsys.readouterr().out)
        drawn.append(np.stack(list(read_video(work.out / "a.compare.mp4"))))
        made_of = result["provenance"]
        assert made_of["settings"].get("align", "none") == ("limb" if words else "none")
        assert ("source_poses" in made_of["inputs"]) == bool(words)
        assert result["warnings"] == []
    assert np.abs(drawn[0].astype(int) - drawn[1]).mean() > 1, "another pose is drawn"
    assert work.render("--align", "affine", "--source-poses", work.poses, "--dry-run") == 65
    assert "poses.json is of frames of 210 x 260" in work.only_line()


@pytest.mark.skipif(importlib.util.find_spec("mediapipe") is not None, reason="mediapipe is here")
def test_align_without_source_poses_needs_an_estimator(work: Any) -> None:
    assert work.render("--align", "limb", "--estimator", "mediapipe") == 69
    assert "make pose-mediapipe" in work.only_line()
    assert work.left() == []


def test_source_poses_that_are_not_there(work: Any) -> None:
    assert work.render("--align", "limb", "--source-poses", work.folder / "none.json") == 66
    assert "none.json does not exist" in work.only_line()
    assert work.left() == []


def test_align_warns_of_differing_shoulders_in_the_plan(work: Any, tmp_path: Path) -> None:
    poses = sample_clip(1, 2).poses
    write_poses(poses, work.poses)
    height, width = read_image(work.source).shape[:2]
    hand = poses.keypoints.copy()
    for root in (91, 112):
        hand[:, root : root + 21] = hand[:, [root]] + 1.6 * (
            hand[:, root : root + 21] - hand[:, [root]]
        )
    signer = fit_to_source(replace(poses, keypoints=hand), (height, width))
    write_poses(signer, tmp_path / "signer.json")
    words = ("--align", "limb", "--source-poses", tmp_path / "signer.json", "--dry-run", "--json")
    assert work.render(*words) == 0
    planned = json.loads(work.capsys.readouterr().out)
    assert planned["align"] == "limb"
    assert planned["warnings"][0].startswith("hand of the source: 1.6")


def test_missing_frames_and_other_people_are_warned_of(
    work: Any, make_poses: Callable[..., PoseSequence]
) -> None:
    poses = make_poses(4)
    gap = np.where(np.arange(4)[:, None] == 1, 0, poses.confidence).astype(np.float32)
    poses = replace(poses, confidence=gap, keypoints=poses.keypoints * (gap > 0)[..., None])
    path = work.folder / "list.json"
    write_poses(poses, path, "openpose")
    frames = json.loads(path.read_text())
    frames[0]["people"] *= 3
    path.write_text(json.dumps(frames))
    assert work.render("--dry-run", "--json", poses=path) == 0
    missing, people = json.loads(work.capsys.readouterr().out)["warnings"][:2]
    assert f"{path}: the signer is missing in 1 of 4 frames" in missing
    assert f"{path}: up to 3 people in a frame" in people


def test_a_frame_of_a_video_is_the_source(
    work: Any, make_poses: Callable[..., PoseSequence]
) -> None:
    video = work.folder / "clip.mp4"
    write_video(video, [np.full((90, 70, 3), 60 * t, np.uint8) for t in range(4)], 25)
    frames = list(read_video(video))
    config = replace(config_of(work), source=str(video))
    for number in (0, 2):
        inputs = check_inputs(replace(config, source_frame=number))
        np.testing.assert_array_equal(inputs.source, frames[number])
    assert work.render("--dry-run", "--source-frame", 4, source=video) == 65
    assert f"{video} has no frame 4. Choose another --source-frame" in work.only_line()
    assert work.render("--dry-run", "--source-frame", 1) == 2
    assert "source.png is no video" in work.only_line()
    # Of poses of the whole video, those of that frame
    poses = make_poses(4)
    write_poses(poses, work.folder / "whole.json")
    config = replace(config, source_frame=2, source_poses=str(work.folder / "whole.json"))
    signer = check_inputs(config).motion(config).signer
    assert signer is not None
    np.testing.assert_allclose(signer.keypoints[0], poses.keypoints[2], atol=0.01)
    write_poses(poses.frames(slice(2)), work.folder / "whole.json")
    inputs = check_inputs(config)
    with pytest.raises(UserError, match=r"--source-frame is 2; .* has 2 poses"):
        inputs.motion(config)


def test_addresses_are_named_so(work: Any) -> None:
    for flag in ("source", "poses"):
        assert work.render("--dry-run", **{flag: "http://127.0.0.1/a.json"}) == 66
        assert "http://127.0.0.1/a.json is an address; expected a" in work.only_line()


def test_dry_run_writes_nothing(work: Any) -> None:
    assert work.render("--dry-run", "--json", "--guidance", 2, steps=4) == 0
    planned = json.loads(work.capsys.readouterr().out)
    assert (planned["frames"], planned["fps"], planned["steps"]) == (5, 12.5, 4)
    assert planned["forwards_per_frame"] == 8  # equal weights spare the middle branch
    assert len(planned["files"]) == 4
    assert plan(config_of(work, guidance=(1.5, 3.0), steps=4)).forwards_per_frame == 12
    assert work.render("--dry-run") == 0
    assert "a.compare.mp4" in work.capsys.readouterr().out
    assert work.left() == []


def failing(kind: type[BaseException]) -> Callable[..., Iterable[np.ndarray]]:
    def wrap(frames: Iterable[np.ndarray], total: int) -> Iterable[np.ndarray]:
        for index, frame in enumerate(frames):
            if index == total - 2:
                raise kind
            yield frame

    return wrap


@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_failure_half_way_leaves_nothing_and_touches_nothing(
    kind: type[BaseException], work: Any
) -> None:
    with pytest.raises(kind):
        render_files(config_of(work, chunk=1), progress=failing(kind))
    assert work.left() == []
    (work.out / "a.mp4").write_bytes(b"older")
    (work.out / "a.sheet.png").write_bytes(b"older sheet")
    with pytest.raises(kind):
        render_files(config_of(work, chunk=1), progress=failing(kind))
    assert work.left() == ["a.mp4", "a.sheet.png"]
    assert (work.out / "a.mp4").read_bytes() == b"older"
    assert (work.out / "a.sheet.png").read_bytes() == b"older sheet"


def test_interrupt_is_130(work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(FPDM, "condition", interrupted)
    assert work.render() == 130
    assert work.capsys.readouterr().err == "signgen: interrupted\n"
    assert work.left() == []


def test_unexpected_error_is_one_line_and_1(work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("first\nsecond")

    monkeypatch.setattr(FPDM, "condition", broken)
    assert work.render() == 1
    line = work.only_line()
    assert "RuntimeError" in line
    assert "--debug" in line
    assert work.left() == []


def openpose_of(work: Any, tmp_path: Path) -> Path:
    """The poses as a folder of OpenPose JSON, which says neither size nor rate."""
    write_poses(read_poses(work.poses), tmp_path / "frames", "openpose")
    return tmp_path / "frames"


def test_poses_of_unknown_size_are_said_to_be_of_the_source(
    work: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "signgen")
    poses = openpose_of(work, tmp_path)
    assert work.render("--dry-run", poses=poses) == 0
    assert "does not say how large its pictures were" in caplog.text
    assert "fps 25" not in caplog.text
    caplog.clear()
    assert work.render("--dry-run", "--pose-size", 180, 140, poses=poses) == 0
    assert work.render("--dry-run") == 0  # our own JSON says it
    assert caplog.text == ""


def test_pose_size_and_rate_are_those_of_the_poses(work: Any, tmp_path: Path) -> None:
    poses = openpose_of(work, tmp_path)
    own = read_poses(work.poses)
    words = ("--pose-size", *own.size, "--pose-fps", own.fps, "--no-compare")
    assert work.render(*words, poses=poses) == 0
    first = list(read_video(work.out / "a.mp4"))
    assert work.render("--no-compare") == 0
    second = list(read_video(work.out / "a.mp4"))
    assert len(first) == len(second)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_clip_of_a_file_of_many_is_named(work: Any, tmp_path: Path) -> None:
    poses = read_poses(work.poses)
    table = np.concatenate([poses.keypoints, poses.confidence[..., None]], axis=-1)
    (tmp_path / "many.pkl").write_bytes(
        pickle.dumps({f"train/{name}": {"keypoints": table} for name in "ab"})
    )
    assert work.render("--dry-run", poses=tmp_path / "many.pkl") == 65
    assert "name one with --clip" in work.only_line()
    assert work.render("--dry-run", "--clip", "train/b", poses=tmp_path / "many.pkl") == 0
