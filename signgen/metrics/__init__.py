"""Metrics: numbers about generated frames, each with an interval and a signature."""

from __future__ import annotations

from signgen.metrics.base import Metric, Score
from signgen.metrics.distribution import FID, FVD, KID
from signgen.metrics.hands import HandSSIM
from signgen.metrics.image import PSNR, AbsoluteError
from signgen.metrics.lpips import LPIPS, open_lpips
from signgen.metrics.networks import FeatureExtractor, Missing
from signgen.metrics.ssim import SSIM, SSIMOptions

__all__ = [
    "FID",
    "FVD",
    "KID",
    "LPIPS",
    "PSNR",
    "SSIM",
    "AbsoluteError",
    "FeatureExtractor",
    "HandSSIM",
    "Metric",
    "Missing",
    "SSIMOptions",
    "Score",
    "default_metrics",
    "open_lpips",
]


def default_metrics(hands: bool = False) -> list[Metric]:
    """Return fresh SSIM and PSNR, and Hand SSIM if asked for.

    Args:
        hands: Add Hand SSIM, which needs poses.
    """
    metrics: list[Metric] = [SSIM(), PSNR()]
    return [*metrics, HandSSIM()] if hands else metrics
