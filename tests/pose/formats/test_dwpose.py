import numpy as np
import pytest

from signgen.errors import UserError
from signgen.pose.formats import dwpose as module
from signgen.pose.formats import read_clips, read_poses
from tests.material.pose_samples import dwpose, npz, table

COCO_18 = [0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10]


def numbered(people: int = 1) -> dict:
    """A frame in which x is the place in the 134 points (100 more per person) and y is 7."""
    at = np.stack([np.arange(134) + 100 * person for person in range(people)])
    points = np.stack([at, np.full_like(at, 7)], -1).astype(float)
    return {
        "bodies": {
            "candidate": points[:, :18].reshape(-1, 2),
            "subset": np.arange(18 * people).reshape(people, 18),
        },
        "faces": points[:, 24:92],
        "hands": np.concatenate([points[:, 92:113], points[:, 113:]]),
    }


def test_order_of_points():
    ((points, scores),) = module.persons(numbered(), "x")
    wanted = np.array([*COCO_18, *[0] * 6, *range(24, 134)])
    assert (points[scores > 0, 0] == wanted[scores > 0]).all()
    assert np.flatnonzero(scores == 0).tolist() == list(range(17, 23)), "no feet"


def test_left_hands_of_all_people_come_before_the_right_ones():
    _, (points, _) = module.persons(numbered(2), "x")
    assert points[[0, 91, 112], 0].tolist() == [100, 192, 213]


def test_subset_points_into_the_candidates_and_minus_1_is_missing():
    frame = numbered()
    frame["bodies"]["subset"] = np.full((1, 18), -1)
    frame["bodies"]["subset"][0, 2] = 5  # the right shoulder is the sixth candidate
    frame["hands"][0, 3] = -1
    ((points, scores),) = module.persons(frame, "x")
    assert np.flatnonzero(scores[:23]).tolist() == [6]
    assert points[6, 0] == 5
    assert scores[94] == 0
    assert scores[95] == 1


def test_scores_become_confidence():
    frame = dwpose()
    ((_, scores),) = module.persons(frame, "x")
    assert scores[6] == frame["bodies"]["score"][0, 2]
    assert (scores[23:91] == frame["faces_score"][0]).all()
    assert (scores[112:] == frame["hands_score"][1]).all()


def test_an_array_of_134_has_feet():
    points = np.stack([np.arange(134.0), np.full(134, 7.0), np.ones(134)], -1)
    ((mapped, scores),) = module.from_array(points, "x")
    assert mapped[:, 0].tolist() == [*COCO_18, *range(18, 134)]
    assert (scores == 1).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"faces": np.zeros((1, 60, 2))}, "faces has shape"),
        ({"hands": np.zeros((3, 21, 2))}, "hands has 3 entries; expected 2"),
        ({"bodies": {"candidate": np.zeros((17, 2))}}, "candidate has shape"),
        ({"bodies": {"candidate": np.zeros((18, 2)), "subset": np.full((1, 18), 99)}}, "99"),
        ({"bodies": {"candidate": np.zeros((18, 2)), "subset": np.zeros((1, 7))}}, "subset has"),
        ({"bodies": {}}, "candidate is not an array"),
        ({"faces": np.array([["a"]])}, "faces is not an array of numbers"),
        ({"hands_score": np.zeros((2, 20))}, "hands_score has shape"),
    ],
)
def test_broken_frames(change, message):
    with pytest.raises(UserError, match=message):
        module.persons(numbered() | change, "x")


def write(tmp_path, data):
    path = tmp_path / "a.npz"
    path.write_bytes(data)
    return path


def test_npz_of_134_points(tmp_path):
    values = table(3, count=134)
    for members in ({"a": values}, {"a": values[..., :2], "scores": values[..., 2]}):
        path = write(tmp_path, npz(**members))
        poses = read_poses(path, size=(260, 210), fps=30)
        assert read_clips(path).format == "dwpose"
        assert (poses.keypoints[:, :17] == values[:, COCO_18, :2]).all()
        assert (poses.confidence[:, 17:] == values[:, 18:, 2]).all()
        assert (poses.size, poses.fps) == ((260, 210), 30)


def test_npz_of_parts(tmp_path):
    frames = [dwpose(people=2, seed=seed) for seed in range(3)]
    members = {
        name: np.stack([frame["bodies"][name] for frame in frames])
        for name in ("candidate", "subset", "score")
    } | {
        name: np.stack([frame[name] for frame in frames])
        for name in ("hands", "hands_score", "faces", "faces_score")
    }
    for names in (members, {**members, "bodies": members["candidate"]}):
        chosen = {k: v for k, v in names.items() if k != "candidate" or "bodies" not in names}
        reading = read_clips(write(tmp_path, npz(**chosen))).reading()
        assert (len(reading.poses), reading.people) == (3, 2)


def test_normalised_coordinates_need_a_size(tmp_path):
    values = table(3, count=134)
    pixels = write(tmp_path, npz(a=values))
    wanted = read_poses(pixels, size=(260, 210)).keypoints
    values[..., :2] /= (210, 260)
    path = write(tmp_path, npz(a=values))
    with pytest.raises(UserError, match=r"0 to 1 with a known picture size.*--size"):
        read_poses(path)
    poses = read_poses(path, size=(260, 210))
    np.testing.assert_allclose(poses.keypoints, wanted, atol=1e-4)


def test_dictionaries_in_an_npz_are_objects_and_refused(tmp_path):
    path = write(tmp_path, npz(bodies=np.array(dwpose()["bodies"], dtype=object)))
    with pytest.raises(UserError, match="Python objects, which could run programs"):
        read_poses(path)


@pytest.mark.parametrize(
    "members",
    [
        {"a": np.zeros((2, 100, 3))},
        {"a": np.zeros((2, 134, 4))},
        {"a": np.zeros((0, 134, 3))},
        {"a": np.zeros((2, 134, 3)), "b": np.zeros((2, 134, 3))},
        {"a": np.zeros(5)},
        {"a": np.array([["x"]])},
        {"bodies": np.zeros((2, 18, 2)), "hands": np.zeros((3, 2, 21, 2))},
        {"a": np.ones((2, 134, 2)), "scores": np.ones((2, 5))},
    ],
)
def test_other_archives_are_refused(members, tmp_path):
    path = write(tmp_path, npz(**members))
    with pytest.raises(UserError) as caught:
        read_poses(path)
    assert str(caught.value).startswith(str(path))
