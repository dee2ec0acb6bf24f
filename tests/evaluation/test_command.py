"""The command on paths: pairing, protocols, poses, what is written, what is not computed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from signgen.config.evaluation import EvalConfig
from signgen.errors import ExitCode, UserError
from signgen.evaluation.command import evaluate
from signgen.evaluation.reports.report import COPY, WARPED
from signgen.media import VideoWriter, read_frames, save_image
from signgen.pose.formats import write_poses
from signgen.structures import FrameRef
from tests.material.paper_doll import REST, paper_doll
from tests.material.square_signers import SIZE, ParsedSigners, SquareSigners, draw, moving_poses

STRIPS = Path(__file__).resolve().parents[2] / ".." / "shared" / "real" / "fpdm_phoenix_strips"


def clip(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 3), np.uint8)


def folder_of_frames(path: Path, frames: np.ndarray) -> Path:
    path.mkdir(parents=True)
    for index, frame in enumerate(frames):
        save_image(path / f"images{index + 1:04d}.png", frame)
    return path


def video(path: Path, frames: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, 25, frames.shape[1:3]) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def test_a_video_against_a_folder_of_frames_with_hands(tmp_path: Path) -> None:
    poses = moving_poses(4, 3)
    frames = np.stack([draw(poses, index) for index in range(4)])
    truth = folder_of_frames(tmp_path / "truth", frames)
    ours = video(tmp_path / "out.mp4", frames)
    write_poses(poses, tmp_path / "seq.json")
    config = EvalConfig(
        generated=str(ours),
        reference=str(truth),
        poses=str(tmp_path / "seq.json"),
        hand_metrics=True,
        out=str(tmp_path / "report.json"),
    )
    found = evaluate(config)
    report = found.to_json()
    assert json.loads((tmp_path / "report.json").read_text()) == report
    values = {(entry["system"], entry["name"]): entry["value"] for entry in report["metrics"]}
    assert values["generated", "ssim"] > 0.9
    assert values["generated", "hand_ssim"] > values[COPY, "hand_ssim"]
    assert report["schema_version"] == 2
    assert "|frames:all|resize:none|protocol:none|n:4|" in report["metrics"][0]["signature"]
    assert report["inputs"]["generated"] == str(ours)
    text = found.table()
    for words in (
        "ssim (higher is better)",
        COPY,
        "1 clip, 4 frames",
        "measured 100.0%",
        "understood",
    ):
        assert words in text


def test_the_source_is_warped_where_its_key_points_are_known(tmp_path: Path) -> None:
    """Those of the first true frame, or of a source that is given; else it is only copied."""
    doll, raised = paper_doll(), paper_doll(REST + np.array([[0, 20, 20], [0, 0, 0]]))
    frames = np.stack([doll.picture, raised.picture])
    truth = folder_of_frames(tmp_path / "truth", frames)
    both = replace(
        doll.poses,
        keypoints=np.concatenate([doll.poses.keypoints, raised.poses.keypoints]),
        confidence=np.concatenate([doll.poses.confidence, raised.poses.confidence]),
    )
    write_poses(both, tmp_path / "seq.npz")
    write_poses(doll.poses, tmp_path / "source.npz")
    paths = {"generated": str(truth), "reference": str(truth)}
    plain = EvalConfig(**paths, poses=str(tmp_path / "seq.npz"))
    given = replace(plain, source=str(truth / "images0001.png"))
    warped = replace(given, source_poses=str(tmp_path / "source.npz"))
    for config, known in ((plain, True), (given, False), (warped, True), (paths, False)):
        report = evaluate(EvalConfig(**config) if isinstance(config, dict) else config)
        assert (WARPED in report.system_names) is known
        if known:
            values = [report.score("psnr", system).value for system in (COPY, WARPED)]
            assert values[0] < values[1] < 100
            assert "over-smoothed" not in report.table()
    assert report.system_names[0] == "generated"
    for wrong in (replace(plain, source_poses="a"), replace(warped, poses=None)):
        with pytest.raises(UserError, match="--source-poses serves the warp of the source only"):
            evaluate(wrong)
    with pytest.raises(UserError, match="a dataset has its own"):
        evaluate(EvalConfig(poses=str(tmp_path / "seq.npz")))


def test_regions_of_paths_are_those_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signers = ParsedSigners((3, 4))
    monkeypatch.setattr("signgen.data.dataset.open_dataset", lambda *_: signers)
    for record in signers.records("test"):
        frames = np.stack([signers.frame(FrameRef(record, t)) for t in range(record.num_frames)])
        folder_of_frames(tmp_path / "truth" / record.id, frames)
        frames[:, 40:] += 9  # the coat
        folder_of_frames(tmp_path / "ours" / record.id, frames)
    paths = {"generated": str(tmp_path / "ours"), "reference": str(tmp_path / "truth")}
    for size in (None, (60, 48)):
        report = evaluate(EvalConfig(**paths, regions=True, size=size))
        assert report.score("face_region_ciede2000").value == pytest.approx(0, abs=1e-9)
        assert report.score("face_region_ssim").value == pytest.approx(1, abs=1e-9)
        assert report.score("cloth_region_ciede2000").value > 1
        assert report.score("cloth_region_ssim").n == 7
        assert "measured 100.0%" in report.table()

    # A clip whose maps are not those of its frames is left out
    signers.lengths = (3, 5)
    report = evaluate(EvalConfig(**paths, regions=True))
    assert [clip.error for clip in report.failed] == [
        "clip clip1: 5 label maps of the data, but 4 reference frames; expected as many. "
        "--trim-ends 1 cuts what is longer at the end."
    ]
    signers.lengths = (2, 4)
    report = evaluate(EvalConfig(**paths, regions=True))
    assert report.failed[0].error.startswith("clip clip0: 2 label maps of the data, but at least 3")
    signers.lengths = (3,)
    report = evaluate(EvalConfig(**paths, regions=True))
    assert "has no clip clip1; --regions expects the clips of --data" in report.failed[0].error
    with pytest.raises(UserError, match="--regions serves clips") as caught:
        evaluate(EvalConfig(**paths, regions=True, items="images"))
    assert caught.value.code == ExitCode.USAGE


def test_missing_poses_are_user_errors(tmp_path: Path) -> None:
    for folder in ("ours", "truth"):
        for name in ("one", "two"):
            folder_of_frames(tmp_path / folder / name, clip(2))
    write_poses(moving_poses(2, 1), tmp_path / "one.json")
    paths = {"generated": str(tmp_path / "ours"), "reference": str(tmp_path / "truth")}
    report = evaluate(EvalConfig(**paths, poses=str(tmp_path), hand_metrics=True))
    assert [one.id for one in report.per_clip] == ["one"]
    assert "has 0 files of poses for clip two" in report.failed[0].error
    (tmp_path / "empty").mkdir()
    config = EvalConfig(**paths, poses=str(tmp_path / "empty"), hand_metrics=True)
    with pytest.raises(UserError, match=r"none of 2 clips .* 0 files of poses for clip one"):
        evaluate(config)


def test_ends_are_cut_on_request(tmp_path: Path) -> None:
    folder_of_frames(tmp_path / "ours", clip(4))
    folder_of_frames(tmp_path / "truth", clip(4)[:3])
    write_poses(moving_poses(4, 1), tmp_path / "poses.json")
    config = EvalConfig(
        generated=str(tmp_path / "ours"),
        reference=str(tmp_path / "truth"),
        poses=str(tmp_path / "poses.json"),
        motion=False,
    )
    with pytest.raises(UserError, match=r"4 generated frames, but 3 .* --trim-ends 1 cuts"):
        evaluate(config)
    report = evaluate(replace(config, trim_ends=1))
    assert [one.frames for one in report.per_clip] == [3]
    assert report.inputs["trim_ends"] == 1
    (said,) = [one for one in report.warnings if "cut at the end" in one]
    assert "4 generated frames, 3 reference frames, 4 poses; the first 3 are scored" in said
    with pytest.raises(UserError, match="--trim-ends serves --generated and --reference only"):
        evaluate(EvalConfig(trim_ends=1))
    with pytest.raises(UserError, match="--trim-ends serves clips, and single images are"):
        evaluate(replace(config, poses=None, trim_ends=1, items="images"))


def test_the_output_is_checked_before_the_work(tmp_path: Path) -> None:
    for retrieval in (False, True):
        out = str(tmp_path / "missing" / "report.json")
        with pytest.raises(UserError) as caught:
            evaluate(EvalConfig(retrieval=retrieval, model="none", out=out))
        assert caught.value.code == ExitCode.CANNOT_CREATE
    video = tmp_path / "v.mp4"
    video.write_bytes(b"mine")
    for given in ({"generated": str(video), "reference": "b"}, {"compare": (str(video),)}):
        config = EvalConfig(**{"generated": "a", "reference": "b"} | given, out=str(video))
        with pytest.raises(UserError, match=r"v\.mp4 is an input"):
            evaluate(config)
    assert video.read_bytes() == b"mine"


def test_equal_folders_are_perfect_with_key_points_that_are_given(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 2)):
        poses = moving_poses(3, seed)
        frames = np.stack([draw(poses, index) for index in range(3)])
        folder_of_frames(tmp_path / "truth" / name, frames)
        write_poses(poses, tmp_path / f"{name}.json")
    truth = str(tmp_path / "truth")
    config = EvalConfig(
        generated=truth,
        reference=truth,
        poses=str(tmp_path),
        generated_poses=str(tmp_path),
        hand_metrics=True,
        protocol="phoenix-fpdm",
    )
    report = evaluate(config).to_json()
    assert report["failed"] == []
    values = {
        entry["name"]: (entry["value"], entry["n"])
        for entry in report["metrics"]
        if entry["system"] == "generated"
    }
    for end, frames_in_all in (("", 6), ("_without_source", 4)):
        assert values[f"ssim{end}"] == (pytest.approx(1), frames_in_all)
        assert values[f"hand_ssim{end}"] == (pytest.approx(1), 2 * frames_in_all)
        assert values[f"hand_pe{end}"] == (0, 2 * frames_in_all)
    copied = {entry["name"]: entry for entry in report["metrics"] if entry["system"] == COPY}
    assert copied["hand_pe"]["value"] is None, "the points given are not those of the copy"
    assert "of the generated ones" in copied["hand_pe"]["unavailable"]
    assert copied["hand_ssim"]["value"] < 1


def test_signers_and_texts_of_clips_are_those_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signgen.data.dataset.open_dataset", lambda *_: SquareSigners((2, 3)))
    for index, count in enumerate((2, 3)):
        folder_of_frames(tmp_path / "truth" / f"clip{index}", clip(count, index))
    truth = str(tmp_path / "truth")
    config = EvalConfig(generated=truth, reference=truth, data="squares", per_signer=True)
    report = evaluate(config)
    assert [entry.signer for entry in report.per_signer] == ["S0", "S1"]
    assert [entry.frames for entry in report.per_signer] == [2, 3]


def test_results_on_deepfashion_are_scored_beside_their_sources(tmp_path: Path) -> None:
    names = ["fashionMENDenimid0000008001_1front", "fashionMENDenimid0000008001_2side"]
    for name, frame in zip(names, clip(2, 5), strict=True):
        (tmp_path / "truth").mkdir(exist_ok=True)
        save_image(tmp_path / "truth" / f"{name}.png", frame)
    (tmp_path / "ours").mkdir()
    save_image(tmp_path / "ours" / f"{names[0]}_2_{names[1]}_vis.png", clip(2, 5)[1])
    config = EvalConfig(
        generated=str(tmp_path / "ours"), reference=str(tmp_path / "truth"), protocol="cfld"
    )
    report = evaluate(config).to_json()
    values = {(entry["system"], entry["name"]): entry["value"] for entry in report["metrics"]}
    assert values["generated", "ssim_w51"] == pytest.approx(1)
    assert values[COPY, "ssim_w51"] < 0.9
    assert [entry["name"] for entry in report["systems"]] == ["generated", COPY]
    assert report["inputs"]["only_reference"] == 1
    with pytest.raises(UserError, match="--source serves clips"):
        evaluate(replace(config, source="a.png"))

    # Targets alone
    (tmp_path / "truth" / f"{names[0]}.png").unlink()
    report = evaluate(config).to_json()
    assert [entry["name"] for entry in report["systems"]] == ["generated"]
    assert "no pictures of the sources of 1 of 1 results" in report["warnings"][0]


def test_systems_are_named_by_the_ends_of_their_paths(tmp_path: Path) -> None:
    for name in ("ours", "truth", "a/theirs", "b/theirs", "c/generated", "third"):
        folder_of_frames(tmp_path / name, clip(3))
    names = ("a/theirs", "b/theirs", "c/generated", "third")
    config = EvalConfig(
        generated=str(tmp_path / "ours"),
        reference=str(tmp_path / "truth"),
        compare=tuple(str(tmp_path / name) for name in names),
        latex=str(tmp_path / "table.tex"),
    )
    report = evaluate(config)
    compared = [one for one in report.systems if one.kind == "compared"]
    assert tuple(one.name for one in compared) == names
    assert [one.path for one in compared] == list(config.compare)
    assert str(tmp_path) not in (tmp_path / "table.tex").read_text("utf-8")
    assert str(tmp_path) not in report.table()


def test_published_strips_have_the_scores_that_others_measured(tmp_path: Path) -> None:
    strips = sorted(STRIPS.glob("*.gif"))
    if not strips:
        pytest.skip("the published strips are not beside this checkout")
    for strip in strips:
        for index, frame in enumerate(read_frames(strip)):
            for column, name in enumerate(("source", "pose", "truth", "generated")):
                folder = tmp_path / name / strip.stem
                folder.mkdir(parents=True, exist_ok=True)
                part = frame[:, 210 * column : 210 * (column + 1)]
                save_image(folder / f"{index:04d}.png", part.copy())
    config = EvalConfig(
        generated=str(tmp_path / "generated"),
        reference=str(tmp_path / "truth"),
        source=str(tmp_path / "source"),
        protocol="phoenix-fpdm",
    )
    found = [clip.scores for clip in evaluate(config).per_clip]
    names = ("ssim_win7", "ssim", "psnr")
    rounded = [[round(scores["generated"][name], 4) for name in names] for scores in found]
    assert rounded == [[0.89, 0.888, 25.3591], [0.8635, 0.8658, 25.0746]]
    assert [round(scores[COPY]["ssim_win7"], 4) for scores in found] == [0.7506, 0.6599]


def test_metrics_without_networks_import_no_torch(tmp_path: Path) -> None:
    frames = folder_of_frames(tmp_path / "real", clip(3))
    write_poses(moving_poses(3, 0), tmp_path / "poses.npz")
    words = ["eval", "--generated", str(frames), "--reference", str(frames), "--hand-metrics"]
    words += ["--poses", str(tmp_path / "poses.npz"), "--estimator", "hrnet", "--keypoints"]
    words += ["--protocol", "phoenix-fpdm"]
    script = (
        "import sys; from signgen.cli.main import main; code = main(sys.argv[1:]); "
        "sys.exit(9 if 'torch' in sys.modules else code)"
    )
    # Caches without weights, so that no network is opened.
    caches = {"TORCH_HOME": str(tmp_path / "torch"), "HF_HOME": str(tmp_path / "hub")}
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=Path(__file__).parents[2],
        env={**os.environ, **caches},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for names in ("hand_pe, ", "keypoint_error, keypoint_dtw", "lpips, ", "fid_star, "):
        assert f"\n{names}" in done.stdout
    assert "not computed: needs alexnet" in done.stdout
    assert "--estimator-weights" in done.stdout


def test_videos_of_different_rates_are_warned_of(tmp_path: Path) -> None:
    for name, fps in (("ours", 25), ("truth", 25), ("fast", 50)):
        with VideoWriter(tmp_path / f"{name}.mp4", fps, SIZE) as writer:
            for frame in clip(3):
                writer.write(frame)
    config = EvalConfig(
        generated=str(tmp_path / "ours.mp4"), reference=str(tmp_path / "truth.mp4"), motion=False
    )
    assert not evaluate(config).warnings
    (said,) = evaluate(replace(config, reference=str(tmp_path / "fast.mp4"))).warnings
    assert f"{tmp_path / 'ours.mp4'} has 25 frames per second, {tmp_path / 'fast.mp4'} 50" in said
