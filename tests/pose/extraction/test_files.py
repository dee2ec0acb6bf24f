"""Many clips: which file each gets, resuming, bad clips, shards, the report."""

import json
from dataclasses import replace

import numpy as np
import pytest

from signgen.cli.main import main
from signgen.config.pose import PoseExtractConfig
from signgen.errors import ExitCode, UserError
from signgen.pose.extraction.boxes import read_boxes
from signgen.pose.extraction.clips import extract_files
from signgen.pose.extraction.files import RECORD, extract, plan_files, take_shard
from signgen.pose.formats import read_poses
from tests.material.dots import DotEstimator, dots, pictures, video


@pytest.fixture
def corpus(tmp_path):
    """A tree with two videos and two folders of pictures, and things that are no clips."""
    root = tmp_path / "corpus"
    video(root / "one.mp4", dots(5, hands=5))
    video(root / "train" / "two.mp4", dots(4, hands=1))
    pictures(root / "train" / "three", dots(3))
    pictures(root / "dev" / "four", dots(2))
    (root / "train" / "notes.txt").write_text("no clip")
    (root / ".hidden").mkdir()
    (root / ".hidden" / "five.mp4").write_bytes(b"no clip either")
    return root


NAMES = ["dev/four", "one", "train/three", "train/two"]


def statuses(report):
    return {result.id: result.status for result in report.results}


def test_every_clip_gets_its_file_and_its_row(corpus, tmp_path):
    files = plan_files([corpus], tmp_path / "out", "json")
    assert list(files) == NAMES
    report = extract_files(files, DotEstimator())
    assert statuses(report) == dict.fromkeys(NAMES, "done")
    lengths = {name: len(read_poses(tmp_path / "out" / f"{name}.json")) for name in NAMES}
    assert lengths == {"dev/four": 2, "one": 5, "train/three": 3, "train/two": 4}
    by_name = {result.id: result for result in report.results}
    assert by_name["train/two"].coverage["left_hand"] == 0.25
    # 5 of 5, 1 of 4, none of 3 and of 2 frames: shares of all frames, not of clips.
    assert report.coverage["left_hand"] == round(6 / 14, 4)
    assert report.coverage["body"] == 1.0
    assert report.frames_per_second > 0
    assert json.loads(json.dumps(report.as_json()))["frames"] == 14


def test_done_clips_are_skipped_and_broken_files_done_again(corpus, tmp_path):
    files = plan_files([corpus], tmp_path / "out", "json")
    extract_files(files, DotEstimator())
    kept = {name: files[name][1].read_bytes() for name in NAMES}
    files["one"][1].write_text("{ not json")
    files["dev/four"][1].unlink()
    # As many frames as another clip has: it must not pass for this one.
    files["train/two"][1].write_bytes(kept["train/three"])
    estimator = DotEstimator()
    report = extract_files(files, estimator)
    assert statuses(report) == dict.fromkeys(NAMES, "done") | {"train/three": "skipped"}
    assert estimator.clips == 3
    assert {name: files[name][1].read_bytes() for name in NAMES} == kept
    again = DotEstimator()
    report = extract_files(files, again)
    assert (report.count("skipped"), again.clips) == (4, 0)
    assert report.coverage["left_hand"] == round(6 / 14, 4)


