"""Measure one clip: its frames are given to the metrics of all systems while they stream by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.clips import Clip
from signgen.evaluation.metric_choice import Measurement
from signgen.evaluation.metrics.base import Begin, Chunk, MeanMetric, Results, Size, Values
from signgen.evaluation.protocols import View
from signgen.evaluation.reading import REFERENCE, ClipReader
from signgen.evaluation.reports.report import GENERATED, WARPED, ClipResult
from signgen.evaluation.reports.worst_frames import WorstFrames
from signgen.evaluation.stream import show

__all__ = ["Key", "MeasuredClip", "key_of", "measure_clip"]

Key = tuple[str, View, Begin]
"""What results are kept by: the system, its frames, and how clips are measured. Metrics that are
measured alike share them."""


@dataclass(frozen=True)
class MeasuredClip:
    """What was measured of one clip that is whole.

    Args:
        results: What joins the results of other clips.
        cut: What was cut at its end, in one line; empty for nothing.
    """

    clip: ClipResult
    results: Mapping[Key, Results]
    sizes: Mapping[View, Size]
    worst: WorstFrames | None
    cut: str = ""


def key_of(system: str, one: Measurement) -> Key:
    """Return what the results of a measurement of a system are kept by."""
    return system, one.view, one.metric.begin


def measure_clip(
    clip: Clip,
    systems: Mapping[str, Sequence[Measurement]],
    results: Mapping[Key, Results],
    *,
    compared: Sequence[str],
    baselines: Sequence[str],
    watched: Measurement | None,
    chunk: int,
) -> MeasuredClip:
    """Measure the frames of one clip; nothing that is given is changed."""
    # Begin
    asked = systems[GENERATED]
    keys = [
        key_of(system, one)
        for system, own in systems.items()
        for one in own
        if not one.metric.unavailable
    ]
    measures = {key: key[2](clip.id, results.get(key, {})) for key in dict.fromkeys(keys)}
    reader = ClipReader(clip, compared, chunk, warped=WARPED in baselines)
    sizes: dict[View, Size] = {}
    worst = WorstFrames(watched.name) if watched else None
    count = 0

    # Measure chunk by chunk
    with reader.chunks() as chunks:
        for shown in show(
            clip,
            chunks,
            [one.view for one in asked],
            baselines=baselines,
            source_moves=reader.source_moves,
            context=max((one.metric.context for one in asked), default=0),
        ):
            values = {
                key: measure.add(frames[key[0]], frames[REFERENCE])
                for key, measure in measures.items()
                if (frames := shown.chunks.get(key[1]))
            }
            sizes |= {view: frames[REFERENCE].size for view, frames in shown.chunks.items()}
            count = shown.stop
            if watched and worst is not None and watched.view in shown.chunks:
                found = values[key_of(GENERATED, watched)]
                frames = shown.chunks[watched.view]
                _watch(worst, watched, found, frames, shown.sources[watched.view], count)

    # The clip is whole
    digests = reader.digests()
    return MeasuredClip(
        ClipResult(
            id=clip.id,
            signer=clip.signer,
            frames=count,
            generated_sha256=digests[GENERATED],
            reference_sha256=digests[REFERENCE],
        ),
        {key: measure.results() for key, measure in measures.items()},
        sizes,
        worst,
        reader.cut,
    )


def _watch(
    worst: WorstFrames,
    watched: Measurement,
    values: Values,
    frames: Mapping[str, Chunk],
    source: NDArray[np.uint8],
    stop: int,
) -> None:
    """Keep the worst of the generated frames, by the mean of what was measured in each."""
    generated, reference = frames[GENERATED], frames[REFERENCE]
    assert isinstance(watched.metric, MeanMetric)
    columns = np.stack([values[name] for name in watched.metric.columns])  # (N, T)
    present = ~np.isnan(columns)
    sums, counts = np.where(present, columns, 0).sum(axis=0), present.sum(axis=0)
    worst.update(
        generated.clip,
        stop - len(generated.frames),
        np.where(counts > 0, sums / np.maximum(counts, 1), np.nan),
        source,
        reference.poses,
        reference.frames,
        generated.frames,
    )
