"""Evaluate a model on a dataset: frames are rendered and scored on the way, none is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from signgen.data.adapter import DatasetAdapter
from signgen.evaluation.clips import ClipPair, LazyClip
from signgen.evaluation.metrics import default_metrics
from signgen.evaluation.protocols import View
from signgen.evaluation.reports.report import COPY, Report
from signgen.evaluation.retrieval import Progress
from signgen.evaluation.scoring import Setup, evaluate_clips, make_slots
from signgen.structures import FrameRef, PoseSequence, Record, Triplet

__all__ = ["RendersFrames", "evaluate_model"]

Frame = NDArray[np.uint8]


class RendersFrames(Protocol):
    """What is needed of `signgen.rendering.renderer.Renderer`."""

    def render(self, source: Frame, poses: PoseSequence) -> Iterator[Frame]:
        """Yield one frame per pose."""


def evaluate_model(
    renderer: RendersFrames,
    adapter: DatasetAdapter,
    split: str,
    *,
    hand_metrics: bool = False,
    setup: Setup | None = None,
    progress: Progress | None = None,
) -> Report:
    """Render every clip of a split from its first frame and all its poses, and score the rest.

    Differs from FPDM: the first frame is rendered but not scored, because it is the source itself;
    the signature says so (`frames:without-source`). Protocol `phoenix-fpdm` scores both. Of a
    dataset that lists pairs, such as DeepFashion, every pair is rendered and scored as a clip of
    one frame, beside a copy of its source.

    Args:
        renderer: Renders frames from a source and poses.
        adapter: The dataset.
        split: `train`, `dev` or `test`.
        hand_metrics: Also compute Hand SSIM; for the default `setup`.
        setup: What is measured; None for SSIM and PSNR without the source.
        progress: Wraps the clips as they are measured, with their number; for a progress bar.

    Returns:
        Scores of the model, and of the baselines.

    Raises:
        UserError: If the split has no frames besides the sources, or its data are broken.
    """
    records, listed = adapter.records(split), adapter.pairs(split)
    view = View(frames="without-source" if listed is None else "all")
    setup = setup or Setup(make_slots(default_metrics(hand_metrics), view))
    if listed is None:
        clips = [_lazy_clip(renderer, adapter, record) for record in records]
    else:
        clips = [_lazy_pair(renderer, adapter, pair) for pair in listed]
        setup = replace(setup, baselines=(COPY,))
    return evaluate_clips(clips if progress is None else progress(clips, len(clips)), setup)


def _lazy_pair(renderer: RendersFrames, adapter: DatasetAdapter, pair: Triplet) -> LazyClip:
    record, view = pair.target.record, pair.target.index
    name = f"{record.id}:{pair.source.index}-{view}"

    def opening() -> ClipPair:
        poses = adapter.pose(pair.target)
        source = adapter.frame(pair.source)
        truth = [adapter.frame(pair.target)]
        frames = renderer.render(source, poses)
        return ClipPair(name, record.signer, frames, truth, poses, source=[source], still=True)

    return LazyClip(name, opening)


def _lazy_clip(renderer: RendersFrames, adapter: DatasetAdapter, record: Record) -> LazyClip:
    def opening() -> ClipPair:
        source = adapter.frame(FrameRef(record, 0))
        poses = adapter.poses(record)
        truth = (adapter.frame(FrameRef(record, index)) for index in range(record.num_frames))
        return ClipPair(record.id, record.signer, renderer.render(source, poses), truth, poses)

    return LazyClip(record.id, opening)
