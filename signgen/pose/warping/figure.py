"""One pose by parts: joints, face and hands of a signer, and the unit that lengths are told in.

All lengths of this package are in units of the source's shoulder width, so that a warp does not
depend on the size of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from signgen.pose.skeleton import FINGERS, SKELETONS

__all__ = [
    "HAND_BONES",
    "SIDES",
    "Array",
    "Figure",
    "Hand",
    "Limb",
    "Mask",
    "Side",
    "limbs_of",
    "palm_size",
]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Side = Literal["left", "right"]

SIDES: tuple[Side, ...] = get_args(Side)
#: Pairs of a hand's 21 points: five bones of the palm, then three of each finger, thumb first.
HAND_BONES: tuple[tuple[int, int], ...] = (
    *((0, joints[0]) for joints in FINGERS.values()),
    *(bone for joints in FINGERS.values() for bone in pairwise(joints)),
)
_LEAST_BONES = 6
"""A hand of which fewer bones are known counts as missing."""


@dataclass(frozen=True)
class Limb:
    """A tapered capsule around a bone.

    Args:
        name: Its part, one of `PARTS`.
        start: Name of the joint nearer to the trunk.
        end: Name of the other joint.
        radii: Radius at both ends, in units.
    """

    name: str
    start: str
    end: str
    radii: tuple[float, float]


def limbs_of(side: Side) -> tuple[Limb, Limb]:
    """Return upper arm and forearm of one side."""
    return (
        Limb(f"{side}_upper_arm", f"{side}_shoulder", f"{side}_elbow", (0.17, 0.135)),
        Limb(f"{side}_forearm", f"{side}_elbow", f"{side}_wrist", (0.13, 0.085)),
    )


def palm_size(points: Array) -> float:
    """Return the size of a palm in pixels, of its length and its width what is longer."""
    length = np.hypot(*(points[[5, 9, 17]] - points[0]).T).max()
    return float(max(length, 1.3 * np.hypot(*(points[5] - points[17]))))


@dataclass(frozen=True)
class Hand:
    """One hand.

    Args:
        points: (21, 2) in pixels, from the root at the wrist; see `skeleton.FINGERS`.
        visible: (21,) which of them are known.
    """

    points: Array
    visible: Mask

    @property
    def bones(self) -> Mask:
        """(20,) which of `HAND_BONES` are known."""
        return np.array([bool(self.visible[a] and self.visible[b]) for a, b in HAND_BONES])


@dataclass(frozen=True)
class Figure:
    """Key points of one pose.

    Args:
        points: (K, 2) float64, (x, y) in pixels of the picture.
        visible: (K,) which of them are known.
        skeleton: Name of the skeleton, with the names of COCO's body or of OpenPose's.
    """

    points: Array
    visible: Mask
    skeleton: str

    @staticmethod
    def of(keypoints: ArrayLike, confidence: ArrayLike, skeleton: str) -> Figure:
        """Take key points (K, 2) and confidences (K,); not finite ones count as missing."""
        points = np.asarray(keypoints, dtype=np.float64)
        sure = np.asarray(confidence, dtype=np.float64)
        expected = SKELETONS[skeleton].num_keypoints
        if points.shape != (expected, 2) or sure.shape != (expected,):
            raise ValueError(
                f"key points have shape {points.shape}, confidences {sure.shape}; expected "
                f"({expected}, 2) and ({expected},) for {skeleton}"
            )
        visible = (sure > 0) & np.isfinite(points).all(axis=1)
        return Figure(np.where(visible[:, None], points, 0.0), visible, skeleton)

    def index(self, name: str) -> int:
        """Return the index of a body joint."""
        return SKELETONS[self.skeleton].index(name)

    def hand_span(self, side: Side) -> slice:
        """Where the 21 points of a hand are; an empty slice for skeletons without."""
        return slice(*getattr(SKELETONS[self.skeleton], f"{side}_hand"))

    def joint(self, name: str) -> Array | None:
        """Return a body joint (2,), or None where it is missing."""
        index = self.index(name)
        return self.points[index] if self.visible[index] else None

    def joints(self, *names: str) -> Array | None:
        """Return several joints (n, 2), or None where one is missing."""
        found = [self.joint(name) for name in names]
        known = [point for point in found if point is not None]
        return np.stack(known) if len(known) == len(found) else None

    def side(self, name: str) -> Array | None:
        """Return the left and the right joint of a name (2, 2), or None where one is missing."""
        return self.joints(f"left_{name}", f"right_{name}")

    def hand(self, side: Side) -> Hand | None:
        """Return a hand, or None where too little of it is known."""
        span = self.hand_span(side)
        if span.start == span.stop:
            return None
        hand = Hand(self.points[span], self.visible[span])
        return hand if int(hand.bones.sum()) >= _LEAST_BONES else None

    @property
    def face(self) -> slice:
        """Where the 68 points of the face are; an empty slice for skeletons without."""
        return slice(*SKELETONS[self.skeleton].face)

    @property
    def face_points(self) -> Array | None:
        """Return the face (68, 2), or None where a point is missing or there is none."""
        if self.face.start == self.face.stop or not self.visible[self.face].all():
            return None
        return self.points[self.face]

    def head(self) -> Sequence[int]:
        """Return the indices of the body's points on the head."""
        names = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
        return [self.index(name) for name in names]

    def unit(self, size: tuple[int, int]) -> float:
        """Return the width of the shoulders in pixels, from 4 to the longer side of the frame.

        A signer who stands sideways shows less of it: the distance from nose to neck has a say.
        Without shoulders a face tells, without a face the frame's shorter side.

        Args:
            size: (H, W) of the picture.
        """
        shoulders, nose = self.side("shoulder"), self.joint("nose")
        lengths = []
        if shoulders is not None:
            lengths.append(float(np.linalg.norm(shoulders[0] - shoulders[1])))
            if nose is not None:
                lengths.append(1.3 * float(np.linalg.norm(nose - shoulders.mean(axis=0))))
        elif self.face_points is not None:
            lengths.append(2.4 * float(np.ptp(self.face_points[:, 0])))
        else:
            lengths.append(min(size) / 4)
        return min(max(4.0, *lengths), float(max(size)))
