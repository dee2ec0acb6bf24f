"""What metrics of motion share: the last frames of a clip, and ratios to the true motion."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.metrics.base import ClipMeans, Score

__all__ = ["STILL", "Frame", "LastFrames", "MotionRatios", "Spread", "Stack"]

STILL = 1e-6
"""Mean change of the truth, in grey levels, below which it does not move: no ratio is taken."""

Stack = NDArray[np.uint8]
Frame = NDArray[np.uint8]


class LastFrames:
    """The last frames of the clip that is being read, so that chunks change nothing.

    Only those of one clip are kept: the memory does not grow with clips or their length.

    Args:
        count: Frames to keep, at least 1.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._clip: str | None = None
        self._closed: set[str] = set()
        self._kept: tuple[list[Frame], list[Frame]] = ([], [])

    def extend(
        self, clip: str, generated: Stack, reference: Stack
    ) -> tuple[list[Frame], list[Frame]]:
        """Return the frames of both, with the last frames of the chunk before in front of them.

        Args:
            clip: Name of the clip.
            generated: (T, H, W, 3).
            reference: (T, H, W, 3).

        Returns:
            Frames (H, W, 3), contiguous.

        Raises:
            ValueError: If the clip was left for another one before, or changes its size.
        """
        if clip != self._clip:
            if clip in self._closed:
                raise ValueError(f"clip {clip!r} comes again after another; expected in one go")
            if self._clip is not None:
                self._closed.add(self._clip)
            self._clip, self._kept = clip, ([], [])
        if self._kept[0] and self._kept[0][0].shape != generated.shape[1:]:
            raise ValueError(f"clip {clip!r} changes its size; expected one size")
        ours, truth = (
            [*kept, *map(np.ascontiguousarray, frames)]
            for kept, frames in zip(self._kept, (generated, reference), strict=True)
        )
        # Copies, because the caller may fill its stacks again.
        last = slice(-self._count, None)
        self._kept = ([f.copy() for f in ours[last]], [f.copy() for f in truth[last]])
        return ours, truth


class Spread:
    """Standard deviation of numbers that come one by one (Welford 1962)."""

    def __init__(self) -> None:
        self.count = 0
        self._mean = self._squares = 0.0

    def add(self, value: float) -> None:
        """Take a number."""
        self.count += 1
        distance = value - self._mean
        self._mean += distance / self.count
        self._squares += distance * (value - self._mean)

    @property
    def deviation(self) -> float:
        """Population standard deviation; 0 where there are no numbers."""
        return math.sqrt(self._squares / self.count) if self.count else 0.0


class MotionRatios:
    """Sums of generated and of true motion per clip, and the score of their ratios.

    The ratio of a clip is undefined where the truth does not move (its mean is below `STILL`),
    whether the generated video moves or not: it has no place in the mean, and is counted.
    """

    def __init__(self) -> None:
        self._sums: dict[str, NDArray[np.float64]] = {}

    def add(
        self, clip: str, generated: float, reference: float, values: int, steps: int = 1
    ) -> None:
        """Add motion of a clip.

        Args:
            clip: Name of the clip.
            generated: Sum of the motion of the generated frames.
            reference: The same of the truth.
            values: Number of values in each sum.
            steps: Steps from frame to frame that they belong to.
        """
        added = np.array([generated, reference, values, steps], np.float64)
        self._sums[clip] = self._sums.get(clip, np.zeros(4)) + added

    def score(
        self,
        name: str,
        signature: Sequence[str],
        details: Mapping[str, float | None] | None = None,
    ) -> Score:
        """Return the mean ratio over clips, weighted by their steps.

        Args:
            name: Name of the metric.
            signature: Parts of the signature after the name.
            details: Further numbers beside `generated` and `reference`, the mean motion of all
                clips, and `clips_without_motion`, the number of those without a ratio.
        """
        means = ClipMeans()
        for clip, (generated, reference, values, steps) in self._sums.items():
            if reference > STILL * values:
                means.add(clip, np.full(int(steps), generated / reference))
        total = sum(self._sums.values(), np.zeros(4))
        without = float(len(self._sums) - len(means.per_clip())) if self._sums else None
        ours, truth = (float(value / total[2]) if total[2] else None for value in total[:2])
        return means.score(
            name,
            signature,
            higher_is_better=False,
            details={"generated": ours, "reference": truth, "clips_without_motion": without}
            | dict(details or {}),
            ideal=1.0,
        )
