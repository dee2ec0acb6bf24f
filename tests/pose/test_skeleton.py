"""Names, spans and mirror points of the skeletons."""

from itertools import pairwise

import pytest

from signgen.pose.skeleton import FINGERS, HAND_ROOT, MIDDLE_KNUCKLE, SKELETONS


@pytest.mark.parametrize("name", SKELETONS)
def test_names_and_mirror_fit(name):
    skeleton = SKELETONS[name]
    count = skeleton.num_keypoints
    assert skeleton.name == name
    assert len(set(skeleton.names)) == len(skeleton.mirror) == count
    assert all(skeleton.mirror[skeleton.mirror[i]] == i for i in range(count))
    other = {"left": "right", "right": "left"}
    for index, point in enumerate(skeleton.names):
        side, _, rest = point.partition("_")
        if side in other:
            assert skeleton.names[skeleton.mirror[index]] == f"{other[side]}_{rest}"


def test_the_mirror_of_the_face_keeps_its_contours():
    """Jaw, bridge and nostrils, and lips map to themselves; a brow and an eye to the other one."""
    mirror = [i - 23 for i in SKELETONS["coco-wholebody-133"].mirror[23:91]]
    for contour in (range(17), range(27, 31), range(31, 36), (*range(48, 60), 48)):
        edges = {frozenset(link) for link in pairwise(contour)}
        assert {frozenset(mirror[i] for i in edge) for edge in edges} == edges
    assert sorted(mirror[17:22]) == list(range(22, 27))
    assert [mirror[i] for i in (36, 37, 38, 39, 40, 41)] == [45, 44, 43, 42, 47, 46]
    assert [mirror[i] for i in (60, 61, 62, 66, 67)] == [64, 63, 62, 66, 65]


def test_slices_of_the_133_points_cover_all():
    s = SKELETONS["coco-wholebody-133"]
    spans = (s.body, s.feet, s.face, s.left_hand, s.right_hand)
    assert [i for start, stop in spans for i in range(start, stop)] == list(range(133))
    assert s.names[9] == "left_wrist"
    assert s.names[MIDDLE_KNUCKLE["left"]] == "left_middle_1"
    assert s.names[MIDDLE_KNUCKLE["right"]] == "right_middle_1"
    assert s.mirror[HAND_ROOT["left"]] == HAND_ROOT["right"]
    assert [s.names[HAND_ROOT["left"] + i] for i in FINGERS["ring"]] == [
        f"left_ring_{n}" for n in range(1, 5)
    ]
