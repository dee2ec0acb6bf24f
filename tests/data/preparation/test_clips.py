"""`signgen prepare phoenix14t` and `folder`, from the tree to the loader."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from signgen.cli.main import main
from signgen.config.data import DataConfig, PrepareFolderConfig, PreparePhoenixConfig
from signgen.config.model import tiny_fpdm
from signgen.data.dataset import bundled_sample, open_dataset
from signgen.data.examples.loading import TripletDataset
from signgen.data.frame_cache.reading import FrameCache
from signgen.data.preparation.clips import prepare_folder, prepare_phoenix14t
from signgen.media import VideoWriter
from signgen.pose.estimators import Frame, Person
from signgen.pose.formats import write_poses
from signgen.structures import ExitCode, FrameRef, PoseSequence, UserError


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The sample as a corpus without key points."""
    shutil.copytree(bundled_sample(), tmp_path / "release" / "corpus")
    shutil.rmtree(tmp_path / "release" / "corpus" / "keypoints")
    return tmp_path / "release"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Key points of all clips of the sample in one SLRT pickle."""
    sample = open_dataset("sample")
    document = {}
    for split in ("train", "dev", "test"):
        for record in sample.records(split):
            poses = sample.pose(record)
            table = np.concatenate([poses.keypoints, poses.confidence[..., None]], axis=-1)
            document[f"{split}/{record.id}"] = {"keypoints": table}
    path = tmp_path / "keypoints.pkl"
    path.write_bytes(pickle.dumps(document))
    return path


def phoenix(raw: Path, out: Path, *keys: Path, **changes: object) -> dict:
    settings = {"estimator": "none"} | changes
    config = PreparePhoenixConfig(
        raw=str(raw), out=str(out), keypoints=tuple(map(str, keys)), **settings
    )
    return prepare_phoenix14t(config)


def test_prepared_corpus_trains_on_the_same_batches(raw: Path, keys: Path, tmp_path: Path) -> None:
    report = phoenix(raw, tmp_path / "out", keys)
    assert report["left_out"] == 0
    assert report["complete"] is False
    assert report["splits"]["test"]["expected_frames"] == 64_627
    assert list(report["keypoints"]) == [str(keys)]
    plain, prepared = (
        TripletDataset(open_dataset(root), DataConfig(workers=0), tiny_fpdm(), seed=3)
        for root in ("sample", str(tmp_path / "out"))
    )
    for position in range(3):
        one, two = plain[position], prepared[position]
        for name in one:
            np.testing.assert_array_equal(one[name].numpy(), two[name].numpy())


def test_clips_without_key_points_are_left_out_and_counted(
    raw: Path, keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = pickle.loads(keys.read_bytes())  # written by this test
    gone, *_ = [name for name in document if name.startswith("train/")]
    short = next(name for name in document if name.startswith("test/"))
    del document[gone]
    document[short] = {"keypoints": document[short]["keypoints"][:-1]}
    keys.write_bytes(pickle.dumps(document))
    words = ["--raw", str(raw), "--out", str(tmp_path / "out"), "--keypoints", str(keys)]
    code = main(["prepare", "phoenix14t", *words, "--estimator", "none"])
    assert code == ExitCode.SOME_FAILED
    said = capsys.readouterr()
    assert said.err.count("\n") == 2
    assert gone.partition("/")[2] in said.err
    assert "expected as many" in said.err
    rows = (tmp_path / "out" / "problems.jsonl").read_text().splitlines()
    assert {json.loads(row)["record"] for row in rows} == {gone, short}


def test_damaged_pictures_are_left_out(raw: Path, keys: Path, tmp_path: Path) -> None:
    pictures = sorted(raw.rglob("test/*/images0003.png"))
    frame = next(path for path in pictures if "features" in path.parts)
    frame.write_bytes(frame.read_bytes()[:-20])
    report = phoenix(raw, tmp_path / "out", keys)
    assert report["left_out"] == 1
    assert "is cut off" in report["problems"][0]
    assert phoenix(raw, tmp_path / "out", keys, check=False)["left_out"] == 0


def test_key_points_of_the_tree_are_used(tmp_path: Path) -> None:
    report = phoenix(bundled_sample(), tmp_path / "out")
    assert report["left_out"] == 0
    assert list(report["keypoints"]) == ["files"]


def test_corpus_as_videos_gives_the_frames_of_the_videos(keys: Path, tmp_path: Path) -> None:
    sample = open_dataset("sample")
    root = tmp_path / "corpus"
    shutil.copytree(bundled_sample() / "annotations", root / "annotations")
    for split in ("train", "dev", "test"):
        for record in sample.records(split):
            path = root / "videos" / split / f"{record.id}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            with VideoWriter(path, 25.0, sample.pose(record).size) as video:
                for index in range(record.num_frames):
                    video.write(sample.frame(FrameRef(record, index)))
    assert phoenix(tmp_path, tmp_path / "out", keys)["left_out"] == 0
    videos = open_dataset(str(tmp_path / "out"))
    record = videos.records("test")[0]
    assert record == sample.records("test")[0]
    for index in (record.num_frames - 1, 0, 2):
        decoded, drawn = (d.frame(FrameRef(record, index)) for d in (videos, sample))
        assert np.abs(decoded.astype(int) - drawn).mean() < 6  # H.264 is lossy


def test_cache_is_written_at_training_size(raw: Path, keys: Path, tmp_path: Path) -> None:
    phoenix(raw, tmp_path / "out", keys, cache=(64, 48))
    assert FrameCache.open(tmp_path / "out" / "cache").index.resize == "opencv area or cubic"
    phoenix(raw, tmp_path / "two", keys, cache=(64, 48), cache_resize="bicubic")
    assert FrameCache.open(tmp_path / "two" / "cache").index.resize == "pillow bicubic"


def test_recordings_with_poses_beside_them(tmp_path: Path) -> None:
    sample = open_dataset("sample")
    for record in sample.records("test"):
        poses = sample.pose(record)
        path = tmp_path / "rec" / record.signer / f"{record.id}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        with VideoWriter(path, 25.0, poses.size) as video:
            for index in range(record.num_frames):
                video.write(sample.frame(FrameRef(record, index)))
        write_poses(poses, path.with_suffix(".json"))
    config = PrepareFolderConfig(
        videos=str(tmp_path / "rec"), out=str(tmp_path / "out"), estimator="none"
    )
    report = prepare_folder(config)
    assert report["left_out"] == 0
    assert report["signers"] == sorted({record.signer for record in sample.records("test")})
    made = open_dataset(str(tmp_path / "out"))
    for record in made.records("train"):
        assert len(made.pose(record)) == record.num_frames


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["phoenix14t", "--out", "x"], "--raw is missing"),
        (["phoenix14t", "--raw", "absent", "--out", "x"], "absent is not a folder"),
        (["folder", "--videos", "absent", "--out", "x"], "absent is not a folder"),
        (["folder", "--videos", "absent"], "--out is missing"),
    ],
)
def test_missing_paths_are_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", *words]) in {ExitCode.USAGE, ExitCode.NO_INPUT}
    assert said in capsys.readouterr().err


class Counting:
    """Finds all points in the middle of every frame, and counts the clips."""

    name = "counting-1"

    def __init__(self) -> None:
        self.clips = 0

    def estimate(self, frames: Iterable[Frame], boxes: object = None) -> Iterator[Person]:
        self.clips += 1
        for frame in frames:
            middle = np.array(frame.shape[1::-1], np.float32) / 2
            yield np.tile(middle, (133, 1)), np.ones(133, np.float32)


def test_a_video_is_estimated_once_and_again_when_it_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimator = Counting()
    monkeypatch.setattr("signgen.data.preparation.clips.open_estimator", lambda *_: estimator)
    (tmp_path / "videos").mkdir()
    config = PrepareFolderConfig(out=str(tmp_path / "out"), videos=str(tmp_path / "videos"))
    for count, side in ((1, 32), (1, 32), (2, 48)):
        with VideoWriter(tmp_path / "videos" / "one.mp4", 25, (32, side)) as video:
            video.write(np.zeros((32, side, 3), np.uint8))
        assert prepare_folder(config)["keypoints"] == {"counting-1": 1}
        assert estimator.clips == count
        packed = np.load(tmp_path / "out" / "poses" / "train.npy")
        assert packed[0, 0].tolist() == [side / 2, 16, 1]


def test_another_archive_is_not_taken_for_the_one_unpacked(tmp_path: Path) -> None:
    config = PrepareFolderConfig(out=str(tmp_path / "out"), estimator="none")
    for number, name in enumerate(("one", "two"), 1):
        clip = tmp_path / name / f"{name}.mp4"
        clip.parent.mkdir()
        with VideoWriter(clip, 25, (32, 32)) as video:
            for _ in range(number):
                video.write(np.zeros((32, 32, 3), np.uint8))
        poses = np.ones((number, 133, 3), np.float32)
        write_poses(
            PoseSequence(poses[..., :2], poses[..., 2], "coco-wholebody-133", (32, 32), 25.0),
            clip.with_suffix(".json"),
        )
        shutil.make_archive(str(tmp_path / name), "zip", clip.parent)
    for _ in range(2):
        made = prepare_folder(replace(config, videos=str(tmp_path / "one.zip")))
        assert made["splits"] == {"train": {"records": 1, "frames": 1}}
    with pytest.raises(UserError, match=r"raw was unpacked from one\.zip, .*this is two\.zip"):
        prepare_folder(replace(config, videos=str(tmp_path / "two.zip")))


def test_archive_for_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    shutil.make_archive(str(tmp_path / "one"), "zip", tmp_path)
    config = PrepareFolderConfig(videos=str(tmp_path / "one.zip"), out=str(tmp_path / "file" / "x"))
    with pytest.raises(UserError, match="cannot be created") as caught:
        prepare_folder(config)
    assert caught.value.code == ExitCode.CANNOT_CREATE


def test_estimator_none_without_key_points_leaves_everything_out(raw: Path, tmp_path: Path) -> None:
    # Without any key points the manifest is still of use: for a check, or for a cache of frames.
    report = phoenix(raw, tmp_path / "out")
    assert report["left_out"] == 0
    dataset = open_dataset(str(tmp_path / "out"))
    with pytest.raises(UserError, match="has no key points"):
        dataset.pose(dataset.records("test")[0])
