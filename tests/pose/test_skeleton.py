import pytest

from signgen.pose.skeleton import HAND_ROOT, MIDDLE_KNUCKLE, SKELETONS


@pytest.mark.parametrize("name", SKELETONS)
def test_names_mirror_and_edges_fit(name):
    skeleton = SKELETONS[name]
    count = skeleton.num_keypoints
    assert skeleton.name == name
    assert len(set(skeleton.names)) == len(skeleton.mirror) == count
    assert all(skeleton.mirror[skeleton.mirror[i]] == i for i in range(count))
    assert all(0 <= i < count for edge in skeleton.all_edges for i in edge)


@pytest.mark.parametrize("name", SKELETONS)
def test_mirror_keeps_edges(name):
    skeleton = SKELETONS[name]
    edges = {frozenset(edge) for edge in skeleton.all_edges}
    assert {frozenset(skeleton.mirror[i] for i in edge) for edge in edges} == edges


def test_slices_of_the_133_points_cover_all():
    s = SKELETONS["coco-wholebody-133"]
    spans = (s.body, s.feet, s.face, s.left_hand, s.right_hand)
    assert [i for start, stop in spans for i in range(start, stop)] == list(range(133))
    assert s.names[9] == "left_wrist"
    assert s.names[MIDDLE_KNUCKLE["left"]] == "left_middle_1"
    assert s.names[MIDDLE_KNUCKLE["right"]] == "right_middle_1"
    assert s.mirror[HAND_ROOT["left"]] == HAND_ROOT["right"]


def test_every_finger_is_a_chain_from_the_root():
    edges = SKELETONS["coco-wholebody-133"].edges["left_hand"]
    assert len(edges) == 20
    assert edges[:4] == ((91, 92), (92, 93), (93, 94), (94, 95))
    assert edges[8] == (91, 100)
