"""Estimators of key points from frames, behind one protocol."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import assert_never

from signgen.config.pose import Device, EstimatorName
from signgen.errors import ExitCode, UserError
from signgen.pose.estimators.base import (
    Box,
    Frame,
    Person,
    PoseEstimator,
    StretchedEstimator,
    open_first,
)
from signgen.pose.estimators.hrnet.weights import WHOLE_BODY_WEIGHTS, find_weights

__all__ = ["Box", "Frame", "Person", "PoseEstimator", "StretchedEstimator", "open_estimator"]

log = logging.getLogger(__name__)


def open_estimator(
    name: EstimatorName,
    weights: str | Path | None = None,
    device: Device = "auto",
    batch_size: int = 8,
    *,
    aspect: float = 1.0,
) -> PoseEstimator:
    """Open an estimator by name.

    Args:
        name: `mediapipe`, `mmpose`, `hrnet`, or `auto`: HRNet where its checkpoint is found, else
            MediaPipe where it is installed; the log says which one it is and why.
        weights: Checkpoint of HRNet or MMPose; each looks for its own where it is not given.
        device: Where HRNet and MMPose compute; MediaPipe always computes on the CPU.
        batch_size: Frames computed at a time by HRNet and MMPose; does not change the result.
        aspect: Height of a pixel over its width; 300 / 260 for PHOENIX-2014T.

    Raises:
        UserError: If what the estimator needs is missing (69), or a setting does not fit (2).
    """
    if batch_size < 1:
        raise UserError(f"--batch-size is {batch_size}; expected at least 1.", ExitCode.USAGE)
    file = None if weights is None else Path(weights)
    estimator = _open(name, file, device, batch_size)
    return estimator if aspect == 1 else StretchedEstimator(estimator, aspect)


def _open(
    name: EstimatorName, weights: Path | None, device: Device, batch_size: int
) -> PoseEstimator:
    match name:
        case "auto":
            return _open_best(weights, device, batch_size)
        case "mediapipe":
            from signgen.pose.estimators.mediapipe import MediaPipeEstimator

            if weights is not None:
                raise UserError(
                    f"--weights is {weights}; mediapipe has its weights in its package. Leave it "
                    "out, or choose --estimator hrnet.",
                    ExitCode.USAGE,
                )
            return MediaPipeEstimator()
        case "mmpose":
            from signgen.pose.estimators.mmpose import MMPoseEstimator

            return MMPoseEstimator(weights, device, batch_size)
        case "hrnet":
            # Before torch is imported, which takes seconds.
            file = find_weights(weights, WHOLE_BODY_WEIGHTS)
            from signgen.pose.estimators.hrnet.estimator import HRNetEstimator

            return HRNetEstimator(file, device, batch_size)
        case _:
            assert_never(name)


def _open_best(weights: Path | None, device: Device, batch_size: int) -> PoseEstimator:
    """Return HRNet, else MediaPipe."""
    if weights is not None:
        return _open("hrnet", weights, device, batch_size)
    hrnet = partial(_open, "hrnet", None, device, batch_size)
    mediapipe = partial(_open, "mediapipe", None, device, batch_size)
    estimator, reasons = open_first(((hrnet, ExitCode.NO_INPUT), (mediapipe, ExitCode.UNAVAILABLE)))
    if estimator is None:
        raise UserError(
            f"no estimator of key points is usable here; one of three is needed. 1: {reasons[0]} "
            f"2: {reasons[1]} 3: mmpose, with make pose-mmpose and the same weights.",
            ExitCode.UNAVAILABLE,
        )
    why = "; --estimator hrnet says what HRNet lacks here" if reasons else ""
    log.info("key points are estimated by %s%s", estimator.name, why)
    return estimator
