import json

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.pose.formats import read_poses
from tests.material.pose_samples import mmpose, person


def read(tmp_path, document: object, **arguments):
    path = tmp_path / "clip.json"
    path.write_text(json.dumps(document))
    return read_poses(path, **arguments)


def video(*frames: tuple[int, list]) -> list:
    return [{"frame_id": number, "instances": persons} for number, persons in frames]


@pytest.mark.parametrize(("shape", "frames"), [(1, 1), (2, 3), (3, 3)])
def test_three_shapes(shape, frames, tmp_path):
    (tmp_path / "clip.json").write_bytes(mmpose(shape))
    poses = read_poses(tmp_path / "clip.json", size=(260, 210), fps=30)
    assert len(poses) == frames
    assert (poses.size, poses.fps, poses.skeleton) == ((260, 210), 30, "coco-wholebody-133")
    for t in range(frames):
        np.testing.assert_allclose(poses.keypoints[t], person(t)["keypoints"], rtol=1e-6)
        np.testing.assert_allclose(poses.confidence[t], person(t)["keypoint_scores"], rtol=1e-6)


def test_size_and_rate_without_arguments(tmp_path):
    one = person()
    one["keypoints"][5] = [100.2, 240.5]
    one["keypoints"][6] = [205.0, 900.0]
    one["keypoint_scores"][6] = 0.1
    poses = read(tmp_path, [one])
    assert poses.fps == 25
    assert poses.size == (242, int(np.ceil(np.delete(one["keypoints"], 6, 0)[:, 0].max())) + 1)


def test_folder_is_ordered_by_number(tmp_path):
    folder = tmp_path / "predictions"
    folder.mkdir()
    for number in (2, 10, 1):
        (folder / f"images{number}.json").write_text(json.dumps([person(number)]))
    (folder / "images3.json").write_text("[]")
    poses = read_poses(folder, size=(260, 210))
    assert len(poses) == 4
    for t, seed in ((0, 1), (1, 2), (3, 10)):
        np.testing.assert_allclose(poses.keypoints[t], person(seed)["keypoints"], rtol=1e-6)
    assert not poses.visible[2].any()


def test_folder_without_predictions(tmp_path):
    with pytest.raises(UserError, match=r"without \*\.json"):
        read_poses(tmp_path)
    (tmp_path / "a.json").write_text('{"frames": []}')
    with pytest.raises(UserError, match=r"a\.json is not a list"):
        read_poses(tmp_path)


def test_largest_confident_person_is_taken(tmp_path):
    small, large, unsure = person(1, scale=50), person(2, scale=200), person(3, scale=210)
    unsure["keypoint_scores"] = [0.1] * 133
    poses = read(tmp_path, video((0, [small, large, unsure])))
    np.testing.assert_allclose(poses.keypoints[0], large["keypoints"], rtol=1e-6)
    for each in (small, large, unsure):
        del each["bbox"]
    poses = read(tmp_path, video((0, [small, large, unsure])))
    np.testing.assert_allclose(poses.keypoints[0], large["keypoints"], rtol=1e-6)


def test_the_signer_stays_the_same_when_somebody_comes_nearer(tmp_path):
    signer, passer = person(1), person(2)
    passer["keypoints"] = (np.array(passer["keypoints"]) * 0.5 + 1000).tolist()
    nearer = passer | {"keypoints": ((np.array(passer["keypoints"]) - 1000) * 1.9 + 1000).tolist()}
    poses = read(tmp_path, video((0, [signer, passer]), (1, [nearer, signer]), (2, [nearer])))
    for t in (0, 1):
        np.testing.assert_allclose(poses.keypoints[t], signer["keypoints"], rtol=1e-6)
    assert not poses.visible[2].any()


def test_frames_without_a_person_stay(tmp_path):
    poses = read(tmp_path, video((0, []), (1, [person()]), (4, [person(4)])))
    assert poses.visible.any(axis=1).tolist() == [False, True, False, False, True]


def test_counting_from_one_in_the_third_shape(tmp_path):
    document = {"meta_info": {}, "instance_info": video((1, [person()]), (2, [person(1)]))}
    assert len(read(tmp_path, document)) == 2


def test_negative_scores_are_missing(tmp_path):
    one = person()
    one["keypoint_scores"][3] = -0.01
    assert not read(tmp_path, [one]).visible[0, 3]


@pytest.mark.parametrize("count", [17, 21, 136])
def test_other_numbers_of_points_are_named(count, tmp_path):
    with pytest.raises(UserError, match=f"frame 1 has {count} key points; expected 133"):
        read(tmp_path, video((0, [person()]), (1, [person(count=count)])))


@pytest.mark.parametrize(
    "document",
    [
        video((0, [])),
        {"instance_info": []},
        {"instance_info": 3},
        video((0, [person()]), (0, [person()])),
        video((-1, [person()])),
        video((0, [person()]), (10**12, [person()])),
        video(("1", [person()])),
        [*video((0, [person()])), 5],
        [person(), "x"],
        [person() | {"keypoint_scores": [1.0] * 17}],
        [person() | {"keypoints": [[1.0, 2.0, 3.0]] * 133}],
        [person() | {"keypoints": None}],
        [person() | {"keypoint_scores": ["1"] * 133}],
        [person() | {"keypoints": [[float("nan"), 1.0]] * 133}],
        [person() | {"keypoint_scores": [float("nan")] * 133}],
        [person() | {"keypoint_scores": [0.0] * 133}],
    ],
    ids=range(16),
)
def test_bad_predictions(document, tmp_path):
    with pytest.raises(UserError, match=r"clip\.json"):
        read(tmp_path, document)


@pytest.mark.parametrize(
    "box", [[["a", 1, 2, 3]], [[10**400, 0, 1, 1]], [None] * 4, "box", [[float("nan")] * 4]]
)
def test_bad_boxes_only_rank(box, tmp_path):
    assert len(read(tmp_path, [person() | {"bbox": box}])) == 1
