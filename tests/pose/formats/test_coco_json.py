import json

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.pose.formats import read_clips, read_poses
from tests.material.pose_samples import (
    COCO_PARTS,
    REAL,
    SIZE,
    coco_document,
    coco_person,
    needs_real,
)


def write(tmp_path, document):
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(document))
    return path


def numbered(image: int = 785, offset: float = 0) -> dict:
    """A person whose x tells the position among the 133 points."""
    person, start = {"image_id": image}, 0
    for name, count in COCO_PARTS.items():
        x = np.arange(start, start + count) + offset
        table = np.stack([x, np.full(count, 9.0), np.full(count, 2)], -1)
        person[name] = table.ravel().tolist()
        start += count
    return person


def test_parts_follow_each_other(tmp_path):
    poses = read_poses(write(tmp_path, coco_document(numbered())))
    assert poses.keypoints[0, :, 0].tolist() == list(range(133))
    assert (poses.size, poses.fps, len(poses)) == (SIZE, 25, 1)
    assert (poses.confidence == 1).all(), "2 is seen, and a confidence is at most 1"


def test_a_picture_is_a_clip_named_by_its_file(tmp_path):
    people = [coco_person(7, 1), coco_person(785, 9), coco_person(7, 5)]
    clips = read_clips(write(tmp_path, coco_document(*people, images=(785, 7, 9))))
    assert clips.format == "coco"
    assert list(clips) == ["000000000007.jpg", "000000000785.jpg"], "9 has no people"
    assert [clips.reading(name).people for name in clips] == [2, 1]
    with pytest.raises(UserError, match="holds 2 clips"):
        clips.reading()


def test_the_largest_person_is_kept(tmp_path):
    small = numbered()
    for name in COCO_PARTS:
        small[name] = [value / 4 for value in small[name]]
    poses = read_poses(write(tmp_path, coco_document(small, numbered(offset=30))))
    assert poses.keypoints[0, 0, 0] == 30


def test_results_have_no_size(tmp_path):
    path = write(tmp_path, [numbered("a.jpg")])
    assert list(read_clips(path)) == ["a.jpg"]
    assert read_poses(path).size == (10, 133), "the extent of the points"
    assert read_poses(path, size=(50, 60)).size == (50, 60)


def test_parts_without_points_are_missing(tmp_path):
    person = numbered() | {"lefthand_kpts": [0] * 63, "lefthand_valid": False}
    poses = read_poses(write(tmp_path, coco_document(person)))
    assert np.flatnonzero(~poses.visible[0]).tolist() == list(range(91, 112))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (coco_document(), "0 clips"),
        ({"images": [], "annotations": 3}, "not a list of persons"),
        (coco_document({"image_id": 785, "keypoints": [0] * 51}), "no foot_kpts"),
        (coco_document({**coco_person(785), "image_id": [1]}), "no image_id"),
        (coco_document({**coco_person(785), "face_kpts": [0] * 3}), "face_kpts has shape"),
        (coco_document({**coco_person(785), "face_kpts": None}), "face_kpts"),
        (coco_document({**coco_person(785), "face_kpts": ["a"] * 204}), "face_kpts"),
        ({"images": [3], "annotations": []}, "image 0"),
        (
            {**coco_document(coco_person(785)), "images": [{"id": 785, "height": 5, "width": 0}]},
            "size",
        ),
        (
            {
                "images": [{"id": 1, "file_name": "a"}, {"id": 2, "file_name": "a"}],
                "annotations": [coco_person(1), coco_person(2)],
            },
            "occurs twice",
        ),
    ],
)
def test_other_documents_are_refused(document, message, tmp_path):
    path = write(tmp_path, document)
    with pytest.raises(UserError, match=message) as caught:
        read_poses(path)
    assert str(caught.value).startswith(str(path))


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
