"""Evaluation: pairing, streaming, the trivial baseline, the report, bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from signgen.config.evaluation import EvalConfig
from signgen.config.sampling import Sampling
from signgen.errors import ExitCode, UserError
from signgen.evaluation.command import (
    ClipPair,
    evaluate,
    evaluate_model,
    evaluate_pairs,
    pair_paths,
)
from signgen.evaluation.metrics import PSNR, SSIM, default_metrics
from signgen.evaluation.reports.report import COPY, PREVIOUS
from signgen.media import VideoWriter, read_frames, save_image
from signgen.pose.formats import write_poses
from signgen.structures import FrameRef, PoseSequence, Record, Triplet

STRIPS = Path(__file__).resolve().parents[2] / ".." / "shared" / "real" / "fpdm_phoenix_strips"
SIZE = (79, 62)


def draw(poses: PoseSequence, index: int) -> np.ndarray:
    """A "signer": a grey ramp with a bright square at each middle knuckle."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    frame = np.repeat((x + y)[..., None], 3, axis=2).astype(np.uint8)
    for knuckle in (100, 121):
        column, row = poses.keypoints[index, knuckle].astype(int)
        frame[row - 3 : row + 4, column - 3 : column + 4] = (250, 200, 150)
    return frame


def moving_poses(count: int, seed: int) -> PoseSequence:
    rng = np.random.default_rng(seed)
    keypoints = np.zeros((count, 133, 2), np.float32)
    confidence = np.ones((count, 133), np.float32)
    for knuckle in (100, 121):
        keypoints[:, knuckle] = rng.uniform((10, 15), (40, 50), (count, 2))
    return PoseSequence(keypoints, confidence, "coco-wholebody-133", SIZE, 25)


class SquareSigners:
    """A dataset of drawn squares in memory."""

    name = "squares"
    skeleton = "coco-wholebody-133"

    def __init__(self, lengths: tuple[int, ...] = (4, 6, 3, 5)) -> None:
        self.lengths = lengths

    def records(self, split: str) -> list[Record]:
        return [Record(f"clip{i}", split, f"S{i % 2}", n) for i, n in enumerate(self.lengths)]

    def poses(self, record: Record) -> PoseSequence:
        return moving_poses(record.num_frames, seed=int(record.id[4:]))

    def pose(self, ref: FrameRef) -> PoseSequence:
        return self.poses(ref.record).frames([ref.index])

    def frame(self, ref: FrameRef) -> np.ndarray:
        return draw(self.poses(ref.record), ref.index)

    def parts(self, ref: FrameRef) -> None:
        return None

    def pairs(self, split: str) -> list[Triplet] | None:
        return None


class ListedPairs(SquareSigners):
    """The same, with a list of two pairs of views."""

    def pairs(self, split: str) -> list[Triplet] | None:
        first, second = self.records(split)[:2]
        return [
            Triplet(FrameRef(first, 0), FrameRef(first, 2)),
            Triplet(FrameRef(second, 3), FrameRef(second, 1)),
        ]


class GoodRenderer:
    """Draws the squares where the poses say, one grey level off."""

    def render(self, source: np.ndarray, poses: PoseSequence) -> Iterator[np.ndarray]:
        for index in range(len(poses)):
            yield draw(poses, index) + np.uint8(1)


class LazyRenderer:
    """Returns the source whatever the poses say."""

    def render(self, source: np.ndarray, poses: PoseSequence) -> Iterator[np.ndarray]:
        for _ in range(len(poses)):
            yield source


def clip(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 3), np.uint8)


# ----- models -------------------------------------------------------------------------------------


def test_a_good_model_beats_the_copy_and_a_lazy_one_equals_it() -> None:
    good = evaluate_model(GoodRenderer(), SquareSigners(), "test", hand_metrics=True)
    lazy = evaluate_model(LazyRenderer(), SquareSigners(), "test", hand_metrics=True)
    for metric in ("ssim", "psnr", "hand_ssim"):
        assert good.score(metric).beats_copy is True
        assert lazy.score(metric).beats_copy is False
        assert lazy.score(metric).value == lazy.score(metric, COPY).value
        assert good.score(metric, COPY).value == lazy.score(metric, COPY).value
    assert good.score("psnr").value == pytest.approx(20 * np.log10(255))
    assert good.score("hand_ssim").details["coverage"] == 1


def test_the_source_frame_is_not_scored_and_the_signature_says_so() -> None:
    report = evaluate_model(LazyRenderer(), SquareSigners((4, 6)), "test")
    assert report.score("ssim").n == 3 + 5
    assert "|frames:without-source|" in report.score("ssim").signature
    assert [clip.frames for clip in report.per_clip] == [4, 6]


