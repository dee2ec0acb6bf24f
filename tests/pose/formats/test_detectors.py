"""MMPose, AlphaPose and COCO-WholeBody: which number goes where, and who the signer is."""

import json

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.pose.formats import read_clip, read_clips, read_poses
from signgen.pose.skeleton import SKELETONS
from tests.material.places import REAL, needs_real
from tests.material.pose_samples import (
    COCO_PARTS,
    SIZE,
    alphapose,
    coco_document,
    coco_person,
    flat,
    mmpose,
    mmpose_video,
    person,
)

NAMES = list(SKELETONS["coco-wholebody-133"].names)
#: The body of Halpe's 136 points, named as in ours.
HALPE_BODY = [
    *NAMES[:17],
    *("head_top", "neck", "pelvis"),
    *("left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe"),
    *("left_heel", "right_heel"),
]


@pytest.fixture
def write(tmp_path):
    def written(document: object):
        path = tmp_path / "clip.json"
        path.write_text(json.dumps(document))
        return path

    return written


# ----- MMPose -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "frames"), [(1, 1), (2, 3), (3, 3)])
def test_three_shapes(shape, frames, tmp_path):
    (tmp_path / "clip.json").write_bytes(mmpose(shape))
    poses = read_poses(tmp_path / "clip.json", size=SIZE, fps=30)
    assert (len(poses), poses.size, poses.fps) == (frames, SIZE, 30)
    for t in range(frames):
        np.testing.assert_allclose(poses.keypoints[t], person(t)["keypoints"], rtol=1e-6)
        np.testing.assert_allclose(poses.confidence[t], person(t)["keypoint_scores"], rtol=1e-6)


def test_pose_results_of_mmpose_0_are_read(write):
    def old(seed: int) -> dict:
        one = person(seed)
        rows = zip(one["keypoints"], one["keypoint_scores"], strict=True)
        table = [[*place, score] for place, score in rows]
        return {"bbox": [0.0, 0.0, 200.0, 200.0, 0.9], "keypoints": table}

    poses = read_poses(write([[], [old(0)], [old(1)]]), size=SIZE)
    assert not poses.visible[0].any()
    for t in (0, 1):
        np.testing.assert_allclose(poses.keypoints[t + 1], person(t)["keypoints"], rtol=1e-6)
        np.testing.assert_allclose(poses.confidence[t + 1], person(t)["keypoint_scores"], rtol=1e-6)
    one = read_poses(write([old(1)]), size=SIZE)
    assert np.array_equal(one.keypoints[0], poses.keypoints[2])
    named = [[old(0) | {"track_id": 3}] for _ in range(3)]
    named.append([old(0) | {"track_id": 4}, old(1) | {"track_id": 3}])
    reading = read_clip(write(named), size=SIZE)
    assert np.array_equal(reading.poses.keypoints[3], poses.keypoints[2])
    assert reading.people == 2


def test_without_a_size_it_is_the_extent_of_sure_points(write):
    one = person()
    one["keypoints"][5] = [100.2, 240.5]
    one["keypoints"][6] = [205.0, 900.0]
    one["keypoint_scores"][6] = 0.1
    one["keypoint_scores"][3] = -0.01
    poses = read_poses(write([one]))
    assert poses.fps == 25
    assert poses.size == (242, int(np.ceil(np.delete(one["keypoints"], 6, 0)[:, 0].max())) + 1)
    assert not poses.visible[0, 3], "negative scores are missing"


def test_folder_is_ordered_by_number(tmp_path):
    with pytest.raises(UserError, match=r"without \*\.json"):
        read_poses(tmp_path)
    for number in (2, 10, 1):
        (tmp_path / f"images{number}.json").write_text(json.dumps([person(number)]))
    (tmp_path / "images3.json").write_text("[]")
    poses = read_poses(tmp_path, size=SIZE)
    assert len(poses) == 4
    for t, seed in ((0, 1), (1, 2), (3, 10)):
        np.testing.assert_allclose(poses.keypoints[t], person(seed)["keypoints"], rtol=1e-6)
    assert not poses.visible[2].any()
    (tmp_path / "images0.json").write_text('{"frames": []}')
    with pytest.raises(UserError, match=r"images0\.json is not a list of MMPose persons"):
        read_poses(tmp_path)


def test_the_largest_confident_person_is_the_signer(write):
    small, large, unsure = person(1, scale=50), person(2, scale=200), person(3, scale=210)
    unsure["keypoint_scores"] = [0.1] * 133
    poses = read_poses(write(mmpose_video((0, [small, large, unsure]))))
    np.testing.assert_allclose(poses.keypoints[0], large["keypoints"], rtol=1e-6)


def test_the_signer_stays_the_same_when_somebody_comes_nearer(write):
    signer, passer = person(1), person(2)
    passer["keypoints"] = (np.array(passer["keypoints"]) * 0.5 + 1000).tolist()
    nearer = passer | {"keypoints": ((np.array(passer["keypoints"]) - 1000) * 1.9 + 1000).tolist()}
    frames = mmpose_video((0, [signer, passer]), (1, [nearer, signer]), (2, [nearer]))
    poses = read_poses(write(frames))
    for t in (0, 1):
        np.testing.assert_allclose(poses.keypoints[t], signer["keypoints"], rtol=1e-6)
    assert not poses.visible[2].any()


