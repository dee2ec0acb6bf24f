"""The clean drawing style: anti-aliased, fast, and with hands that can be read.

From back to front: torso and legs, the arms, the face contours, the left hand, the right hand. A
pose has no depth, so the order is fixed; the right hand comes last because it is the dominant one
of most signers. Inside a hand the palm lies below and the fingers follow from the little finger to
the thumb, each on a thin black seam so that crossing fingers stay apart. All widths grow with the
frame: the numbers below are pixels of a frame whose shorter side is 208.
"""

# Differs from FPDM: every finger has a colour of its own and lines are anti-aliased with sub-pixel
# ends, because FPDM's seeded random colours repeat between fingers and its whole-pixel ends make
# motion tremble.

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.pose.skeleton import FINGERS, HAND_ROOT, SKELETONS

__all__ = ["draw_clean"]

Color = tuple[int, int, int]

_SHIFT = 4  # OpenCV takes 1/16 pixel
_REFERENCE_SIDE = 208.0
_FARTHEST = 30000.0  # pixels; beyond it OpenCV's fixed-point numbers could overflow

_TORSO: Color = (70, 70, 95)
_NECK: Color = (110, 100, 120)
_FACE: Color = (225, 225, 225)
_BROW: Color = (255, 190, 90)
_EYE: Color = (120, 220, 255)
_LIPS: Color = (255, 95, 120)
_NOSE: Color = (170, 230, 160)
_LEFT_ARM: tuple[Color, Color] = (40, 90, 200), (70, 150, 255)
_RIGHT_ARM: tuple[Color, Color] = (190, 60, 30), (255, 125, 60)
_LEG: Color = (60, 90, 70)

#: From thumb to little finger.
_FINGER_COLORS: dict[str, tuple[Color, ...]] = {
    "left": ((255, 70, 70), (255, 225, 50), (70, 240, 80), (60, 190, 255), (225, 90, 255)),
    "right": ((255, 150, 30), (190, 255, 110), (40, 255, 200), (120, 130, 255), (255, 130, 200)),
}
_PALM: dict[str, Color] = {"left": (25, 40, 95), "right": (90, 35, 20)}

#: Face contours of the 133-point skeleton: first point, end, closed, colour, width.
_CONTOURS: tuple[tuple[int, int, bool, Color, float], ...] = (
    (23, 40, False, _FACE, 1.0),
    (40, 45, False, _BROW, 1.2),
    (45, 50, False, _BROW, 1.2),
    (50, 54, False, _NOSE, 1.0),
    (54, 59, False, _NOSE, 1.0),
    (59, 65, True, _EYE, 1.0),
    (65, 71, True, _EYE, 1.0),
    (71, 83, True, _LIPS, 1.0),
    (83, 91, True, _LIPS, 1.0),
)

#: Point names joined by a limb, with colour and width, from back to front.
_LIMBS: tuple[tuple[str, str, Color, float], ...] = (
    ("left_hip", "left_knee", _LEG, 6.0),
    ("left_knee", "left_ankle", _LEG, 5.0),
    ("right_hip", "right_knee", _LEG, 6.0),
    ("right_knee", "right_ankle", _LEG, 5.0),
    ("left_shoulder", "left_hip", _TORSO, 6.0),
    ("right_shoulder", "right_hip", _TORSO, 6.0),
    ("left_hip", "right_hip", _TORSO, 6.0),
    ("left_shoulder", "right_shoulder", _TORSO, 6.0),
    ("left_shoulder", "left_elbow", _LEFT_ARM[0], 7.0),
    ("right_shoulder", "right_elbow", _RIGHT_ARM[0], 7.0),
    ("left_elbow", "left_wrist", _LEFT_ARM[1], 5.0),
    ("right_elbow", "right_wrist", _RIGHT_ARM[1], 5.0),
)
_HEAD_LINES = (
    ("nose", "left_eye"),
    ("nose", "right_eye"),
    ("left_eye", "left_ear"),
    ("right_eye", "right_ear"),
)
_CHIN = 31  # of the 133-point skeleton


