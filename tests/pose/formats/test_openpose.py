"""OpenPose JSON: which number goes where, folders of frames, and who the signer is."""

import json

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.pose.formats import read_poses
from signgen.pose.skeleton import SKELETONS
from tests.material.places import REAL, needs_real
from tests.material.pose_samples import SIZE, canvas_frames, openpose_frame, openpose_person

NAMES = list(SKELETONS["coco-wholebody-133"].names)
COCO_18 = list(SKELETONS["openpose-18"].names)
#: BODY_25 has the middle of the hips after the arms, and feet at the end.
FEET = [f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel")]
BODY_25 = [*COCO_18[:8], "mid_hip", *COCO_18[8:], *FEET]


def read(tmp_path, document: object, **arguments):
    path = tmp_path / "clip.json"
    path.write_text(json.dumps(document))
    return read_poses(path, **arguments)


def folder_of(tmp_path, frames: dict[int, object]):
    folder = tmp_path / "clip"
    folder.mkdir()
    for number, document in frames.items():
        (folder / f"a3_b_{number:012d}_keypoints.json").write_text(json.dumps(document))
    return folder


def moved(person: dict, x: float, y: float = 0) -> dict:
    def move(values: list[float]) -> list[float]:
        table = np.array(values).reshape(-1, 3) + np.array([x, y, 0])
        return table.ravel().tolist()

    return {name: move(values) for name, values in person.items()}


@pytest.mark.parametrize(("count", "names"), [(25, BODY_25), (18, COCO_18)])
def test_bodies_are_mapped_by_name(count, names, tmp_path):
    person = openpose_person(count)
    table = np.array(person["pose_keypoints_2d"]).reshape(-1, 3)
    poses = read(tmp_path, openpose_frame(person), size=SIZE)
    assert (poses.size, poses.fps, len(poses)) == (SIZE, 25, 1)
    shared = [name for name in names if name in NAMES]
    assert len(shared) == count - (2 if count == 25 else 1)
    for name in shared:
        ours, theirs = NAMES.index(name), names.index(name)
        np.testing.assert_allclose(poses.keypoints[0, ours], table[theirs, :2], rtol=1e-6)
        np.testing.assert_allclose(poses.confidence[0, ours], table[theirs, 2], rtol=1e-6)
    for part, start, points in (("face", 23, 68), ("hand_left", 91, 21), ("hand_right", 112, 21)):
        expected = np.array(person[f"{part}_keypoints_2d"]).reshape(-1, 3)[:points, :2]
        np.testing.assert_allclose(poses.keypoints[0, start : start + points], expected, rtol=1e-6)


def test_body_135_holds_hands_and_face(tmp_path):
    person = {"pose_keypoints_2d": openpose_person(135)["pose_keypoints_2d"]}
    table = np.array(person["pose_keypoints_2d"]).reshape(-1, 3)[:, :2]
    points = read(tmp_path, openpose_frame(person), size=SIZE).keypoints[0]
    np.testing.assert_allclose(points[:17], table[:17], rtol=1e-6)
    np.testing.assert_allclose(points[91], table[9], rtol=1e-6)  # a hand's root is its wrist
    np.testing.assert_allclose(points[92:112], table[25:45], rtol=1e-6)
    np.testing.assert_allclose(points[112], table[10], rtol=1e-6)
    np.testing.assert_allclose(points[23:91], table[65:133], rtol=1e-6)


def test_version_1_0_names_and_empty_parts(tmp_path):
    person = {"pose_keypoints": openpose_person(18)["pose_keypoints_2d"], "face_keypoints": None}
    person["hand_left_keypoints"] = []
    poses = read(tmp_path, openpose_frame(person), size=SIZE)
    assert poses.visible[0, :17].all()
    assert not poses.visible[0, 17:].any()


def test_folder_goes_by_number_and_keeps_gaps(tmp_path):
    first = openpose_person()
    frames = {17: openpose_frame(first), 18: openpose_frame()}
    frames |= {9: openpose_frame(moved(first, 1)), 20: openpose_frame(moved(first, 2))}
    poses = read_poses(folder_of(tmp_path, frames), size=SIZE, fps=24)
    assert (len(poses), poses.fps) == (12, 24)
    assert np.flatnonzero(poses.visible.any(axis=1)).tolist() == [0, 8, 11]
    shift = poses.keypoints[[0, 11], 0, 0] - poses.keypoints[8, 0, 0]
    np.testing.assert_allclose(shift, [1, 2], atol=1e-4)


def test_one_person_is_followed_whatever_the_order(tmp_path):
    signer, other = openpose_person(seed=1), openpose_person(seed=1)
    small = {
        name: (np.array(values).reshape(-1, 3) * [0.5, 0.5, 1] + [300, 0, 0]).ravel().tolist()
        for name, values in other.items()
    }
    frames = {
        t: openpose_frame(*(people if t % 2 else people[::-1]))
        for t in range(6)
        for people in [(moved(signer, 2 * t), small)]
    }
    frames[6] = openpose_frame(moved(small, 100))  # the signer is not seen
    frames[7] = openpose_frame(moved(signer, 14))
    poses = read_poses(folder_of(tmp_path, frames), size=(260, 600))
    nose = poses.keypoints[:, 0, 0] - signer["pose_keypoints_2d"][0]
    np.testing.assert_allclose(nose[[0, 1, 2, 3, 4, 5, 7]], [0, 2, 4, 6, 8, 10, 14], atol=1e-4)
    assert not poses.visible[6].any()


def test_missing_people_and_points_are_spelled_in_many_ways(tmp_path):
    person = openpose_person()
    person["hand_left_keypoints_2d"] = [None, None, 0.0] * 21
    person["hand_right_keypoints_2d"] = []
    person["face_keypoints_2d"] = None
    frame = openpose_frame(person)
    frame["people"].insert(0, None)
    poses = read(tmp_path, frame)
    assert poses.visible[0, :17].any()
    assert not poses.visible[0, 23:].any()


def test_canvas_gives_the_size(tmp_path):
    poses = read(tmp_path, canvas_frames(4), size=(10, 10))
    assert (poses.size, len(poses)) == (SIZE, 4)


def test_canvases_of_several_sizes_are_refused(tmp_path):
    frames = canvas_frames(3)
    del frames[0]["canvas_width"], frames[0]["canvas_height"]
    assert read(tmp_path, frames, size=(10, 10)).size == SIZE, "named from the second frame"
    frames[2] |= {"canvas_width": 640, "canvas_height": 480}
    with pytest.raises(UserError, match=r"frame 2 has a canvas of 640 x 480 .* frame 1 one of 210"):
        read(tmp_path, frames)
    folder = folder_of(tmp_path, dict(enumerate(frames)))
    with pytest.raises(UserError, match=r"_000000000002_keypoints\.json has a canvas of 640 x 480"):
        read_poses(folder)


def test_what_editors_write_without_people(tmp_path):
    canvas = {"canvas_width": SIZE[1], "canvas_height": SIZE[0]}
    person = openpose_person(18)
    poses = read(tmp_path, [canvas, person | canvas, canvas])
    assert poses.visible.any(axis=1).tolist() == [False, True, False]
    expected = read(tmp_path, [openpose_frame(person) | canvas])
    assert np.array_equal(poses.keypoints[1], expected.keypoints[0])
    # The points of a picture's persons, in the order of COCO-18
    points = np.array(person["pose_keypoints_2d"]).reshape(18, 3)[:, :2].tolist()
    points[4] = None  # the right wrist
    poses = read(tmp_path, {"width": SIZE[1], "height": SIZE[0], "keypoints": [points]})
    assert poses.size == SIZE
    assert not poses.visible[0, 10]
    shown = poses.visible[0]
    assert shown.sum() == 16
    np.testing.assert_allclose(poses.keypoints[0, shown], expected.keypoints[0, shown])


def test_frames_of_two_clips_in_one_folder_are_refused(tmp_path):
    frame = json.dumps(openpose_frame(openpose_person()))
    for name in ("a_0_keypoints", "a_1_keypoints", "b_2_keypoints"):
        (tmp_path / f"{name}.json").write_text(frame)
    with pytest.raises(UserError, match=r"several clips, such as a_0_key.* and b_2_key"):
        read_poses(tmp_path, size=SIZE)


def test_folders_that_are_no_clip(tmp_path):
    folder = folder_of(tmp_path, {0: openpose_frame(openpose_person()), 1: {"frames": []}})
    with pytest.raises(UserError, match=r"_000000000001_keypoints\.json is not an OpenPose frame"):
        read_poses(folder)
    (folder / "a3_b_000000000001_keypoints.json").write_text('{"people": []}')
    (folder / "a3_b_1.json").write_text('{"people": []}')
    with pytest.raises(UserError, match="occurs twice"):
        read_poses(folder)
    for file in folder.iterdir():
        file.unlink()
    (folder / "frame.json").write_text('{"people": []}')
    with pytest.raises(UserError, match="no frame number"):
        read_poses(folder)


@needs_real
@pytest.mark.parametrize(
    ("name", "visible"), [("openpose_body25_frame", 91), ("openpose_v10_coco18_frame", 0)]
)
def test_real_frames(name, visible):
    poses = read_poses(REAL / "pose" / f"{name}.json", size=(1000, 1000))
    assert len(poses) == 1
    assert poses.visible[0, :23].sum() >= 8
    assert (poses.visible[0, 23:].sum() > 0) == (visible > 0)
