import pytest

from signgen.errors import UserError
from signgen.pose.formats import read_clips, read_poses
from tests.material.pose_samples import deepfashion_csv

NAME = "fashionWOMENDressesid0000713204_3back.jpg"


def write(tmp_path, *rows, data: bytes | None = None):
    path = tmp_path / "fasion-resize-annotation-test.csv"
    path.write_bytes(deepfashion_csv(*rows) if data is None else data)
    return path


def row(x0: int, name: str = NAME):
    """y is 10, 11, ... and x begins at x0; the last point is missing."""
    return name, [*range(10, 27), -1], [*range(x0, x0 + 17), -1]


def test_y_comes_first_and_minus_1_is_missing(tmp_path):
    poses = read_poses(write(tmp_path, row(20)))
    assert (poses.skeleton, poses.size, len(poses)) == ("openpose-18", (256, 176), 1)
    assert poses.keypoints[0, 0].tolist() == [20, 10]
    assert poses.keypoints[0, 16].tolist() == [36, 26]
    assert not poses.visible[0, 17]
    assert poses.visible.sum() == 17


def test_points_are_scaled_to_the_picture(tmp_path):
    poses = read_poses(write(tmp_path, row(22)), size=(512, 352))
    assert poses.keypoints[0, 0].tolist() == [44, 20]
    assert poses.size == (512, 352)


def test_a_padded_canvas_is_known_by_its_widest_point(tmp_path):
    path = write(tmp_path, row(60, "a.jpg"), row(165, "b.jpg"))
    poses = read_poses(path, clip="a.jpg")
    assert poses.keypoints[0, 0].tolist() == [20, 10], "b.jpg has points beyond 176"
    narrow = write(tmp_path, row(60, "a.jpg"), row(160, "b.jpg"))
    assert read_poses(narrow, clip="a.jpg").keypoints[0, 0].tolist() == [60, 10]


def test_a_line_is_a_clip(tmp_path):
    clips = read_clips(write(tmp_path, row(20, "a.jpg"), row(30, "b.jpg")))
    assert (clips.format, list(clips)) == ("deepfashion-csv", ["a.jpg", "b.jpg"])
    assert clips["b.jpg"].keypoints[0, 0, 0] == 30


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"name:keypoints_y:keypoints_x\n", "0 clips"),
        (b"name:keypoints_y:keypoints_x\na.jpg:[1]", "line 2 has 2 cells"),
        (b"name:keypoints_y:keypoints_x\na.jpg:[1]:[2]", r"line 2: keypoints_y has shape \[1\]"),
        (b"name:keypoints_y:keypoints_x\na.jpg:[x]:[2]", "not valid JSON"),
        (b"name:keypoints_y:keypoints_x\n\xff:[1]:[2]", "name is not UTF-8"),
        (b"name:keypoints_y:keypoints_x\n\x1b[1m:[1]:[2]", "name is"),
        (deepfashion_csv(row(3), row(3)), "occurs twice"),
        (deepfashion_csv(("a", [-1] * 18, [-1] * 18)), "missing"),
        (deepfashion_csv(("a", [float("nan")] * 18, [1] * 18)), "nan"),
    ],
)
def test_broken_tables(data, message, tmp_path):
    path = write(tmp_path, data=data)
    with pytest.raises(UserError, match=message) as caught:
        read_poses(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).isprintable()
