"""Maps at the sizes of a feature pyramid."""

from __future__ import annotations

import numpy as np

from signgen.pose.warping import WarpMaps


def maps(size: tuple[int, int]) -> WarpMaps:
    plane = np.linspace(0, 1, size[0] * size[1], dtype=np.float32).reshape(size)
    flow = np.broadcast_to(np.float32([8, -4]), (*size, 2)).copy()
    part = np.zeros(size, np.uint8)
    part[:, size[1] // 2 :] = 3
    return WarpMaps(plane, 1 - plane, plane, flow, part, part > 0)


def test_flow_is_told_in_pixels_of_the_new_size():
    less = maps((32, 24)).resized((8, 12))
    np.testing.assert_allclose(less.flow, np.broadcast_to((4, -1), (8, 12, 2)))
    assert less.flow.dtype == np.float32


def test_masks_are_averaged_and_parts_are_chosen():
    whole = maps((32, 24))
    less = whole.resized((8, 6))
    blocks = whole.moved.reshape(8, 4, 6, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(less.moved, blocks, atol=1e-6)
    assert set(np.unique(less.part)) == {0, 3}
    np.testing.assert_array_equal(less.valid, less.part > 0)


def test_the_same_size_changes_nothing():
    whole = maps((17, 23))
    same = whole.resized((17, 23))
    for name in ("moved", "holes", "pasted", "flow", "part", "valid"):
        np.testing.assert_array_equal(getattr(same, name), getattr(whole, name))
