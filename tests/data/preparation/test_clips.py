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
from signgen.files.locking import locked
from signgen.media import read_video, write_video
from signgen.pose.estimators import Frame, Person
from signgen.pose.formats import read_poses, write_poses
from signgen.pose.summary import coverage
from signgen.structures import ExitCode, FrameRef, UserError
from tests.material.recordings import record_video

SAMPLE = open_dataset("sample")
RECORDS = [record for split in ("train", "dev", "test") for record in SAMPLE.records(split)]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The sample as a corpus without key points."""
    shutil.copytree(bundled_sample(), tmp_path / "release" / "corpus")
    shutil.rmtree(tmp_path / "release" / "corpus" / "keypoints")
    return tmp_path / "release"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Key points of all clips of the sample in one SLRT pickle."""
    document = {}
    for record in RECORDS:
        poses = SAMPLE.poses(record)
        table = np.concatenate([poses.keypoints, poses.confidence[..., None]], axis=-1)
        document[f"{record.split}/{record.id}"] = {"keypoints": table}
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
    assert list(phoenix(bundled_sample(), tmp_path / "two")["keypoints"]) == ["files"]
    plain, *prepared = (
        TripletDataset(open_dataset(root), DataConfig(workers=0), tiny_fpdm(), seed=3)
        for root in ("sample", str(tmp_path / "out"), str(tmp_path / "two"))
    )
    for position in range(3):
        for other in prepared:
            for one, two in zip(
                vars(plain[position]).values(), vars(other[position]).values(), strict=True
            ):
                assert (one is None) == (two is None)
                if one is not None:
                    np.testing.assert_array_equal(one.numpy(), two.numpy())


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
    error = capsys.readouterr().err
    assert error.count("\n") == 2
    assert gone.partition("/")[2] in error
    assert "expected as many" in error
    rows = (tmp_path / "out" / "problems.jsonl").read_text().splitlines()
    assert {json.loads(row)["record"] for row in rows} == {gone, short}
    assert main(["prepare", "phoenix14t", *words, "--estimator", "none", "--trim-ends", "1"]) == 3
    captured = capsys.readouterr()
    assert f"warning: {short} has " in captured.err
    assert "left out            1" in captured.out
    assert main(["prepare", "phoenix14t", *words, "--trim-ends", "-1"]) == ExitCode.USAGE


def test_without_any_key_points_the_manifest_is_still_of_use(raw: Path, tmp_path: Path) -> None:
    picture = next(raw.rglob("features/*/test/*/images0003.png"))
    assert phoenix(raw, tmp_path / "out", cache=(64, 48))["left_out"] == 0
    dataset = open_dataset(str(tmp_path / "out"))
    with pytest.raises(UserError, match="has no key points"):
        dataset.poses(dataset.records("test")[0])
    assert FrameCache.open(tmp_path / "out" / "cache").index.resize == "opencv area or cubic"
    phoenix(raw, tmp_path / "two", cache=(64, 48), cache_resize="bicubic")
    assert FrameCache.open(tmp_path / "two" / "cache").index.resize == "pillow bicubic"
    # A picture that was cut off keeps its clip out.
    picture.write_bytes(picture.read_bytes()[:-20])
    report = phoenix(raw, tmp_path / "three")
    assert report["left_out"] == 1
    assert "is cut off" in report["problems"][0]
    assert phoenix(raw, tmp_path / "three", check=False)["left_out"] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["phoenix14t", "--out", "x"], "--raw is missing"),
        (["phoenix14t", "--raw", "absent", "--out", "x"], "absent is not a folder"),
        (["folder", "--videos", "absent", "--out", "x"], "absent does not exist"),
        (["folder", "--videos", "absent"], "--out is missing"),
    ],
)
def test_missing_paths_are_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", *words]) in {ExitCode.USAGE, ExitCode.NO_INPUT}
    assert message in capsys.readouterr().err


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
    config = PrepareFolderConfig(out=str(tmp_path / "out"), videos=str(tmp_path / "videos"))
    for count, side in ((1, 32), (1, 32), (2, 48)):
        (tmp_path / "videos").mkdir(exist_ok=True)
        write_video(tmp_path / "videos" / "one.mp4", [np.zeros((32, side, 3), np.uint8)], 25)
        assert prepare_folder(config)["keypoints"] == {"counting-1": 1}
        assert estimator.clips == count
        packed = np.load(tmp_path / "out" / "poses" / "train.npy")
        assert packed[0, 0].tolist() == [side / 2, 16, 1]


