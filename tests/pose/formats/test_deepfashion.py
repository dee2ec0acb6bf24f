import numpy as np
import pytest

from signgen.errors import ExitCode, UserError
from signgen.pose.formats import deepfashion, read_poses
from tests.material.pose_samples import deepfashion as sample

ROW = b"100.0 128.0\n"


def test_maps_the_padded_canvas_to_the_picture(tmp_path):
    path = tmp_path / "a.txt"
    rows = [b"40 0", b"216 256", b"128 128", b"-1 -1", b"100 -1", *[ROW.strip()] * 13]
    path.write_bytes(b"\n".join(rows))
    poses = deepfashion.read(path, (1101, 750))
    assert (poses.skeleton, poses.size, len(poses)) == ("openpose-18", (1101, 750), 1)
    np.testing.assert_allclose(
        poses.keypoints[0, :3], [(0, 0), (750, 1101), (375, 550.5)], rtol=1e-6
    )
    assert poses.visible[0].tolist() == [True, True, True, False, False, *[True] * 13]
    assert read_poses(path).size == (256, 176)
    assert read_poses(path, size=(512, 352), fps=10).keypoints[0, 2].tolist() == [176, 256]


def test_missing_file(tmp_path):
    with pytest.raises(UserError) as caught:
        deepfashion.read(tmp_path / "absent.txt", (256, 176))
    assert caught.value.code == ExitCode.NO_INPUT


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (ROW * 17, "17 lines; expected 18"),
        (ROW * 19, "19 lines"),
        (ROW * 17 + b"a b", "line 18 is not two numbers"),
        (ROW * 17 + b"1 2 3", "line 18 is not two numbers"),
        (ROW * 17 + b"nan 2", "key point 17 in frame 0 is nan"),
        (ROW * 17 + b"2 inf", "key point 17 in frame 0 is inf"),
        (b"-1 -1\n" * 18, "every key point"),
    ],
)
def test_bad_rows(data, message, tmp_path):
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(UserError, match=message):
        deepfashion.read(tmp_path / "a.txt", (256, 176))


def test_sniff_is_narrow():
    assert deepfashion.sniff(sample())
    for data in (b"", b"1\n2", b"a b\n", b"1 2 3\n", ROW * 10_000, b"1 2\n\0"):
        assert not deepfashion.sniff(data)
