"""FID, KID and FVD: how far the set of generated frames lies from a set of real ones.

These scores have no interval: a resample of clips repeats frames, which lowers the rank and the
number of different frames, and FID depends on that number; so the interval would not even hold the
score. A resample would also cost one decomposition of a 2048 x 2048 matrix. KID does not depend on
the number of frames and gives its deviation over subsets instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.metrics.base import Chunk, Results, Size, Values, size_text
from signgen.evaluation.metrics.features.accumulation import FeatureStatistics, Moments, Sample
from signgen.evaluation.metrics.features.set_distances import frechet_distance, kernel_distance
from signgen.evaluation.metrics.networks import FeatureExtractor, Unavailable
from signgen.evaluation.metrics.score import Score

__all__ = ["SetMetric", "fid", "fvd", "gather_statistics", "kid"]

STACK = 16
"""Frames of a stack that FVD looks at."""
KEPT = 5_000
"""Features of each set that KID keeps: 40 MB at 2048 numbers a frame."""

Frames = NDArray[np.uint8]
Network = FeatureExtractor | Unavailable
Reference = Literal["reference", "unique-reference"]
"""Which reference frames make up the real set."""
Distance = tuple[float | None, Mapping[str, float | None]]
"""A distance, None of too few items, and the details of its score."""


def gather_statistics(
    parts: Iterable[Frames], extractor: FeatureExtractor, frames: str = ""
) -> FeatureStatistics:
    """Return the statistics of a real set, for `fid` and for `save_statistics`.

    Args:
        parts: (T, H, W, 3) uint8 frames, in any number of parts.
        extractor: Network.
        frames: What was done to them before, for the signature: `resize:pillow-bicubic-256x176`.
    """
    moments = Moments()
    for part in parts:
        moments = moments.add(extractor(part))
    return moments.statistics("|".join(filter(None, (extractor.signature, frames))))


# ----- the metrics --------------------------------------------------------------------------------


def fid(
    network: Network,
    real: FeatureStatistics | Reference = "reference",
    *,
    name: str | None = None,
    full_batches: int = 0,
) -> SetMetric:
    """Return the Frechet inception distance: Heusel et al. 2017.

    Args:
        network: See `SetMetric`, as the rest.
        real: With `reference` equal folders have distance 0; with `unique-reference` it is FPDM's
            FID*, where pairs share targets.
        name: `fid` with statistics and `fid_star` without, if not given.
        full_batches: See `SetMetric`.
    """
    given = isinstance(real, FeatureStatistics)
    return SetMetric(
        name=name or ("fid" if given else "fid_star"),
        network=network,
        signature=f"real:{'given' if given else real}",
        real=real,
        full_batches=full_batches,
    )


def fvd(network: Network) -> SetMetric:
    """Return the Frechet video distance: Unterthiner et al. 2018.

    FID over stacks (16, H, W, 3) of neighbouring frames; the real set are those of the reference.
    """
    signature = f"stacks:{STACK}|real:reference"
    return SetMetric(name="fvd", network=network, signature=signature, stack=STACK)


def kid(
    network: Network, *, subsets: int = 100, size: int = 1000, seed: int = 0, kept: int = KEPT
) -> SetMetric:
    """Return the kernel inception distance: Binkowski et al. 2018; may be below 0.

    The real set are the reference frames. Of more than `kept` frames a random choice is kept, so
    that memory does not grow; it does not depend on how the frames come.
    """
    return SetMetric(
        name="kid",
        network=network,
        signature=f"real:reference|subsets:{subsets}x{size}|seed:{seed}",
        empty=Sample(kept, seed),
        distance=partial(_kernel, subsets=subsets, size=size, seed=seed),
    )


def _frechet(generated: Moments, real: Moments | FeatureStatistics) -> Distance:
    """Return the Frechet distance; details: `real` items, `dimensions`, `rank_deficient`.

    The last is 1 where a set has no more items than features have numbers: its covariance then
    lacks directions, and the distance depends on the number of items more than usual.
    """
    counts = generated.count, real.count
    details = {
        "real": float(real.count),
        "dimensions": float(generated.width),
        "rank_deficient": float(min(counts) <= generated.width),
    }
    if min(counts) < 2:
        return None, details
    statistics = real.statistics() if isinstance(real, Moments) else real
    return frechet_distance(generated.statistics(), statistics), details


def _kernel(generated: Sample, real: Sample, *, subsets: int, size: int, seed: int) -> Distance:
    """Return the kernel distance; details: `real` items, and the `deviation` over subsets."""
    value, deviation = None, None
    if min(generated.count, real.count) >= 2:
        value, deviation = kernel_distance(
            generated.features, real.features, subsets=subsets, size=size, seed=seed
        )
    return value, {"real": float(real.count), "deviation": deviation}


@dataclass(frozen=True, eq=False, kw_only=True)
class SetMetric:
    """A distance of all generated frames from a real set. Lower is better.

    Args:
        network: Makes the features, or why there is none.
        signature: Parts of the signature between those of network and size.
        real: The real set: statistics, all reference frames, or the different ones among them.
        empty: Gathers the features of a set.
        distance: From both sets to the distance and the details of the score.
        stack: Frames of an item, neighbours that do not overlap. Those at the end of a clip that
            make no full stack are left out: `dropped` in the details.
        full_batches: Where above 0, take items in batches of so many over all clips and leave the
            last incomplete one out: `left_out` in the details.
    """

    name: str
    network: Network
    signature: str
    real: FeatureStatistics | Reference = "reference"
    empty: Moments | Sample = field(default_factory=Moments)
    distance: Callable[..., Distance] = _frechet
    stack: int = 1
    full_batches: int = 0
    higher_is_better = False
    generated_only = False

    @property
    def context(self) -> int:
        """Frames before a chunk that it needs."""
        return self.stack - 1

    @property
    def unavailable(self) -> str:
        """Why there is no network; empty where there is one."""
        return self.network.reason

    def begin(self, clip: str, results: Results) -> _OpenSets:
        """Go on with the sets of the clips before."""
        if isinstance(self.network, Unavailable):
            raise ValueError(f"{self.name} {self.network.reason}")
        return _OpenSets(self, self.network, self._sets(results))

    def score(self, results: Results, sizes: Sequence[Size]) -> Score:
        """Return the distance."""
        sets = self._sets(results)
        value, details = self.distance(sets.generated, sets.real)
        if self.stack > 1:
            dropped = sets.frames - self.stack * sets.generated.count
            details = {**details, "dropped": float(dropped)}
        if self.full_batches:
            details = {**details, "left_out": float(len(sets.waiting))}
        items = "frames" if self.stack == 1 else f"stacks of {self.stack} frames"
        counts = f"{sets.generated.count} and {sets.real.count}"
        few = f"needs at least 2 generated and 2 real {items}, got {counts}"
        batches = f"|batches:full-{self.full_batches}" if self.full_batches else ""
        return Score(
            name=self.name,
            value=value,
            ci95=None,
            n=sets.generated.count,
            higher_is_better=False,
            signature=f"{self.name}|{self.network.signature}|{self.signature}"
            f"|size:{size_text(() if self.unavailable else sizes)}|version:1{batches}",
            per_clip={},
            details=details,
            unavailable=self.unavailable or (few if value is None else ""),
        )

    def _sets(self, results: Results) -> _Sets:
        """Return the sets so far, which all clips share."""
        real = self.real if isinstance(self.real, FeatureStatistics) else self.empty
        sets: _Sets = results.get("") or _Sets(self.empty, real)
        return sets


# ----- gathering ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sets:
    """What a set metric has gathered of all whole clips.

    Args:
        generated: Features of generated items.
        real: Features of the real set.
        frames: Generated frames that were seen.
        seen: Hashes of the reference frames that were seen, where equal ones count once.
        waiting: Features of generated items that make no full batch yet.
    """

    generated: Moments | Sample
    real: Moments | Sample | FeatureStatistics
    frames: int = 0
    seen: frozenset[bytes] = frozenset()
    waiting: tuple[NDArray[np.floating], ...] = ()


class _OpenSets:
    """The sets of a metric with the frames of one more clip."""

    def __init__(self, metric: SetMetric, network: FeatureExtractor, sets: _Sets) -> None:
        self._metric, self._network, self._sets = metric, network, sets
        self._start = 0

    def add(self, generated: Chunk, reference: Chunk) -> Values:
        """Take the next frames."""
        metric, sets = self._metric, self._sets
        ours, truth = (
            chunk.frames if metric.stack == 1 else _stacks(chunk, metric.stack, self._start)
            for chunk in (generated, reference)
        )
        self._start += len(generated.frames)
        if metric.real == "unique-reference":
            truth, seen = _new(truth, sets.seen)
            sets = replace(sets, seen=seen)
        if not isinstance(sets.real, FeatureStatistics) and len(truth):
            sets = replace(sets, real=sets.real.add(self._network(truth)))
        rows = (*sets.waiting, *(self._network(ours) if len(ours) else ()))
        full = len(rows) - len(rows) % max(metric.full_batches, 1)
        if full:
            sets = replace(sets, generated=sets.generated.add(np.stack(rows[:full])))
        frames = sets.frames + len(generated.frames)
        self._sets = replace(sets, waiting=rows[full:], frames=frames)
        return {}

    def results(self) -> dict[str, _Sets]:
        """Return the sets."""
        return {"": self._sets}


def _stacks(chunk: Chunk, size: int, start: int) -> Frames:
    """Return the (N, size, H, W, 3) stacks that end in a chunk; `start` frames are before it."""
    frames, count = chunk.preceded(size - 1), len(chunk.frames)
    ends = [len(frames) - count + t for t in range(count) if (start + t + 1) % size == 0]
    stacks = [np.stack(frames[end + 1 - size : end + 1]) for end in ends]
    return np.stack(stacks) if stacks else np.zeros((0, size, *chunk.frames.shape[1:]), np.uint8)


def _new(frames: Frames, seen: frozenset[bytes]) -> tuple[Frames, frozenset[bytes]]:
    """Return the frames that have not come before, by content, and the hashes of all so far."""
    first: dict[bytes, int] = {}
    for place, frame in enumerate(frames):
        first.setdefault(hashlib.blake2b(frame.tobytes(), digest_size=16).digest(), place)
    places = [place for key, place in first.items() if key not in seen]
    return frames[places], seen.union(first)
