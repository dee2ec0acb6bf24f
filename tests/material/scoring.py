"""Scores of metrics alone: clips in chunks, as an evaluation shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from signgen.evaluation.clips import Clip
from signgen.evaluation.metric_choice import Metric
from signgen.evaluation.metrics.base import Chunk, Values
from signgen.evaluation.metrics.score import Score
from signgen.structures import PoseSequence

Frames = np.ndarray


def chunks(
    clip: str,
    generated: Frames,
    reference: Frames,
    poses: PoseSequence | None = None,
    own_poses: PoseSequence | None = None,
    *,
    size: int = 16,
    context: int = 15,
) -> Iterator[tuple[Chunk, Chunk]]:
    """Yield chunks of generated and true frames, behind the frames before them."""
    for start in range(0, len(reference), size):
        part, before = slice(start, start + size), slice(max(start - context, 0), start)
        yield tuple(
            Chunk(
                frames[part],
                None if points is None else points.frames(part),
                tuple(frames[before]),
                clip,
            )
            for frames, points in ((generated, own_poses), (reference, poses))
        )


def measured(
    metric: Metric, clips: dict[str, tuple[Any, ...]], *, size: int = 16
) -> tuple[Score, list[Values]]:
    """Return the score of clips (generated, reference, poses, own poses), and the values found."""
    results: dict[str, Any] = {}
    sizes, values = {}, []
    for name, clip in clips.items():
        measure = metric.begin(name, results)
        for generated, reference in chunks(name, *clip, size=size, context=metric.context):
            values.append(measure.add(generated, reference))
            sizes[reference.size] = None
        results |= measure.results()
    return metric.score(results, list(sizes)), values


def score_of(metric: Metric, *clip: Any, size: int = 16) -> Score:
    """Return the score of one clip: generated, reference, poses, own poses."""
    return measured(metric, {"a": clip}, size=size)[0]


def opened(*clips: Clip) -> dict[str, Callable[[], Clip]]:
    """Return clips as `evaluate_clips` takes them."""
    return {clip.id: lambda clip=clip: clip for clip in clips}
