"""Who the signer is, what counts as missing, and in which unit a part is: the hard cases."""

import json
import os

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.pose.formats import read_clip, read_poses
from signgen.pose.summary import summarize
from tests.material.pose_samples import openpose_person

SIZE = (720, 1280)
SHOULDER_WIDTH = 86.0


def upright(x: float, scale: float = 1.0) -> dict[str, list[float]]:
    """Return an OpenPose person whose neck is at (x, 300)."""
    body = np.zeros((25, 3))
    parts = {0: (0, -70), 1: (0, 0), 2: (-43, 0), 5: (43, 0), 4: (-60, 150), 7: (60, 150)}
    for index, place in (parts | {9: (-30, 180), 12: (30, 180)}).items():
        body[index] = *(np.array([x, 300]) + scale * np.array(place)), 0.9
    return {"pose_keypoints_2d": body.ravel().tolist()}


def read(tmp_path, frames: list[list[dict]], **arguments):
    path = tmp_path / "clip.json"
    path.write_text(json.dumps([{"people": people} for people in frames]))
    return read_clip(path, **{"size": SIZE, **arguments}).poses


def places(poses) -> list[float]:
    """Return x of the nose in each frame, NaN where nobody is."""
    return np.where(poses.visible[:, 0], poses.keypoints[:, 0, 0], np.nan).tolist()


def test_the_neighbour_is_not_taken_for_a_signer_who_is_missed(tmp_path):
    frames = [[upright(400 + t % 3, 1.1), upright(760)] for t in range(40)]
    del frames[20][0]
    x = places(read(tmp_path, frames))
    assert np.isnan(x[20])
    np.testing.assert_allclose(np.delete(x, 20), [400 + t % 3 for t in range(40) if t != 20])
    # The most common distance of people who sit beside each other, in shoulder widths
    beside = [[upright(400, 1.1), upright(400 + 1.6 * SHOULDER_WIDTH)] for _ in range(9)]
    del beside[4][0]
    assert np.isnan(places(read(tmp_path, beside))[4])


def test_a_large_ghost_is_no_signer(tmp_path):
    frames = [[upright(400, 1.1), upright(760)] for _ in range(30)]
    frames[12] = [upright(600, 6.0), upright(760)]
    frames[13].append(upright(410, 4.0))
    x = places(read(tmp_path, frames))
    assert np.isnan(x[12])
    assert np.delete(x, 12).tolist() == [400] * 29


def test_ids_go_before_places(tmp_path):
    def named(name: int, x: float, scale: float = 1.0) -> dict:
        return upright(x, scale) | {"person_id": [name]}

    # They change places between two frames
    frames = [[named(7, 400, 1.2), named(3, 760)], [named(3, 400), named(7, 760, 1.2)]]
    assert places(read(tmp_path, frames)) == [400, 760]


@pytest.mark.parametrize("spelling", [None, float("nan")])
def test_missing_is_spelled_many_ways(spelling, tmp_path):
    plain, odd = openpose_person(), openpose_person()
    for values, missing in ((plain, [0, 0, 0]), (odd, [spelling, spelling, 1.0])):
        values["pose_keypoints_2d"][6:9] = missing
    odd["pose_keypoints_2d"][11] = -1.3e-05
    plain["pose_keypoints_2d"][11] = 0
    one, two = read(tmp_path, [[plain]]), read(tmp_path, [[None, odd]])
    assert (one.visible == two.visible).all()
    np.testing.assert_array_equal(one.keypoints, two.keypoints)
    report = summarize(tmp_path / "clip.json", size=SIZE)
    assert report["missing_points"] == (~one.visible).sum()
    assert (report["people"], report["missing_frames"]) == (1, 0)


def test_a_part_has_its_own_unit(tmp_path):
    person = openpose_person()
    mixed = {name: list(values) for name, values in person.items()}
    body = np.array(person["pose_keypoints_2d"]).reshape(-1, 3) / (SIZE[1], SIZE[0], 1)
    mixed["pose_keypoints_2d"] = body.ravel().tolist()
    np.testing.assert_allclose(
        read(tmp_path, [[mixed]]).keypoints, read(tmp_path, [[person]]).keypoints, rtol=1e-5
    )
    with pytest.raises(UserError, match="in some parts; expected pixels"):
        read(tmp_path, [[mixed]], size=None)


def test_normalised_points_may_lie_outside_of_the_picture(tmp_path):
    person = upright(400)
    body = np.array(person["pose_keypoints_2d"]).reshape(-1, 3) / (SIZE[1], SIZE[0], 1)
    body[4, 0] = -0.02
    poses = read(tmp_path, [[{"pose_keypoints_2d": body.ravel().tolist()}]])
    np.testing.assert_allclose(poses.keypoints[0, 10], [-0.02 * SIZE[1], 450], rtol=1e-5)


def test_faces_of_68_points_are_read(tmp_path):
    person = openpose_person()
    person["face_keypoints_2d"] = person["face_keypoints_2d"][: 3 * 68]
    assert read(tmp_path, [[person]]).visible[0, 23:91].all()


def test_what_stands_beside_the_frames_of_a_folder_is_left_alone(tmp_path):
    for t in range(2):
        (tmp_path / f"a_{t}_keypoints.json").write_text(json.dumps({"people": [upright(400)]}))
    (tmp_path / "._a_0_keypoints.json").write_bytes(b"\0\5\x16\7")
    (tmp_path / "summary.json").write_text("[]")
    assert len(read_poses(tmp_path, size=SIZE)) == 2


def test_pipes_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "clip.json")
    for path in (tmp_path / "clip.json", "/dev/zero"):
        with pytest.raises(UserError, match="is not a regular file; expected a file of poses"):
            read_poses(path)
