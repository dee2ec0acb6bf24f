"""Key points beside clips: which file belongs to which record."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from signgen.data.manifest import Entry
from signgen.data.preparation.keypoint_files import KeypointFiles
from signgen.pose.formats import write_poses
from signgen.structures import ExitCode, PoseSequence, Record, UserError

SIZE = (260, 210)


def entry(name: str, split: str = "train", frames: int = 2) -> Entry:
    return Entry(Record(name, split, "S", frames), f"{name}/####.png", SIZE, 25.0)


def poses(value: float, frames: int = 2) -> PoseSequence:
    """Poses that tell themselves apart by a coordinate."""
    points = np.full((frames, 133, 2), value, np.float32)
    return PoseSequence(
        points, np.ones((frames, 133), np.float32), "coco-wholebody-133", SIZE, 25.0
    )


def put(path: Path, value: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_poses(poses(value), path)


def values(files: KeypointFiles, *entries: Entry) -> list[float]:
    read = [files.read(files.place(entry), entry).poses for entry in entries]
    return [float(poses.keypoints[0, 0, 0]) for poses in read]


def test_files_are_found_by_name_at_any_depth(tmp_path: Path) -> None:
    put(tmp_path / "deep" / "er" / "hello.json", 3)
    put(tmp_path / "thanks_keypoints.json", 4)
    put(tmp_path / "other.json", 5)
    entries = entry("hello"), entry("thanks_color")
    assert values(KeypointFiles([tmp_path], entries), *entries) == [3, 4]
    with pytest.raises(UserError, match="absent"):
        KeypointFiles([tmp_path / "absent"], entries)


def test_splits_and_folders_tell_equal_names_apart(tmp_path: Path) -> None:
    put(tmp_path / "train" / "hello.json", 1)
    put(tmp_path / "val" / "hello.json", 2)
    put(tmp_path / "x" / "anna" / "bye.json", 3)
    put(tmp_path / "x" / "ben" / "bye.json", 4)
    entries = [entry("hello"), entry("hello", "dev"), entry("anna/bye"), entry("ben/bye")]
    assert values(KeypointFiles([tmp_path], entries), *entries) == [1, 2, 3, 4]


def test_a_clip_without_folders_has_key_points_without_folders(tmp_path: Path) -> None:
    put(tmp_path / "hello.json", 1)
    put(tmp_path / "anna" / "hello.json", 2)
    entries = entry("hello"), entry("anna/hello")
    assert values(KeypointFiles([tmp_path], entries), *entries) == [1, 2]


def test_the_only_folder_and_those_above_decide_nothing(tmp_path: Path) -> None:
    top = tmp_path / "anna" / "dev"
    put(top / "anna" / "hello.json", 1)
    put(top / "ben" / "hello.json", 2)
    entries = entry("anna/hello"), entry("ben/hello", "dev")
    assert values(KeypointFiles([top], entries), *entries) == [1, 2]


@pytest.mark.parametrize(
    ("files", "entries", "message", "code"),
    [
        (["a/hello", "b/hello"], [entry("hello")], "both fit train/hello", ExitCode.DATA),
        (["a/hello"], [entry("gone")], "no key points named gone", ExitCode.NO_INPUT),
        # Anna's are not given to her namesake.
        (
            ["train/anna/hello"],
            [entry("val/ben/hello", "dev"), entry("train/anna/hello")],
            "no key points named hello",
            ExitCode.NO_INPUT,
        ),
        (
            ["hello"],
            [entry("anna/hello"), entry("ben/hello")],
            r"fits train/anna/hello and train/ben/hello",
            ExitCode.DATA,
        ),
    ],
)
def test_ambiguous_and_missing_key_points_are_named(
    tmp_path: Path, files: list[str], entries: list[Entry], message: str, code: ExitCode
) -> None:
    for file in files:
        put(tmp_path / f"{file}.json", 1)
    with pytest.raises(UserError, match=message) as caught:
        KeypointFiles([tmp_path], entries).place(entries[0])
    assert caught.value.code == code


def test_folder_of_openpose_frames_is_one_clip(tmp_path: Path) -> None:
    folder = tmp_path / "json" / "abc-1-rgb_front"
    folder.mkdir(parents=True)
    for number in range(3):
        body = [value for k in range(25) for value in (10.0 + number + 5 * k, 20.0, 0.9)]
        person = {"pose_keypoints_2d": body}
        name = f"abc-1-rgb_front_{number:012d}_keypoints.json"
        (folder / name).write_text(json.dumps({"version": 1.3, "people": [person]}))
    clip = entry("abc-1-rgb_front", frames=3)
    files = KeypointFiles([tmp_path], [clip])
    poses = files.read(files.place(clip), clip).poses
    assert poses.keypoints[:, 0, 0].tolist() == [10, 11, 12]
    assert poses.size == SIZE


def test_the_file_of_the_only_clip_may_have_any_name(tmp_path: Path) -> None:
    put(tmp_path / "take_keypoints.json", 1)
    files = [tmp_path / "take_keypoints.json"]
    (clip, *others) = entry("hello"), entry("take"), entry("ben/hello")
    assert values(KeypointFiles(files, [clip]), clip) == [1]
    assert values(KeypointFiles(files, [clip, *others]), others[0]) == [1], "by its name"
    with pytest.raises(UserError, match="no key points named hello"):
        KeypointFiles(files, [clip, *others]).place(clip)


@pytest.mark.parametrize("style", ["slrt", "slrt-2014", "nla"])
def test_clips_of_a_pickle_are_found_by_split_and_name(tmp_path: Path, style: str) -> None:
    def name(split: str) -> str:
        if style == "slrt-2014":
            return f"fullFrame-210x260px/{split}/hello/1/hello"
        return f"{split}/hello"

    arrays = {
        name(split): np.full((2, 133, 3), number, np.float32)
        for number, split in enumerate(("train", "dev"), 1)
    }
    document = arrays if style == "nla" else {k: {"keypoints": v} for k, v in arrays.items()}
    file = tmp_path / "phoenix-2014t-keypoints.pkl"
    file.write_bytes(pickle.dumps(document))
    entries = entry("hello"), entry("hello", "dev")
    files = KeypointFiles([file], entries)
    assert values(files, *entries) == [1, 2]
    with pytest.raises(UserError, match="no key points named other"):
        files.place(entry("other"))
