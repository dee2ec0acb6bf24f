"""Training triplets: which source and target frames make example number `position`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from signgen.structures import FrameRef, Record, Triplet


def draw(
    records: Sequence[Record], seed: int, position: int, identity_rate: float = 0.05
) -> Triplet:
    """Draw example `position`: a record, then two frames of it.

    A pure function of its arguments, so that the order of training does not depend on workers,
    processes or where a run was interrupted.

    Args:
        records: Records to draw from, each with equal probability.
        seed: Seed of the run.
        position: Number of the example, counted from 0 over the whole run.
        identity_rate: Probability that the source is the target itself (FPDM, data pipeline of
            stage 2).

    Returns:
        Source and target of one record; they differ unless it is an identity pair or has one frame.
    """
    rng = np.random.default_rng((seed, position))
    record = records[int(rng.integers(len(records)))]
    target = int(rng.integers(record.num_frames))
    source = target
    if record.num_frames > 1 and rng.random() >= identity_rate:
        source = (target + 1 + int(rng.integers(record.num_frames - 1))) % record.num_frames
    return Triplet(FrameRef(record, source), FrameRef(record, target))
