"""Key points of one hand in a square picture of it: HRNet or MediaPipe, behind one protocol."""

from __future__ import annotations

import importlib.metadata
import logging
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from signgen.config.pose import Device
from signgen.errors import ExitCode, UserError
from signgen.pose.estimators.base import Box
from signgen.pose.estimators.hrnet.boxes import PADDING
from signgen.pose.estimators.hrnet.weights import HAND_WEIGHTS, find_weights

__all__ = [
    "HAND_POINTS",
    "PATCH_SIZE",
    "WHOLE_PICTURE",
    "HRNetHands",
    "HandEstimatorName",
    "HandPatchEstimator",
    "MediaPipeHands",
    "open_hand_estimator",
]

log = logging.getLogger(__name__)

PATCH_SIZE = 256
"""Side of the pictures in pixels: the input of both networks' kind."""
HAND_POINTS = 21
_MARGIN = PATCH_SIZE / 2 * (1 - 1 / PADDING)
WHOLE_PICTURE: Box = (_MARGIN, _MARGIN, PATCH_SIZE - _MARGIN, PATCH_SIZE - _MARGIN)
"""The box of which HRNet, which sees `PADDING` times as much, sees exactly the picture."""
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


class HRNetHands:
    """HRNetV2-W18 on the whole picture and nothing beside it.

    It always answers: what is no hand shows in low confidence alone, and counts as found.

    Args:
        weights: A file; None looks for the published one, see `HandEstimator`.
        device: Where it is computed.
        batch_size: Pictures computed at a time; changes speed and memory, not the result.
        random_seed: Draw weights instead of reading them; the points mean nothing.

    Raises:
        UserError: If the weights are missing (66) or of another network.
    """

    def __init__(
        self,
        weights: Path | None = None,
        device: Device = "auto",
        batch_size: int = 32,
        random_seed: int | None = None,
    ) -> None:
        if random_seed is None:  # before torch is imported, which takes seconds
            weights = find_weights(weights, HAND_WEIGHTS)
        from signgen.pose.estimators.hrnet.estimator import HandEstimator

        self._estimator = HandEstimator(weights, device, batch_size, random_seed=random_seed)
        self.name = self._estimator.name

    def __deepcopy__(self, memo: dict[int, Any]) -> HRNetHands:
        """Share the network: it remembers nothing of what it has seen."""
        return self

    def find(self, patches: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Find the points; see `HandPatchEstimator.find`."""
        points, confidence = self._estimator.estimate(list(patches), [WHOLE_PICTURE] * len(patches))
        found = np.asarray((confidence > 0).all(axis=1), np.bool_)
        points[~found] = 0
        return points, found


class MediaPipeHands:
    """MediaPipe Hands 0.10.21, whose models are in its wheel: works offline.

    Pictures are taken one by one (`static_image_mode`), at most one hand in each, with the larger
    models (`model_complexity=1`) and MediaPipe's own thresholds of 0.5. They get a black margin of
    `margin` pixels, because the detector of palms looks for hands that are small in the picture:
    on the two clips that FPDM published it finds 2 of 49 true hands without the margin, 32 with it.

    Args:
        margin: Pixels on each side of the 256.

    Raises:
        UserError: If MediaPipe is not installed, or is another release without models (69).
    """

    def __init__(self, margin: int = 192) -> None:
        from signgen.pose.estimators.mediapipe import load_solutions

        self._margin = margin
        self._solution = load_solutions().hands
        self._graph: Any = None

    @property
    def name(self) -> str:
        """Package, version and margin."""
        return f"mediapipe-hands-{importlib.metadata.version('mediapipe')}-margin{self._margin}"

    def __deepcopy__(self, memo: dict[int, Any]) -> MediaPipeHands:
        """Share the models: they remember nothing of what they have seen."""
        return self

    def find(self, patches: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Find the points; see `HandPatchEstimator.find`."""
        from signgen.pose.estimators.mediapipe import quiet

        points = np.zeros((len(patches), HAND_POINTS, 2), np.float32)
        found = np.zeros(len(patches), np.bool_)
        m = self._margin
        pictures = np.pad(patches, ((0, 0), (m, m), (m, m), (0, 0)))
        for index, picture in enumerate(pictures):
            with quiet():
                # Opened here, because its threads go on logging until the first picture is done.
                self._graph = self._graph or self._solution.Hands(
                    static_image_mode=True, max_num_hands=1
                )
                hands = self._graph.process(picture).multi_hand_landmarks
            if hands:
                marks = [(mark.x, mark.y) for mark in hands[0].landmark]
                points[index], found[index] = np.array(marks) * (PATCH_SIZE + 2 * m) - m, True
        return points, found


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
    if name == "mediapipe":
        if weights is not None:
            raise UserError(
                f"{weights}: mediapipe has its weights in its package. Leave the file out, or "
                "choose hrnet.",
                ExitCode.USAGE,
            )
        return MediaPipeHands()
    if name == "hrnet" or weights is not None:
        return HRNetHands(weights, device)
    try:
        estimator: HandPatchEstimator = HRNetHands(None, device)
    except UserError as no_hrnet:
        if no_hrnet.code != ExitCode.NO_INPUT:
            raise
        try:
            estimator = MediaPipeHands()
        except UserError as no_mediapipe:
            if no_mediapipe.code != ExitCode.UNAVAILABLE:
                raise
            raise UserError(
                f"no estimator of hands is usable here; one of two is needed. 1: {no_hrnet} "
                f"2: {no_mediapipe}",
                ExitCode.UNAVAILABLE,
            ) from no_mediapipe
    log.info("points of hands are estimated by %s", estimator.name)
    return estimator
