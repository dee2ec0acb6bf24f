"""Pose drawings exactly as the published FPDM program makes them.

Filled joints first, then one blended ellipse per edge in list order; lengths and angles are exact,
then cut to whole numbers.
Needed to feed the published weights, and pixel-exact including the oddities of the original: the
133-point edge list joins the two brows, lacks one bone of the right little finger, and holds one
entry of six points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.pose.skeleton import SKELETONS

__all__ = ["FPDMDrawing", "draw_fpdm", "fpdm_edges", "fpdm_palette"]

Color = tuple[int, int, int]

_FARTHEST = 20000  # pixels; keeps OpenCV's whole numbers in range


@dataclass(frozen=True)
class FPDMDrawing:
    """Choices of the FPDM drawing.

    Args:
        radius: Radius of a joint in pixels, whatever the canvas.
        stick_width: Half width of a stick in pixels, whatever the canvas.
        swap_red_blue: Reverse the palette's triples, as the program does by mixing up RGB and BGR.
        edges: `official` keeps the oddities of the published 133-point list; `fixed` repairs them.
    """

    radius: int
    stick_width: int
    swap_red_blue: bool
    edges: Literal["official", "fixed"] = "official"

    @staticmethod
    def default(skeleton: str) -> FPDMDrawing:
        """Return what FPDM publishes: DeepFashion drawings, or the Phoenix strips at 210x260."""
        if skeleton == "openpose-18":
            return FPDMDrawing(radius=4, stick_width=4, swap_red_blue=True)
        return FPDMDrawing(radius=1, stick_width=1, swap_red_blue=False)


_EDGES_18: tuple[tuple[int, ...], ...] = (
    *((2, 3), (2, 6), (3, 4), (4, 5), (6, 7), (7, 8), (2, 9), (9, 10), (10, 11), (2, 12)),
    *((12, 13), (13, 14), (2, 1), (1, 15), (15, 17), (1, 16), (16, 18)),
)
_BODY_133: tuple[tuple[int, ...], ...] = (
    *((11, 9), (9, 7), (7, 6), (6, 8), (8, 10), (7, 13), (6, 12), (13, 12)),
    *((13, 15), (15, 17), (12, 14), (14, 16), (24, 25), (25, 26), (26, 27)),
)
_SIX_POINTS = (83, 72, 72, 84, 88, 78)
#: The rainbow of OpenPose.
_PALETTE_18: tuple[Color, ...] = (
    *((255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0)),
    *((0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255)),
    *((0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85)),
)


def _run(first: int, last: int) -> tuple[tuple[int, ...], ...]:
    """Return pairs of neighbours from first to last, upwards or downwards."""
    step = 1 if last > first else -1
    return tuple((i, i + step) for i in range(first, last, step))


def _fingers(root: int, tips: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    return tuple(edge for tip in tips for edge in (*_run(tip, tip - 3), (tip - 3, root)))


@cache
def fpdm_edges(
    skeleton: str, edges: Literal["official", "fixed"] = "official"
) -> tuple[tuple[int, ...], ...]:
    """Return the published edge list in drawing order, 0-based.

    Args:
        skeleton: A key of `SKELETONS`.
        edges: `official` or `fixed`; the fixed list splits the entry of six points into the three
            edges meant, two of which take the places of the link between the brows and of the one
            from the outer to the inner lip, and adds the missing bone at the end: colours stay.

    Returns:
        Tuples of two indices, one of six in the official 133-point list.
    """
    if skeleton == "openpose-18":
        one_based = _EDGES_18
    else:
        left = (*_fingers(92, (96, 100, 104, 108)), *_run(112, 109), (92, 109))
        right = ((133, 132), (131, 130), (130, 113), *_fingers(113, (129, 125, 121, 117)))
        official = (
            *_BODY_133,
            *_run(24, 40),
            *_run(41, 50),
            *(*_run(51, 59), (59, 54)),
            *(*_run(60, 65), (65, 60)),
            *(*_run(66, 71), (71, 66)),
            *_run(72, 88),
            _SIX_POINTS,
            *left,
            *right,
        )
        one_based = official if edges == "official" else _repaired(official)
    return tuple(tuple(i - 1 for i in edge) for edge in one_based)


def _repaired(official: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    """Replace the oddities; positions are kept because colours go by position."""
    closing = {_SIX_POINTS: (83, 72), (45, 46): (72, 84), (83, 84): (88, 78)}
    kept = tuple(closing.get(edge, edge) for edge in official)
    return (*kept, (132, 131))


@cache
def fpdm_palette(skeleton: str) -> tuple[Color, ...]:
    """Return the colours in list order: OpenPose's 18, or 133 from numpy's seed 777."""
    if skeleton == "openpose-18":
        return _PALETTE_18
    drawn = np.random.RandomState(777).choice(np.arange(256), 399).reshape(133, 3)
    return tuple((int(r), int(g), int(b)) for r, g, b in drawn)


def _present(
    points: NDArray[np.float64], visible: NDArray[np.bool_], skeleton: str
) -> NDArray[np.bool_]:
    """Apply the original's marks of absence, which count for each coordinate alone."""
    absent = (points == -1).any(axis=1)
    if skeleton != "openpose-18":
        absent |= (points == 0).any(axis=1)
    present: NDArray[np.bool_] = visible & ~absent
    return present


