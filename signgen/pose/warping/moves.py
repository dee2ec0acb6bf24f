"""The moves of all parts from a source to one target pose, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from signgen.pose.warping.bones import BoneMove, similar
from signgen.pose.warping.figure import HAND_BONES, Array, Mask, Side, palm_size
from signgen.pose.warping.trunk import TrunkMove

__all__ = ["PALM", "HandMove", "Motion"]

PALM = [0, 1, 5, 9, 13, 17]
"""Points of a hand that hold it together."""
_ALIKE, _BENT = 0.3, 0.45
"""Lengths of the palm by which its points may be off from the move of a palm that is seen alike,
and from which a joint is off in a finger that is bent."""


@dataclass(frozen=True)
class HandMove:
    """A hand before and after.

    Args:
        source: (21, 2) points in the source in pixels.
        target: (21, 2) the same in the target.
        bones: (20,) which of `HAND_BONES` are known.
        across: Pixels of the target per pixel of the source across fingers, above 0.
    """

    source: Array
    target: Array
    bones: Mask
    across: float

    @property
    def still(self) -> bool:
        """Whether source and target are the same."""
        return bool(np.array_equal(self.source, self.target)) and self.across == 1

    def moves(self) -> list[BoneMove]:
        """Return the moves of the known bones, palm first."""
        return [
            BoneMove(self.source[list(bone)], self.target[list(bone)], self.across)
            for bone, known in zip(HAND_BONES, self.bones, strict=True)
            if known
        ]

    def bent(self) -> bool:
        """Whether fingers are bent otherwise than in the source, on a palm that is seen alike."""
        size = max(palm_size(self.target), 1e-6)
        whole = similar(self.source[PALM], self.target[PALM])(self.source)
        off = np.hypot(*(self.target - whole).T) / size
        return bool(off[PALM].max() < _ALIKE and off.max() > _BENT)


@dataclass(frozen=True)
class Motion:
    """The moves of all parts from the source to one target pose; parts at rest are left out.

    Args:
        trunk: The move of torso and head, or None at rest.
        limbs: Moves of upper arms and forearms, by part.
        hands: Moves of the source's hands, by side.
        drawn: Points (21, 2) and opacity of hands that the source does not show, by side.
        mouth: Points (8, 2) of the inner lips and opacity of a mouth that is open wider than the
            source's, or None.
        front: The side whose arm lies in front.
    """

    trunk: TrunkMove | None
    limbs: Mapping[str, BoneMove] = field(default_factory=dict)
    hands: Mapping[Side, HandMove] = field(default_factory=dict)
    drawn: Mapping[Side, tuple[Array, float]] = field(default_factory=dict)
    mouth: tuple[Array, float] | None = None
    front: Side = "right"

    @property
    def still(self) -> bool:
        """Whether nothing moves."""
        return self.trunk is None and not (self.limbs or self.hands or self.drawn)
