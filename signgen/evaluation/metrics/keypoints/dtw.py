"""Dynamic time warping of two sequences of key points, exact, without their matrix of distances."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["warping_path_cost"]

Costs = Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float64]]


def warping_path_cost(costs: Costs, length: int, other_length: int) -> tuple[float, int]:
    """Return the cost of the cheapest warping path, and the number of its cells.

    Sakoe & Chiba 1978, symmetric steps of weight 1, without a band: (i - 1, j - 1), (i - 1, j) or
    (i, j - 1) come before (i, j); the diagonal is taken where several are as cheap. Computed along
    anti-diagonals, whose cells depend on the two before only: T + U steps of NumPy and memory for
    three diagonals.

    Args:
        costs: Costs of cells, given the numbers (n,) of frames in both sequences.
        length: T, frames of the one sequence, at least 1.
        other_length: U, frames of the other, at least 1.
    """
    # Slot i + 1 holds row i of a diagonal; slot 0 stays infinite, but for the cell before (0, 0).
    totals = [np.full(length + 1, np.inf) for _ in range(2)]
    counts = [np.zeros(length + 1, np.int64) for _ in range(2)]
    totals[0][0] = 0
    for diagonal in range(length + other_length - 1):
        rows = np.arange(max(0, diagonal - other_length + 1), min(diagonal, length - 1) + 1)
        before = np.stack([totals[0][rows], totals[1][rows], totals[1][rows + 1]])
        taken = before.argmin(axis=0)
        cells = np.stack([counts[0][rows], counts[1][rows], counts[1][rows + 1]])
        total, count = np.full(length + 1, np.inf), np.zeros(length + 1, np.int64)
        place = np.arange(len(rows))
        total[rows + 1] = before[taken, place] + costs(rows, diagonal - rows)
        count[rows + 1] = cells[taken, place] + 1
        totals, counts = [totals[1], total], [counts[1], count]
    return float(totals[1][-1]), int(counts[1][-1])
