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

from signgen.pose.formats.checks import Numbers, mark_missing
from signgen.pose.skeleton import COCO_WHOLEBODY, HAND_POINTS, HAND_ROOT, SKELETONS

__all__ = ["BODY_25", "COCO_18", "FROM_HALPE_136", "Component", "map_components"]

_SKELETON = SKELETONS[COCO_WHOLEBODY]
_FACE, _LEFT_HAND, _RIGHT_HAND = _SKELETON.face[0], HAND_ROOT["left"], HAND_ROOT["right"]

#: MediaPipe's names of body and feet; it has no small toes.
_HOLISTIC_BODY = {
    **{index: name.upper() for index, name in enumerate(_SKELETON.names[:17])},
    **{17: "LEFT_FOOT_INDEX", 18: "LEFT_FOOT_INDEX", 19: "LEFT_HEEL"},
    **{20: "RIGHT_FOOT_INDEX", 21: "RIGHT_FOOT_INDEX", 22: "RIGHT_HEEL"},
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


@dataclass(frozen=True)
class Component:
    """One component of one person.

    Args:
        points: (T, N, 2) float64.
        confidence: (T, N) float64, 0 where missing.
    """

    names: Sequence[str]
    points: Numbers
    confidence: Numbers


def map_components(components: Mapping[str, Component]) -> tuple[Numbers, Numbers] | None:
    """Map one person's components to COCO-WholeBody-133.

    Returns:
        (T, 133, 2) points and (T, 133) confidence, or None where no map fits. Points that the file
        does not have are missing, except those that `_complete` derives for MediaPipe files.
    """
    components = {
        name: Component(part.names, *mark_missing(part.points, part.confidence))
        for name, part in components.items()
    }
    if "POSE_LANDMARKS" in components:
        return _from_holistic(components)
    if "pose_keypoints_2d" in components:
        return _from_openpose(components["pose_keypoints_2d"], components)
    for suffix, body in (("", 23), ("_133", 23), ("_136", 26)):
        names = [f"{part}{suffix}" for part in ("BODY", "FACE", "LEFT_HAND", "RIGHT_HAND")]
        if all(name in components for name in names):
            return _joined([components[name] for name in names], body)
    if "BODY_135" in components:
        return _from_openpose(components["BODY_135"], components)
    return None


class _Canvas:
    """Collects points of the 133-point skeleton."""

    def __init__(self, frames: int) -> None:
        self.points = np.zeros((frames, _SKELETON.num_keypoints, 2))
        self.confidence = np.zeros((frames, _SKELETON.num_keypoints))

    def put(self, start: int, component: Component, sources: Sequence[int]) -> None:
        """Copy points by position to start, start + 1, ..."""
        stop = start + len(sources)
        self.points[:, start:stop] = component.points[:, list(sources)]
        self.confidence[:, start:stop] = component.confidence[:, list(sources)]

    def put_named(self, component: Component, names: Mapping[int, str]) -> None:
        """Copy points by name, leaving out those that the component does not have."""
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


def _from_holistic(components: Mapping[str, Component]) -> tuple[Numbers, Numbers] | None:
    body = components["POSE_LANDMARKS"]
    if not {"LEFT_SHOULDER", "RIGHT_SHOULDER"} <= set(body.names):
        return None
    canvas = _Canvas(len(body.points))
    canvas.put_named(body, _HOLISTIC_BODY)
    if "FACE_LANDMARKS" in components:
        mesh = {_FACE + i: str(index) for i, index in enumerate(_MESH_OF_FACE)}
        canvas.put_named(components["FACE_LANDMARKS"], mesh)
    for side, start in HAND_ROOT.items():
        hand = components.get(f"{side.upper()}_HAND_LANDMARKS")
        if hand is not None and len(hand.names) == HAND_POINTS:
            canvas.put(start, hand, range(HAND_POINTS))
    _complete(canvas, has_nose="NOSE" in body.names)
    return canvas.points, canvas.confidence


def _complete(canvas: _Canvas, *, has_nose: bool) -> None:
    """Derive points of the head that a reduced file leaves out, and wrists from the hands.

    Differs from the plain map because a drawing without nose and eyes has no head: the nose is half
    way between the inner corners of the eyes and the upper lip, an eye is the mean of its contour,
    an ear is the side of the head.
    """
    if not has_nose:
        canvas.derive(0, (_FACE + 39, _FACE + 42, _FACE + 51), (0.25, 0.25, 0.5))
        canvas.derive(1, range(_FACE + 42, _FACE + 48), [1 / 6] * 6)
        canvas.derive(2, range(_FACE + 36, _FACE + 42), [1 / 6] * 6)
        canvas.derive(3, (_FACE + 15,), (1.0,))
        canvas.derive(4, (_FACE + 1,), (1.0,))
    canvas.derive(9, (_LEFT_HAND,), (1.0,))
    canvas.derive(10, (_RIGHT_HAND,), (1.0,))


def _from_openpose(
    body: Component, components: Mapping[str, Component]
) -> tuple[Numbers, Numbers] | None:
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
        ("hand_left_keypoints_2d", _LEFT_HAND, HAND_POINTS),
        ("hand_right_keypoints_2d", _RIGHT_HAND, HAND_POINTS),
    ):
        part = components.get(name)
        if part is not None and len(part.names) >= count:
            canvas.put(start, part, range(count))
    return canvas.points, canvas.confidence


def _joined(parts: Sequence[Component], body: int) -> tuple[Numbers, Numbers] | None:
    """Put body, face and hands behind each other; None where one has another length."""
    if [len(part.names) for part in parts] != [body, 68, HAND_POINTS, HAND_POINTS]:
        return None
    points = np.concatenate([part.points for part in parts], axis=1)  # (T, body + 110, 2)
    confidence = np.concatenate([part.confidence for part in parts], axis=1)
    if body == 23:
        return points, confidence
    return points[:, FROM_HALPE_136], confidence[:, FROM_HALPE_136]
