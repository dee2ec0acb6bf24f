"""From a motion plan to all 133 key points in space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from signgen.data.synthetic.face import (
    EYES,
    NOSE_TIP,
    draw_expression,
    face_landmarks,
    place_in_head,
)
from signgen.data.synthetic.hands import Side, place_hand
from signgen.data.synthetic.motion import MotionPlan, sample_track
from signgen.data.synthetic.signer import REFERENCE_SIZE, Signer

Array = NDArray[np.float64]

NUM_KEYPOINTS = 133
FACE = slice(23, 91)
HANDS: dict[Side, slice] = {"left": slice(91, 112), "right": slice(112, 133)}
ARMS: dict[Side, tuple[int, int, int]] = {"left": (5, 7, 9), "right": (6, 8, 10)}
"""Shoulder, elbow and wrist among the 133 key points."""

_MAX_WRIST_BEND = np.radians(62)
_PALM_CENTRE = 0.3


def stage(size: tuple[int, int]) -> tuple[float, float, float]:
    """Where reference units land in a frame: (scale, x of the reference origin, y of it).

    The signer keeps its proportions, stands in the middle and ends at the bottom of the frame.
    """
    scale = min(size[0] / REFERENCE_SIZE[0], size[1] / REFERENCE_SIZE[1])
    # Pixel centres are at whole numbers, hence the half pixels.
    return scale, size[1] / 2 - 0.5, size[0] - 0.5 - scale * REFERENCE_SIZE[0]


def elbows(
    shoulders: Array, wrists: Array, lengths: tuple[float, float], outward: float
) -> tuple[Array, Array]:
    """Two-bone inverse kinematics.

    Args:
        shoulders: (T, 3).
        wrists: (T, 3) wanted wrists; pulled in where out of reach.
        lengths: Upper arm and forearm.
        outward: -1 for the right arm (left in the picture), 1 for the left one.

    Returns:
        Elbows (T, 3) and reachable wrists (T, 3).
    """
    upper, lower = lengths
    reach = wrists - shoulders
    distance = np.linalg.norm(reach, axis=-1, keepdims=True)
    direction = reach / distance
    distance = np.clip(distance, abs(upper - lower) + 14, 0.985 * (upper + lower))
    along = (upper**2 - lower**2 + distance**2) / (2 * distance)
    aside = np.sqrt(np.maximum(upper**2 - along**2, 0))
    pole = np.array([0.5 * outward, 0.85, -0.2])
    pole = pole - direction * (direction @ pole)[:, None]
    pole = pole / np.linalg.norm(pole, axis=-1, keepdims=True)
    return shoulders + direction * along + pole * aside, shoulders + direction * distance


def limit_bend(axes: Array, forearms: Array) -> Array:
    """Turn hands (T, 3, 3) towards their forearms (T, 3) where a wrist would bend too far."""
    fingers = axes[..., 1]
    forearms = forearms / np.linalg.norm(forearms, axis=-1, keepdims=True)
    angle = np.arccos(np.clip(np.einsum("ti,ti->t", fingers, forearms), -1, 1))
    pivot = np.cross(fingers, forearms)
    pivot = pivot / np.maximum(np.linalg.norm(pivot, axis=-1, keepdims=True), 1e-9)
    excess = np.maximum(angle - _MAX_WRIST_BEND, 0)
    return np.asarray(
        np.einsum("tij,tjk->tik", Rotation.from_rotvec(pivot * excess[:, None]).as_matrix(), axes)
    )


def _arm(signer: Signer, plan: MotionPlan, times: Array, side: Side, sway: Array) -> Array:
    """Shoulder, elbow, then the 21 joints of the hand: (T, 23, 3)."""
    outward = 1.0 if side == "left" else -1.0
    centre, shape, axes = sample_track(getattr(plan, side), times, side)
    shoulder = np.stack(
        [
            outward * signer.shoulders + sway,
            np.full_like(sway, signer.shoulder_height),
            np.zeros_like(sway),
        ],
        -1,
    )
    wanted = centre - _PALM_CENTRE * signer.hand * axes[..., 1]
    wanted[:, 2] = np.maximum(wanted[:, 2], 12)
    elbow, wrist = elbows(shoulder, wanted, signer.arm, outward)
    axes = limit_bend(axes, wrist - elbow)
    hand = place_hand(shape, axes, wrist, signer.hand)
    return np.concatenate([shoulder[:, None], elbow[:, None], hand], axis=1)


def body_points(signer: Signer, plan: MotionPlan, times: Array) -> Array:
    """All key points of a clip in reference units.

    Args:
        signer: Who moves.
        plan: How the hands move.
        times: (T,) seconds.

    Returns:
        (T, 133, 3) points; z is towards the viewer and 0 for face and legs.
    """
    points = np.zeros((len(times), NUM_KEYPOINTS, 3))
    expression = draw_expression(plan.seed, times)
    face = face_landmarks(signer, expression)
    points[:, FACE, :2] = face
    ears = np.array([[1.0, 0.02], [-1.0, 0.02]]) * np.array(signer.head)
    points[:, 3:5, :2] = place_in_head(
        np.broadcast_to(ears, (len(times), 2, 2)), signer, expression
    )
    points[:, 0, :2] = face[:, NOSE_TIP]
    points[:, 1, :2], points[:, 2, :2] = (face[:, eye].mean(axis=1) for eye in reversed(EYES))
    sway = 0.35 * expression.shift_x
    for side, (shoulder, elbow, wrist) in ARMS.items():
        arm = _arm(signer, plan, times, side, sway)
        points[:, shoulder], points[:, elbow], points[:, wrist] = arm[:, 0], arm[:, 1], arm[:, 2]
        points[:, HANDS[side]] = arm[:, 2:]
    for index in (11, 12):
        outward = 1.0 if index == 11 else -1.0
        points[:, index, :2] = (outward * 0.72 * signer.shoulders, signer.shoulder_height + 172)
    # Knees, ankles and feet: below every frame.
    points[:, 13:23, 1] = 500.0
    return points


def to_pixels(points: Array, signer: Signer, size: tuple[int, int]) -> Array:
    """Move points (T, 133, 3) from reference units to pixels of a frame of `size` (H, W)."""
    scale, left, top = stage(size)
    shift = np.array([left + scale * signer.offset, top, 0.0])
    return np.asarray(points * scale + shift)