def test_a_split_of_single_frames_has_nothing_to_score() -> None:
    with pytest.raises(UserError, match="nothing to score in 2 clips"):
        evaluate_model(LazyRenderer(), SquareSigners((1, 1)), "test")


def test_progress_wraps_the_clips() -> None:
    seen = []

    def progress(pairs: Iterator[ClipPair], total: int) -> Iterator[ClipPair]:
        for pair in pairs:
            seen.append((pair.id, total))
            yield pair

    evaluate_model(LazyRenderer(), SquareSigners((2, 3)), "test", progress=progress)
    assert seen == [("clip0", 2), ("clip1", 2)]


def test_a_tiny_real_model_is_evaluated() -> None:
    torch = pytest.importorskip("torch")
    from signgen.config.model import tiny_fpdm
    from signgen.models import build_model
    from signgen.rendering.renderer import Renderer

    torch.manual_seed(0)
    renderer = Renderer(build_model(tiny_fpdm()), Sampling(steps=1))
    report = evaluate_model(renderer, SquareSigners((2, 3)), "test", hand_metrics=True)
    assert 0 < report.score("ssim").value < 1
    assert report.score("ssim").beats_copy is False, "an untrained model is no match for the copy"


def test_settings_of_sampling_reach_the_model_and_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    from signgen.checkpoints.models import save_pretrained
    from signgen.config.model import tiny_fpdm
    from signgen.models import build_model

    torch.manual_seed(0)
    save_pretrained(build_model(tiny_fpdm()), tmp_path / "tiny")
    few = SquareSigners((2,))  # the bundled sample takes seconds
    monkeypatch.setattr("signgen.data.dataset.open_dataset", lambda *_: few)
    plain = {"steps": 2, "sampler": "ddpm", "official_noise": False, "precision": "no"}
    changes = [
        {},
        {"steps": 1},
        {"sampler": "unipc"},
        {"official_noise": True},
        {"precision": "bf16"},
    ]
    digests = set()
    for change in changes:
        config = EvalConfig(model=str(tmp_path / "tiny"), device="cpu", **change)
        report = evaluate(config)
        digests.add(report.per_clip[0].generated_sha256)
        expected = plain | change
        assert report.inputs.get("official_noise", False) is expected.pop("official_noise")
        assert {name: report.inputs[name] for name in expected} == expected
    assert len(digests) == len(changes)


# ----- pairs --------------------------------------------------------------------------------------


def test_chunks_do_not_change_scores_or_hashes() -> None:
    reports = []
    for chunk in (1, 2, 7, 100):
        pairs = [
            ClipPair("a", "", clip(7, 1), clip(7, 2)),
            ClipPair("b", "", clip(3, 3), clip(3, 4)),
        ]
        reports.append(evaluate_pairs(pairs, default_metrics(), skip_source=True, chunk=chunk))
    first = reports[0].to_json()
    for report in reports[1:]:
        other = report.to_json()
        assert other["per_clip"][0]["generated_sha256"] == first["per_clip"][0]["generated_sha256"]
        for mine, theirs in zip(first["metrics"], other["metrics"], strict=True):
            assert mine["value"] == pytest.approx(theirs["value"], abs=1e-12)
            assert mine["n"] == theirs["n"]


def test_the_baselines_are_the_source_and_the_frame_before() -> None:
    frames = clip(4)
    copies = {COPY: frames[[0, 0, 0, 0]], PREVIOUS: frames[[0, 0, 1, 2]]}
    for system, copied in copies.items():
        for chunk in (1, 3, 16):
            pair = ClipPair("a", "", copied, frames)
            direct = evaluate_pairs([pair], [SSIM(), PSNR()], chunk=chunk)
            for metric in ("ssim", "psnr"):
                assert direct.score(metric).value == direct.score(metric, system).value
    assert direct.score("psnr", COPY).value != direct.score("psnr", PREVIOUS).value


@pytest.mark.parametrize("count", [1, 3])
def test_a_source_that_is_given_is_copied(count: int) -> None:
    frames, source = clip(3), clip(count, 9)
    copied = ClipPair("a", "", np.broadcast_to(source, frames.shape)[1:], frames[1:])
    for chunk in (1, 2, 16):
        pair = ClipPair("a", "", frames, frames, source=source)
        report = evaluate_pairs([pair], [PSNR()], skip_source=True, chunk=chunk)
    assert report.score("psnr").n == 2
    assert (
        report.score("psnr", COPY).value == evaluate_pairs([copied], [PSNR()]).score("psnr").value
    )


