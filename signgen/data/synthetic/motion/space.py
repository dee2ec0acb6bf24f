"""Where a body signs: places on and before it, scaled to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["HEAD_PLACES", "REACH", "TOUCHING", "SigningSpace"]

Array = NDArray[np.float64]

# Places of the middle of the palm for an adult, metres; from the middle of the shoulders,
_TRUNK_PLACES: dict[str, tuple[float, float, float]] = {
    "SHOULDER": (0.08, -0.20, -0.05),
    "CHEST": (-0.07, -0.20, -0.12),
    "NEUTRAL": (-0.15, -0.30, -0.22),
    "BELLY": (-0.11, -0.26, -0.34),
    "SIDE": (-0.33, -0.22, -0.10),
    "HIGH": (-0.30, -0.22, 0.12),
    "LOW": (-0.26, -0.26, -0.36),
    "CENTRE": (-0.04, -0.32, -0.18),
    "ACROSS": (0.11, -0.30, -0.22),
}
# and from where the head begins, behind the mouth.
HEAD_PLACES: dict[str, tuple[float, float, float]] = {
    "FOREHEAD": (-0.07, -0.18, 0.11),
    "FACE": (-0.03, -0.26, 0.02),
    "CHEEK": (-0.09, -0.17, 0.00),
    "CHIN": (-0.03, -0.18, -0.07),
    "EAR": (-0.19, -0.08, 0.03),
}
#: Places where the hand touches the body.
TOUCHING = ("SHOULDER", "CHEST", "FOREHEAD", "CHEEK", "CHIN")
REACH = 0.56
"""Upper arm and forearm of the adult for whom places are written, metres."""
_HEAD_LENGTH = 0.16
"""Her head bone, metres."""


@dataclass(frozen=True)
class SigningSpace:
    """Where a body signs, metres.

    Args:
        shoulders: (3,) middle of the shoulder joints.
        head: (3,) where the head begins.
        hips: (3,) middle of the hip joints.
        reach: Upper arm and forearm.
        head_length: Of the head bone.
        hand_length: Wrist to the tip of the middle finger.
    """

    shoulders: Array
    head: Array
    hips: Array
    reach: float
    head_length: float
    hand_length: float

    def places(self) -> dict[str, Array]:
        """Place of the middle of the right palm for each part of signing space."""
        arm, head = self.reach / REACH, self.head_length / _HEAD_LENGTH
        trunk = {name: self.shoulders + arm * np.array(at) for name, at in _TRUNK_PLACES.items()}
        return trunk | {name: self.head + head * np.array(at) for name, at in HEAD_PLACES.items()}

    def resting(self, rest: str) -> Array:
        """Place of the right palm at rest: in the `lap`, `hanging` or at the `belly`."""
        arm = self.reach / REACH
        if rest == "lap":
            return self.hips + arm * np.array([-0.10, -0.28, 0.12])
        if rest == "belly":
            return self.hips + arm * np.array([-0.07, -0.22, 0.10])
        return self.shoulders + arm * np.array([-0.26, -0.05, -0.62])
