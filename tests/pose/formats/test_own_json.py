import json

import numpy as np
import pytest

from signgen.errors import ExitCode, UserError
from signgen.pose.formats import read_poses, write_poses
from tests.material.pose_samples import own, sequence

COUNT = 133


def frames(value: object = None, *, frame: int = 1, point: int = 7, axis: int = 0) -> list:
    made = [[[10.0, 20.0, 0.9] for _ in range(COUNT)] for _ in range(2)]
    made[frame][point][axis] = value
    return made


def refused(tmp_path, data: bytes) -> str:
    path = tmp_path / "poses.json"
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        read_poses(path)
    assert caught.value.code == ExitCode.DATA
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("skeleton", ["coco-wholebody-133", "openpose-18"])
def test_round_trip(skeleton, tmp_path):
    poses = sequence(skeleton=skeleton)
    write_poses(poses, tmp_path / "a.json")
    again = read_poses(tmp_path / "a.json", fps=5, size=(9, 9))
    assert (again.fps, again.size, again.skeleton) == (29.97, poses.size, skeleton)
    np.testing.assert_allclose(again.keypoints, poses.keypoints, atol=0.0051)
    assert (again.visible == poses.visible).all()


def test_file_is_compact_and_stable(tmp_path):
    poses = sequence()
    write_poses(poses, tmp_path / "a.json")
    write_poses(poses, tmp_path / "b.json")
    text = (tmp_path / "a.json").read_text()
    assert text == (tmp_path / "b.json").read_text()
    assert len(text) < 3 * 133 * 24
    assert json.loads(text)["version"] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "b.json"]


def test_tiny_confidences_stay_visible(tmp_path):
    poses = sequence()
    poses.confidence[1, 1] = 1e-5
    write_poses(poses, tmp_path / "a.json")
    assert read_poses(tmp_path / "a.json").visible[1, 1]


def test_output_that_cannot_be_created(tmp_path):
    with pytest.raises(UserError) as caught:
        write_poses(sequence(), tmp_path / "absent" / "a.json")
    assert caught.value.code == ExitCode.CANNOT_CREATE
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError):
        write_poses(sequence(), tmp_path / "folder")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("key", ["version", "skeleton", "fps", "size", "frames"])
def test_missing_key_is_named(key, tmp_path):
    assert f"no '{key}'" in refused(tmp_path, own(**{key: None}))


@pytest.mark.parametrize(
    "fps", [0, -25, 1001, float("nan"), float("inf"), "25", True, [25], 10**400]
)
def test_frame_rate(fps, tmp_path):
    assert "fps" in refused(tmp_path, own(fps=fps))


@pytest.mark.parametrize(
    "size", [[0, 210], [260, -1], [260], [260.5, 210], "260", [float("nan"), 3], [10**400, 3], {}]
)
def test_size(size, tmp_path):
    assert "size" in refused(tmp_path, own(size=size))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_coordinate_is_named_with_its_place(value, tmp_path):
    message = refused(tmp_path, own(frames=frames(value)))
    assert "key point 7 in frame 1" in message


@pytest.mark.parametrize("value", [float("nan"), -0.5, float("inf")])
def test_confidence_is_named_with_its_place(value, tmp_path):
    message = refused(tmp_path, own(frames=frames(value, axis=2)))
    assert "confidence of key point 7 in frame 1" in message


@pytest.mark.parametrize("value", ["12", [1], {}, 10**400, "x"])
def test_values_that_are_not_numbers(value, tmp_path):
    assert "numbers" in refused(tmp_path, own(frames=frames(value)))


def test_null_coordinate_is_refused(tmp_path):
    assert "key point 7 in frame 1 is nan" in refused(tmp_path, own(frames=frames(None)))


def test_wrong_number_of_points_names_count_frame_and_expected(tmp_path):
    made = frames(1.0)
    del made[1][5:]
    message = refused(tmp_path, own(frames=made))
    assert "frame 1 has 5 key points; expected 133" in message


def test_points_without_confidence(tmp_path):
    made = [[[1.0, 2.0]] * COUNT]
    assert "expected shape [any, 133, 3]" in refused(tmp_path, own(frames=made))


def test_zero_frames(tmp_path):
    assert "0 frames" in refused(tmp_path, own(frames=[]))
    assert "not a list" in refused(tmp_path, own(frames={"a": 1}))


def test_every_point_missing(tmp_path):
    made = [[[0.0, 0.0, 0.0]] * COUNT] * 3
    assert "every key point of all 3 frames is missing" in refused(tmp_path, own(frames=made))


def test_other_versions_and_skeletons(tmp_path):
    assert "version '2'" in refused(tmp_path, own(version=2))
    assert "openpose-18" in refused(tmp_path, own(skeleton="hand-21"))
    assert "skeleton" in refused(tmp_path, own(skeleton=["coco-wholebody-133"]))


def test_coordinates_of_missing_points_do_not_matter_but_must_be_numbers(tmp_path):
    made = frames(500.0)
    made[1][7][2] = 0
    (tmp_path / "a.json").write_bytes(own(frames=made, note="kept keys are ignored"))
    poses = read_poses(tmp_path / "a.json")
    assert (poses.keypoints[1, 7] == 0).all()


def test_points_outside_the_frame_are_kept(tmp_path):
    (tmp_path / "a.json").write_bytes(own(frames=frames(-5113.25)))
    assert read_poses(tmp_path / "a.json").keypoints[1, 7, 0] == -5113.25
