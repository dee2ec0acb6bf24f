"""Retrieval: ranks with known answers, against a slow reference, and what scores say of them."""

from __future__ import annotations

import numpy as np
import pytest

from signgen.evaluation.metrics.retrieval import TIE, retrieval_scores, target_ranks


def embeddings(count: int, width: int = 16, seed: int = 0) -> np.ndarray:
    """Directions drawn alike over the sphere, of different lengths."""
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(count, width)) * rng.uniform(0.1, 10, (count, 1))
    return drawn.astype(np.float32)


def slow_rank(query: np.ndarray, gallery: np.ndarray, target: int, left_out: int | None) -> int:
    """The definition, a picture at a time."""

    def similarity(index: int) -> float:
        one, other = query.astype(float), gallery[index].astype(float)
        return float(one @ other / np.sqrt((one @ one) * (other @ other)))

    own = similarity(target)
    rank = 1
    for index in range(len(gallery)):
        if index not in {target, left_out}:
            rank += similarity(index) >= own - TIE
    return rank


def values(ranks: np.ndarray, gallery: int = 9) -> dict[str, float]:
    clips = [f"clip{index}" for index in range(len(ranks))]
    return {score.name: score.value for score in retrieval_scores(ranks, clips, gallery)}


def test_orthonormal_embeddings_have_the_ranks_they_were_made_for() -> None:
    gallery = np.eye(4)
    # Similarity falls from the first to the last picture.
    query = np.array([[0.8, 0.5, 0.3, 0.1]])
    for target in range(4):
        assert target_ranks(query, gallery, np.array([target])).tolist() == [target + 1]
    left_out = target_ranks(query, gallery, np.array([2]), np.array([0]))
    assert left_out.tolist() == [2], "a more similar picture is gone"
    assert target_ranks(query, gallery, np.array([2]), np.array([3])).tolist() == [3]


@pytest.mark.parametrize("noise", [0.0, 1e-8])
def test_embedding_everything_alike_is_never_right(noise: float) -> None:
    gallery = np.ones((9, 16)) + noise * np.random.default_rng(0).normal(size=(9, 16))
    ranks = target_ranks(gallery, gallery, np.arange(9))
    assert (ranks == 9).all()
    without = target_ranks(gallery[1:], gallery, np.arange(1, 9), np.zeros(8, int))
    assert (without == 8).all()
    assert values(ranks)["r@1"] == values(ranks)["r@5"] == 0


def test_ranks_equal_a_slow_reference_whatever_the_chunk() -> None:
    gallery = embeddings(41, 8, 1)
    gallery[7], gallery[20] = gallery[3], 2 * gallery[3]  # ties
    rng = np.random.default_rng(2)
    targets = rng.integers(0, 41, 60)
    targets[:6] = (3, 7, 20, 3, 7, 20)
    queries = (gallery[targets] + 5 * rng.normal(size=(60, 8))).astype(np.float32)
    left_out = (targets + rng.integers(1, 41, 60)) % 41
    rows = list(zip(queries, targets, left_out, strict=True))
    expected = [
        [slow_rank(query, gallery, target, None) for query, target, _ in rows],
        [slow_rank(query, gallery, target, other) for query, target, other in rows],
    ]
    assert len(set(expected[0])) > 5, "the example tells nothing"
    assert expected[0] != expected[1]
    for chunk in (1, 7, 59, 60, 1000):
        kept = target_ranks(queries, gallery, targets, chunk=chunk)
        without = target_ranks(queries, gallery, targets, left_out, chunk=chunk)
        assert [kept.tolist(), without.tolist()] == expected


def test_scores_count_ranks_and_say_what_they_are() -> None:
    ranks = np.array([1, 2, 3, 5, 9, 1])
    clips = ["a", "a", "b", "b", "c", "c"]
    scores = retrieval_scores(ranks, clips, 9, "own-source:kept")
    assert [score.name for score in scores] == ["r@1", "r@3", "r@5", "mean_rank"]
    assert [score.value for score in scores] == pytest.approx([2 / 6, 4 / 6, 5 / 6, 21 / 6])
    assert [score.higher_is_better for score in scores] == [True, True, True, False]
    for score in scores:
        assert score.n == 6
        assert score.details["gallery"] == 9
        assert score.ci95 is not None
        assert score.ci95[0] <= score.value <= score.ci95[1]
        assert "gallery:9|own-source:kept" in score.signature
    assert scores[0].per_clip == {"a": 0.5, "b": 0.0, "c": 0.5}
    assert scores[3].per_clip == {"a": 1.5, "b": 4.0, "c": 5.0}
