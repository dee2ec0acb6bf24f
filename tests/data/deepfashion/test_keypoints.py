"""Frames of DeepFashion's key points, and their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from signgen.data.deepfashion.keypoints import (
    RawKeyPoints,
    choose_frame,
    has_torso,
    read_keypoints,
    share_outside,
    to_unit,
)
from signgen.structures import UserError
from tests.material import deepfashion_trees as trees

NAMES = {view.name for view in trees.views()}
NAME = trees.views()[0].name


def raw(rows: np.ndarray, place: Path = Path("fasion-annotation-train.csv")) -> RawKeyPoints:
    return RawKeyPoints((place,), {NAME: rows}, {})


def spread(low: float, high: float) -> np.ndarray:
    return np.stack([np.linspace(low, high, 18), np.linspace(low, high, 18)], axis=1)


def test_frame_is_told_by_values_and_kind_of_file(tmp_path: Path) -> None:
    missing = spread(50, 190)
    missing[3] = -1  # says nothing
    resized = Path("fasion-resize-annotation-test.csv")
    for rows, place, frame in (
        (spread(0.1, 1.2), Path("a.csv"), "unit"),
        (spread(45, 180), Path("a.csv"), "padded256"),
        (spread(3, 150), Path("a.csv"), "256x176"),
        (missing, Path("a.csv"), "padded256"),
        (spread(50, 150), resized, "256x176"),
        (spread(50, 150), tmp_path, "padded256"),  # a folder of texts
        (spread(0, 1), tmp_path, "unit"),
    ):
        assert choose_frame(raw(rows, place)) == frame
    with pytest.raises(UserError, match=r"50 to 150.*--keypoint-frame"):
        choose_frame(raw(spread(50, 150)))


def test_corners_of_the_picture_are_0_and_1() -> None:
    corners = np.array([(40.0, 0.0), (216.0, 256.0), (128.0, 64.0), (-1.0, -1.0), (60.0, -1.0)])
    unit, visible = to_unit(corners, "padded256")
    np.testing.assert_allclose(unit, [(0, 0), (1, 1), (0.5, 0.25), (0, 0), (0, 0)])
    assert visible.tolist() == [True, True, True, False, False]
    unit, visible = to_unit(corners - (40, 0), "256x176")
    np.testing.assert_allclose(unit[1:3], [(1, 1), (0.5, 0.25)])
    # In the left margin is outside, not missing.
    unit, visible = to_unit(np.array([(39.0, 10.0)]), "padded256")
    assert visible.all()
    assert unit[0, 0] < 0


def test_one_joint_of_a_hundred_may_be_outside() -> None:
    assert share_outside(raw(spread(60, 200)), "padded256") == 0
    with pytest.raises(UserError, match=r"\d+ of 18 visible joints .* frame 256x176"):
        share_outside(raw(spread(60, 200)), "256x176")
    many = {view.name: view.joints.astype(float).copy() for view in trees.views()}
    visible = sum(int((rows >= 0).all(axis=1).sum()) for rows in many.values())
    assert visible == 13 * 14 - 2
    many[NAME][0] = (200, 10)
    points = RawKeyPoints((Path("a"),), many, {})
    assert share_outside(points, "256x176") == pytest.approx(1 / visible)
    many[NAME][1:3] = (200, 10)
    with pytest.raises(UserError, match="3 of"):
        share_outside(points, "256x176")


def test_torso_wants_all_four_joints() -> None:
    rows = np.ones((18, 2))
    assert has_torso(rows)
    for joint in (2, 5, 8, 11):
        spoilt = rows.copy()
        spoilt[joint, 1] = -1
        assert not has_torso(spoilt)
    rows[[0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 14, 15, 16, 17]] = -1
    assert has_torso(rows)


def test_table_has_y_before_x(tmp_path: Path) -> None:
    view = trees.views()[0]
    trees.write_table(tmp_path / "t.csv", [view], "patn-csv", "256x176")
    points = read_keypoints([tmp_path / "t.csv"], NAMES)
    np.testing.assert_array_equal(points.rows[view.name], view.joints)


def test_damaged_rows_are_told_by_name_and_foreign_ones_skipped(tmp_path: Path) -> None:
    view, table = trees.views()[1], tmp_path / "t.csv"
    for line in (
        "NAME: [1, 2]: [3, 4]",
        "NAME: [[1]]: 7",
        "NAME: nonsense: [1]",
        "NAME",
        f"NAME: {[1] * 18}: {[1] * 17 + ['x']}",
        f"NAME: {[1] * 18}: {[1] * 17}, NaN]".replace("], NaN", ", NaN"),
        f"NAME: {[-1] * 18}: {[-1] * 18}",
        f"NAME: {[1] * 18}: {[1] * 18}: {[1] * 18}",
    ):
        trees.write_table(table, [view], "patn-csv", "256x176")
        with table.open("a") as file:
            file.write(line.replace("NAME", f"{NAME.flat()}.jpg") + "\nsomebody.jpg: [1]: [2]\n")
        points = read_keypoints([table], NAMES)
        assert (set(points.rows), set(points.faults)) == ({view.name}, {NAME}), line
        assert "t.csv" in points.faults[NAME]
        assert not read_keypoints([table], {view.name}).faults
    with pytest.raises(UserError, match="none of the listed pictures"):
        read_keypoints([table], set())
