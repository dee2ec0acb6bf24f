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


def put(path: Path, value: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_poses(poses(value), path)
    return path


def value(found: PoseSequence) -> float:
    return float(found.keypoints[0, 0, 0])


def test_files_are_found_by_name_at_any_depth(tmp_path: Path) -> None:
    put(tmp_path / "deep" / "er" / "hello.json", 3)
    put(tmp_path / "thanks_keypoints.json", 4)
    put(tmp_path / "other.json", 5)
    source = KeypointFiles([tmp_path], [entry("hello"), entry("thanks_color")])
    assert value(source(entry("hello"))) == 3
    assert value(source(entry("thanks_color"))) == 4
    assert len(source) == 2


def test_splits_and_folders_tell_equal_names_apart(tmp_path: Path) -> None:
    put(tmp_path / "train" / "hello.json", 1)
    put(tmp_path / "val" / "hello.json", 2)
    put(tmp_path / "x" / "anna" / "bye.json", 3)
    put(tmp_path / "x" / "ben" / "bye.json", 4)
    entries = [entry("hello"), entry("hello", "dev"), entry("anna/bye"), entry("ben/bye")]
    source = KeypointFiles([tmp_path], entries)
    assert [value(source(one)) for one in entries] == [1, 2, 3, 4]


def test_ambiguous_and_missing_key_points_are_named(tmp_path: Path) -> None:
    put(tmp_path / "a" / "hello.json", 1)
    put(tmp_path / "b" / "hello.json", 2)
    source = KeypointFiles([tmp_path], [entry("hello"), entry("gone")])
    with pytest.raises(UserError, match="both fit train/hello"):
        source(entry("hello"))
    with pytest.raises(UserError, match="no key points named gone") as caught:
        source(entry("gone"))
    assert caught.value.code == ExitCode.NO_INPUT


def test_key_points_are_not_given_to_a_namesake(tmp_path: Path) -> None:
    put(tmp_path / "train" / "anna" / "hello.json", 1)
    anna, ben = entry("train/anna/hello"), entry("val/ben/hello", "dev")
    source = KeypointFiles([tmp_path], [anna, ben])
    assert value(source(anna)) == 1
    with pytest.raises(UserError, match="no key points named hello") as caught:
        source(ben)
    assert caught.value.code == ExitCode.NO_INPUT


def test_a_place_that_fits_namesakes_alike_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "hello.json", 1)
    anna, ben = entry("anna/hello"), entry("ben/hello")
    with pytest.raises(UserError, match=r"fits train/anna/hello and train/ben/hello") as caught:
        KeypointFiles([tmp_path], [anna, ben])(anna)
    assert caught.value.code == ExitCode.DATA


def test_a_clip_without_folders_has_key_points_without_folders(tmp_path: Path) -> None:
    put(tmp_path / "hello.json", 1)
    put(tmp_path / "anna" / "hello.json", 2)
    plain, anna = entry("hello"), entry("anna/hello")
    source = KeypointFiles([tmp_path], [plain, anna])
    assert [value(source(one)) for one in (plain, anna)] == [1, 2]


def test_the_only_folder_and_those_above_decide_nothing(tmp_path: Path) -> None:
    top = tmp_path / "anna" / "dev"
    put(top / "anna" / "hello.json", 1)
    put(top / "ben" / "hello.json", 2)
    anna, ben = entry("anna/hello"), entry("ben/hello", "dev")
    source = KeypointFiles([top], [anna, ben])
    assert [value(source(one)) for one in (anna, ben)] == [1, 2]


def test_folder_of_openpose_frames_is_one_clip(tmp_path: Path) -> None:
    folder = tmp_path / "json" / "abc-1-rgb_front"
    folder.mkdir(parents=True)
    for number in range(3):
        body = [value for k in range(25) for value in (10.0 + number + 5 * k, 20.0, 0.9)]
        person = {"pose_keypoints_2d": body}
        name = f"abc-1-rgb_front_{number:012d}_keypoints.json"
        (folder / name).write_text(json.dumps({"version": 1.3, "people": [person]}))
    found = KeypointFiles([tmp_path], [entry("abc-1-rgb_front", frames=3)])(
        entry("abc-1-rgb_front", frames=3)
    )
    assert found.keypoints[:, 0, 0].tolist() == [10, 11, 12]
    assert found.size == SIZE


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
    source = KeypointFiles([file], [entry("hello"), entry("hello", "dev")])
    assert value(source(entry("hello"))) == 1
    assert value(source(entry("hello", "dev"))) == 2
    with pytest.raises(UserError, match="no key points named other"):
        source(entry("other"))


def test_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="absent"):
        KeypointFiles([tmp_path / "absent"], [entry("hello")])