def test_frames_without_the_signer_and_other_people_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *_ = RECORDS
    beside = SAMPLE.poses(first).frames(slice(4))
    (tmp_path / "videos").mkdir()
    write_poses(beside, tmp_path / "videos" / "one", "openpose")
    write_video(tmp_path / "videos" / "one.mp4", [np.zeros((*beside.size, 3), np.uint8)] * 4, 25)
    frames = sorted((tmp_path / "videos" / "one").iterdir())
    frames[1].write_text('{"people": []}')
    document = json.loads(frames[2].read_text())
    frames[2].write_text(json.dumps({"people": document["people"] * 2}))
    words = ["--videos", str(tmp_path / "videos"), "--out", str(tmp_path / "out")]
    assert main(["prepare", "folder", *words, "--estimator", "none", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["frames_without_signer"], report["most_people"]) == (1, 2)
    assert main(["prepare", "folder", *words, "--estimator", "none"]) == 0
    error = capsys.readouterr().err
    assert "the signer is missing in 1 of 4 frames" in error
    assert "up to 2 people in a frame" in error
    shutil.rmtree(tmp_path / "videos" / "one")
    write_poses(replace(beside, fps=29.0), tmp_path / "videos" / "one.pose")
    assert main(["prepare", "folder", *words, "--estimator", "none"]) == 0
    assert "one.pose says 29 frames per second; 25 are taken" in capsys.readouterr().err


def test_a_video_whose_rate_varies_is_resampled_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = [0, 40, 80, 280, 320, 330, 340, 400]
    order = [0, 1, 2, 2, 2, 2, 2, 3, 6, 6, 7]
    video = record_video(tmp_path / "videos" / "one.mkv", "libx264", times)
    poses = SAMPLE.poses(RECORDS[0]).frames([0] * len(times))
    points = np.broadcast_to(np.arange(8.0)[:, None, None], poses.keypoints.shape)
    given = replace(poses, keypoints=points, confidence=np.ones_like(poses.confidence))
    beside = video.with_suffix(".npz")
    write_poses(replace(given, size=(32, 32)), beside)
    words = ["--videos", str(video.parent), "--out", str(tmp_path / "out")]
    assert main(["prepare", "folder", *words]) == 0
    assert "has no constant frame rate" in capsys.readouterr().err
    assert main(["prepare", "folder", *words, "--constant-rate", "25"]) == 0
    assert "no constant frame rate" not in capsys.readouterr().err

    def check() -> None:
        dataset = open_dataset(str(tmp_path / "out"))
        (found,) = dataset.records("train")
        entry = dataset.entry(found)
        assert (found.num_frames, entry.fps, entry.constant_rate) == (11, 25, 25)
        shown = [int(frame[0, 0, 0]) for frame in read_video(video)]
        refs = [FrameRef(found, index) for index in range(11)]
        assert [int(dataset.frame(ref)[0, 0, 0]) for ref in refs] == [shown[n] for n in order]

    check()
    packed = np.load(tmp_path / "out" / "poses" / "train.npy")
    assert packed[:, 0, 0].round().tolist() == order
    write_poses(replace(given.frames(slice(7)), size=(32, 32)), beside)
    assert main(["prepare", "folder", *words, "--constant-rate", "25"]) == ExitCode.DATA
    assert "7 poses for 8 frames of its file, 11 at 25" in capsys.readouterr().err
    write_poses(replace(given.frames(order), size=(32, 32)), beside)  # resampled before
    assert main(["prepare", "folder", *words, "--constant-rate", "25"]) == 0
    check()
    beside.unlink()
    monkeypatch.setattr("signgen.data.preparation.clips.open_estimator", lambda *_: Counting())
    assert main(["prepare", "folder", *words, "--constant-rate", "25"]) == 0
    check()
    for flags in (["--constant-rate", "0"], ["--constant-rate", "25", "--parsing", "parts"]):
        assert main(["prepare", "folder", *words, *flags]) == ExitCode.USAGE


def test_a_damaged_video_is_left_out(tmp_path: Path) -> None:
    """Its packets are all there, but one of them can no longer be decoded."""
    (tmp_path / "videos").mkdir()
    texture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for name in ("whole", "broken"):
        frames = [np.roll(texture, t, 1) for t in range(6)]
        write_video(tmp_path / "videos" / f"{name}.mp4", frames, 25)
        write_poses(SAMPLE.poses(RECORDS[0]).frames(slice(6)), tmp_path / "videos" / f"{name}.json")
    path = tmp_path / "videos" / "broken.mp4"
    data = path.read_bytes()
    path.write_bytes(data[:-60] + bytes(60))
    config = PrepareFolderConfig(
        out=str(tmp_path / "out"), videos=str(tmp_path / "videos"), estimator="none"
    )
    report = prepare_folder(config)
    assert report["left_out"] == 1
    (problem,) = report["problems"]
    assert "broken.mp4" in problem
    assert "damaged" in problem
    assert prepare_folder(replace(config, check=False))["left_out"] == 0


def test_another_archive_is_not_taken_for_the_one_unpacked(tmp_path: Path) -> None:
    config = PrepareFolderConfig(out=str(tmp_path / "out"), estimator="none")
    for count, name in enumerate(("one", "two"), 1):
        (tmp_path / name).mkdir()
        frames = [np.zeros((32, 32, 3), np.uint8)] * count
        write_video(tmp_path / name / f"{name}.mp4", frames, 25)
        poses = SAMPLE.poses(RECORDS[0]).frames(slice(count))
        write_poses(poses, tmp_path / name / f"{name}.json")
        shutil.make_archive(str(tmp_path / name), "zip", tmp_path / name)
    for _ in range(2):
        report = prepare_folder(replace(config, videos=str(tmp_path / "one.zip")))
        assert report["splits"] == {"train": {"records": 1, "frames": 1}}
        assert report["signers"] == ["raw"]
    with pytest.raises(UserError, match=r"raw was unpacked from one\.zip, .*this is two\.zip"):
        prepare_folder(replace(config, videos=str(tmp_path / "two.zip")))
    (tmp_path / "file").write_text("x")
    nowhere = replace(config, videos=str(tmp_path / "one.zip"), out=str(tmp_path / "file" / "x"))
    with pytest.raises(UserError, match="cannot be created") as caught:
        prepare_folder(nowhere)
    assert caught.value.code == ExitCode.CANNOT_CREATE


def recordings(folder: Path, *names: str) -> Path:
    """Write short videos with their key points beside them."""
    poses = SAMPLE.poses(RECORDS[0]).frames(slice(2))
    for name in names:
        path = folder / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, [np.zeros((*poses.size, 3), np.uint8)] * 2, 25)
        write_poses(poses, path.with_suffix(".json"))
    return folder


