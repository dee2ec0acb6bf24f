"""Key points of DeepFashion: texts on the padded canvas, and tables."""

import numpy as np
import pytest

from signgen.pose.formats import read_clips, read_poses
from tests.material.pose_samples import deepfashion_csv


def test_a_text_maps_the_padded_canvas_to_the_picture(tmp_path):
    path = tmp_path / "a.txt"
    rows = [b"40 0", b"216 256", b"128 128", b"-1 -1", b"100 -1", *[b"100.0 128.0"] * 13]
    path.write_bytes(b"\n".join(rows))
    poses = read_poses(path, size=(1101, 750))
    assert (poses.skeleton, poses.size, len(poses)) == ("openpose-18", (1101, 750), 1)
    np.testing.assert_allclose(
        poses.keypoints[0, :3], [(0, 0), (750, 1101), (375, 550.5)], rtol=1e-6
    )
    assert poses.visible[0].tolist() == [True, True, True, False, False, *[True] * 13]
    assert read_poses(path).size == (256, 176)
    assert read_poses(path, size=(512, 352), fps=10).keypoints[0, 2].tolist() == [176, 256]


@pytest.fixture
def table(tmp_path):
    """Write a table from names and first x; y is 10, 11, ..., the last point is missing."""

    def written(**pictures: int):
        rows = [
            (f"{name}.jpg", [*range(10, 27), -1], [*range(x, x + 17), -1])
            for name, x in pictures.items()
        ]
        path = tmp_path / "fasion-resize-annotation-test.csv"
        path.write_bytes(deepfashion_csv(*rows))
        return path

    return written


def test_y_comes_first_and_minus_1_is_missing(table):
    poses = read_poses(table(a=20))
    assert (poses.skeleton, poses.size, len(poses)) == ("openpose-18", (256, 176), 1)
    assert poses.keypoints[0, [0, 16]].tolist() == [[20, 10], [36, 26]]
    assert np.flatnonzero(~poses.visible[0]).tolist() == [17]
    larger = read_poses(table(a=22), size=(512, 352))
    assert (larger.size, larger.keypoints[0, 0].tolist()) == ((512, 352), [44, 20])


def test_a_padded_canvas_is_known_by_its_widest_point(table):
    poses = read_poses(table(a=60, b=165), clip="a.jpg")
    assert poses.keypoints[0, 0].tolist() == [20, 10], "b.jpg has points beyond 176"
    narrow = table(a=60, b=160)
    assert read_poses(narrow, clip="a.jpg").keypoints[0, 0].tolist() == [60, 10]


def test_a_line_is_a_clip(table):
    clips = read_clips(table(a=20, b=30))
    assert (clips.format, list(clips)) == ("deepfashion-csv", ["a.jpg", "b.jpg"])
    assert clips["b.jpg"].keypoints[0, 0, 0] == 30
