"""What a metric is: it takes frames of clips and gives a score with an interval and a signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from signgen.structures import PoseSequence

RESAMPLES = 1000
"""Bootstrap resamples, as sacreBLEU's `--confidence`."""
BOOTSTRAP_SEED = 12345
"""Seed of the resamples, as sacreBLEU, so that the same scores give the same interval."""


@dataclass(frozen=True)
class Score:
    """One number about a set of clips, and all that is needed to read it.

    Args:
        name: Name of the metric.
        value: Mean over all measured items; None if nothing could be measured.
        ci95: 95 % bootstrap interval over clips (low, high); None with fewer than two clips.
        n: Measured items: frames, or hands.
        higher_is_better: Direction of the metric.
        signature: What exactly was computed, after sacreBLEU: `ssim|win:gauss11-1.5|...`.
        per_clip: Mean of each clip with at least one measured item.
        details: Further numbers, such as `coverage`.
        counts: Measured items of each clip in `per_clip`, its weight in `value`; empty for metrics
            of whole sets, such as FID.
        unavailable: Why nothing could be measured, as `needs FILE, get it with COMMAND`; empty
            where something was.
        ideal: The best value where it is neither end of the scale, such as 1 for the ratio of two
            motions; `higher_is_better` then means nothing.
    """

    name: str
    value: float | None
    ci95: tuple[float, float] | None
    n: int
    higher_is_better: bool
    signature: str
    per_clip: Mapping[str, float]
    details: Mapping[str, float | None] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    unavailable: str = ""
    ideal: float | None = None


class Metric(Protocol):
    """A metric over clips; structural, no base class.

    A clip may arrive whole or in chunks: the score does not depend on it. One object serves one set
    of clips. `copy.deepcopy` must give an independent metric at little cost, sharing networks and
    what is never changed: one is made before every clip, to go back to when the clip fails.
    """

    @property
    def name(self) -> str:
        """Short name, unique among metrics."""

    @property
    def latest(self) -> NDArray[np.float64] | None:
        """Values of the frames of the last update, (T,), NaN where a frame has none.

        None for metrics without a value per frame. The worst frames of a report are found by it.
        """

    def update(
        self,
        generated: NDArray[np.uint8],
        reference: NDArray[np.uint8],
        poses: PoseSequence | None = None,
        *,
        clip: str = "",
    ) -> None:
        """Take frames of one clip.

        Args:
            generated: (T, H, W, 3) uint8 RGB.
            reference: (T, H, W, 3) uint8 RGB, the truth.
            poses: Key points of the reference, T frames, or None.
            clip: Name of the clip.

        Raises:
            ValueError: If shapes or types disagree.
            UserError: If the metric cannot work on such frames, or needs poses and has none.
        """

    def compute(self) -> Score:
        """Return the score of everything seen so far."""


@runtime_checkable
class FinishesClips(Protocol):
    """A metric that has something to do when all frames of a clip have come."""

    def finish(self, clip: str) -> None:
        """Measure what waited for the end of the clip; no more of its frames come.

        Args:
            clip: Name of the clip; one of which nothing came is passed over.

        Raises:
            UserError: If the clip cannot be measured. The metric is then to be thrown away for the
                copy that was made before the clip.
        """


