"""Maps from the components of `.pose` files and OpenPose JSON to COCO-WholeBody-133.

Each map names, for a key point, the point of the component that supplies it. MediaPipe points are
found by their names, so that reduced files work as far as they go; OpenPose and COCO-WholeBody
points by their position. The face points chosen from the MediaPipe mesh are those of pose-format's
converter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BODY_25",
    "COCO_18",
    "FROM_HALPE_136",
    "HAND_COMPONENTS",
    "Component",
    "Points",
    "map_components",
]

Points = NDArray[np.float64]

_NUM_KEYPOINTS = 133
_FACE, _LEFT_HAND, _RIGHT_HAND = 23, 91, 112

_HOLISTIC_BODY: Mapping[int, str] = {
    0: "NOSE",
    1: "LEFT_EYE",
    2: "RIGHT_EYE",
    3: "LEFT_EAR",
    4: "RIGHT_EAR",
    5: "LEFT_SHOULDER",
    6: "RIGHT_SHOULDER",
    7: "LEFT_ELBOW",
    8: "RIGHT_ELBOW",
    9: "LEFT_WRIST",
    10: "RIGHT_WRIST",
    11: "LEFT_HIP",
    12: "RIGHT_HIP",
    13: "LEFT_KNEE",
    14: "RIGHT_KNEE",
    15: "LEFT_ANKLE",
    16: "RIGHT_ANKLE",
    17: "LEFT_FOOT_INDEX",
    18: "LEFT_FOOT_INDEX",  # MediaPipe has no small toe
    19: "LEFT_HEEL",
    20: "RIGHT_FOOT_INDEX",
    21: "RIGHT_FOOT_INDEX",
    22: "RIGHT_HEEL",
}
_MESH_OF_FACE: tuple[int, ...] = (
    *(127, 234, 93, 132, 58, 172, 136, 149, 152, 378, 365, 397, 288, 361, 323, 454, 356),
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
    *(168, 197, 5, 4, 219, 237, 1, 457, 439),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91),
    *(78, 81, 13, 311, 308, 402, 14, 178),
)
BODY_25: tuple[int, ...] = (
    *(0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11),
    *(19, 20, 21, 22, 23, 24),
)
COCO_18: tuple[int, ...] = (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)  # no neck
#: BODY_135: COCO's body, neck, top of the head, feet, hands without their wrists, face.
_BODY_135: tuple[int, ...] = (*range(17), *range(19, 25))
#: Halpe's 136 points have the top of the head, neck and pelvis after the body, and feet in pairs.
FROM_HALPE_136 = (*range(17), 20, 22, 24, 21, 23, 25, *range(26, 136))
#: Key points of the face used where the body has none: inner eye corners, upper lip, eyes, sides of
#: the head.
_INNER_EYE = (_FACE + 39, _FACE + 42)
_UPPER_LIP = _FACE + 51
_RIGHT_EYE = tuple(range(_FACE + 36, _FACE + 42))
_LEFT_EYE = tuple(range(_FACE + 42, _FACE + 48))
_RIGHT_SIDE, _LEFT_SIDE = _FACE + 1, _FACE + 15

#: Names of components that hold one hand only.
HAND_COMPONENTS = frozenset(
    {
        *("LEFT_HAND_LANDMARKS", "RIGHT_HAND_LANDMARKS", "LEFT_HAND", "RIGHT_HAND"),
        *("hand_left_keypoints_2d", "hand_right_keypoints_2d", "LEFT_HAND_133", "RIGHT_HAND_133"),
        *("LEFT_HAND_136", "RIGHT_HAND_136"),
    }
)


@dataclass(frozen=True)
class Component:
    """One component of one person.

    Args:
        names: N point names.
        points: (T, N, 2) float64.
        confidence: (T, N) float64, 0 where missing.
    """

    names: Sequence[str]
    points: Points
    confidence: Points


def map_components(components: Mapping[str, Component]) -> tuple[Points, Points] | None:
    """Map one person's components to COCO-WholeBody-133.

    Args:
        components: By name, as the file has them.

    Returns:
        (T, 133, 2) points and (T, 133) confidence, or None where no map fits. Points that the file
        does not have are missing, except those that `_complete` derives for MediaPipe files.
    """
    for names, build in (
        (("POSE_LANDMARKS",), _from_holistic),
        (("pose_keypoints_2d",), _from_openpose),
        (("BODY", "FACE", "LEFT_HAND", "RIGHT_HAND"), _from_coco),
        (("BODY_133", "FACE_133", "LEFT_HAND_133", "RIGHT_HAND_133"), _from_coco),
        (("BODY_136", "FACE_136", "LEFT_HAND_136", "RIGHT_HAND_136"), _from_halpe),
        (("BODY_135",), _from_openpose),
    ):
        if all(name in components for name in names):
            return build([components.get(name) for name in names], components)
    return None


class _Canvas:
    """Collects points of the 133-point skeleton."""

    def __init__(self, frames: int) -> None:
        self.points = np.zeros((frames, _NUM_KEYPOINTS, 2))
        self.confidence = np.zeros((frames, _NUM_KEYPOINTS))

    def put(self, start: int, component: Component | None, sources: Sequence[int]) -> None:
        """Copy points by position to start, start + 1, ..."""
        if component is None:
            return
        stop = start + len(sources)
        self.points[:, start:stop] = component.points[:, list(sources)]
        self.confidence[:, start:stop] = component.confidence[:, list(sources)]

    def put_named(self, component: Component | None, names: Mapping[int, str]) -> None:
        """Copy points by name, leaving out those that the component does not have."""
        if component is None:
            return
        position = {name: i for i, name in enumerate(component.names)}
        for target, name in names.items():
            if name in position:
                self.put(target, component, [position[name]])

    def derive(self, target: int, sources: Sequence[int], weights: Sequence[float]) -> None:
        """Fill a missing point with a weighted mean of points where all of these are present."""
        chosen = list(sources)
        present = (self.confidence[:, chosen] > 0).all(axis=1) & (self.confidence[:, target] <= 0)
        mean = np.tensordot(self.points[:, chosen], np.asarray(weights), axes=(1, 0))
        self.points[present, target] = mean[present]
        self.confidence[present, target] = self.confidence[:, chosen].min(axis=1)[present]


def _from_holistic(
    _: Sequence[Component | None], components: Mapping[str, Component]
) -> tuple[Points, Points] | None:
    body = components["POSE_LANDMARKS"]
    if not {"LEFT_SHOULDER", "RIGHT_SHOULDER"} <= set(body.names):
        return None
    canvas = _Canvas(len(body.points))
    canvas.put_named(body, _HOLISTIC_BODY)
    mesh = {_FACE + i: str(index) for i, index in enumerate(_MESH_OF_FACE)}
    canvas.put_named(components.get("FACE_LANDMARKS"), mesh)
    for name, start in (("LEFT_HAND_LANDMARKS", _LEFT_HAND), ("RIGHT_HAND_LANDMARKS", _RIGHT_HAND)):
        hand = components.get(name)
        if hand is not None and len(hand.names) == 21:
            canvas.put(start, hand, range(21))
    _complete(canvas, set(body.names))
    return canvas.points, canvas.confidence


def _complete(canvas: _Canvas, body_names: set[str]) -> None:
    """Derive points of the head that a reduced file leaves out, and wrists from the hands.

    Differs from the plain map because a drawing without nose and eyes has no head: the nose is half
    way between the inner corners of the eyes and the upper lip, an eye is the mean of its contour,
    an ear is the side of the head.
    """
    if "NOSE" not in body_names:
        canvas.derive(0, (*_INNER_EYE, _UPPER_LIP), (0.25, 0.25, 0.5))
        canvas.derive(1, _LEFT_EYE, [1 / 6] * 6)
        canvas.derive(2, _RIGHT_EYE, [1 / 6] * 6)
        canvas.derive(3, (_LEFT_SIDE,), (1.0,))
        canvas.derive(4, (_RIGHT_SIDE,), (1.0,))
    canvas.derive(9, (_LEFT_HAND,), (1.0,))
    canvas.derive(10, (_RIGHT_HAND,), (1.0,))


def _from_openpose(
    _: Sequence[Component | None], components: Mapping[str, Component]
) -> tuple[Points, Points] | None:
    body = components.get("pose_keypoints_2d") or components["BODY_135"]
    sources = {25: BODY_25, 18: COCO_18, 135: _BODY_135}.get(len(body.names))
    if sources is None:
        return None
    canvas = _Canvas(len(body.points))
    canvas.put(0, body, sources)
    if len(body.names) == 135:
        canvas.put(_LEFT_HAND, body, (9, *range(25, 45)))
        canvas.put(_RIGHT_HAND, body, (10, *range(45, 65)))
        canvas.put(_FACE, body, range(65, 133))  # 133 and 134 are the pupils
    for name, start, count in (
        ("face_keypoints_2d", _FACE, 68),  # 68 and 69 are the pupils
        ("hand_left_keypoints_2d", _LEFT_HAND, 21),
        ("hand_right_keypoints_2d", _RIGHT_HAND, 21),
    ):
        part = components.get(name)
        if part is not None and len(part.names) >= count:
            canvas.put(start, part, range(count))
    return canvas.points, canvas.confidence


def _from_coco(
    parts: Sequence[Component | None], _: Mapping[str, Component]
) -> tuple[Points, Points] | None:
    return _joined(parts, 23)


def _from_halpe(
    parts: Sequence[Component | None], _: Mapping[str, Component]
) -> tuple[Points, Points] | None:
    joined = _joined(parts, 26)
    if joined is None:
        return None
    points, confidence = joined
    return points[:, FROM_HALPE_136], confidence[:, FROM_HALPE_136]


def _joined(parts: Sequence[Component | None], body: int) -> tuple[Points, Points] | None:
    """Put body, face and hands behind each other; None where they are not as long as they are."""
    found = [part for part in parts if part is not None]
    if [len(part.names) for part in found] != [body, 68, 21, 21]:
        return None
    return (
        np.concatenate([part.points for part in found], axis=1),
        np.concatenate([part.confidence for part in found], axis=1),
    )
