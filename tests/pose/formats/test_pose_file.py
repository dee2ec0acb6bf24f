"""`.pose` files of every version and size: which number goes where, and genuine files."""

import numpy as np
import pytest

from signgen.pose.formats import read_clips, read_poses
from tests.material.places import REAL, needs_real
from tests.material.pose_samples import (
    SIZE,
    coco,
    components,
    halpe,
    holistic,
    numbered,
    openpose,
    pose_bytes,
    reduced,
)


def read(tmp_path, data: bytes):
    path = tmp_path / "clip.pose"
    path.write_bytes(data)
    return read_poses(path)


@pytest.mark.parametrize("version", [0.0, 0.1, 0.2])
@pytest.mark.parametrize(("face", "world"), [(468, False), (468, True), (478, True)])
def test_holistic_map(version, face, world, tmp_path):
    poses = read(tmp_path, pose_bytes(holistic(face, world=world), version=version, fps=30))
    assert (poses.size, poses.fps) == (SIZE, 30)
    x = poses.keypoints[..., 0]
    assert (poses.keypoints[1, :, 1] == 8).all()
    body = [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28, 31, 31, 29, 32, 32, 30]
    assert x[0, :23].tolist() == body
    assert x[0, 23:26].tolist() == [33 + 127, 33 + 234, 33 + 93]
    assert x[0, 90] == 33 + 178
    assert x[0, 91:112].tolist() == list(range(33 + face, 54 + face))
    assert x[0, 112:].tolist() == list(range(54 + face, 75 + face))


def test_dimensions_go_by_letter(tmp_path):
    parts = holistic(468, world=False, letters="ZXKYC")
    data, confidence = numbered(parts)
    data = np.stack([data[..., 2] + 5, data[..., 0], data[..., 2] - 9, data[..., 1]], -1)
    poses = read(tmp_path, pose_bytes(parts, data, confidence))
    assert poses.keypoints[0, 5].tolist() == [11, 7]


BODY_25 = [0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11, *range(19, 25)]
HALPE = [*range(17), 20, 22, 24, 21, 23, 25, *range(26, 136)]
BODY_135 = [
    *range(17),
    *range(19, 25),
    *range(65, 133),
    *(9, *range(25, 45)),
    *(10, *range(45, 65)),
]
COCO_133 = components(BODY_133=23, FACE_133=68, LEFT_HAND_133=21, RIGHT_HAND_133=21)


@pytest.mark.parametrize("version", [0.0, 0.1, 0.2])
@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        (openpose(), [*BODY_25, *range(25, 93), *range(95, 137)]),
        (coco(), range(133)),
        (COCO_133, range(133)),
        (halpe(), HALPE),
        (components(BODY_135=135), BODY_135),
    ],
    ids=["openpose", "coco", "133", "136", "135"],
)
def test_maps_by_position(parts, wanted, version, tmp_path):
    poses = read(tmp_path, pose_bytes(parts, version=version))
    assert poses.keypoints[0, :, 0].tolist() == list(wanted)


def test_components_of_pose_format_itself(tmp_path):
    from pose_format.utils.alphapose import get_alphapose_components
    from pose_format.utils.alphapose_133 import get_alphapose_133_components
    from pose_format.utils.openpose_135 import OpenPose_Components

    for known in (get_alphapose_components(), get_alphapose_133_components(), OpenPose_Components):
        parts = [(part.name, list(part.points), part.format) for part in known]
        names = [name.lower() for _, points, _ in parts for name in points]
        x = read(tmp_path, pose_bytes(parts)).keypoints[0, :, 0].astype(int)
        # The points have names: check the ends of both sides by them.
        chosen = [names[i].replace("_", "") for i in x[[0, 5, 10, 17, 22]]]
        long = ["nose", "leftshoulder", "rightwrist", "leftbigtoe", "rightheel"]
        assert chosen in (long, ["nose", "lshoulder", "rwrist", "lbigtoe", "rheel"])


@pytest.mark.parametrize(("version", "people"), [(0.0, None), (0.1, 3), (0.2, 3)])
def test_people_are_counted(version, people, tmp_path):
    data, confidence = numbered(coco(), people=3)
    path = tmp_path / "clip.pose"
    path.write_bytes(pose_bytes(coco(), data, confidence, version=version))
    assert read_clips(path).reading().people == people


