"""Key points of one hand in a square picture of it: HRNet or MediaPipe, behind one protocol."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from signgen.config.pose import Device
from signgen.errors import ExitCode, UserError
from signgen.pose.estimators.base import open_first
from signgen.pose.estimators.hrnet.weights import HAND_WEIGHTS, find_weights
from signgen.pose.skeleton import HAND_POINTS

__all__ = [
    "HAND_POINTS",
    "PATCH_SIZE",
    "HandEstimatorName",
    "HandPatchEstimator",
    "open_hand_estimator",
]

log = logging.getLogger(__name__)

PATCH_SIZE = 256
"""Side of the pictures in pixels: the input of both networks' kind."""
HandEstimatorName = Literal["auto", "hrnet", "mediapipe"]


class HandPatchEstimator(Protocol):
    """Finds the points of one hand in each picture; structural, no base class.

    Pictures have nothing to do with each other: the result does not depend on what else is given,
    beyond rounding.
    """

    @property
    def name(self) -> str:
        """Short name with what decides the result, such as `mediapipe-hands-0.10.21-margin192`."""

    def find(self, patches: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Find the points.

        Args:
            patches: (N, 256, 256, 3) uint8 RGB, one hand in each; N may be 0.

        Returns:
            (N, 21, 2) points x, y in pixels of the picture, in the order of a hand of
            COCO-WholeBody, and (N,) whether a hand was found; points are 0 where none was.
        """


def open_hand_estimator(
    name: HandEstimatorName = "auto", weights: Path | None = None, device: Device = "auto"
) -> HandPatchEstimator:
    """Open an estimator of hands by name.

    Args:
        name: `hrnet`, `mediapipe`, or `auto`: HRNet where its weights are given or found, else
            MediaPipe where it is installed; the log says which one it is.
        weights: Weights of HRNet; None looks for the published ones.
        device: Where HRNet computes; MediaPipe always computes on the CPU.

    Raises:
        UserError: If what it needs is missing (66 or 69; the message has the command that gets
            it), or weights are given for MediaPipe, which has its own (2).
    """
    if name == "hrnet" or (name == "auto" and weights is not None):
        return _open_hrnet(weights, device)
    if weights is not None:
        raise UserError(
            f"{weights}: mediapipe has its weights in its package. Leave the file out, or "
            "choose hrnet.",
            ExitCode.USAGE,
        )
    if name == "mediapipe":
        return _open_mediapipe()
    hrnet = partial(_open_hrnet, None, device)
    estimator, reasons = open_first(
        ((hrnet, ExitCode.NO_INPUT), (_open_mediapipe, ExitCode.UNAVAILABLE))
    )
    if estimator is None:
        raise UserError(
            f"no estimator of hands is usable here; one of two is needed. 1: {reasons[0]} "
            f"2: {reasons[1]}",
            ExitCode.UNAVAILABLE,
        )
    log.info("points of hands are estimated by %s", estimator.name)
    return estimator


def _open_hrnet(weights: Path | None, device: Device) -> HandPatchEstimator:
    # Before torch is imported, which takes seconds.
    file = find_weights(weights, HAND_WEIGHTS)
    from signgen.pose.estimators.hrnet.estimator import HandEstimator

    return HandEstimator(file, device)


def _open_mediapipe() -> HandPatchEstimator:
    from signgen.pose.estimators.mediapipe import MediaPipeHands

    return MediaPipeHands()
