import numpy as np
import pytest

from signgen.errors import ExitCode, UserError
from signgen.pose.formats import read_clips, read_poses
from tests.material.pose_samples import (
    HAND,
    HOLISTIC_BODY,
    REAL,
    SIZE,
    coco,
    holistic,
    needs_real,
    numbered,
    openpose,
    pose_bytes,
    reduced,
)

MISSING = 1000.0


def read(tmp_path, data: bytes):
    path = tmp_path / "clip.pose"
    path.write_bytes(data)
    return read_poses(path)


def refused(tmp_path, data: bytes) -> str:
    with pytest.raises(UserError) as caught:
        read(tmp_path, data)
    assert caught.value.code == ExitCode.DATA
    assert "\n" not in str(caught.value)
    return str(caught.value)


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


def test_fractional_rate_of_the_newest_version(tmp_path):
    poses = read(tmp_path, pose_bytes(coco(), version=0.2, fps=29.97))
    assert poses.fps == pytest.approx(29.97)


@pytest.mark.parametrize("version", [0.0, 0.1])
def test_openpose_map(version, tmp_path):
    x = read(tmp_path, pose_bytes(openpose(), version=version)).keypoints[0, :, 0]
    assert x[:17].tolist() == [0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11]
    assert x[17:23].tolist() == list(range(19, 25))
    assert x[23:91].tolist() == list(range(25, 93))
    assert x[91:].tolist() == list(range(95, 137))


def test_coco_map(tmp_path):
    x = read(tmp_path, pose_bytes(coco())).keypoints[0, :, 0]
    assert x.tolist() == list(range(133))


HALPE = [*range(17), 20, 22, 24, 21, 23, 25, *range(26, 136)]
BODY_135 = [
    *range(17),
    *range(19, 25),
    *range(65, 133),
    *(9, *range(25, 45)),
    *(10, *range(45, 65)),
]


@pytest.mark.parametrize("version", [0.0, 0.1, 0.2])
@pytest.mark.parametrize(
    ("kind", "wanted"),
    [("133", range(133)), ("136", HALPE), ("135", BODY_135)],
)
def test_alphapose_and_body_135_maps(kind, wanted, version, tmp_path):
    if kind == "135":
        parts = [("BODY_135", [f"p{i}" for i in range(135)], "XYC")]
    else:
        lengths = {"BODY": int(kind) - 110, "FACE": 68, "LEFT_HAND": 21, "RIGHT_HAND": 21}
        parts = [
            (f"{name}_{kind}", [f"p{i}" for i in range(count)], "XYC")
            for name, count in lengths.items()
        ]
    poses = read(tmp_path, pose_bytes(parts, version=version))
    assert poses.keypoints[0, :, 0].tolist() == list(wanted)


def test_components_of_pose_format_itself(tmp_path):
    from pose_format.utils.alphapose import get_alphapose_components
    from pose_format.utils.alphapose_133 import get_alphapose_133_components
    from pose_format.utils.openpose_135 import OpenPose_Components

    for components in (
        get_alphapose_components(),
        get_alphapose_133_components(),
        OpenPose_Components,
    ):
        parts = [(part.name, list(part.points), part.format) for part in components]
        names = [name.lower() for _, points, _ in parts for name in points]
        x = read(tmp_path, pose_bytes(parts)).keypoints[0, :, 0].astype(int)
        # The points have names: check the ends of both sides by them.
        chosen = [names[i].replace("_", "") for i in x[[0, 5, 10, 17, 22]]]
        long = ["nose", "leftshoulder", "rightwrist", "leftbigtoe", "rightheel"]
        assert chosen in (long, ["nose", "lshoulder", "rwrist", "lbigtoe", "rheel"])


def test_hands_of_136_points_alone(tmp_path):
    parts = [("LEFT_HAND_136", HAND, "XYC"), ("RIGHT_HAND_136", HAND, "XYC")]
    assert "only hand points" in refused(tmp_path, pose_bytes(parts))


@pytest.mark.parametrize(("version", "people"), [(0.0, None), (0.1, 3), (0.2, 3)])
def test_people_are_counted(version, people, tmp_path):
    data, confidence = numbered(coco(), people=3)
    path = tmp_path / "clip.pose"
    path.write_bytes(pose_bytes(coco(), data, confidence, version=version))
    assert read_clips(path).reading().people == people