def draw_fpdm(
    points: NDArray[np.float32],
    visible: NDArray[np.bool_],
    skeleton: str,
    size: tuple[int, int],
    drawing: FPDMDrawing | None = None,
) -> NDArray[np.uint8]:
    """Draw one pose as the published FPDM does, as `draw_pose` says.

    A coordinate of -1, with 133 points also of 0, marks its point as missing, as in the original.
    """
    drawing = drawing or FPDMDrawing.default(skeleton)
    exact = points.astype(np.float64)
    present = _present(exact, visible, skeleton)
    exact = np.clip(exact, -_FARTHEST, _FARTHEST)
    palette = [c[::-1] if drawing.swap_red_blue else c for c in fpdm_palette(skeleton)]
    canvas = np.zeros((*size, 3), np.uint8)
    for index in np.flatnonzero(present[: SKELETONS[skeleton].num_keypoints]).tolist():
        center = (int(exact[index, 0]), int(exact[index, 1]))
        cv2.circle(canvas, center, drawing.radius, palette[index], -1)
    for index, edge in enumerate(fpdm_edges(skeleton, drawing.edges)):
        corners = exact[list(edge)]
        if present[list(edge)].all():
            _blend_stick(canvas, corners, drawing.stick_width, palette[index])
    return canvas


def _blend_stick(
    canvas: NDArray[np.uint8], corners: NDArray[np.float64], width: int, color: Color
) -> None:
    """Blend one ellipse, 0.4 old and 0.6 new; length and angle come from the first two corners."""
    dx, dy = (corners[0] - corners[1]).tolist()
    center = corners.mean(axis=0)
    outline = cv2.ellipse2Poly(
        (int(center[0]), int(center[1])),
        (int(math.hypot(dx, dy) / 2), width),
        int(math.degrees(math.atan2(dy, dx))),
        0,
        360,
        1,
    )
    # The published program blends the whole canvas; beside the ellipse 0.4 x + 0.6 x is x
    polygon = np.asarray(outline, np.int32)  # (N, 2)
    left, top = np.maximum(polygon.min(axis=0), 0).tolist()
    right, bottom = (polygon.max(axis=0) + 1).tolist()
    box = canvas[top : max(0, bottom), left : max(0, right)]
    if box.size:
        layer = box.copy()
        cv2.fillConvexPoly(layer, polygon - (left, top), color)
        cv2.addWeighted(box, 0.4, layer, 0.6, 0, dst=box)
