"""Draws a hand from its 21 joints, with fingers, thumb and palm in the right order."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.data.synthetic.canvas import Canvas, capsule, circle
from signgen.data.synthetic.hands import Side
from signgen.data.synthetic.signer import PARTS, Colour, Signer, blend, tint

Array = NDArray[np.float64]

# Joints of thumb, index, middle, ring and little finger.
_CHAINS = ((1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (17, 18, 19, 20))
# Radii at the joints, as shares of the hand's length.
_RADII = (
    (0.085, 0.068, 0.058, 0.046),
    (0.060, 0.056, 0.051, 0.043),
    (0.062, 0.057, 0.052, 0.044),
    (0.059, 0.055, 0.050, 0.042),
    (0.052, 0.048, 0.044, 0.038),
)
# Neighbouring fingers differ in brightness so that they can be told apart when they touch.
_BRIGHTNESS = (1.10, 1.04, 0.93, 1.03, 0.92)
PALM_COLOUR: Colour = (238, 176, 150)
PALM_SHARE = 0.22
"""Palms are lighter and redder than the backs of hands, above all on dark skin."""

_PALM_RADII = {0: 0.125, 1: 0.095, 5: 0.07, 9: 0.07, 13: 0.068, 17: 0.065}


def palm_facing(joints: Array, side: Side) -> float:
    """How far the palm faces the viewer: positive for the palm, negative for the back of the hand.

    Works with 2D joints alone: the winding of wrist, index and little knuckle tells the side.
    """
    index, pinky = joints[5, :2] - joints[0, :2], joints[17, :2] - joints[0, :2]
    turn = float(index[0] * pinky[1] - index[1] * pinky[0])
    size = float(np.hypot(*index) * np.hypot(*pinky)) + 1e-9
    return -turn / size if side == "right" else turn / size


def _curl(joints: Array, chain: tuple[int, ...]) -> float:
    """How much a finger is bent, 0 (straight) to about 1, from its end-to-end length in space."""
    bones = np.linalg.norm(np.diff(joints[list(chain)], axis=0), axis=1).sum()
    return 1 - float(np.linalg.norm(joints[chain[3]] - joints[chain[0]]) / (bones + 1e-9))


def drawing_order(joints: Array, side: Side) -> list[int]:
    """Order of the hand's pieces from far to near.

    Args:
        joints: (21, 3), z towards the viewer.
        side: Which hand.

    Returns:
        0 for the thumb, 1-4 for the fingers, 5 for the palm.
    """
    facing = palm_facing(joints, side)
    depth = {
        number: float(joints[list(chain[1:]), 2].mean()) for number, chain in enumerate(_CHAINS)
    }
    palm_depth = float(joints[[0, 5, 9, 13, 17], 2].mean())
    length = float(np.linalg.norm(joints[9] - joints[0])) + 1e-9

    def before(number: int) -> bool:
        # Fingers only bend towards the palm, so a bent one lies on the side that the palm faces.
        if number and abs(facing) > 0.12 and _curl(joints, _CHAINS[number]) > 0.3:
            return facing > 0
        if abs(depth[number] - palm_depth) < 0.04 * length:
            return facing > 0 or number != 0
        return depth[number] > palm_depth

    numbers = sorted(depth, key=lambda number: depth[number])
    behind = [number for number in numbers if not before(number)]
    return [*behind, 5, *(number for number in numbers if before(number))]


def _groups(joints: Array, chain: tuple[int, ...], facing: float) -> list[list[int]]:
    """Split a finger where it folds over itself: groups of bones, far ones first."""
    flat = joints[:, :2]
    groups = [[0]]
    for bone in (1, 2):
        first, second = (flat[chain[i + 1]] - flat[chain[i]] for i in (bone - 1, bone))
        size = float(np.hypot(*first) * np.hypot(*second)) + 1e-9
        if float(first @ second) / size > 0.25:
            groups[-1].append(bone)
        else:
            groups.append([bone])
    depths = [
        float(np.mean([joints[chain[i] : chain[i] + 2, 2].mean() for i in group]))
        for group in groups
    ]
    if max(depths) - min(depths) < 1e-6:
        return groups if facing > 0 else groups[::-1]
    return [groups[i] for i in np.argsort(depths, kind="stable")]


def _draw_digit(canvas: Canvas, joints: Array, number: int, colour: Colour, look: _Look) -> None:
    chain, radii = _CHAINS[number], [share * look.length for share in _RADII[number]]
    flat = joints[:, :2]
    for group in _groups(joints, chain, look.facing):
        for extra, shade, label in ((look.line, look.edge, look.label), (0.0, colour, look.label)):
            for bone in group:
                start, end = flat[chain[bone]], flat[chain[bone + 1]]
                if extra and bone == 0 and number:
                    # The outline starts above the knuckle, where the finger leaves the palm.
                    start = start + 0.3 * (end - start)
                canvas.fill(
                    capsule(start, end, radii[bone] + extra, radii[bone + 1] + extra),
                    shade,
                    label,
                    convex=True,
                )
        light = tint(colour, 1.16)
        for bone in group:
            start, end = (
                flat[chain[bone]] - 0.2 * radii[bone],
                flat[chain[bone + 1]] - 0.2 * radii[bone + 1],
            )
            if bone == 0 and number:
                start = start + 0.35 * (end - start)
            canvas.fill(
                capsule(start, end, radii[bone] * 0.42, radii[bone + 1] * 0.42), light, convex=True
            )
        if 2 in group:
            _draw_nail(canvas, joints, chain, radii[3], look)


def _draw_nail(
    canvas: Canvas, joints: Array, chain: tuple[int, ...], radius: float, look: _Look
) -> None:
    """The nail, where the back of the finger's last bone faces the viewer."""
    bone = joints[chain[3]] - joints[chain[2]]
    across = joints[5] - joints[17]
    back = np.cross(across, bone)[2] if look.side == "right" else np.cross(bone, across)[2]
    if back < 0.35 * np.linalg.norm(across) * np.linalg.norm(bone):
        return
    tip, root = joints[chain[3], :2], joints[chain[2], :2]
    end = root + 1.02 * (tip - root)
    start = root + 0.62 * (tip - root)
    canvas.fill(capsule(start, end, radius * 0.62, radius * 0.62), look.nail, convex=True)