@pytest.mark.parametrize("version", [0.0, 0.1, 0.2])
@pytest.mark.parametrize("people", [1, 2])
def test_all_sizes_of_all_versions(version, people, tmp_path):
    """137, 178, 543, 576 and 586 points, with three and four dimensions."""
    for parts in (
        openpose(),
        reduced(),
        *(
            holistic(face, world=world, letters=letters)
            for face, world in ((468, False), (468, True), (478, True))
            for letters in ("XYZC", "XYZKC")
        ),
    ):
        data, confidence = numbered(parts, frames=3, people=people)
        poses = read(tmp_path, pose_bytes(parts, data, confidence, version=version))
        assert (len(poses), poses.fps) == (3, 25)
        assert (poses.keypoints[:, 5, 1] == [7, 8, 9]).all()
        assert poses.visible[:, 91:].all()


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


@pytest.mark.parametrize(
    "names", [["RIGHT_HAND_LANDMARKS"], ["LEFT_HAND_LANDMARKS", "RIGHT_HAND_LANDMARKS"]]
)
def test_hands_alone_are_refused_with_the_reason(names, tmp_path):
    message = refused(tmp_path, pose_bytes([(name, HAND, "XYZC") for name in names]))
    assert "only hand points" in message
    assert "body points are needed" in message


def test_unknown_components_are_listed(tmp_path):
    message = refused(tmp_path, pose_bytes([("BODY_135", HOLISTIC_BODY, "XYC")]))
    assert "BODY_135 33" in message
    no_shoulders = [("POSE_LANDMARKS", HOLISTIC_BODY[:5], "XYZC")]
    assert "POSE_LANDMARKS 5" in refused(tmp_path, pose_bytes(no_shoulders))


@pytest.mark.parametrize("version", [0.0, 0.1, 0.2])
def test_truncated_files_are_refused_at_every_length(version, tmp_path):
    data = pose_bytes(coco(), version=version)
    lengths = [*range(1, 40), *range(40, len(data), 101), len(data) - 1]
    for length in lengths:
        refused(tmp_path, data[:length])


@pytest.mark.parametrize("fps", [0, 2000])
def test_frame_rate(fps, tmp_path):
    assert "fps" in refused(tmp_path, pose_bytes(coco(), fps=fps))


def test_nan_frame_rate(tmp_path):
    assert "fps is nan" in refused(tmp_path, pose_bytes(coco(), fps=float("nan"), version=0.2))


def test_size_zero(tmp_path):
    assert "size" in refused(tmp_path, pose_bytes(coco(), size=(0, 210)))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_bad_coordinates_are_named(value, tmp_path):
    data, confidence = numbered(coco())
    data[1, 0, 5, 1] = value
    message = refused(tmp_path, pose_bytes(coco(), data, confidence, version=0.2))
    assert "coordinate of key point 5 in frame 1" in message


@pytest.mark.parametrize("value", [np.nan, -1.0])
def test_bad_confidence_is_named(value, tmp_path):
    data, confidence = numbered(coco())
    confidence[1, 0, 5] = value
    message = refused(tmp_path, pose_bytes(coco(), data, confidence, version=0.2))
    assert "confidence of key point 5 in frame 1" in message


@pytest.mark.parametrize("version", [0.0, 0.1, 0.2])
def test_no_frames_and_no_people(version, tmp_path):
    refused(tmp_path, pose_bytes(coco(), *numbered(coco(), frames=0), version=version))
    refused(tmp_path, pose_bytes(coco(), *numbered(coco(), people=0), version=version))


def test_everything_missing(tmp_path):
    data, confidence = numbered(coco())
    assert "missing" in refused(tmp_path, pose_bytes(coco(), data, confidence * 0))


def test_normalised_coordinates_are_refused(tmp_path):
    data, confidence = numbered(coco())
    assert "pixels" in refused(tmp_path, pose_bytes(coco(), data / 500, confidence))


@needs_real
def test_real_one_hand_file_is_refused():
    with pytest.raises(UserError, match="only hand points"):
        read_poses(REAL / "pose" / "one_hand_only.pose")


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
