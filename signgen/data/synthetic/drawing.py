"""Draws a signer from 133 key points in painter's order: torso, upper arms, head, forearms, hands.

Everything is drawn from the key points, so the same code draws the synthetic motion (which knows
depth) and poses of any origin (which do not: depth 0).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.data.synthetic.body import ARMS, FACE, HANDS
from signgen.data.synthetic.canvas import Canvas, capsule
from signgen.data.synthetic.clothing import Layers
from signgen.data.synthetic.hand_drawing import PALM_COLOUR, PALM_SHARE, draw_hand, palm_facing
from signgen.data.synthetic.hands import Side
from signgen.data.synthetic.head_drawing import HeadPlace, draw_head, draw_head_back, fit_head
from signgen.data.synthetic.signer import PARTS, Colour, Signer, blend, tint

Array = NDArray[np.float64]
Present = NDArray[np.bool_]


@dataclass(frozen=True)
class Figure:
    """What is drawn in one frame.

    Args:
        points: (133, 3) key points in pixels of the frame, z towards the viewer.
        present: (133,) whether a point is known.
        scale: Pixels per reference unit.
    """

    points: Array
    present: Present
    scale: float


def draw_figure(signer: Signer, layers: Layers, figure: Figure) -> Canvas:
    """Draw one frame.

    Args:
        signer: Appearance.
        layers: What was painted once for this signer and size.
        figure: Where everything is.

    Returns:
        The canvas with picture and part labels.
    """
    canvas = Canvas(layers.backdrop)
    head = fit_head(signer, figure.points, figure.present)
    if head is not None:
        draw_head_back(canvas, signer, head)
    _draw_torso(canvas, layers, figure)
    for side in ("left", "right"):
        _draw_upper_arm(canvas, signer, figure, side)
    if head is not None:
        _draw_head(canvas, signer, figure, head)
    for side in _by_depth(figure):
        _draw_forearm(canvas, signer, figure, side)
        joints = HANDS[side]
        if figure.present[joints].all():
            draw_hand(canvas, signer, figure.points[joints], side, signer.hand * figure.scale)
            _join_wrist(canvas, signer, figure, side)
    return canvas


def _draw_head(canvas: Canvas, signer: Signer, figure: Figure, head: HeadPlace) -> None:
    landmarks = figure.points[FACE, :2] if figure.present[FACE].all() else None
    draw_head(canvas, signer, head, landmarks)


def _by_depth(figure: Figure) -> list[Side]:
    """The two arms, the farther one first."""
    sides: list[Side] = ["left", "right"]
    return sorted(sides, key=lambda side: float(figure.points[HANDS[side], 2].mean()))


def _draw_torso(canvas: Canvas, layers: Layers, figure: Figure) -> None:
    """Move the painted torso so that its shoulders meet the figure's."""
    if not figure.present[[5, 6]].all():
        return
    goal, start = figure.points[[5, 6], :2] * 2 + 0.5, layers.shoulders * 2 + 0.5
    line, painted = goal[0] - goal[1], start[0] - start[1]
    turn = complex(line[0], line[1]) / complex(painted[0], painted[1])
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    shift = goal.mean(0) - linear @ start.mean(0)
    matrix = np.concatenate([linear, shift[:, None]], axis=1)
    height, width = layers.weight.shape
    colour = cv2.warpAffine(
        layers.torso,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    weight = cv2.warpAffine(
        layers.weight,
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    # The same map between pixels of the frame: big = 2 small + 0.5 on both sides.
    small = (linear @ np.array([0.5, 0.5]) + shift - 0.5) / 2
    matrix = np.concatenate([linear, small[:, None]], axis=1)
    labels = cv2.warpAffine(
        layers.labels,
        matrix,
        (width // 2, height // 2),
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_REPLICATE,
    )
    canvas.paste(
        np.asarray(colour, np.uint8), np.asarray(weight, np.float32), np.asarray(labels, np.uint8)
    )


def _limb(
    canvas: Canvas,
    ends: tuple[Array, Array],
    radii: tuple[float, float],
    colour: Colour,
    label: int,
    line: float,
) -> None:
    """A shaded tapered limb with a dark outline; `line` is the outline's width, 0 for none."""
    (start, end), (a, b) = ends, radii
    if line > 0:
        edge = tint(colour, 0.5) if sum(colour) > 120 else (6, 6, 8)
        canvas.fill(capsule(start, end, a + line, b + line), edge, label, convex=True)
    canvas.fill(capsule(start, end, a, b), tint(colour, 0.86), label, convex=True)
    light = np.array([-0.16, -0.1])
    for size, factor in ((0.8, 0.96), (0.55, 1.04)):
        inner = 1 - size
        canvas.fill(
            capsule(start + light * a * inner * 3, end + light * b * inner * 3, a * size, b * size),
            tint(colour, factor),
            convex=True,
        )


def _arm_points(figure: Figure, side: Side) -> tuple[Array, Array, Array] | None:
    shoulder, elbow, wrist = ARMS[side]
    if not figure.present[[shoulder, elbow, wrist]].all():
        return None
    points = figure.points[:, :2]
    return points[shoulder], points[elbow], points[wrist]


def _radii(signer: Signer, figure: Figure) -> tuple[float, float, float]:
    """Radii of the bare arm at shoulder, elbow and wrist, in pixels."""
    unit = signer.arm_width * figure.scale
    return 10.0 * unit, 8.0 * unit, 5.4 * figure.scale


def _along(start: Array, end: Array, share: float) -> Array:
    return start + share * (end - start)


def _draw_upper_arm(canvas: Canvas, signer: Signer, figure: Figure, side: Side) -> None:
    arm = _arm_points(figure, side)
    if arm is None:
        return
    shoulder, elbow, _ = arm
    top, middle, _ = _radii(signer, figure)
    label, scale = PARTS[f"{side}_arm"], figure.scale
    # The joint lies inside the shoulder: drawn a little lower, the arm does not stick out above it.
    shoulder = shoulder + np.array([0.0, 2.0 * scale])
    if signer.sleeve < 1:
        _limb(canvas, (shoulder, elbow), (top, middle), signer.skin, label, 0.8 * scale)
    end, share = _along(shoulder, elbow, min(signer.sleeve, 1)), min(signer.sleeve, 1)
    cloth, cloth_end = top + 1.0 * scale, (1 - share) * top + share * middle + 1.8 * scale
    # Outline and shading start below the shoulder, where the sleeve merges into the torso.
    seam, core = _along(shoulder, elbow, 0.3), _along(shoulder, elbow, 0.12)
    edge = tint(signer.cloth, 0.5) if sum(signer.cloth) > 120 else (6, 6, 8)
    canvas.fill(
        capsule(seam, end, cloth + 0.9 * scale, cloth_end + 0.9 * scale), edge, label, convex=True
    )
    canvas.fill(
        capsule(shoulder, end, cloth, cloth_end), tint(signer.cloth, 0.95), label, convex=True
    )
    canvas.fill(
        capsule(core, end, cloth * 0.66, cloth_end * 0.66), tint(signer.cloth, 1.0), convex=True
    )
    canvas.fill(
        capsule(core, end, cloth * 0.36, cloth_end * 0.36), tint(signer.cloth, 1.05), convex=True
    )
    _stripes(canvas, signer, figure, (shoulder, end), (cloth, cloth_end))


def _stripes(
    canvas: Canvas,
    signer: Signer,
    figure: Figure,
    ends: tuple[Array, Array],
    radii: tuple[float, float],
) -> None:
    """Bars across a sleeve of striped clothing."""
    if signer.pattern != "striped":
        return
    start, end = ends
    step = end - start
    length = float(np.hypot(*step))
    count = int(length // (18 * figure.scale))
    if count == 0:
        return
    along, across = step / length, np.array([-step[1], step[0]]) / length
    for index in range(1, count + 1):
        share = (index - 0.3) / count
        if share > 0.97:
            break
        middle, radius = start + share * step, (1 - share) * radii[0] + share * radii[1]
        half = along * 2.6 * figure.scale
        bar = np.array(
            [
                middle - across * radius - half,
                middle + across * radius - half,
                middle + across * radius + half,
                middle - across * radius + half,
            ]
        )
        canvas.fill(bar, tint(signer.accent, 0.94), convex=True)


def _draw_forearm(canvas: Canvas, signer: Signer, figure: Figure, side: Side) -> None:
    arm = _arm_points(figure, side)
    if arm is None:
        return
    shoulder, elbow, wrist = arm
    _, middle, thin = _radii(signer, figure)
    label, scale = PARTS[f"{side}_arm"], figure.scale
    _limb(canvas, (elbow, wrist), (middle, thin), signer.skin, label, 0.8 * scale)
    cloth = middle + 2.0 * scale
    if signer.sleeve > 1:
        share = signer.sleeve - 1
        cuff = _along(elbow, wrist, share)
        cuff_radius = (1 - share) * middle + share * thin + 1.9 * scale
        _limb(canvas, (elbow, cuff), (cloth, cuff_radius), signer.cloth, label, 0.9 * scale)
        _stripes(canvas, signer, figure, (elbow, cuff), (cloth, cuff_radius))
    # Take away the outline of the forearm's round end where the upper arm runs on into it.
    back = shoulder - elbow
    if float(back @ (wrist - elbow)) < 0:
        reach = elbow + back * min(0.3, 12 * scale / max(float(np.hypot(*back)), 1e-6))
        covered = signer.sleeve > 1
        colour, radius = (signer.cloth, cloth) if covered else (signer.skin, middle)
        canvas.fill(
            capsule(elbow, reach, radius * 0.93, radius * 0.97),
            tint(colour, 0.86),
            label,
            convex=True,
        )
        canvas.fill(
            capsule(elbow, reach, radius * 0.72, radius * 0.76), tint(colour, 0.96), convex=True
        )
        canvas.fill(
            capsule(elbow, reach, radius * 0.5, radius * 0.52), tint(colour, 1.04), convex=True
        )


def _join_wrist(canvas: Canvas, signer: Signer, figure: Figure, side: Side) -> None:
    """Take away the outline of the palm's round end where the forearm runs into it."""
    arm = _arm_points(figure, side)
    if arm is None:
        return
    _, elbow, wrist = arm
    middle = figure.points[HANDS[side]][[5, 9, 13, 17], :2].mean(axis=0)
    back, palm = elbow - wrist, middle - wrist
    size = float(np.hypot(*back))
    # Not where the hand is folded over its own forearm in the picture.
    if size < 14 * figure.scale or float(back @ palm) > -0.2 * size * float(np.hypot(*palm)):
        return
    end = wrist + back / size * min(7.0 * figure.scale, size)
    facing = palm_facing(figure.points[HANDS[side]], side) > 0
    skin = tint(blend(signer.skin, PALM_COLOUR, PALM_SHARE if facing else 0.0), 0.95)
    width = 4.3 * figure.scale
    canvas.fill(capsule(wrist + 0.25 * palm, end, width, width), skin, convex=True)
