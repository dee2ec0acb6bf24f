"""Pairing clips: by the way to them, sources and poses beside them, what has no partner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from signgen.errors import ExitCode, UserError
from signgen.evaluation.clips import ClipFiles, pair_paths
from signgen.media import VideoWriter, save_image
from signgen.pose.formats import write_poses
from signgen.structures import PoseSequence

SIZE = (12, 10)


def frames_below(folder: Path, count: int = 2, value: int = 0) -> Path:
    folder.mkdir(parents=True)
    for index in range(count):
        save_image(folder / f"{index}.png", np.full((12, 10, 3), value + index, np.uint8))
    return folder


def write_points(path: Path, count: int, first: float) -> None:
    keypoints = np.full((count, 133, 2), first, np.float32)
    confidence = np.ones((count, 133), np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_poses(PoseSequence(keypoints, confidence, "coco-wholebody-133", SIZE, 25), path)


def test_trees_of_clips_are_paired_by_the_way_to_them(tmp_path: Path) -> None:
    for root, value in (("ours", 10), ("truth", 20), ("other", 30), ("source", 40)):
        for place, clip in enumerate(("train/a", "test/a", "b")):
            frames_below(tmp_path / root / clip, value=value + 2 * place)
    found = pair_paths(
        tmp_path / "ours",
        tmp_path / "truth",
        compare={"B": tmp_path / "other"},
        source=tmp_path / "source",
    )
    assert [clip.id for clip in found.clips] == ["b", "test/a", "train/a"]
    pair = found.clips[2].open()
    first = [next(iter(frames))[0, 0, 0] for frames in (pair.generated, pair.reference)]
    assert first == [10, 20]
    assert next(iter(pair.compared["B"]))[0, 0, 0] == 30
    assert next(iter(pair.source))[0, 0, 0] == 40


def test_a_clip_without_partner_is_a_failure_and_not_dropped(tmp_path: Path) -> None:
    for root, clips in (("ours", "ab"), ("truth", "abc"), ("other", "ac")):
        for clip in clips:
            frames_below(tmp_path / root / clip)
    found = pair_paths(tmp_path / "ours", tmp_path / "truth", compare={"B": tmp_path / "other"})
    assert [clip.id for clip in found.clips] == ["a"]
    assert {one.id: one.error for one in found.failed} == {
        "b": f"{tmp_path / 'other'} has no clip b; expected equal names.",
        "c": f"{tmp_path / 'ours'} has no clip c; expected equal names.",
    }
    assert found.counts == {"matched": 2, "only_generated": 0, "only_reference": 1}


def test_single_clips_are_paired_whatever_their_names(tmp_path: Path) -> None:
    truth = frames_below(tmp_path / "real", 3)
    with VideoWriter(tmp_path / "out.mp4", 25, (12, 10)) as writer:
        for _ in range(3):
            writer.write(np.zeros((12, 10, 3), np.uint8))
    (found,) = pair_paths(tmp_path / "out.mp4", truth, source=truth / "2.png").clips
    pair = found.open()
    assert pair.id == "real"
    assert len(list(pair.generated)) == len(list(pair.reference)) == 3
    assert [frame[0, 0, 0] for frame in pair.source] == [2]


def test_a_damaged_clip_fails_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"\0" * 64)
    clip = ClipFiles("a", tmp_path / "bad.mp4", frames_below(tmp_path / "truth"))
    with pytest.raises(UserError, match=r"bad\.mp4") as caught:
        clip.open()
    assert caught.value.code == ExitCode.DATA


def test_poses_are_found_by_the_clip_s_name(tmp_path: Path) -> None:
    for root in ("ours", "truth"):
        for clip in ("one", "in/two", "three"):
            frames_below(tmp_path / root / clip)
    for name, value in (("one", 1), ("in/two", 2)):
        write_points(tmp_path / "true" / f"{name}.json", 2, value)
    write_points(tmp_path / "own" / "in" / "two.json", 2, 5)
    folders = {"poses": tmp_path / "true", "generated_poses": tmp_path / "own"}
    found = pair_paths(tmp_path / "ours", tmp_path / "truth", **folders)
    assert [clip.id for clip in found.clips] == ["in/two", "one"]
    assert "has 0 files of poses for clip three" in found.failed[0].error
    clip = found.clips[0].open()
    assert (clip.poses.keypoints[0, 0, 0], clip.generated_poses.keypoints[0, 0, 0]) == (2, 5)
    with pytest.raises(UserError, match="has 0 files of poses for clip one"):
        found.clips[1].open()
    for what in folders:  # one file does not serve many clips
        paths = {**folders, what: tmp_path / "true" / "one.json"}
        with pytest.raises(UserError, match="is not a folder; expected a folder with one file"):
            pair_paths(tmp_path / "ours", tmp_path / "truth", **paths)


def test_one_file_of_poses_serves_one_clip(tmp_path: Path) -> None:
    ours, truth = (frames_below(tmp_path / name, 3) for name in ("ours", "truth"))
    write_points(tmp_path / "seq.json", 3, 4)
    (files,) = pair_paths(ours, truth, generated_poses=tmp_path / "seq.json").clips
    assert len(files.open().generated_poses) == 3
    (tmp_path / "folder").mkdir()
    (tmp_path / "seq.json").rename(tmp_path / "folder" / "truth.json")
    (files,) = pair_paths(ours, truth, generated_poses=tmp_path / "folder").clips
    assert files.open().generated_poses.keypoints[0, 0, 0] == 4


def test_paths_that_cannot_be_paired_are_user_errors(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        frames_below(tmp_path / "truth" / name)
    for name in ("ours/one", "other/four"):
        frames_below(tmp_path / name)
    (tmp_path / "empty").mkdir()
    cases = [
        ("other", "truth", "no name in common .1 and 3 clips"),
        ("ours/one", "truth", "is one clip but"),
        ("truth", "ours/one", "is one clip but"),
        ("ours/one", "empty", "holds no clips"),
        ("ours/one", "missing", "does not exist"),
        ("missing", "truth/one", "does not exist"),
    ]
    for ours, truth, message in cases:
        with pytest.raises(UserError, match=message):
            pair_paths(tmp_path / ours, tmp_path / truth)
    with pytest.raises(UserError, match="truth have no name in common"):
        pair_paths(tmp_path / "ours", tmp_path / "truth", compare={"other": tmp_path / "other"})
    with VideoWriter(tmp_path / "truth" / "one.mp4", 25, SIZE) as writer:
        writer.write(np.zeros((*SIZE, 3), np.uint8))
    with pytest.raises(UserError, match="the same name"):
        pair_paths(tmp_path / "ours", tmp_path / "truth")
