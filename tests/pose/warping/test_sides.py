"""Sides of a trunk, seen and hidden."""

from __future__ import annotations

import numpy as np

from signgen.pose.warping.figure import Figure
from signgen.pose.warping.sides import beyond_sides


def test_a_hidden_side_of_the_trunk_goes_on_straight(doll):
    figure = Figure.of(doll.poses.keypoints[0], doll.poses.confidence[0], doll.poses.skeleton)
    top, low = (int(figure.side(name)[:, 1].mean()) for name in ("shoulder", "hip"))
    middle = int(figure.side("shoulder")[:, 0].mean())
    rows, columns = np.mgrid[: doll.picture.shape[0], : doll.picture.shape[1]]
    # A trunk that tapers from 30 to 20 pixels on both sides, and an arm before its right side
    half = np.interp(rows, [top, low], [30, 20])
    trunk = np.abs(columns - middle) <= half
    arm = (columns < middle - 10) & (columns > middle - 60) & (rows > top + 30) & (rows < low - 20)
    beyond = beyond_sides(figure, trunk & ~arm, trunk | arm)
    between = (rows > top + 2) & (rows < low - 2)
    off = np.abs(np.abs(columns - middle) - half)
    assert (beyond == ~trunk)[between & (off > 1.5)].all()
    assert not beyond[~between & ((rows < top - 1) | (rows > low + 1))].any()
    # Where nothing shows a side, nothing is marked there
    hidden = beyond_sides(figure, trunk & (columns > middle), trunk | (columns <= middle))
    assert not hidden[:, :middle].any()
