"""Names and order of key points.

Two skeletons are known. `coco-wholebody-133` is the canonical one of the package (Jin et al. 2020):
body 0-16, feet 17-22, face 23-90 (iBUG-68 order), left hand 91-111, right hand 112-132.
`openpose-18` is what the DeepFashion key points of FPDM use. Left and right are always the signer's
own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = [
    "COCO_WHOLEBODY",
    "FINGERS",
    "HAND_POINTS",
    "HAND_ROOT",
    "MIDDLE_KNUCKLE",
    "OPENPOSE_18",
    "SIDES",
    "SKELETONS",
    "Skeleton",
]

COCO_WHOLEBODY = "coco-wholebody-133"
OPENPOSE_18 = "openpose-18"
SIDES = ("left", "right")
#: Points of a hand.
HAND_POINTS = 21
#: Index of the middle finger's knuckle, the centre of a hand patch (FPDM, section 4).
MIDDLE_KNUCKLE: Mapping[str, int] = MappingProxyType({"left": 100, "right": 121})
#: Index of the first point of a hand, at the wrist.
HAND_ROOT: Mapping[str, int] = MappingProxyType({"left": 91, "right": 112})
#: Offsets from the hand root of each finger's joints, knuckle first.
FINGERS: Mapping[str, tuple[int, int, int, int]] = MappingProxyType(
    {
        "thumb": (1, 2, 3, 4),
        "index": (5, 6, 7, 8),
        "middle": (9, 10, 11, 12),
        "ring": (13, 14, 15, 16),
        "little": (17, 18, 19, 20),
    }
)


@dataclass(frozen=True)
class Skeleton:
    """One order of key points.

    Args:
        names: K distinct point names.
        body: (start, stop) of the body points; the same of `feet`, `face`, `left_hand` and
            `right_hand`, which are empty where the skeleton has none.
        mirror: For each point the index of the point on the other side, itself for points on the
            axis.
    """

    name: str
    names: tuple[str, ...]
    mirror: tuple[int, ...]
    body: tuple[int, int]
    feet: tuple[int, int] = (0, 0)
    face: tuple[int, int] = (0, 0)
    left_hand: tuple[int, int] = (0, 0)
    right_hand: tuple[int, int] = (0, 0)

    @property
    def num_keypoints(self) -> int:
        """Number of points K."""
        return len(self.names)

    def index(self, name: str) -> int:
        """Return the index of a point by name; ValueError where there is none."""
        return self.names.index(name)


_JOINTS = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_COCO_NAMES = (
    *("nose", *(f"{side}_{joint}" for joint in _JOINTS for side in SIDES)),
    *(f"{side}_{part}" for side in SIDES for part in ("big_toe", "small_toe", "heel")),
    *(f"face_{i}" for i in range(68)),
    *(
        f"{side}_{point}"
        for side in SIDES
        for point in ("hand_root", *(f"{finger}_{n}" for finger in FINGERS for n in range(1, 5)))
    ),
)
_LIMBS = (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
_OPENPOSE_NAMES = (
    *("nose", "neck"),
    *(f"{side}_{joint}" for limb in _LIMBS for side in ("right", "left") for joint in limb),
    *("right_eye", "left_eye", "right_ear", "left_ear"),
)
_FACE_MIRROR = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *range(27, 31),
    *range(35, 30, -1),
    *(45, 44, 43, 42, 47, 46),
    *(39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48),
    *(59, 58, 57, 56, 55),
    *(64, 63, 62, 61, 60),
    *(67, 66, 65),
)


def _mirror_by_name(names: tuple[str, ...]) -> list[int]:
    """Swap `left_` and `right_` names; other names mirror to themselves."""
    swapped = {"left": "right", "right": "left"}
    parts = [name.partition("_") for name in names]
    return [names.index("".join((swapped.get(side, side), *rest))) for side, *rest in parts]


_mirror = _mirror_by_name(_COCO_NAMES)
_mirror[23:91] = [23 + i for i in _FACE_MIRROR]

#: Every skeleton of the package by name.
SKELETONS: Mapping[str, Skeleton] = MappingProxyType(
    {
        COCO_WHOLEBODY: Skeleton(
            name=COCO_WHOLEBODY,
            names=_COCO_NAMES,
            mirror=tuple(_mirror),
            body=(0, 17),
            feet=(17, 23),
            face=(23, 91),
            left_hand=(91, 112),
            right_hand=(112, 133),
        ),
        OPENPOSE_18: Skeleton(
            name=OPENPOSE_18,
            names=_OPENPOSE_NAMES,
            mirror=tuple(_mirror_by_name(_OPENPOSE_NAMES)),
            body=(0, 18),
        ),
    }
)