def test_frames_without_a_person_stay(write):
    poses = read_poses(write(mmpose_video((0, []), (1, [person()]), (4, [person(4)]))))
    assert poses.visible.any(axis=1).tolist() == [False, True, False, False, True]
    counted = mmpose_video((1, [person()]), (2, [person(1)]))
    assert len(read_poses(write({"meta_info": {}, "instance_info": counted}))) == 2


# ----- AlphaPose ----------------------------------------------------------------------------------


def table(seed: int, count: int = 133) -> np.ndarray:
    return np.array(flat(count, seed)).reshape(-1, 3)


def test_detections_in_any_order_are_placed_by_number(write):
    document = [alphapose(5, flat(133, 2)), alphapose(3, flat(133, 1))]
    poses = read_poses(write(document), size=SIZE, fps=30)
    assert (len(poses), poses.size, poses.fps) == (6, SIZE, 30)
    assert np.flatnonzero(poses.visible.any(axis=1)).tolist() == [3, 5]
    np.testing.assert_allclose(poses.keypoints[3], table(1)[:, :2], rtol=1e-6)
    np.testing.assert_allclose(poses.confidence[5], table(2)[:, 2], rtol=1e-6)
    for entry in document:
        entry["image_id"] = "clip_00" + entry["image_id"]
    assert len(read_poses(write(document))) == 3


def test_halpe_136_is_mapped_by_name(write):
    points = table(1, 136)
    poses = read_poses(write([alphapose(0, flat(136, 1))]))
    for name in NAMES[:23]:
        expected = points[HALPE_BODY.index(name), :2]
        np.testing.assert_allclose(poses.keypoints[0, NAMES.index(name)], expected, rtol=1e-6)
    np.testing.assert_allclose(poses.keypoints[0, 23:], points[26:, :2], rtol=1e-6)


def test_extended_form_says_size_and_rate(write):
    metadata = {"fps": 50, "width": 320, "height": 240}
    path = write({"frames": [alphapose(0, flat(133))], "metadata": metadata})
    reading = read_clip(path, size=(1, 1), fps=1)
    assert (reading.poses.size, reading.poses.fps, reading.assumed) == ((240, 320), 1, ())


# ----- COCO-WholeBody -----------------------------------------------------------------------------


def numbered(image: int | str = 785, offset: float = 0) -> dict:
    """A person whose x tells the position among the 133 points."""
    points, start = {"image_id": image}, 0
    for name, count in COCO_PARTS.items():
        x = np.arange(start, start + count) + offset
        points[name] = np.stack([x, np.full(count, 9.0), np.full(count, 2)], -1).ravel().tolist()
        start += count
    return points


def test_parts_follow_each_other(write):
    hidden = numbered() | {"lefthand_kpts": [0] * 63, "lefthand_valid": False}
    poses = read_poses(write(coco_document(numbered())))
    assert poses.keypoints[0, :, 0].tolist() == list(range(133))
    assert (poses.size, poses.fps, len(poses)) == (SIZE, 25, 1)
    assert (poses.confidence == 1).all(), "2 is seen, and a confidence is at most 1"
    poses = read_poses(write(coco_document(hidden)))
    assert np.flatnonzero(~poses.visible[0]).tolist() == list(range(91, 112))


def test_a_picture_is_a_clip_named_by_its_file(write):
    people = [coco_person(7, 1), coco_person(785, 9), coco_person(7, 5)]
    clips = read_clips(write(coco_document(*people, images=(785, 7, 9))))
    assert clips.format == "coco"
    assert list(clips) == ["000000000007.jpg", "000000000785.jpg"], "9 has no people"
    assert [clips.reading(name).people for name in clips] == [2, 1]
    with pytest.raises(UserError, match="holds 2 clips"):
        clips.reading()


def test_the_largest_person_is_kept_and_results_have_no_size(write):
    small = numbered()
    for name in COCO_PARTS:
        small[name] = [value / 4 for value in small[name]]
    poses = read_poses(write(coco_document(small, numbered(offset=30))))
    assert poses.keypoints[0, 0, 0] == 30
    path = write([numbered("a.jpg")])
    assert list(read_clips(path)) == ["a.jpg"]
    assert read_poses(path).size == (10, 133), "the extent of the points"
    assert read_poses(path, size=(50, 60)).size == (50, 60)


@needs_real
def test_real_annotations():
    clips = read_clips(REAL / "coco_wholebody" / "test_coco_wholebody.json")
    people = {name: clips.reading(name).people for name in clips}
    assert sum(people.values()) == 12, "two of the 14 have no points"
    assert len(people) == 4
    skier = clips["000000000785.jpg"]
    assert skier.size == (425, 640)
    assert skier.keypoints[0, 0].tolist() == [367, 81]
    assert not skier.visible[0, 91:112].any()
