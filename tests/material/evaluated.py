"""A model scored on a split of a dataset, at the size of its frames and without the sources."""

from __future__ import annotations

from collections.abc import Sequence

from signgen.data.adapter import DatasetAdapter
from signgen.evaluation.metric_choice import named_metrics
from signgen.evaluation.models import model_baselines, model_clips
from signgen.evaluation.protocols import View
from signgen.evaluation.reports.report import Report
from signgen.evaluation.scoring import evaluate_clips
from signgen.rendering.base import RendersFrames
from signgen.structures import Progress


def evaluate_model(
    renderer: RendersFrames,
    adapter: DatasetAdapter,
    split: str,
    metrics: Sequence[str] = ("ssim", "psnr"),
    progress: Progress | None = None,
) -> Report:
    listed = adapter.pairs(split) is not None
    return evaluate_clips(
        model_clips(renderer, adapter, split),
        named_metrics(metrics, View(frames="all" if listed else "without-source")),
        baselines=model_baselines(listed),
        progress=progress,
    )
