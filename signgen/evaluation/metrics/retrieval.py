"""Retrieval: is the embedding that was predicted for a target nearest to that target's own?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.metrics.score import Mean, Score, mean_score

RECALLS = (1, 3, 5)
"""Numbers of places that FPDM's Table 2 counts."""
TIE = 1e-6
"""Cosine similarities nearer than this are equal: the rounding of an encoder in 32 bits."""
CHUNK = 256
"""Queries compared at a time; the result does not depend on it."""


def target_ranks(
    queries: NDArray[np.floating],
    gallery: NDArray[np.floating],
    targets: NDArray[np.integer],
    left_out: NDArray[np.integer] | None = None,
    *,
    chunk: int = CHUNK,
) -> NDArray[np.int64]:
    """Rank the true target of every query among the gallery, by cosine similarity, from 1.

    Ties count against the query: the rank is the number of pictures at least as similar as the
    target, itself included, so that an encoder which embeds all pictures alike is never right.
    The paper says neither this nor what its gallery is.

    Args:
        queries: (Q, E) finite embeddings of any length but 0.
        gallery: (G, E) the same, every picture once.
        targets: (Q,) row of the gallery that is the target of each query.
        left_out: (Q,) row that each query does not compete with, such as its own source; none if
            not given.
        chunk: Queries compared at a time: chunk x G similarities are in memory.

    Returns:
        (Q,) ranks, 1 to G, or to G - 1 where a row is left out.
    """
    pictures = _unit(gallery).T
    ranks = np.empty(len(queries), np.int64)
    for start in range(0, len(queries), chunk):
        part = slice(start, start + chunk)
        similarities = _unit(queries[part]) @ pictures
        rows = np.arange(len(similarities))
        least = similarities[rows, targets[part]] - TIE
        ranks[part] = (similarities >= least[:, None]).sum(axis=1)
        if left_out is not None:
            ranks[part] -= similarities[rows, left_out[part]] >= least
    return ranks


def retrieval_scores(
    ranks: NDArray[np.int64], clips: Sequence[str], gallery: int, *settings: str
) -> list[Score]:
    """Return R@1, R@3, R@5 and the mean rank of FPDM's Table 2, with intervals over clips.

    Args:
        ranks: (Q,) rank of each query's target, from `target_ranks`.
        clips: Q names of the clips that the queries are from.
        gallery: Pictures that each query was compared with.
        settings: Further parts of the signature.

    Returns:
        Scores `r@1`, `r@3`, `r@5` (shares of the queries, 0 to 1) and `mean_rank` (1 to
        `gallery`); `n` is the number of queries, `gallery` is in the details.
    """
    recalls = [_score(f"r@{k}", ranks <= k, clips, gallery, settings) for k in RECALLS]
    return [*recalls, _score("mean_rank", ranks, clips, gallery, settings)]


def _score(
    name: str,
    values: NDArray[np.generic],
    clips: Sequence[str],
    gallery: int,
    settings: Sequence[str],
) -> Score:
    by_clip: dict[str, list[float]] = {}
    for clip, value in zip(clips, values.astype(np.float64), strict=True):
        by_clip.setdefault(clip, []).append(value)
    return mean_score(
        name,
        {clip: Mean.of(own) for clip, own in by_clip.items()},
        signature="|".join(
            (
                f"{name}|similarity:cosine|ties:worst-{TIE:g}|gallery:{gallery}",
                *settings,
                "mean:queries|version:1",
            )
        ),
        higher_is_better=name != "mean_rank",
        details={"gallery": float(gallery)},
    )


def _unit(embeddings: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return rows of length 1, in 64 bits: sums in another order then move no rank."""
    numbers = embeddings.astype(np.float64)
    unit: NDArray[np.float64] = numbers / np.linalg.norm(numbers, axis=1, keepdims=True)
    return unit