class ClipMeans:
    """Sums and counts per clip, from which mean and interval follow."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def __deepcopy__(self, memo: dict[int, object]) -> ClipMeans:
        """Return an independent copy; numbers need none of their own."""
        other = ClipMeans()
        other._sums, other._counts = dict(self._sums), dict(self._counts)
        return other

    def add(self, clip: str, values: Sequence[float] | NDArray[np.float64]) -> None:
        """Add measured items of a clip.

        Args:
            clip: Name of the clip.
            values: Any number of values.
        """
        numbers = np.asarray(values, np.float64)
        self._sums[clip] = self._sums.get(clip, 0.0) + float(numbers.sum())
        self._counts[clip] = self._counts.get(clip, 0) + numbers.size

    @property
    def count(self) -> int:
        """Measured items."""
        return sum(self._counts.values())

    def mean(self) -> float | None:
        """Return the mean over all items, or None if there are none."""
        return sum(self._sums.values()) / self.count if self.count else None

    def per_clip(self) -> dict[str, float]:
        """Return the mean of each clip that has items."""
        return {clip: self._sums[clip] / n for clip, n in self._counts.items() if n}

    def score(
        self,
        name: str,
        signature: Sequence[str],
        *,
        higher_is_better: bool,
        details: Mapping[str, float | None] | None = None,
        ideal: float | None = None,
    ) -> Score:
        """Return the mean over all items as a score.

        Args:
            name: Name of the metric.
            signature: Parts of the signature after the name.
            higher_is_better: Direction of the metric.
            details: Further numbers.
            ideal: The best value where it is neither end of the scale.
        """
        return Score(
            name=name,
            value=self.mean(),
            ci95=self.interval(),
            n=self.count,
            higher_is_better=higher_is_better,
            signature=join_signature(name, *signature),
            per_clip=self.per_clip(),
            details=details or {},
            counts={clip: n for clip, n in self._counts.items() if n},
            ideal=ideal,
        )

    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % bootstrap interval of the mean over clips, or None below two clips."""
        clips = sorted(self.per_clip())
        sums = np.array([self._sums[clip] for clip in clips])
        counts = np.array([self._counts[clip] for clip in clips], np.float64)
        return bootstrap_interval(sums, counts)


def bootstrap_interval(
    sums: NDArray[np.float64],
    counts: NDArray[np.float64],
    resamples: int = RESAMPLES,
    seed: int = BOOTSTRAP_SEED,
) -> tuple[float, float] | None:
    """Return the percentile bootstrap interval (95 %) of a mean, resampling clips and not frames.

    Frames of one clip resemble each other, so resampling them would give intervals far too narrow.
    After Efron 1979; the number of resamples and the seed are sacreBLEU's.

    Args:
        sums: (N,) sum of the items of each clip.
        counts: (N,) number of items of each clip, above 0.
        resamples: Number of resamples.
        seed: Seed of the resamples.

    Returns:
        (low, high), or None if N is below 2.
    """
    if len(sums) < 2:
        return None
    drawn = np.random.default_rng(seed).integers(0, len(sums), (resamples, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def check_frames(generated: NDArray[np.uint8], reference: NDArray[np.uint8]) -> None:
    """Check that two stacks of frames can be compared.

    Args:
        generated: Should be (T, H, W, 3) uint8.
        reference: Should be the same.

    Raises:
        ValueError: If shapes differ or are not (T, H, W, 3), or a type is not uint8.
    """
    if generated.shape != reference.shape or generated.ndim != 4 or generated.shape[-1] != 3:
        raise ValueError(
            f"generated is {generated.shape}, reference {reference.shape}; "
            "expected the same (T, H, W, 3)"
        )
    if generated.dtype != np.uint8 or reference.dtype != np.uint8:
        raise ValueError(
            f"generated is {generated.dtype}, reference {reference.dtype}; expected uint8"
        )


def join_signature(*parts: str) -> str:
    """Join the parts of a signature with `|`."""
    return "|".join(parts)


class FrameSizes:
    """The sizes of the frames a metric saw, for its signature."""

    def __init__(self) -> None:
        self._sizes: set[tuple[int, int]] = set()

    def add(self, frames: NDArray[np.uint8]) -> None:
        """Note the size of (T, H, W, 3) frames."""
        self._sizes.add((int(frames.shape[1]), int(frames.shape[2])))

    def __str__(self) -> str:
        """Return `260x210` (height x width), `mixed`, or `none`."""
        if len(self._sizes) == 1:
            height, width = next(iter(self._sizes))
            return f"{height}x{width}"
        return "mixed" if self._sizes else "none"
