"""Draws head, hair and face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from signgen.data.synthetic.body import FACE
from signgen.data.synthetic.canvas import Canvas, circle, smooth
from signgen.data.synthetic.face import (
    BROWS,
    EYES,
    INNER_LIPS,
    JAW,
    NOSE_TIP,
    NOSTRILS,
    OUTER_LIPS,
    Expression,
    face_landmarks,
    head_outline,
)
from signgen.data.synthetic.signer import PARTS, Signer, blend, tint

Array = NDArray[np.float64]


@dataclass(frozen=True)
class HeadPlace:
    """Similarity from the signer's head (reference units around its centre) to pixels.

    Args:
        turn: Complex factor: scale and rotation.
        shift: Complex place of the head's centre.
    """

    turn: complex
    shift: complex

    @property
    def scale(self) -> float:
        """Pixels per reference unit."""
        return abs(self.turn)

    def __call__(self, points: Array) -> Array:
        """Map (N, 2) points."""
        moved = (points[:, 0] + 1j * points[:, 1]) * self.turn + self.shift
        return np.asarray(np.stack([moved.real, moved.imag], axis=-1))


def neutral_landmarks(signer: Signer) -> Array:
    """(68, 2) landmarks of the resting face around the head's centre, in reference units."""
    zero = np.zeros(1)
    points = face_landmarks(signer, Expression(*(zero for _ in range(8))))[0]
    return np.asarray(points - np.array(signer.head_centre))


def fit_head(signer: Signer, points: Array, present: NDArray[np.bool_]) -> HeadPlace | None:
    """Find where the head is: least squares on the jaw, else on nose, eyes and ears.

    Args:
        signer: Whose head.
        points: (133, 3) key points in pixels.
        present: (133,) which are known.

    Returns:
        The place, or None when fewer than two points are known.
    """
    landmarks = neutral_landmarks(signer)
    wide = signer.head[0]
    body = np.array(
        [
            landmarks[NOSE_TIP],
            landmarks[EYES[1]].mean(0),
            landmarks[EYES[0]].mean(0),
            [wide, 0],
            [-wide, 0],
        ]
    )
    jaw = slice(FACE.start, FACE.start + 17)
    if present[jaw].sum() >= 5:
        known, start, goal = present[jaw], landmarks[JAW], points[jaw, :2]
    elif present[:5].sum() >= 2:
        known, start, goal = present[:5], body, points[:5, :2]
    else:
        return None
    a, b = (values[known, 0] + 1j * values[known, 1] for values in (start, goal))
    centred = a - a.mean()
    turn = complex((b * centred.conj()).sum() / (abs(centred) ** 2).sum())
    return HeadPlace(turn, complex(b.mean() - turn * a.mean()))


def draw_head_back(canvas: Canvas, signer: Signer, head: HeadPlace) -> None:
    """Hair behind neck and shoulders."""
    wide, high = signer.head
    edge = tint(signer.hair, 0.45)
    outlines = []
    if signer.hair_style == "long":
        side = np.array(
            [
                [0, -1.2 * high],
                [0.8 * wide, -1.05 * high],
                [1.25 * wide, -0.4 * high],
                [1.35 * wide, 0.6 * high],
                [1.42 * wide, 1.55 * high],
                [1.0 * wide, 1.95 * high],
            ]
        )
        outlines.append(smooth(np.concatenate([side, side[:0:-1] * np.array([-1.0, 1.0])])))
    elif signer.hair_style == "bob":
        side = np.array(
            [
                [0, -1.2 * high],
                [0.8 * wide, -1.05 * high],
                [1.3 * wide, -0.3 * high],
                [1.38 * wide, 0.45 * high],
                [1.15 * wide, 0.88 * high],
                [0.6 * wide, 0.8 * high],
            ]
        )
        outlines.append(smooth(np.concatenate([side, side[:0:-1] * np.array([-1.0, 1.0])])))
    elif signer.hair_style == "bun":
        outlines.append(circle(np.array([0.0, -1.17 * high]), 0.46 * wide, 0.32 * wide))
    for outline in outlines:
        grown = outline + np.sign(outline) * 0.8
        canvas.fill(head(grown), edge, PARTS["hair"])
        canvas.fill(head(outline), signer.hair, PARTS["hair"])