def test_reduced_set_gets_a_head(tmp_path):
    parts = reduced()
    data, confidence = numbered(parts, frames=1)
    at = {name: 8 + i for i, name in enumerate(parts[1][1])}
    data[0, 0, at["133"], :2] = (90, 50)
    data[0, 0, at["362"], :2] = (110, 50)
    data[0, 0, at["0"], :2] = (100, 80)
    poses = read(tmp_path, pose_bytes(parts, data, confidence))
    assert poses.keypoints[0, 0].tolist() == [100, 65]
    assert poses.visible[0, 1:13].all()
    assert poses.keypoints[0, 5:13, 0].tolist() == list(range(8))
    assert not poses.visible[0, 50:59].any(), "the reduced set has no nose in its face"
    assert not poses.visible[0, 13:23].any()


def test_wrist_comes_from_the_hand_where_the_body_has_none(tmp_path):
    parts = holistic(468, world=False)
    data, confidence = numbered(parts)
    confidence[:, :, 15] = 0
    poses = read(tmp_path, pose_bytes(parts, data, confidence))
    assert (poses.keypoints[:, 9] == poses.keypoints[:, 91]).all()
    assert poses.visible[:, 9].all()


def test_undetected_hands_are_missing_and_nan_there_is_harmless(tmp_path):
    parts = holistic(468, world=False)
    data, confidence = numbered(parts)
    confidence[0, :, 501:522] = 0
    data[0, :, 501:522] = np.nan
    poses = read(tmp_path, pose_bytes(parts, data, confidence))
    assert not poses.visible[0, 91:112].any()
    assert poses.visible[1, 91:112].all()
    assert (poses.keypoints[0, 91:112] == 0).all()


def test_most_confident_person_is_taken(tmp_path):
    parts = coco()
    data, confidence = numbered(parts, people=3)
    data[:, 1, :, 1] = 99
    confidence[:, (0, 2)] = 0.5
    poses = read(tmp_path, pose_bytes(parts, data, confidence))
    assert (poses.keypoints[..., 1] == 99).all()


def test_people_who_change_places_in_the_file_do_not_change_the_signer(tmp_path):
    parts = coco()
    data, confidence = numbered(parts, frames=4, people=2)
    data[:, 1, :, 1] += 300
    data[:, 1, :, 0] /= 2  # the other one is smaller
    data[2:] = data[2:, ::-1].copy()
    poses = read(tmp_path, pose_bytes(parts, data, confidence))
    assert poses.keypoints[:, 0, 1].tolist() == [7, 8, 9, 10]


REAL_FILES = {
    "autsl/signer0_sample1000": (43, (512, 512), 30),
    "pose/holistic178": (170, (1250, 1250), 24),
    "pose/holistic178_lexicon_essen": (73, (480, 640), 24),
    "pose/holistic576_v02": (97, (240, 320), 25),
    "pose/holistic586_v02": (5, (360, 640), 25),
    "pose/openpose137_v00": (93, (1000, 1000), 24),
    "pose/openpose137_v01": (66, (1000, 1000), 24),
    "pose_to_video/example-img": (1, (240, 240), 1),
    "pose_to_video/testing-reduced": (91, (1250, 1250), 25),
}


@needs_real
@pytest.mark.parametrize("name", REAL_FILES)
def test_real_files_show_a_person(name):
    poses = read_poses(REAL / f"{name}.pose")
    assert (len(poses), poses.size, poses.fps) == REAL_FILES[name]
    points, seen = poses.keypoints, poses.visible
    width = np.linalg.norm(points[:, 5] - points[:, 6], axis=-1)
    whole = seen[:, [0, 5, 6]].all(axis=1) & (width > 0)
    assert whole.mean() > 0.9
    assert (points[whole, 0, 1] < points[whole, 5:7, 1].mean(axis=1)).all(), "nose below shoulders"
    # Signers face the camera: their left is on the right of the picture.
    assert (points[whole, 5, 0] > points[whole, 6, 0]).all()
    for wrist, root in ((9, 91), (10, 112)):
        both = whole & seen[:, wrist] & seen[:, root]
        gap = np.linalg.norm(points[both, wrist] - points[both, root], axis=-1) / width[both]
        if len(gap):
            assert np.median(gap) < 0.35
    jaw = points[whole][:, 23:40].mean(axis=1)
    near = np.linalg.norm(jaw - points[whole, 0], axis=-1) / width[whole]
    assert np.median(near) < 0.6, "the face is not at the nose"


@needs_real
def test_real_masked_left_hand_is_missing():
    poses = read_poses(REAL / "autsl" / "signer0_sample1000.pose")
    hand = poses.visible[:, 91:112]
    assert not hand.all()
    assert (hand.all(axis=1) | ~hand.any(axis=1)).all()