def _draw_palm(canvas: Canvas, joints: Array, look: _Look) -> None:
    flat = joints[:, :2]
    webs = [flat[knuckle] + 0.2 * (flat[knuckle + 1] - flat[knuckle]) for knuckle in (5, 9, 13, 17)]

    def outline(extra: float) -> Array:
        rings = [
            circle(flat[joint], share * look.length + extra) for joint, share in _PALM_RADII.items()
        ]
        rings += [circle(web, 0.055 * look.length + extra) for web in webs]
        hull = cv2.convexHull(np.concatenate(rings).astype(np.float32))
        return np.asarray(hull[:, 0], dtype=np.float64)

    canvas.fill(outline(look.line), look.edge, look.label, convex=True)
    canvas.fill(outline(0.0), look.palm, look.label, convex=True)
    light = tint(look.palm, 1.1)
    middle, root = flat[[5, 9, 13]].mean(axis=0), flat[0]
    canvas.fill(
        capsule(
            root + 0.35 * (middle - root),
            root + 0.75 * (middle - root),
            0.1 * look.length,
            0.12 * look.length,
        ),
        light,
        convex=True,
    )
    if look.facing > 0.25:
        # The heart line tells the palm from the back of the hand.
        crease = np.stack([0.72 * flat[knuckle] + 0.28 * root for knuckle in (5, 9, 13, 17)])
        canvas.stroke(crease, blend(look.palm, look.edge, 0.35), 0.02 * look.length)
    elif look.facing < -0.25:
        for knuckle in (5, 9, 13, 17):
            canvas.fill(
                circle(flat[knuckle], 0.035 * look.length), tint(look.palm, 1.18), convex=True
            )


class _Look:
    """Colours and sizes of one drawn hand."""

    def __init__(self, signer: Signer, joints: Array, side: Side, length: float) -> None:
        self.side = side
        self.length = length
        self.line = 0.024 * length
        self.label = PARTS[f"{side}_hand"]
        self.facing = palm_facing(joints, side)
        self.skin = blend(signer.skin, PALM_COLOUR, PALM_SHARE if self.facing > 0 else 0.0)
        self.palm = tint(self.skin, 0.97)
        self.edge = tint(signer.skin, 0.42)
        self.nail = blend(self.skin, (255, 236, 230), 0.6)


def draw_hand(canvas: Canvas, signer: Signer, joints: Array, side: Side, length: float) -> None:
    """Draw a hand.

    Args:
        canvas: Drawn on.
        signer: Appearance.
        joints: (21, 3) joints in pixels of the frame, z towards the viewer.
        side: Which hand.
        length: Pixels from the wrist to the tip of the stretched middle finger; sets the thickness.
    """
    look = _Look(signer, joints, side, length)
    for piece in drawing_order(joints, side):
        if piece == 5:
            _draw_palm(canvas, joints, look)
        else:
            _draw_digit(canvas, joints, piece, tint(look.skin, _BRIGHTNESS[piece]), look)
