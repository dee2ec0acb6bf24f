"""Dynamic time warping against the textbook's double loop."""

from __future__ import annotations

import numpy as np
import pytest

from signgen.evaluation.metrics.keypoints.dtw import warping_path_cost


def textbook(costs: np.ndarray) -> tuple[float, int]:
    """Every cell after the other, with (cost, length) of the cheapest path to it."""
    best: dict[tuple[int, int], tuple[float, int]] = {(-1, -1): (0.0, 0)}
    for i, j in np.ndindex(*costs.shape):
        before = [(i - 1, j - 1), (i - 1, j), (i, j - 1)]
        total, count = min((best[c] for c in before if c in best), key=lambda found: found[0])
        best[i, j] = total + costs[i, j], count + 1
    return best[costs.shape[0] - 1, costs.shape[1] - 1]


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (7, 1), (5, 5), (9, 4), (4, 13)])
def test_cost_and_length_are_the_textbook_s(shape: tuple[int, int]) -> None:
    for seed in range(5):
        costs = np.random.default_rng(seed).uniform(0, 1, shape)
        found = warping_path_cost(lambda rows, columns, c=costs: c[rows, columns], *shape)
        assert found == (pytest.approx(textbook(costs)[0]), textbook(costs)[1])


def test_the_diagonal_is_taken_where_all_paths_are_as_cheap() -> None:
    assert warping_path_cost(lambda rows, _: np.zeros(len(rows)), 6, 6) == (0, 6)


def test_a_sequence_that_waits_costs_nothing() -> None:
    one = np.array([0.0, 1, 2, 3, 4])
    other = np.array([0.0, 0, 0, 1, 2, 2, 3, 4, 4])
    cost, length = warping_path_cost(lambda i, j: np.abs(one[i] - other[j]), 5, 9)
    assert (cost, length) == (0, 9)