def draw_head(canvas: Canvas, signer: Signer, head: HeadPlace, landmarks: Array | None) -> None:
    """Head with ears, face and the hair in front.

    Args:
        canvas: Drawn on.
        signer: Appearance.
        head: Where the head is.
        landmarks: (68, 2) landmarks in pixels, or None for the resting face.
    """
    wide, high = signer.head
    skin, edge, line = signer.skin, tint(signer.skin, 0.45), 0.9 * head.scale
    for side in () if signer.hair_style in ("long", "bob") else (-1.0, 1.0):
        ear = circle(np.array([side * 1.0 * wide, 0.05 * high]), 3.2, 5.4)
        canvas.fill(
            head(circle(np.array([side * wide, 0.05 * high]), 4.0, 6.2)),
            edge,
            PARTS["face"],
            convex=True,
        )
        canvas.fill(head(ear), tint(skin, 0.93), PARTS["face"], convex=True)
    crown = head_outline(signer, np.linspace(np.pi + 0.05, 2 * np.pi - 0.05, 18))
    if landmarks is None:
        landmarks = head(neutral_landmarks(signer))
    outline = np.concatenate([landmarks[JAW], head(crown)])
    middle = outline.mean(axis=0)
    canvas.fill(outline, tint(skin, 0.88), PARTS["face"])
    for size, factor in ((0.92, 0.95), (0.82, 1.0), (0.62, 1.07)):
        lit = (
            middle
            + (outline - middle) * size
            - np.array([0.09, 0.05]) * (1 - size) * 10 * wide * head.scale * 0.1
        )
        canvas.fill(lit, tint(skin, factor))
    for eye, side in zip(EYES, (-1, 1), strict=True):
        cheek = 0.5 * (
            landmarks[eye].mean(0) + landmarks[OUTER_LIPS.start + (0 if side < 0 else 6)]
        )
        canvas.fill(
            circle(cheek - side * 0.02 * wide * head.scale, 3.6 * head.scale, 2.6 * head.scale),
            blend(skin, (226, 96, 90), 0.13),
            convex=True,
        )
    canvas.stroke(outline, edge, line, closed=True)
    _draw_features(canvas, signer, landmarks, head.scale)
    _draw_hair(canvas, signer, head)


def _draw_features(canvas: Canvas, signer: Signer, landmarks: Array, scale: float) -> None:
    skin, edge = signer.skin, tint(signer.skin, 0.42)
    for eye in EYES:
        _draw_eye(canvas, signer, landmarks[eye], scale)
    if signer.glasses:
        left, right = (landmarks[eye].mean(axis=0) for eye in EYES)
        bridge = left + np.outer([0.4, 0.6], right - left)
        canvas.stroke(bridge, (34, 32, 38), 0.5 * scale)
    brow = blend(signer.hair, (30, 22, 20), 0.45) if signer.hair_style != "bald" else (52, 40, 34)
    for part in BROWS:
        canvas.stroke(landmarks[part], brow, signer.brow * scale)
    nose = landmarks[27:31]
    canvas.stroke(nose[1:] + np.array([0.9, 0.2]) * scale, tint(skin, 0.78), 0.9 * scale)
    canvas.fill(circle(nose[3], 1.5 * scale), tint(skin, 1.16), convex=True)
    canvas.stroke(landmarks[NOSTRILS], tint(skin, 0.6), 0.9 * scale)
    canvas.fill(landmarks[OUTER_LIPS], signer.lips)
    canvas.stroke(landmarks[OUTER_LIPS], tint(signer.lips, 0.72), 0.5 * scale, closed=True)
    inner = landmarks[INNER_LIPS]
    gap = float(inner[6, 1] - inner[2, 1])
    if gap > 1.4 * scale:
        canvas.fill(inner, (70, 22, 26))
        if gap > 2.2 * scale:
            teeth = np.stack(
                [
                    inner[1],
                    inner[2],
                    inner[3],
                    inner[3] + [0, 0.9 * scale],
                    inner[1] + [0, 0.9 * scale],
                ]
            )
            canvas.fill(teeth, (236, 232, 226))
    else:
        canvas.stroke(inner[[0, 1, 2, 3, 4]], blend(edge, (90, 20, 30), 0.5), 0.7 * scale)