def test_without_an_estimator_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(*_: object) -> None:
        raise UserError("no estimator of key points is usable here.", ExitCode.UNAVAILABLE)

    monkeypatch.setattr("signgen.data.preparation.clips.open_estimator", absent)
    videos = recordings(tmp_path / "videos", "one", "two", "three")
    words = ["--videos", str(videos), "--out", str(tmp_path / "out")]
    assert main(["prepare", "folder", *words]) == 0, "all have key points"
    shutil.rmtree(tmp_path / "out")
    (videos / "one.json").unlink()
    (videos / "two.json").unlink()
    capsys.readouterr()
    assert main(["prepare", "folder", *words]) == ExitCode.UNAVAILABLE
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "2 of 3 clips have no key points" in error
    assert not (tmp_path / "out" / "manifest.jsonl").exists()
    assert not list(tmp_path.glob("out/poses/*"))


def test_splits_are_drawn_of_the_clips_that_are_left(tmp_path: Path) -> None:
    videos = recordings(tmp_path / "videos", "one", "two", "three")
    config = PrepareFolderConfig(
        out=str(tmp_path / "out"), videos=str(videos), estimator="none", check=False
    )
    report = prepare_folder(config)
    assert [row["records"] for row in report["splits"].values()] == [1, 1, 1]
    (gone,) = open_dataset(str(tmp_path / "out")).records("train")
    (videos / f"{gone.id}.json").write_text("{}")
    report = prepare_folder(config)
    assert report["splits"] == {"train": {"records": 2, "frames": 4}}
    dataset = open_dataset(str(tmp_path / "out"))
    expected = SAMPLE.poses(RECORDS[0]).frames(slice(2)).keypoints
    for record in dataset.records("train"):
        np.testing.assert_allclose(dataset.poses(record).keypoints, expected, atol=0.01)


def test_the_report_says_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    videos = recordings(tmp_path / "videos", "test/one", "val/two")
    config = PrepareFolderConfig(out=str(tmp_path / "out"), videos=str(videos), estimator="none")
    report = prepare_folder(config)
    assert (report["clips"], report["frames"]) == (2, 4)
    seen = coverage(SAMPLE.poses(RECORDS[0]).frames(slice(2)))
    for part in ("left_hand", "right_hand"):
        assert report[f"{part}_coverage"] == seen[part]
    assert {seen["left_hand"], seen["right_hand"]} == {0, 1}
    assert "has no clip to train on, only " in report["remarks"][0]
    assert "key points show the left hand in " in report["remarks"][1]
    assert " 0% of frames" in report["remarks"][1] or "the left hand in 0%" in report["remarks"][1]
    for number in (0, 1):  # a file in which both are seen throughout
        path = videos / ("test/one.json", "val/two.json")[number]
        poses = read_poses(path)
        write_poses(replace(poses, confidence=np.ones_like(poses.confidence)), path)
    assert not any("key points show" in remark for remark in prepare_folder(config)["remarks"])


def test_two_preparations_into_one_folder_and_what_a_killed_one_left(tmp_path: Path) -> None:
    videos = recordings(tmp_path / "videos", "one")
    config = PrepareFolderConfig(out=str(tmp_path / "out"), videos=str(videos), estimator="none")
    with (
        locked(tmp_path / "out", "a preparation"),
        pytest.raises(UserError, match="is in use: a preparation there has not ended") as caught,
    ):
        prepare_folder(config)
    assert caught.value.code == ExitCode.CANNOT_CREATE
    left = [tmp_path / "out" / place for place in (".raw", "poses/.train.npy", "estimated/x/.a")]
    for number, path in enumerate(left):
        folder = path.with_name(f"{path.name}.abcdefg{number}.part")
        folder.mkdir(parents=True)
        (folder / "half").write_text("x")
    prepare_folder(config)
    assert not list((tmp_path / "out").rglob("*.part"))


def test_a_refused_archive_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK\3\4 torn")
    config = PrepareFolderConfig(out=str(tmp_path / "out"), videos=str(tmp_path / "bad.zip"))
    with pytest.raises(UserError, match="damaged or cut off"):
        prepare_folder(config)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.zip"]
