"""Metrics: numbers about generated frames, each with an interval and a signature."""

from __future__ import annotations

from signgen.metrics.base import Metric, Score
from signgen.metrics.hands import HandSSIM
from signgen.metrics.image import PSNR, AbsoluteError
from signgen.metrics.ssim import SSIM

__all__ = ["PSNR", "SSIM", "AbsoluteError", "HandSSIM", "Metric", "Score", "default_metrics"]


def default_metrics(hands: bool = False) -> list[Metric]:
    """Return fresh SSIM and PSNR, and Hand SSIM if asked for.

    Args:
        hands: Add Hand SSIM, which needs poses.
    """
    metrics: list[Metric] = [SSIM(), PSNR()]
    return [*metrics, HandSSIM()] if hands else metrics
