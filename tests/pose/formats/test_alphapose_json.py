import json

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.pose.formats import read_poses
from signgen.pose.skeleton import SKELETONS
from tests.material.pose_samples import alphapose, flat

NAMES = list(SKELETONS["coco-wholebody-133"].names)
#: The body of Halpe's 136 points, named as in ours.
HALPE_BODY = [
    *NAMES[:17],
    *("head_top", "neck", "pelvis"),
    *("left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe"),
    *("left_heel", "right_heel"),
]


def read(tmp_path, document: object, **arguments):
    path = tmp_path / "alphapose-results.json"
    path.write_text(json.dumps(document))
    return read_poses(path, **arguments)


def table(seed: int, count: int = 133) -> np.ndarray:
    return np.array(flat(count, seed)).reshape(-1, 3)


def test_detections_in_any_order_are_placed_by_number(tmp_path):
    first, other = flat(133, 1), flat(133, 2)
    document = [alphapose(5, other), alphapose(3, first)]
    poses = read(tmp_path, document, size=(260, 210), fps=30)
    assert (len(poses), poses.size, poses.fps) == (6, (260, 210), 30)
    assert np.flatnonzero(poses.visible.any(axis=1)).tolist() == [3, 5]
    np.testing.assert_allclose(poses.keypoints[3], table(1)[:, :2], rtol=1e-6)
    np.testing.assert_allclose(poses.confidence[5], table(2)[:, 2], rtol=1e-6)
    for entry in document:
        entry["image_id"] = "clip_00" + entry["image_id"]
    assert len(read(tmp_path, document)) == 3


def test_halpe_136_is_mapped_by_name(tmp_path):
    given = table(1, 136)
    poses = read(tmp_path, [alphapose(0, flat(136, 1))])
    for name in NAMES[:23]:
        expected = given[HALPE_BODY.index(name), :2]
        np.testing.assert_allclose(poses.keypoints[0, NAMES.index(name)], expected, rtol=1e-6)
    np.testing.assert_allclose(poses.keypoints[0, 23:], given[26:, :2], rtol=1e-6)


def test_extended_form_says_size_and_rate(tmp_path):
    document = {
        "frames": [alphapose(0, flat(133))],
        "metadata": {"fps": 50, "width": 320, "height": 240},
    }
    poses = read(tmp_path, document, size=(1, 1), fps=1)
    assert (poses.size, poses.fps) == ((240, 320), 50)


def test_one_person_is_followed(tmp_path):
    signer = table(1)
    far = signer * [0.5, 0.5, 1] + [900, 0, 0]
    document = [
        alphapose(t, person.ravel().tolist())
        for t in range(4)
        for person in ((far, signer) if t % 2 else (signer, far))
    ]
    poses = read(tmp_path, document)
    for t in range(4):
        np.testing.assert_allclose(poses.keypoints[t], signer[:, :2], rtol=1e-6)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([alphapose(0, [1.0] * 51)], "has 51 numbers; expected 3 for each of 133 or 136"),
        ([alphapose(0, flat(133)), 5], "entry 1 is not a detection"),
        ([alphapose(0, flat(133)) | {"image_id": "a.jpg"}], "expected a number in it"),
        ([alphapose(0, flat(133)), alphapose(10**12, flat(133))], "goes up to"),
        ({"frames": [alphapose(0, flat(133))], "metadata": 3}, "metadata is not an object"),
        ({"frames": [alphapose(0, flat(133))], "metadata": {"width": 3}}, "size is"),
        ({"frames": [alphapose(0, flat(133))], "metadata": {"fps": 0}}, "fps is 0"),
        ([alphapose(0, [0.0] * 399)], "missing"),
    ],
)
def test_bad_results_are_named(document, message, tmp_path):
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path, document)
    assert "alphapose-results.json" in str(caught.value)
