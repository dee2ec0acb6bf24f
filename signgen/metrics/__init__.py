"""Metrics: numbers about generated frames, each with an interval and a signature."""

from __future__ import annotations

from signgen.metrics.base import Metric, Score
from signgen.metrics.estimators import hand_pose_metrics, keypoint_metrics
from signgen.metrics.hands import FaceSSIM, HandSSIM, MouthSSIM
from signgen.metrics.image import PSNR, SSIM
from signgen.metrics.keypoint_error import KeypointDTW, KeypointError
from signgen.metrics.motion import (
    TCD,
    BrightnessJitter,
    Flicker,
    SecondDifference,
    motion_metrics,
)
from signgen.metrics.pose_error import HandPE
from signgen.metrics.warping import WarpingError

__all__ = [
    "PSNR",
    "SSIM",
    "TCD",
    "BrightnessJitter",
    "FaceSSIM",
    "Flicker",
    "HandPE",
    "HandSSIM",
    "KeypointDTW",
    "KeypointError",
    "Metric",
    "MouthSSIM",
    "Score",
    "SecondDifference",
    "WarpingError",
    "default_metrics",
    "hand_pose_metrics",
    "keypoint_metrics",
    "motion_metrics",
]


def default_metrics(hands: bool = False) -> list[Metric]:
    """Return fresh SSIM and PSNR, and Hand SSIM if asked for.

    Args:
        hands: Add Hand SSIM, which needs poses.
    """
    metrics: list[Metric] = [SSIM(), PSNR()]
    return [*metrics, HandSSIM()] if hands else metrics
