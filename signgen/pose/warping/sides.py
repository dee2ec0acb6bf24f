"""Where the sides of a trunk are, also where an arm hides them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from signgen.pose.warping.figure import Array, Figure

__all__ = ["beyond_sides"]

Mask = NDArray[np.bool_]

_GAP = 2
"""Pixels beside a side at which the background must be seen."""


def beyond_sides(figure: Figure, seen: Mask, person: Mask) -> Mask:
    """Mark what lies beside the trunk, from shoulders to hips, judged by where its sides are seen.

    A side is seen in a row where the background is next to the trunk. Between such rows, where an
    arm hides it, it goes on straight; beyond the first and the last of them nothing is marked.

    Args:
        figure: Key points in pixels.
        seen: (H, W) where the trunk is seen.
        person: (H, W) where the person is.
    """
    beyond = np.zeros(seen.shape, np.bool_)
    shoulders, hips = figure.side("shoulder"), figure.side("hip")
    if shoulders is None or hips is None:
        return beyond
    (top_x, top), (low_x, low) = shoulders.mean(axis=0), hips.mean(axis=0)
    rows = np.arange(max(0, math.ceil(top)), min(seen.shape[0], math.floor(low)))
    middle = np.interp(rows, [top, low], [top_x, low_x]).round().astype(int)
    columns = np.arange(seen.shape[1])
    for outward in (-1, 1):
        edges = _edges(rows, middle, outward, seen, person)
        known = np.flatnonzero(~np.isnan(edges))
        if len(known) < 2:
            continue
        between = np.arange(known[0], known[-1] + 1)
        straight = np.interp(between, known, edges[known])
        beyond[rows[between]] |= (columns - straight[:, None]) * outward > 0
    return beyond


def _edges(
    rows: NDArray[np.int_], middle: NDArray[np.int_], outward: int, seen: Mask, person: Mask
) -> Array:
    """Return the last column (R,) of the trunk in rows; NaN where it is not seen to end there."""
    edges = np.full(len(rows), np.nan)
    width = seen.shape[1]
    for index, (row, start) in enumerate(zip(rows.tolist(), middle.tolist(), strict=True)):
        found = np.flatnonzero(seen[row])
        found = found[(found - start) * outward >= 0]
        if not len(found):
            continue
        edge = int(found[-1] if outward > 0 else found[0])
        after = edge + outward * _GAP
        if 0 <= after < width and not person[row, after]:
            edges[index] = edge
    return edges
