"""FID, KID and FVD: how far the set of generated frames lies from a set of real ones.

These scores have no interval: a resample of clips repeats frames, which lowers the rank and the
number of different frames, and FID depends on that number; so the interval would not even hold the
score. A resample would also cost one decomposition of a 2048 x 2048 matrix. KID does not depend on
the number of frames and gives its deviation over subsets instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.metrics.base import FrameSizes, Score, check_frames, join_signature
from signgen.evaluation.metrics.features.set_distances import (
    FeatureStatistics,
    Moments,
    frechet_distance,
    kernel_distance,
)
from signgen.evaluation.metrics.frame_sets import NewFrames, Sample
from signgen.evaluation.metrics.networks import FeatureExtractor, Missing
from signgen.structures import PoseSequence

__all__ = ["FID", "FVD", "KID", "gather_statistics"]

VERSION = "1"
"""Version of the definitions in this file; part of every signature."""
WINDOW = 16
"""Frames of a stack that FVD looks at."""
KEPT = 5_000
"""Features of each set that KID keeps: 40 MB at 2048 numbers a frame."""

Frames = NDArray[np.uint8]
Reference = Literal["reference", "unique-reference"]
"""Which reference frames make up the real set."""


def gather_statistics(
    parts: Iterable[Frames], extractor: FeatureExtractor, frames: str = ""
) -> FeatureStatistics:
    """Return the statistics of a real set, for `FID` and for `save_statistics`.

    Args:
        parts: (T, H, W, 3) uint8 frames, in any number of parts.
        extractor: Network.
        frames: What was done to the frames before, as a part of a signature:
            `resize:pillow-bicubic-256x176`.
    """
    moments = Moments()
    for part in parts:
        moments.add(extractor(part))
    signature = [extractor.signature, frames] if frames else [extractor.signature]
    return moments.statistics(join_signature(*signature))


class FID:
    """Frechet inception distance: Heusel et al. 2017. Lower is better.

    Args:
        extractor: Network, or what is missing; then nothing is measured, and the score says why.
        real: Statistics of the real set; or `reference` for the reference frames, so that equal
            folders have distance 0; or `unique-reference` for those with equal ones once, which is
            FPDM's FID*, where pairs share targets.
        name: Name of the metric; None for `fid` with statistics and `fid_star` without.
    """

    def __init__(
        self,
        extractor: FeatureExtractor | Missing,
        real: FeatureStatistics | Reference = "reference",
        *,
        name: str | None = None,
    ) -> None:
        given = isinstance(real, FeatureStatistics)
        if isinstance(real, FeatureStatistics) and isinstance(extractor, FeatureExtractor):
            _check_same(real, extractor)
        self.name = name or ("fid" if given else "fid_star")
        self.latest: NDArray[np.float64] | None = None
        self._extractor, self._source = extractor, "given" if given else real
        self._generated = Moments()
        self._real = real if isinstance(real, FeatureStatistics) else Moments()
        self._new = NewFrames()
        self._sizes = FrameSizes()

    def update(
        self,
        generated: Frames,
        reference: Frames,
        poses: PoseSequence | None = None,
        *,
        clip: str = "",
    ) -> None:
        """Take frames of one clip; see `Metric.update`. Poses are not used."""
        check_frames(generated, reference)
        self._sizes.add(generated)
        if isinstance(self._extractor, Missing):
            return
        self._generated.add(self._extractor(generated))
        if self._source == "unique-reference":
            reference = self._new.among(reference)
        if isinstance(self._real, Moments) and len(reference):
            self._real.add(self._extractor(reference))

    def compute(self) -> Score:
        """Return the distance; details: `real`, `dimensions`, `rank_deficient` (see `_frechet`)."""
        return _frechet(
            self.name,
            self._extractor,
            self._generated,
            self._real,
            (f"real:{self._source}", f"size:{self._sizes}", f"version:{VERSION}"),
            "frames",
        )


class FVD:
    """Frechet video distance: Unterthiner et al. 2018. Lower is better.

    FID over stacks of 16 neighbouring frames that do not overlap; frames at the end of a clip that
    make no full stack are left out and counted. The real set are the stacks of the reference.

    Args:
        extractor: Network that takes (N, 16, H, W, 3) stacks, or what is missing.
    """

    name = "fvd"

    def __init__(self, extractor: FeatureExtractor | Missing) -> None:
        self.latest: NDArray[np.float64] | None = None
        self._extractor = extractor
        self._generated, self._real = Moments(), Moments()
        self._sizes = FrameSizes()
        self._clip = ""
        self._waiting: list[tuple[Frames, Frames]] = []
        self._dropped = 0

    def update(
        self,
        generated: Frames,
        reference: Frames,
        poses: PoseSequence | None = None,
        *,
        clip: str = "",
    ) -> None:
        """Take frames of one clip; see `Metric.update`. Poses are not used."""
        check_frames(generated, reference)
        self._sizes.add(generated)
        if isinstance(self._extractor, Missing):
            return
        if clip != self._clip:
            self._dropped += len(self._waiting)
            self._clip, self._waiting = clip, []
        for pair in zip(generated, reference, strict=True):
            self._waiting.append((pair[0].copy(), pair[1].copy()))
            if len(self._waiting) == WINDOW:
                for moments, frames in zip(
                    (self._generated, self._real), zip(*self._waiting, strict=True), strict=True
                ):
                    moments.add(self._extractor(np.stack(frames)[None]))
                self._waiting = []

    def compute(self) -> Score:
        """Return the distance; details: `dropped` frames, and those of FID."""
        return _frechet(
            self.name,
            self._extractor,
            self._generated,
            self._real,
            (f"stacks:{WINDOW}", "real:reference", f"size:{self._sizes}", f"version:{VERSION}"),
            f"stacks of {WINDOW} frames",
            {"dropped": float(self._dropped + len(self._waiting))},
        )


class KID:
    """Kernel inception distance: Binkowski et al. 2018. Lower is better; may be below 0.

    The real set are the reference frames. Of more than `kept` frames a random
    choice is kept, so that memory does not grow; it does not depend on how the frames come.

    Args:
        extractor: Network, or what is missing; then nothing is measured, and the score says why.
        subsets: Number of random subsets.
        size: Frames of each set in a subset, at most.
        seed: Seed of the subsets, and of the choice.
        kept: Features kept of each set.
    """

    name = "kid"

    def __init__(
        self,
        extractor: FeatureExtractor | Missing,
        *,
        subsets: int = 100,
        size: int = 1000,
        seed: int = 0,
        kept: int = KEPT,
    ) -> None:
        self.latest: NDArray[np.float64] | None = None
        self._extractor = extractor
        self._subsets, self._size, self._seed = subsets, size, seed
        self._generated, self._real = Sample(kept, seed), Sample(kept, seed)
        self._sizes = FrameSizes()

    def update(
        self,
        generated: Frames,
        reference: Frames,
        poses: PoseSequence | None = None,
        *,
        clip: str = "",
    ) -> None:
        """Take frames of one clip; see `Metric.update`. Poses are not used."""
        check_frames(generated, reference)
        self._sizes.add(generated)
        if isinstance(self._extractor, Missing):
            return
        self._generated.add(self._extractor(generated))
        self._real.add(self._extractor(reference))

    def compute(self) -> Score:
        """Return the distance; details: `real` frames, and the `deviation` over subsets."""
        counts = (self._generated.count, self._real.count)
        value, deviation = None, None
        if min(counts) >= 2:
            value, deviation = kernel_distance(
                self._generated.features(),
                self._real.features(),
                subsets=self._subsets,
                size=self._size,
                seed=self._seed,
            )
        return Score(
            name=self.name,
            value=value,
            ci95=None,
            n=counts[0],
            higher_is_better=False,
            signature=join_signature(
                self.name,
                _network(self._extractor),
                "real:reference",
                f"subsets:{self._subsets}x{self._size}",
                f"seed:{self._seed}",
                f"size:{self._sizes}",
                f"version:{VERSION}",
            ),
            per_clip={},
            details={"real": float(counts[1]), "deviation": deviation},
            unavailable=_why_not(self._extractor, counts, "frames"),
        )


# ----- what they share ----------------------------------------------------------------------------


def _frechet(
    name: str,
    extractor: FeatureExtractor | Missing,
    generated: Moments,
    real: Moments | FeatureStatistics,
    signature: tuple[str, ...],
    items: str,
    details: dict[str, float] | None = None,
) -> Score:
    """Return a Frechet distance as a score.

    `rank_deficient` is 1 where a set has no more items than features have numbers: its covariance
    then lacks directions, and the distance depends on the number of items more than usual.
    """
    counts, width = (generated.count, real.count), generated.width
    value = None
    if min(counts) >= 2:
        statistics = real.statistics("") if isinstance(real, Moments) else real
        value = frechet_distance(generated.statistics(""), statistics)
    return Score(
        name=name,
        value=value,
        ci95=None,
        n=counts[0],
        higher_is_better=False,
        signature=join_signature(name, _network(extractor), *signature),
        per_clip={},
        details={
            "real": float(counts[1]),
            "dimensions": float(width),
            "rank_deficient": float(min(counts) <= width),
            **(details or {}),
        },
        unavailable=_why_not(extractor, counts, items),
    )


def _why_not(extractor: FeatureExtractor | Missing, counts: tuple[int, int], items: str) -> str:
    """Return why there is no score, or nothing."""
    if isinstance(extractor, Missing):
        return extractor.reason
    if min(counts) < 2:
        return f"needs at least 2 generated and 2 real {items}, got {counts[0]} and {counts[1]}"
    return ""


def _network(extractor: FeatureExtractor | Missing) -> str:
    return "net:none" if isinstance(extractor, Missing) else extractor.signature


def _check_same(real: FeatureStatistics, extractor: FeatureExtractor) -> None:
    """Refuse a real set whose features another network made."""
    if not f"{real.signature}|".startswith(f"{extractor.signature}|"):
        raise ValueError(
            f"real set of {real.signature!r}; expected features of {extractor.signature!r}"
        )
