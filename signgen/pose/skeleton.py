"""Names, order and connections of key points.

Two skeletons are known. `coco-wholebody-133` is the canonical one of the package (Jin et al. 2020):
body 0-16, feet 17-22, face 23-90 (iBUG-68 order), left hand 91-111, right hand 112-132.
`openpose-18` is what the DeepFashion key points of FPDM use. Left and right are always the signer's
own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

__all__ = [
    "FINGERS",
    "HAND_ROOT",
    "MIDDLE_KNUCKLE",
    "SKELETONS",
    "WRIST",
    "Edge",
    "Skeleton",
    "Span",
]

Edge = tuple[int, int]
Span = tuple[int, int]

#: Index of the middle finger's knuckle, the centre of a hand patch (FPDM, section 4).
MIDDLE_KNUCKLE: Mapping[str, int] = MappingProxyType({"left": 100, "right": 121})
#: Index of the first point of a hand, at the wrist.
HAND_ROOT: Mapping[str, int] = MappingProxyType({"left": 91, "right": 112})
#: Index of the wrist that belongs to the body.
WRIST: Mapping[str, int] = MappingProxyType({"left": 9, "right": 10})
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
        name: Key in `SKELETONS`.
        num_keypoints: Number of points K.
        names: K distinct point names.
        edges: Connections by group (`body`, `feet`, `face`, `left_hand`, `right_hand`), 0-based
            pairs.
        body: (start, stop) of the body points.
        feet: (start, stop) of the feet; empty where the skeleton has none.
        face: (start, stop) of the face points.
        left_hand: (start, stop) of the left hand.
        right_hand: (start, stop) of the right hand.
        mirror: For each point the index of the point on the other side, itself for points on the
            axis.
    """

    name: str
    num_keypoints: int
    names: tuple[str, ...]
    edges: Mapping[str, tuple[Edge, ...]]
    body: Span
    feet: Span
    face: Span
    left_hand: Span
    right_hand: Span
    mirror: tuple[int, ...]

    def index(self, name: str) -> int:
        """Return the index of a point by name; ValueError where there is none."""
        return self.names.index(name)

    @property
    def all_edges(self) -> tuple[Edge, ...]:
        """Every connection, group after group."""
        return tuple(edge for group in self.edges.values() for edge in group)


_COCO_BODY = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
_FEET = (
    "left_big_toe",
    "left_small_toe",
    "left_heel",
    "right_big_toe",
    "right_small_toe",
    "right_heel",
)
_OPENPOSE_18 = (
    "nose",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_eye",
    "left_eye",
    "right_ear",
    "left_ear",
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


def _chain(start: int, stop: int, *, closed: bool = False) -> tuple[Edge, ...]:
    """Connect start, start + 1, ..., stop - 1, and the last to the first where closed."""
    links = tuple((i, i + 1) for i in range(start, stop - 1))
    return (*links, (stop - 1, start)) if closed else links


def _hand_edges(root: int) -> tuple[Edge, ...]:
    """Five fingers, each from the root outwards."""
    edges: list[Edge] = []
    for offsets in FINGERS.values():
        joints = (root, *(root + offset for offset in offsets))
        edges.extend(pairwise(joints))
    return tuple(edges)


def _hand_names(side: str) -> tuple[str, ...]:
    joints = (f"{side}_{finger}_{n}" for finger in FINGERS for n in range(1, 5))
    return (f"{side}_hand_root", *joints)


def _mirror_by_name(names: tuple[str, ...]) -> tuple[int, ...]:
    """Swap `left_` and `right_` names; other names mirror to themselves."""
    swapped = {"left": "right", "right": "left"}
    mirrored = []
    for name in names:
        side, _, rest = name.partition("_")
        mirrored.append(f"{swapped[side]}_{rest}" if side in swapped else name)
    return tuple(names.index(name) for name in mirrored)


def _coco_wholebody() -> Skeleton:
    face = 23
    names = (
        *_COCO_BODY,
        *_FEET,
        *(f"face_{i}" for i in range(68)),
        *_hand_names("left"),
        *_hand_names("right"),
    )
    mirror = list(_mirror_by_name(names))
    mirror[face : face + 68] = [face + i for i in _FACE_MIRROR]
    face_edges = (
        *_chain(23, 40),  # jaw
        *_chain(40, 45),  # brow over the right eye
        *_chain(45, 50),  # brow over the left eye
        *_chain(50, 54),  # bridge of the nose
        *_chain(54, 59),  # nostrils
        *_chain(59, 65, closed=True),  # right eye
        *_chain(65, 71, closed=True),  # left eye
        *_chain(71, 83, closed=True),  # outer lips
        *_chain(83, 91, closed=True),  # inner lips
    )
    edges = {
        "body": (
            *((0, 1), (0, 2), (1, 3), (2, 4)),
            *((5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12), (11, 12)),
            *((11, 13), (13, 15), (12, 14), (14, 16)),
        ),
        "feet": ((15, 17), (15, 18), (15, 19), (16, 20), (16, 21), (16, 22)),
        "face": face_edges,
        "left_hand": _hand_edges(HAND_ROOT["left"]),
        "right_hand": _hand_edges(HAND_ROOT["right"]),
    }
    return Skeleton(
        name="coco-wholebody-133",
        num_keypoints=133,
        names=names,
        edges=MappingProxyType(edges),
        body=(0, 17),
        feet=(17, 23),
        face=(23, 91),
        left_hand=(91, 112),
        right_hand=(112, 133),
        mirror=tuple(mirror),
    )


def _openpose_18() -> Skeleton:
    body = (
        *((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11)),
        *((11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17)),
    )
    return Skeleton(
        name="openpose-18",
        num_keypoints=18,
        names=_OPENPOSE_18,
        edges=MappingProxyType(
            {"body": body, "feet": (), "face": (), "left_hand": (), "right_hand": ()}
        ),
        body=(0, 18),
        feet=(18, 18),
        face=(18, 18),
        left_hand=(18, 18),
        right_hand=(18, 18),
        mirror=_mirror_by_name(_OPENPOSE_18),
    )


#: Every skeleton of the package by name.
SKELETONS: Mapping[str, Skeleton] = MappingProxyType(
    {skeleton.name: skeleton for skeleton in (_coco_wholebody(), _openpose_18())}
)
