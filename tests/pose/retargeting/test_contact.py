"""How near hands come to a face."""

from __future__ import annotations

import numpy as np

from signgen.pose.retargeting.contact import FAR, NEAR, held, nearness


def approach(distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A finger of two points in line with a single head point at the origin."""
    points = np.zeros((len(distances), 2, 2))
    points[:, 0, 0], points[:, 1, 0] = distances, distances + 10
    return points, np.zeros((len(distances), 1, 2))


def test_weight_rises_from_far_to_near_without_a_step():
    distances = np.linspace(2 * FAR, 0, 200) * 7.0
    points, head = approach(distances)
    seen = np.ones((200, 2), bool)
    found = nearness(points, seen, head, np.ones((200, 1), bool), unit=7.0)
    assert found.known.all()
    assert (found.weight[distances >= FAR * 7] == 0).all()
    assert (found.weight[distances <= NEAR * 7] == 1).all()
    steps = np.diff(found.weight)
    assert (steps >= 0).all()
    assert steps.max() < 1.6 * 2 * FAR / 199 / (FAR - NEAR)


def test_place_is_the_nearest_point_and_slides_to_another():
    points, head = approach(np.array([1.0]))
    seen = np.ones((1, 2), bool)
    found = nearness(points, seen, head, np.ones((1, 1), bool), unit=7.0)
    np.testing.assert_allclose(found.place, [(1.0, 0.0)], atol=1e-4)
    # Two fingers change roles as nearest: the place goes over smoothly.
    turn = np.linspace(-1, 1, 101)
    fingers = np.zeros((101, 2, 2))
    fingers[:, 0] = np.stack([np.full(101, 5.0), 3 + turn], -1)
    fingers[:, 1] = np.stack([np.full(101, 5.0), -3 + turn], -1)
    seen, origin = np.ones((101, 2), bool), np.zeros((101, 1, 2))
    slide = nearness(fingers, seen, origin, np.ones((101, 1), bool), unit=7.0)
    assert np.abs(np.diff(slide.place[:, 1])).max() < 0.3
    assert slide.place[0, 1] > 0 > slide.place[-1, 1]


def test_hidden_points_do_not_count():
    points, head = approach(np.array([1.0, 1.0, 1.0]))
    seen = np.array([[True, True], [False, True], [False, False]])
    found = nearness(points, seen, head, np.ones((3, 1), bool), unit=10.0)
    np.testing.assert_array_equal(found.known, [True, True, False])
    np.testing.assert_allclose(found.place[:, 0], [1, 11, 0], atol=1e-3)
    assert found.weight[2] == 0
    assert not nearness(points, seen, head, np.zeros((3, 1), bool), unit=10.0).known.any()
    empty = nearness(points[:, :0], seen[:, :0], head, np.ones((3, 1), bool), unit=10.0)
    assert not empty.known.any()


def test_held_bridges_what_is_unknown():
    values = np.array([[0.0, 0], [2, 4], [9, 9], [4, 8]])
    known = np.array([False, True, False, True])
    np.testing.assert_allclose(held(values, known), [(2, 4), (2, 4), (3, 6), (4, 8)])
    assert (held(values, np.zeros(4, bool)) == 0).all()