def test_a_bad_clip_is_named_and_stops_nothing(corpus, tmp_path, caplog):
    (corpus / "dev" / "bad.mp4").write_bytes(b"no video at all")
    whole = video(corpus / "dev" / "cut.mp4", dots(30)).read_bytes()
    (corpus / "dev" / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    pictures(corpus / "dark", [np.zeros((64, 80, 3), np.uint8)] * 2)
    files = plan_files([corpus], tmp_path / "out", "json")
    report = extract_files(files, DotEstimator())
    bad = {"dark", "dev/bad", "dev/cut"}
    assert {result.id for result in report.results if result.status == "failed"} == bad
    assert (report.count("done"), report.count("failed")) == (4, 3)
    for result in report.results:
        if result.id in bad:
            assert result.error.count("\n") == 0
            assert result.id.split("/")[-1] in result.error
            assert not files[result.id][1].exists()
    assert sum("failed" in record.message for record in caplog.records) == 3
    left = [path for path in (tmp_path / "out").rglob("*") if ".part" in path.name]
    assert not left


def test_an_estimator_that_breaks_on_one_clip_stops_nothing(corpus, tmp_path):
    class Breaking(DotEstimator):
        def estimate(self, frames, boxes=None):
            if self.clips == 1:
                self.clips += 1
                raise RuntimeError("the graph\nbroke")
            return super().estimate(frames, boxes)

    report = extract_files(plan_files([corpus], tmp_path / "out", "json"), Breaking())
    failed = [result for result in report.results if result.status == "failed"]
    assert [result.error for result in failed] == ["RuntimeError: the graph broke"]


def test_no_room_to_write_stops_at_once(corpus, tmp_path):
    files = plan_files([corpus], tmp_path / "out", "json")
    (tmp_path / "out").write_text("a file where the folder should be")
    estimator = DotEstimator()
    with pytest.raises(UserError) as caught:
        extract_files(files, estimator)
    assert caught.value.code == ExitCode.CANNOT_CREATE
    assert estimator.clips == 1


def test_boxes_of_a_file_reach_the_estimator(corpus, tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text("clip,x0,y0,x1,y1\none,40,30,80,64\ntrain/two,0,0,80,64\n")
    files = plan_files([corpus], tmp_path / "out", "json")
    report = extract_files(files, DotEstimator(), read_boxes(path))
    by_name = {result.id: result for result in report.results}
    assert by_name["one"].coverage["body"] == 0  # the box holds the green dot only
    assert by_name["one"].coverage["left_hand"] == 1
    assert by_name["train/two"].status == "done"
    assert "no box" in by_name["dev/four"].error  # never the whole frame instead


def test_shards_share_the_clips_out():
    names = [f"clip{i}" for i in range(10)]
    shards = [take_shard(names, f"{i}/3") for i in range(3)]
    assert sorted(name for shard in shards for name in shard) == names
    assert {len(shard) for shard in shards} == {3, 4}
    assert take_shard(names, None) == names
    for wrong in ("3/3", "1", "-1/3", "a/b", "1/0", "/", "1/2/3"):
        with pytest.raises(UserError, match="--shard"):
            take_shard(names, wrong)


def test_one_clip_can_name_its_file(corpus, tmp_path):
    ((clip, file),) = plan_files([corpus / "one.mp4"], tmp_path / "x.pose").values()
    assert (clip, file) == (corpus / "one.mp4", tmp_path / "x.pose")
    assert list(plan_files([corpus / "one.mp4"], tmp_path / "x").values()) == [
        (corpus / "one.mp4", tmp_path / "x" / "one.pose")
    ]
    assert list(plan_files([corpus / "dev" / "four"], tmp_path / "x.json")) == ["four"]
    with pytest.raises(UserError, match="expected a folder"):
        plan_files([corpus], tmp_path / "x.pose")
    with pytest.raises(UserError, match="same name"):
        plan_files([corpus / "one.mp4", corpus], tmp_path / "x")
    with pytest.raises(UserError, match="does not exist"):
        plan_files([corpus / "none.mp4"], tmp_path / "x")


def test_a_named_file_is_done_again_and_its_failure_is_the_commands(corpus, tmp_path):
    files = plan_files([corpus / "one.mp4"], tmp_path / "x.json")
    estimator = DotEstimator()
    for _ in range(2):
        assert extract_files(files, estimator, strict=True).count("done") == 1
    assert estimator.clips == 2
    (corpus / "one.mp4").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"one\.mp4"):
        extract_files(files, estimator, strict=True)


@pytest.fixture
def opened(monkeypatch):
    """Let the command open the estimator of dots."""
    monkeypatch.setattr(
        "signgen.pose.extraction.files.open_estimator", lambda *_, **__: DotEstimator()
    )


def test_the_command(corpus, tmp_path, opened, capsys, caplog):
    out = tmp_path / "out"
    words = ["pose", "extract", str(corpus), "--out", str(out), "--format", "json"]
    assert main([*words, "--report", str(tmp_path / "r.json")]) == 0
    captured = capsys.readouterr()
    assert "train/two" in captured.out
    assert captured.out.splitlines()[-1].split()[:3] == ["all", "clips", "14"]
    assert "4 done, 0 skipped, 0 failed" in captured.err
    assert json.loads((tmp_path / "r.json").read_text())["done"] == 4
    (corpus / "bad.mp4").write_bytes(b"no video")
    assert main([*words, "--json"]) == ExitCode.SOME_FAILED == 3
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert (report["skipped"], report["failed"]) == (4, 1)
    assert "bad.mp4" in caplog.text  # goes to stderr, but for pytest


def test_a_video_is_resampled_where_asked_for(corpus, tmp_path, opened):
    config = PoseExtractConfig((str(corpus / "one.mp4"),), str(tmp_path / "a.json"))
    extract(config)
    extract(replace(config, out=str(tmp_path / "b.json"), constant_rate=25.0))
    one, two = (read_poses(tmp_path / name) for name in ("a.json", "b.json"))
    assert (one.fps, two.fps) == (12.5, 25.0)
    np.testing.assert_array_equal(two.keypoints[::2], one.keypoints)
    np.testing.assert_array_equal(two.keypoints[1::2], one.keypoints[:-1])


def test_the_command_shards_and_one_folder_has_one_maker(corpus, tmp_path, opened, monkeypatch):
    out = str(tmp_path / "out")
    for i in range(2):
        config = PoseExtractConfig((str(corpus),), out, format="json", shard=f"{i}/2")
        assert extract(config).count("done") == 2
    assert (tmp_path / "out" / RECORD).is_file()
    monkeypatch.setattr(DotEstimator, "name", "dots-2")
    with pytest.raises(UserError, match=r"dots-1.*dots-2"):
        extract(PoseExtractConfig((str(corpus),), out, format="json"))
    # Other boxes are another maker
    path, out = tmp_path / "boxes.csv", str(tmp_path / "boxed")
    path.write_text("clip,x0,y0,x1,y1\none,0,0,80,64\n")
    config = PoseExtractConfig((str(corpus / "one.mp4"),), out, format="json", boxes=str(path))
    assert extract(config).count("done") == 1
    path.write_text("clip,x0,y0,x1,y1\none,0,0,80,50\n")
    with pytest.raises(UserError, match="boxes_sha256"):
        extract(config)
    # An empty shard of one file makes nothing
    file = tmp_path / "x.json"
    config = PoseExtractConfig((str(corpus / "one.mp4"),), str(file), shard="1/2")
    assert extract(config).results == ()
    assert not file.exists()


def test_wrong_words(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words, code, message in (
        ("", 2, "nothing to extract from"),
        ("a.mp4", 2, "--out is missing"),
        ("a.mp4 --out x.json", 66, "a.mp4 does not exist"),
        (". --out x.json --fps 0", 2, "--fps is 0"),
        (". --out x.json --constant-rate 0", 2, "--constant-rate is 0"),
        (". --out x.json --constant-rate 25 --boxes b.csv", 2, "expected one of them"),
        (". --out x.json --estimator magic", 2, "expected one of auto, mediapipe"),
    ):
        assert main(["pose", "extract", *words.split()]) == code
        captured = capsys.readouterr()
        assert message in captured.err
        assert captured.err.count("\n") == 1
        assert not list(tmp_path.iterdir())