def test_unequal_clips_are_user_errors() -> None:
    poses = moving_poses(4, 0)
    cases = {
        "7 generated frames, but 9": ClipPair("a", "", clip(7), clip(9)),
        "9 generated frames, but 7": ClipPair("a", "", clip(9), clip(7)),
        "0 generated frames, but 2": ClipPair("a", "", [], clip(2)),
        "62 x 60": ClipPair("a", "", clip(2)[:, :60], clip(2)),
        "4 poses, but at least 6": ClipPair("a", "", clip(6), clip(6), poses),
        "4 poses, but 3": ClipPair("a", "", clip(3), clip(3), poses),
        "change their size": ClipPair("a", "", [*clip(1), clip(1)[0, :40]], clip(2)),
        "the source has 2 frames": ClipPair("a", "", clip(3), clip(3), source=clip(2)),
        "the source has no frames": ClipPair("a", "", clip(3), clip(3), source=[]),
        "nothing to score": ClipPair("a", "", [], []),
    }
    for message, pair in cases.items():
        with pytest.raises(UserError, match=message) as caught:
            evaluate_pairs([pair], default_metrics(), chunk=16)
        assert caught.value.code == ExitCode.DATA
    with pytest.raises(UserError, match="comes twice"):
        evaluate_pairs([ClipPair("a", "", clip(1), clip(1))] * 2, default_metrics())


def test_the_padding_of_odd_videos_is_cut() -> None:
    reference = clip(2)
    padded = np.pad(reference, ((0, 0), (0, 1), (0, 0), (0, 0)), mode="edge")
    report = evaluate_pairs([ClipPair("a", "", padded, reference)], [PSNR()])
    assert report.score("psnr").value == pytest.approx(100)


# ----- paths --------------------------------------------------------------------------------------


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
        "hands measured",
        "understood",
    ):
        assert words in text


def test_folders_of_clips_are_paired_by_name(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 2)):
        folder_of_frames(tmp_path / "truth" / name, clip(3, seed))
        folder_of_frames(tmp_path / "ours" / name, clip(3, seed))
        write_poses(moving_poses(3, seed), tmp_path / f"{name}.json")
    (tmp_path / "truth" / "stray.txt").write_text("not a clip")
    pairs = pair_paths(tmp_path / "ours", tmp_path / "truth", tmp_path)
    assert [pair.id for pair in pairs.clips] == ["one", "two"]
    assert pairs.counts == {"matched": 2, "only_generated": 0, "only_reference": 0}
    report = evaluate_pairs(pairs.clips, default_metrics(hands=True))
    assert report.score("ssim").value == pytest.approx(1)
    assert report.score("ssim").ci95 is not None
    assert [clip.id for clip in report.per_clip] == ["one", "two"]
    assert all(clip.counts["generated"]["hand_ssim"] for clip in report.per_clip)


