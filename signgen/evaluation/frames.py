"""Score two sequences of frames with one call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from signgen.evaluation.clips import Clip
from signgen.evaluation.metric_choice import named_metrics
from signgen.evaluation.protocols import View
from signgen.evaluation.reports.report import Result
from signgen.evaluation.scoring import evaluate_clips
from signgen.human_parsing.maps import Parts
from signgen.media.resizing import Filter, check_size
from signgen.structures import ExitCode, PoseSequence, UserError

__all__ = ["evaluate_frames"]


def evaluate_frames(
    generated: Iterable[NDArray[np.uint8]],
    reference: Iterable[NDArray[np.uint8]],
    metrics: Sequence[str] = ("ssim", "psnr"),
    *,
    poses: PoseSequence | None = None,
    parts: Iterable[Parts] | None = None,
    size: tuple[int, int] | None = None,
    resize: Filter = "pillow-bicubic",
) -> dict[str, Result]:
    """Score frames against the true frames.

    Args:
        generated: (T, H, W, 3) uint8 RGB, or any iterable of (H, W, 3) frames, read once.
        reference: The true frames, as many.
        metrics: Names of metrics, as in the first column of docs/evaluation.md. One whose weights
            are not in the caches of this machine has the value None, and says what it needs in
            `unavailable`.
        poses: Key points of the true frames, for metrics of hands, face and mouth.
        parts: Human parsing of the true frames, as many, for metrics of regions.
        size: (H, W) that all frames are resized to; None leaves them as they are.
        resize: Library and filter.

    Returns:
        By metric: its `value`, `n` (items it is a mean of), `details` and `signature`.

    Example:
        scores = evaluate_frames(rendered, real, metrics=("ssim", "psnr"))
        print(scores["ssim"].value)
    """
    if size is not None:
        check_size(size)
    if resize not in get_args(Filter):
        raise UserError(
            f"resize is {resize}; expected one of {', '.join(get_args(Filter))}.", ExitCode.USAGE
        )
    ours, truth = map(np.asarray, generated), map(np.asarray, reference)
    clip = Clip("frames", "", ours, truth, poses, parts=parts)
    measurements = named_metrics(metrics, View(size, resize))
    report = evaluate_clips({clip.id: lambda: clip}, measurements, baselines=())
    return {name: report.score(name) for name in metrics}
