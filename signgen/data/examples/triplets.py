"""Which frames make an example: training triplets, and the pairs of the test protocol.

All are pure functions of the seed of a run and a number from 0, so that examples depend neither on
workers nor processes nor on where a run was interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from signgen.structures import FrameRef, Record, Triplet

__all__ = ["draw", "draw_clip", "first_frame_pairs", "shuffled", "vary", "with_few_sources"]

# Streams of random numbers that must not repeat each other: one for each use.
_DRAW, _VARY, _SHUFFLE, _GROUP, _CLIP = 0, 1, 2, 3, 4


def draw(
    records: Sequence[Record],
    seed: int,
    index: int,
    identity_rate: float = 0.05,
    min_distance: int = 1,
    targets_per_record: int = 1,
) -> Triplet:
    """Draw pair number `index`: a record, then two frames of it.

    FPDM draws 100,000 pairs of PHOENIX-2014T within videos; its law is not published. Here every
    record, and every target frame of it, is equally probable.

    Args:
        records: Records to draw from.
        seed: Seed of the run.
        index: Number of the pair.
        identity_rate: Probability that the source is the target itself (FPDM, data pipeline of
            stage 2).
        min_distance: Least number of frames between source and target; where a record is too short
            for it, its farthest frames.
        targets_per_record: Consecutive pairs of one record and one source, with different targets
            where it has so many frames: in a contrastive batch they tell apart poses, not signers,
            and no picture is both a target and another pair's source.

    Returns:
        Source and target of one record; they differ unless it is an identity pair or has one frame.
    """
    rng = np.random.default_rng((seed, _DRAW, index))
    if targets_per_record > 1:
        # Record, source and the order of targets belong to the group of pairs
        group = np.random.default_rng((seed, _GROUP, index // targets_per_record))
        record = records[int(group.integers(len(records)))]
        source, *others = (int(frame) for frame in group.permutation(record.num_frames))
        least = min(min_distance, max((abs(other - source) for other in others), default=0))
        targets = [other for other in others if abs(other - source) >= least] or [source]
        target = targets[index % targets_per_record % len(targets)]
        if rng.random() < identity_rate:
            source = target
        return Triplet(FrameRef(record, source), FrameRef(record, target))
    record = records[int(rng.integers(len(records)))]
    count = record.num_frames
    target = int(rng.integers(count))
    # Frames far enough before and after the target
    least = max(1, min(min_distance, max(target, count - 1 - target)))
    before, after = max(0, target - least + 1), max(0, count - target - least)
    source = target
    if count > 1 and rng.random() >= identity_rate:
        place = int(rng.integers(before + after))
        source = place if place < before else target + least + place - before
    return Triplet(FrameRef(record, source), FrameRef(record, target))


def draw_clip(
    records: Sequence[Record], seed: int, index: int, frames: int, identity_rate: float = 0.05
) -> Triplet:
    """Draw pair number `index`, where pairs from a multiple of `frames` on are a clip.

    Their targets are consecutive frames of one record, and their source is one frame of it.

    Args:
        records: Records to draw from, of `frames` frames at least.
        seed: Seed of the run.
        index: Number of the pair.
        frames: Frames of a clip.
        identity_rate: Probability that the source is the first target.
    """
    clip, member = divmod(index, frames)
    rng = np.random.default_rng((seed, _CLIP, clip))
    record = records[int(rng.integers(len(records)))]
    first = int(rng.integers(record.num_frames - frames + 1))
    source = int(rng.integers(record.num_frames))
    if rng.random() < identity_rate:
        source = first
    return Triplet(FrameRef(record, source), FrameRef(record, first + member))


def with_few_sources(pair: Triplet, count: int) -> Triplet:
    """Take the source from one of `count` frames spread evenly over its record; 0 changes nothing.

    Identity pairs stay as they are.
    """
    source, record = pair.source, pair.source.record
    if not 0 < count < record.num_frames or source == pair.target:
        return pair
    part = source.index * count // record.num_frames
    return Triplet(FrameRef(record, (2 * part + 1) * record.num_frames // (2 * count)), pair.target)


def vary(pair: Triplet, seed: int, position: int, identity_rate: float = 0.05) -> Triplet:
    """Turn a share of listed pairs into identity pairs, as FPDM does: other ones in every epoch.

    Half of them show the source, half the target.
    """
    chance = np.random.default_rng((seed, _VARY, position)).random()
    if chance < identity_rate / 2:
        return Triplet(pair.source, pair.source)
    return Triplet(pair.target, pair.target) if chance < identity_rate else pair


def shuffled(count: int, seed: int, position: int) -> int:
    """Return which of `count` pairs is example number `position` of a run.

    Every epoch, that is every `count` examples, has each pair once, in an order of its own.
    """
    return int(_permutation(count, seed, position // count)[position % count])


@lru_cache(maxsize=4)
def _permutation(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, _SHUFFLE, epoch)).permutation(count)


def first_frame_pairs(records: Iterable[Record]) -> Iterator[Triplet]:
    """Yield the pairs of FPDM's test protocol on videos.

    The first frame of each video is the source, every frame of it (the first one too) a target:
    64,627 pairs for the test split of PHOENIX-2014T.
    """
    for record in records:
        for index in range(record.num_frames):
            yield Triplet(FrameRef(record, 0), FrameRef(record, index))