def _draw_eye(canvas: Canvas, signer: Signer, eye: Array, scale: float) -> None:
    lid = tint(signer.skin, 0.3)
    height = 0.5 * float(eye[4:6, 1].mean() - eye[1:3, 1].mean())
    if height > 0.75 * scale:
        canvas.fill(smooth(eye, 1), (244, 244, 242))
        middle = eye.mean(axis=0)
        radius = 1.75 * scale
        canvas.fill(circle(middle, radius, min(radius, height * 1.05)), signer.iris, convex=True)
        canvas.fill(
            circle(middle, 0.8 * scale, min(0.8 * scale, height)), (12, 10, 12), convex=True
        )
        canvas.fill(circle(middle - 0.6 * scale, 0.4 * scale), (255, 255, 255), convex=True)
        canvas.stroke(eye[:4], lid, 1.0 * scale)
        canvas.stroke(eye[[3, 4, 5, 0]], tint(signer.skin, 0.6), 0.5 * scale)
    else:
        canvas.stroke(eye[[0, 5, 4, 3]], lid, 1.0 * scale)
    if signer.glasses:
        ring = circle(eye.mean(axis=0), 7.6 * scale, 5.8 * scale)
        canvas.stroke(ring, (34, 32, 38), 0.5 * scale, closed=True)


def _draw_hair(canvas: Canvas, signer: Signer, head: HeadPlace) -> None:
    """Hair before the forehead."""
    if signer.hair_style == "bald":
        return
    wide, high = signer.head
    down = {"short": -0.02, "long": 0.55, "bob": 0.62, "bun": -0.06}[signer.hair_style]
    part = 0.3 if signer.seed % 2 else -0.3
    loose = signer.hair_style in ("long", "bob")
    full = 1.2 if signer.hair_style == "short" else 1.13
    arc = np.linspace(0, np.pi, 15)
    outer = np.stack([-1.1 * wide * np.cos(arc), -full * high * np.sin(arc) - 0.02 * high], axis=-1)
    inner = np.array(
        [
            [1.12 * wide, down * high],
            [0.93 * wide, down * high],
            [0.9 * wide, -0.28 * high],
            [0.66 * wide, -0.52 * high],
            [part * wide, -0.66 * high],
            [-0.66 * wide, -0.48 * high],
            [-0.9 * wide, -0.28 * high],
            [-0.93 * wide, down * high],
            [-1.12 * wide, down * high],
        ]
    )
    outline = smooth(np.concatenate([outer, inner]), 1)
    edge, line = tint(signer.hair, 0.45), 0.9 * head.scale
    canvas.fill(head(outline), signer.hair, PARTS["hair"])
    # Loose hair runs on into the hair behind the head: only the hairline gets a line.
    canvas.stroke(head(inner[1:-1] if loose else outline), edge, line, closed=not loose)
    for shift in (0.0, 0.22):
        shine = np.stack(
            [
                (-0.72 + shift + 0.5 * np.linspace(0, 1, 6)) * wide,
                -(0.72 + shift * 0.6 + 0.3 * np.sin(np.linspace(0, np.pi / 2, 6))) * high,
            ],
            axis=-1,
        )
        canvas.stroke(head(shine), tint(signer.hair, 1.2), 0.9 * head.scale)
    strand = head(np.array([[part * wide, -0.66 * high], [part * 0.6 * wide, -0.95 * high]]))
    canvas.stroke(strand, edge, 0.6 * head.scale)