class _Pen:
    """Draws on one canvas with sub-pixel points and widths relative to the frame."""

    def __init__(
        self, points: NDArray[np.float32], visible: NDArray[np.bool_], size: tuple[int, int]
    ):
        self.canvas = np.zeros((*size, 3), np.uint8)
        self.unit = min(size) / _REFERENCE_SIDE
        bounded = np.clip(points, -_FARTHEST, _FARTHEST)
        # A pixel's centre is its whole-numbered coordinate in OpenCV, as in the key points.
        self.points = np.rint(bounded * (1 << _SHIFT)).astype(np.int32)
        self.visible = visible

    def width(self, width: float) -> int:
        return max(1, round(width * self.unit))

    def path(
        self, indices: Sequence[int], color: Color, width: int, *, closed: bool = False
    ) -> None:
        """Draw a polyline, interrupted where points are missing."""
        if self.visible[list(indices)].all():
            corners = self.points[list(indices)]
            cv2.polylines(self.canvas, [corners], closed, color, width, cv2.LINE_AA, _SHIFT)
            return
        run: list[int] = []
        for index in (*indices, indices[0]) if closed else indices:
            if self.visible[index]:
                run.append(index)
                continue
            self._open_run(run, color, width)
            run = []
        self._open_run(run, color, width)

    def _open_run(self, run: list[int], color: Color, width: int) -> None:
        if len(run) > 1:
            corners = self.points[run]
            cv2.polylines(self.canvas, [corners], False, color, width, cv2.LINE_AA, _SHIFT)

    def dot(self, index: int, color: Color, radius: float) -> None:
        if self.visible[index]:
            x, y = self.points[index].tolist()
            reach = max(1, round(radius * self.unit * (1 << _SHIFT)))
            cv2.circle(self.canvas, (x, y), reach, color, -1, cv2.LINE_AA, _SHIFT)

    def polygon(self, indices: Sequence[int], color: Color) -> None:
        corners = self.points[[i for i in indices if self.visible[i]]]
        if len(corners) > 2:
            cv2.fillPoly(self.canvas, [corners], color, cv2.LINE_AA, _SHIFT)


def _draw_body(pen: _Pen, names: tuple[str, ...], *, with_head: bool) -> None:
    """Draw torso, legs and arms, and where no face points follow the lines of the head."""
    at = {name: i for i, name in enumerate(names)}
    torso = [at[name] for name in ("left_shoulder", "right_shoulder", "right_hip", "left_hip")]
    if pen.visible[torso].all():
        pen.polygon(torso, (35, 35, 48))
    for start, end, color, width in _LIMBS:
        pen.path((at[start], at[end]), color, pen.width(width))
    head = at["nose"] if with_head else _CHIN
    _draw_neck(pen, (at["left_shoulder"], at["right_shoulder"]), head)
    if with_head:
        for start, end in _HEAD_LINES:
            pen.path((at[start], at[end]), _FACE, pen.width(1.5))
    for side, color in (("left", _LEFT_ARM[1]), ("right", _RIGHT_ARM[1])):
        pen.dot(at[f"{side}_shoulder"], color, 3.5)
        pen.dot(at[f"{side}_elbow"], color, 3.5)


def _draw_neck(pen: _Pen, shoulders: tuple[int, int], head: int) -> None:
    if pen.visible[[*shoulders, head]].all():
        middle = (pen.points[shoulders[0]] + pen.points[shoulders[1]]) // 2
        neck = np.stack([middle, pen.points[head]])
        cv2.polylines(pen.canvas, [neck], False, _NECK, pen.width(3.0), cv2.LINE_AA, _SHIFT)


def _draw_hand(pen: _Pen, side: str) -> None:
    """Draw palm, fingers from little to thumb, and joint dots."""
    root = HAND_ROOT[side]
    if not pen.visible[root : root + 21].any():
        return
    pen.polygon([root + i for i in (0, 1, 5, 9, 13, 17)], _PALM[side])
    line = pen.width(2.0)
    fingers = zip(FINGERS.values(), _FINGER_COLORS[side], strict=True)
    for finger, color in reversed(tuple(fingers)):
        joints = [root + i for i in finger]
        pen.path([root, joints[0]], color, max(1, line // 2))
        pen.path(joints, (0, 0, 0), line + pen.width(1.5))
        pen.path(joints, color, line)
        for joint in joints:
            pen.dot(joint, color, 1.5)
        bright = tuple((255 + channel) // 2 for channel in color)
        pen.dot(joints[-1], (bright[0], bright[1], bright[2]), 1.5)
    pen.dot(root, (255, 255, 255), 1.5)


def draw_clean(
    points: NDArray[np.float32], visible: NDArray[np.bool_], skeleton: str, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Draw one pose in the clean style, as `draw_pose` says.

    Points that are not `visible`, (K,), are left out together with the lines that end there.
    """
    description = SKELETONS[skeleton]
    pen = _Pen(points, visible, size)
    has_face = bool(visible[slice(*description.face)].any())
    _draw_body(pen, description.names, with_head=not has_face)
    if has_face:
        for start, stop, closed, color, width in _CONTOURS:
            pen.path(range(start, stop), color, pen.width(width), closed=closed)
    if description.left_hand[1] > description.left_hand[0]:
        _draw_hand(pen, "left")
        _draw_hand(pen, "right")
    return pen.canvas
