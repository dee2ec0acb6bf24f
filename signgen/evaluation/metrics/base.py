"""What a metric is: functions of frames, whose values are summed clip by clip to a score."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.metrics.score import Mean, Means, Score, mean_score, pooled
from signgen.human_parsing.maps import Parts
from signgen.structures import PoseSequence

__all__ = [
    "NOTHING",
    "Begin",
    "Chunk",
    "ClipMeans",
    "ClipMeasure",
    "MeanMetric",
    "Results",
    "Size",
    "Values",
    "frame_by_frame",
    "per_frame",
    "size_text",
]

T = TypeVar("T")
Frame = NDArray[np.uint8]
Size = tuple[int, int]
Values = Mapping[str, NDArray[np.float64]]
"""Values of measured items (frames, hands, steps) by name; NaN where an item has none."""
Results = Mapping[str, Any]
"""What is kept of the clips that are whole, in their order: mostly `Means` by clip."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Frames of one system that follow each other in a clip, and what was found in them.

    The chunk of true frames is one object for all systems, so that its features are computed once.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        poses: Their key points, T poses, or None.
        before: Frames of the clip just before these, as many as metrics need.
        clip: Name of the clip.
        parts: Their human parsing, of T frames, or None.
    """

    frames: NDArray[np.uint8]
    poses: PoseSequence | None = None
    before: tuple[Frame, ...] = ()
    clip: str = ""
    parts: tuple[Parts, ...] | None = None
    _features: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    @property
    def size(self) -> Size:
        """(H, W) of the frames."""
        return int(self.frames.shape[1]), int(self.frames.shape[2])

    def preceded(self, count: int) -> list[Frame]:
        """Return the frames, each contiguous, after at most `count` of those before them."""
        return [*self.before[-count:], *map(np.ascontiguousarray, self.frames)]

    def feature(self, extract: Callable[..., T], *arguments: Hashable) -> T:
        """Return `extract(self, *arguments)`, computed once."""
        key = extract, arguments
        if key not in self._features:
            self._features[key] = extract(self, *arguments)
        return cast(T, self._features[key])


# ----- metrics ------------------------------------------------------------------------------------


class ClipMeasure(Protocol):
    """What is measured of one clip of one system, while its frames stream by in chunks.

    The result does not depend on their length. UserError: the clip cannot be measured.
    """

    def add(self, generated: Chunk, reference: Chunk) -> Values:
        """Take the next frames, generated and true, and return what was found in them."""

    def results(self) -> Results:
        """Return what to keep, now that the clip is whole."""


Begin = Callable[[str, Results], ClipMeasure]
"""Begins a clip, given its name and the results of the clips before."""


class ClipMeans:
    """The means of one clip of what a function finds in chunks."""

    def __init__(self, clip: str, measure: Callable[[Chunk, Chunk], Values]) -> None:
        self._clip, self._measure = clip, measure
        self._means: dict[str, Mean] = {}

    def add(self, generated: Chunk, reference: Chunk) -> Values:
        """Take the next frames."""
        values = generated.feature(self._measure, reference)
        for name, found in values.items():
            self._means[name] = self._means.get(name, Mean()) + Mean.of(found)
        return values

    def results(self) -> dict[str, Means]:
        """Return the means; nothing of a clip without frames."""
        return {self._clip: self._means} if self._means else {}


def frame_by_frame(measure: Callable[[Chunk, Chunk], Values]) -> Begin:
    """Return what begins a clip whose chunks are given to a function of generated and true ones."""
    return lambda clip, results: ClipMeans(clip, measure)


def per_frame(
    function: Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float64]],
) -> Begin:
    """Return what begins a clip whose frames (T, H, W, 3), generated and true, have values (T,)."""
    return frame_by_frame(
        lambda generated, reference: {"value": function(generated.frames, reference.frames)}
    )


NOTHING = frame_by_frame(lambda generated, reference: {})
"""Begins a clip of which nothing is measured."""


@dataclass(frozen=True, kw_only=True)
class MeanMetric:
    """A metric whose score is a mean over items of clips; made of functions, it holds no frames.

    Metrics with the same `begin` are measured once and share their results.

    Args:
        signature: Parts of the signature after the name; `{size}` stands for the size of frames.
        begin: Begins a clip; what it keeps are `Means` by clip.
        columns: Names of the values that the score is a mean of.
        clips: What clips count in the score, from their means; that of `columns` if not given.
        details: Further numbers, from the means of all clips.
        context: Frames before a chunk that it needs.
        ideal: See `Score`.
        generated_only: Whether it can measure the generated frames and no other system.
        too_small: Why nothing is measured in frames of a size.
        unavailable: Why it cannot be measured here; empty where it can.
    """

    name: str
    signature: str = ""
    begin: Begin = NOTHING
    higher_is_better: bool = False
    columns: tuple[str, ...] = ("value",)
    clips: Callable[[Mapping[str, Means]], Mapping[str, Mean]] | None = None
    details: Callable[[Mapping[str, Means]], Mapping[str, float | None]] = lambda results: {}
    context: int = 0
    ideal: float | None = None
    generated_only: bool = False
    too_small: Callable[[Size], str] = lambda size: ""
    unavailable: str = ""

    def score(self, results: Mapping[str, Means], sizes: Sequence[Size]) -> Score:
        """Return the score of whole clips, given the sizes that their frames had."""
        clips = {clip: pooled([means], *self.columns) for clip, means in results.items()}
        reasons = [self.unavailable, *map(self.too_small, reversed(sizes))]
        signature = "|".join(filter(None, (self.name, self.signature)))
        return mean_score(
            self.name,
            self.clips(results) if self.clips else clips,
            signature=signature.format(size=size_text(sizes)),
            higher_is_better=self.higher_is_better,
            details=self.details(results),
            unavailable=next(filter(None, reasons), ""),
            ideal=self.ideal,
        )


def size_text(sizes: Sequence[Size]) -> str:
    """Return the one size of frames as signatures have it, `260x210`; or `mixed`, or `none`."""
    if len(sizes) == 1:
        return f"{sizes[0][0]}x{sizes[0][1]}"
    return "mixed" if sizes else "none"
