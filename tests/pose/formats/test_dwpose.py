"""DWPose: which point of a frame goes where, and what archives may hold it."""

import numpy as np

from signgen.pose.formats import dwpose, read_clips, read_poses
from tests.material.pose_samples import dwpose as frame_of
from tests.material.pose_samples import npz, table

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
    ((points, scores, _),) = dwpose.from_dictionary(numbered(), "x")
    wanted = np.array([*COCO_18, *[0] * 6, *range(24, 134)])
    assert (points[scores > 0, 0] == wanted[scores > 0]).all()
    assert np.flatnonzero(scores == 0).tolist() == list(range(17, 23)), "no feet"
    _, (points, *_) = dwpose.from_dictionary(numbered(2), "x")
    assert points[[0, 91, 112], 0].tolist() == [100, 192, 213], "left hands of all people first"
    array = np.stack([np.arange(134.0), np.full(134, 7.0), np.ones(134)], -1)
    ((points, scores, _),) = dwpose.from_array(array, "x")
    assert points[:, 0].tolist() == [*COCO_18, *range(18, 134)]
    assert (scores == 1).all()


def test_subset_points_into_the_candidates_and_minus_1_is_missing():
    frame = numbered()
    frame["bodies"]["subset"] = np.full((1, 18), -1)
    frame["bodies"]["subset"][0, 2] = 5  # the right shoulder is the sixth candidate
    frame["hands"][0, 3] = -1
    ((points, scores, _),) = dwpose.from_dictionary(frame, "x")
    assert np.flatnonzero(scores[:23]).tolist() == [6]
    assert points[6, 0] == 5
    assert scores[94] == 0
    assert scores[95] == 1


def test_scores_become_confidence():
    frame = frame_of()
    ((_, scores, _),) = dwpose.from_dictionary(frame, "x")
    assert scores[6] == frame["bodies"]["score"][0, 2]
    assert (scores[23:91] == frame["faces_score"][0]).all()
    assert (scores[112:] == frame["hands_score"][1]).all()


def test_npz_of_134_points(tmp_path):
    values = table(3, count=134)
    for members in ({"a": values}, {"a": values[..., :2], "scores": values[..., 2]}):
        (tmp_path / "a.npz").write_bytes(npz(**members))
        poses = read_poses(tmp_path / "a.npz", size=(260, 210), fps=30)
        assert read_clips(tmp_path / "a.npz").format == "dwpose"
        assert (poses.keypoints[:, :17] == values[:, COCO_18, :2]).all()
        assert (poses.confidence[:, 17:] == values[:, 18:, 2]).all()
        assert (poses.size, poses.fps) == ((260, 210), 30)


def test_npz_of_parts(tmp_path):
    frames = [frame_of(people=2, seed=seed) for seed in range(3)]
    members = {
        name: np.stack([(frame["bodies"] | frame)[name] for frame in frames])
        for name in dwpose.PARTS
    }
    for name in ("candidate", "bodies"):
        members[name] = members.pop("candidate")
        (tmp_path / "a.npz").write_bytes(npz(**members))
        reading = read_clips(tmp_path / "a.npz").reading()
        assert (len(reading.poses), reading.people) == (3, 2)
