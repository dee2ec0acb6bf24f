"""The metrics that need an estimator of key points, whether it is there or not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from signgen.config.pose import Device, EstimatorName
from signgen.errors import ExitCode, UserError
from signgen.evaluation.metrics.base import Metric
from signgen.evaluation.metrics.keypoints.hand_points import EstimatedHands
from signgen.evaluation.metrics.keypoints.keypoint_error import KeypointDTW, KeypointError
from signgen.evaluation.metrics.keypoints.pose_error import MISSED, HandPE
from signgen.evaluation.metrics.keypoints.redetection import RememberingEstimator, Truth
from signgen.evaluation.metrics.networks import Missing
from signgen.pose.estimators import open_estimator
from signgen.pose.estimators.hand_patches import HandEstimatorName, open_hand_estimator

__all__ = ["hand_pose_metrics", "keypoint_metrics"]

T = TypeVar("T")


def hand_pose_metrics(
    estimator: HandEstimatorName = "auto", weights: Path | None = None, device: Device = "auto"
) -> list[Metric]:
    """Return `hand_pe` and `hand_pe_penalty`, which share their estimates.

    Without an estimator here they say in `Score.unavailable` what it needs and the command that
    gets it.

    Args:
        estimator: Which one, see `open_hand_estimator`.
        weights: Weights of HRNet for hands; None looks for the published ones.
        device: Where HRNet computes.

    Raises:
        UserError: If the weights that are given are missing or broken.
    """
    opened = _opened(lambda: open_hand_estimator(estimator, weights, device), weights)
    source = opened if isinstance(opened, Missing) else EstimatedHands(opened)
    return [HandPE(source), HandPE(source, penalty=MISSED)]


def keypoint_metrics(
    estimator: EstimatorName = "auto",
    weights: Path | None = None,
    device: Device = "auto",
    *,
    truth: Truth = "given",
) -> list[Metric]:
    """Return `keypoint_error` and `keypoint_dtw`, which share their estimates.

    Args:
        estimator: Which one, see `open_estimator`.
        weights: Weights of a whole-body network; None looks for the published ones.
        device: Where networks compute.
        truth: Whether true points are `given`, or `detected` in the reference by the estimator.

    Raises:
        UserError: If the weights that are given are missing or broken.
    """
    opened = _opened(lambda: open_estimator(estimator, weights, device), weights)
    remembering = opened if isinstance(opened, Missing) else RememberingEstimator(opened)
    return [KeypointError(remembering, truth), KeypointDTW(remembering, truth)]


def _opened(open_it: Callable[[], T], weights: Path | None) -> T | Missing:
    """Return an estimator, or why it is not there; a file that is named must be good."""
    try:
        return open_it()
    except UserError as error:
        absent = error.code in {ExitCode.NO_INPUT, ExitCode.UNAVAILABLE}
        if weights is not None or not absent:
            raise
        return Missing(f"needs an estimator of key points: {error}")
