"""Metrics: numbers about generated frames, each with an interval and a signature."""

from __future__ import annotations

from signgen.evaluation.metrics.base import Metric, Score
from signgen.evaluation.metrics.estimators import hand_pose_metrics, keypoint_metrics
from signgen.evaluation.metrics.features.distribution import FID, FVD, KID
from signgen.evaluation.metrics.hands import FaceSSIM, HandSSIM, MouthSSIM
from signgen.evaluation.metrics.keypoints.keypoint_error import KeypointDTW, KeypointError
from signgen.evaluation.metrics.keypoints.pose_error import HandPE
from signgen.evaluation.metrics.motion import (
    TCD,
    BrightnessJitter,
    Flicker,
    SecondDifference,
    motion_metrics,
)
from signgen.evaluation.metrics.networks import FeatureExtractor, Missing
from signgen.evaluation.metrics.perceptual.lpips import LPIPS, open_lpips
from signgen.evaluation.metrics.pixels.image import PSNR, AbsoluteError
from signgen.evaluation.metrics.pixels.ssim import SSIM, SSIMOptions
from signgen.evaluation.metrics.warping import WarpingError

__all__ = [
    "FID",
    "FVD",
    "KID",
    "LPIPS",
    "PSNR",
    "SSIM",
    "TCD",
    "AbsoluteError",
    "BrightnessJitter",
    "FaceSSIM",
    "FeatureExtractor",
    "Flicker",
    "HandPE",
    "HandSSIM",
    "KeypointDTW",
    "KeypointError",
    "Metric",
    "Missing",
    "MouthSSIM",
    "SSIMOptions",
    "Score",
    "SecondDifference",
    "WarpingError",
    "default_metrics",
    "hand_pose_metrics",
    "keypoint_metrics",
    "motion_metrics",
    "open_lpips",
]


def default_metrics(hands: bool = False) -> list[Metric]:
    """Return fresh SSIM and PSNR, and Hand SSIM if asked for.

    Args:
        hands: Add Hand SSIM, which needs poses.
    """
    metrics: list[Metric] = [SSIM(), PSNR()]
    return [*metrics, HandSSIM()] if hands else metrics