def test_paths_that_cannot_be_paired_are_user_errors(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        folder_of_frames(tmp_path / "truth" / name, clip(2))
    video(tmp_path / "ours" / "one.mp4", clip(2))
    video(tmp_path / "other" / "four.mp4", clip(2))
    (tmp_path / "empty").mkdir()
    cases = [
        ("other", "truth", "no name in common .1 and 3 clips"),
        ("ours/one.mp4", "truth", "is one clip but"),
        ("truth", "ours/one.mp4", "is one clip but"),
        ("ours/one.mp4", "empty", "holds no clips"),
        ("ours/one.mp4", "missing", "does not exist"),
        ("missing", "truth/one", "does not exist"),
    ]
    for ours, truth, message in cases:
        with pytest.raises(UserError, match=message):
            pair_paths(tmp_path / ours, tmp_path / truth)
    with pytest.raises(UserError, match="truth have no name in common"):
        pair_paths(tmp_path / "ours", tmp_path / "truth", compare={"other": tmp_path / "other"})
    video(tmp_path / "truth" / "one.mp4", clip(2))
    with pytest.raises(UserError, match="the same name"):
        pair_paths(tmp_path / "ours", tmp_path / "truth")


def test_missing_poses_are_user_errors(tmp_path: Path) -> None:
    for folder in ("ours", "truth"):
        for name in ("one", "two"):
            folder_of_frames(tmp_path / folder / name, clip(2))
    write_poses(moving_poses(2, 1), tmp_path / "one.json")
    (pair,), (failed,) = (
        (found := pair_paths(tmp_path / "ours", tmp_path / "truth", tmp_path)).clips,
        found.failed,
    )
    assert (pair.id, failed.id) == ("one", "two")
    assert "has 0 files of poses for clip two" in failed.error
    for path in (tmp_path / "none", tmp_path / "one.json"):
        with pytest.raises(UserError, match="not a folder; expected a folder with one file of pos"):
            pair_paths(tmp_path / "ours", tmp_path / "truth", path)
    (tmp_path / "empty").mkdir()
    paths = {"generated": str(tmp_path / "ours"), "reference": str(tmp_path / "truth")}
    config = EvalConfig(**paths, poses=str(tmp_path / "empty"), hand_metrics=True)
    with pytest.raises(UserError, match=r"none of 2 clips .* 0 files of poses for clip one"):
        evaluate(config)


@pytest.mark.parametrize(
    "settings",
    [
        {"generated": "a.mp4"},
        {"reference": "a.mp4"},
        {"poses": "a.json"},
        {"generated": "a.mp4", "reference": "b.mp4", "poses": "c.json"},
        {"generated": "a.mp4", "reference": "b.mp4", "hand_metrics": True},
        {"generated": "a.mp4", "reference": "b.mp4", "steps": 4},
        {"generated": "a.mp4", "reference": "b.mp4", "sampler": "ddim"},
        {"generated": "a.mp4", "reference": "b.mp4", "official_noise": True},
        {"generated": "a.mp4", "reference": "b.mp4", "precision": "bf16"},
        {"steps": 0},
    ],
)
def test_contradicting_settings_are_usage_errors(settings: dict[str, object]) -> None:
    with pytest.raises(UserError) as caught:
        evaluate(EvalConfig(**settings))
    assert caught.value.code == ExitCode.USAGE
    assert "\n" not in str(caught.value)


def test_the_output_is_checked_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        evaluate(EvalConfig(out=str(tmp_path / "missing" / "report.json")))
    assert caught.value.code == ExitCode.CANNOT_CREATE


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


# ----- report -------------------------------------------------------------------------------------


def test_the_report_is_plain_json() -> None:
    report = evaluate_model(GoodRenderer(), SquareSigners(), "test", hand_metrics=True).to_json()
    again = json.loads(json.dumps(report, allow_nan=False))
    assert again == report
    entry = report["metrics"][0]
    assert set(entry) >= {"name", "value", "ci95", "n", "higher_is_better", "signature", "system"}
    assert [clip["signer"] for clip in report["per_clip"]] == ["S0", "S1", "S0", "S1"]
    assert set(report["per_clip"][0]["scores"]["generated"]) == {"ssim", "psnr", "hand_ssim"}


def test_the_table_reads_well() -> None:
    text = evaluate_model(GoodRenderer(), SquareSigners(), "test", hand_metrics=True).table()
    lines = text.splitlines()
    assert lines[0].split("  ")[0] == "metric [95 % interval]"
    assert "better than copying" in lines[1]
    assert "4 clips, 18 frames, 2 signers" in text
    assert max(map(len, lines[:4])) <= 140


def test_what_cannot_be_measured_is_not_a_number_but_said() -> None:
    pair = ClipPair("a", "", clip(2), clip(2), moving_poses(2, 0))
    pair.poses.confidence[:] = 0
    report = evaluate_pairs([pair], default_metrics(hands=True))
    assert report.score("hand_ssim").value is None
    assert "not measured" in report.table()
    assert "[one clip]" in report.table()
    assert report.score("ssim").beats_copy is None
    json.dumps(report.to_json(), allow_nan=False)


def test_listed_pairs_are_scored_one_by_one_beside_their_sources() -> None:
    found = evaluate_model(GoodRenderer(), ListedPairs(), "test")
    report = found.to_json()
    (ssim, _) = [row for row in report["metrics"] if row["name"] == "ssim"]
    assert ssim["n"] == 2
    assert ssim["value"] > 0.99
    assert "frames:all" in ssim["signature"]
    assert {row["system"] for row in report["metrics"]} == {"generated", COPY}
    assert found.score("ssim", COPY).value < 0.9


def test_metrics_without_networks_import_no_torch(tmp_path: Path) -> None:
    frames = folder_of_frames(tmp_path / "real", clip(3))
    write_poses(moving_poses(3, 0), tmp_path / "poses.npz")
    words = ["eval", "--generated", str(frames), "--reference", str(frames), "--hand-metrics"]
    words += ["--poses", str(tmp_path / "poses.npz"), "--estimator", "hrnet", "--keypoints"]
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
    assert "hand_pe, hand_pe_penalty: not computed" in done.stdout
    assert "keypoint_error, keypoint_dtw: not computed" in done.stdout
    assert "--estimator-weights" in done.stdout
