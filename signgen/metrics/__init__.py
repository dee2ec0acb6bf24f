"""Metrics: numbers about generated frames, each with an interval and a signature."""

from __future__ import annotations

from signgen.metrics.base import Metric, Score
from signgen.metrics.hands import FaceSSIM, HandSSIM, MouthSSIM
from signgen.metrics.image import PSNR, SSIM
from signgen.metrics.motion import TCD, BrightnessJitter, Flicker, SecondDifference

__all__ = [
    "PSNR",
    "SSIM",
    "TCD",
    "BrightnessJitter",
    "FaceSSIM",
    "Flicker",
    "HandSSIM",
    "Metric",
    "MouthSSIM",
    "Score",
    "SecondDifference",
    "default_metrics",
]


def default_metrics(hands: bool = False) -> list[Metric]:
    """Return fresh SSIM and PSNR, and Hand SSIM if asked for.

    Args:
        hands: Add Hand SSIM, which needs poses.
    """
    metrics: list[Metric] = [SSIM(), PSNR()]
    return [*metrics, HandSSIM()] if hands else metrics
