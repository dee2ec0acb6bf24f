"""The 68 face landmarks (iBUG order) of a drawn signer, and their motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from signgen.data.synthetic.signer import Signer

Array = NDArray[np.float64]

JAW = slice(0, 17)
BROWS = (slice(17, 22), slice(22, 27))
NOSE_TIP = 30
NOSTRILS = slice(31, 36)
EYES = (slice(36, 42), slice(42, 48))
OUTER_LIPS = slice(48, 60)
INNER_LIPS = slice(60, 68)


@dataclass(frozen=True)
class Expression:
    """Motion of face and head over time, every field (T,) float.

    Args:
        blink: 0 is open, 1 is closed.
        brow: Raise of the brows in reference units, negative for a frown.
        mouth: Opening of the mouth, 0 to 1.
        width: Change of the mouth's width, -1 (rounded) to 1 (spread).
        turn: Turn of the head to the right of the picture, -1 to 1.
        roll: Tilt of the head in radians.
        shift_x: Shift of the head in reference units.
        shift_y: Shift of the head in reference units.
    """

    blink: Array
    brow: Array
    mouth: Array
    width: Array
    turn: Array
    roll: Array
    shift_x: Array
    shift_y: Array


def _waves(rng: np.random.Generator, times: Array, slowest: float, fastest: float) -> Array:
    """Sum of three sines with random phase, about -1 to 1; frequencies in hertz."""
    frequencies = rng.uniform(slowest, fastest, 3)
    phases = rng.uniform(0, 2 * np.pi, 3)
    waves = np.sin(2 * np.pi * np.outer(times, frequencies) + phases)
    return np.asarray(waves @ np.array([0.5, 0.3, 0.2]))


def draw_expression(seed: int, times: Array) -> Expression:
    """Draw face and head motion.

    Args:
        seed: Non-negative integer.
        times: (T,) seconds.
    """
    rng = np.random.default_rng((seed, 0xFACE))
    blinks = rng.uniform(-0.6, 0.9) + np.cumsum(rng.uniform(1.2, 3.5, 64))
    nearest = np.abs(times[:, None] - blinks[None]).min(axis=1)
    mouthing = np.clip(_waves(rng, times, 1.4, 3.4) * 1.5 + rng.uniform(-0.5, 0.6), 0, 1)
    return Expression(
        blink=np.clip(1.4 - nearest / 0.075, 0, 1),
        brow=2.6 * _waves(rng, times, 0.25, 0.9) + rng.normal(0, 0.4),
        mouth=mouthing,
        width=np.clip(_waves(rng, times, 0.8, 2.2) * 1.2, -1, 1),
        turn=np.clip(_waves(rng, times, 0.15, 0.7) * 1.1, -1, 1),
        roll=0.075 * _waves(rng, times, 0.15, 0.6),
        shift_x=2.6 * _waves(rng, times, 0.15, 0.6),
        shift_y=1.6 * _waves(rng, times, 0.2, 0.8),
    )


def head_outline(signer: Signer, angles: Array) -> Array:
    """Points on the outline of the head, relative to its centre.

    Args:
        signer: Whose head.
        angles: (N,) radians; 0 is the subject's right (left in the picture), pi / 2 the chin,
            -pi / 2 the crown.

    Returns:
        (N, 2) points.
    """
    half_width, half_height = signer.head
    cos, sin = np.cos(angles), np.sin(angles)
    narrow = np.where(sin > 0, 1 - 0.13 * np.clip(sin, 0, 1) ** 2, 1.0)
    side = np.sign(cos) * np.abs(cos) ** np.where(sin > 0, signer.jaw, 0.92)
    return np.stack([-half_width * side * narrow, half_height * sin], axis=-1)


def _eye(outer: float, height: Array, middle: tuple[float, float], mirrored: bool) -> Array:
    """Six points of an eye, clockwise in the picture from its left corner: (T, 6, 2)."""
    x = np.array([-1.0, -0.4, 0.4, 1.0, 0.4, -0.4]) * outer + middle[0]
    y = np.array([0.05, -1.0, -1.0, 0.05, 0.75, 0.75]) * height[:, None] + middle[1]
    tilt = (
        np.array([-0.4, 0, 0, 0.25, 0, 0]) if not mirrored else np.array([0.25, 0, 0, -0.4, 0, 0])
    )
    return np.stack(np.broadcast_arrays(x, y + tilt), axis=-1)


def _lips(half_width: Array, top: Array, bottom: Array, middle: float, count: int) -> Array:
    """A closed lip contour from the picture's left corner over the top: (T, 2 * count, 2)."""
    angles = np.linspace(np.pi, -np.pi, 2 * count, endpoint=False)
    cos, sin = np.cos(angles), np.sin(angles)
    x = half_width[:, None] * cos
    height = np.where(sin > 0, top[:, None], bottom[:, None])
    bow = np.where((np.abs(cos) < 0.1) & (sin > 0), 0.82, 1.0)
    # Corners a little higher than the middle: a resting mouth looks friendly.
    smile = 0.045 * half_width[:, None] * (1 - 3 * cos**2)
    return np.stack(np.broadcast_arrays(x, middle - sin * height * bow + smile), axis=-1)


def face_landmarks(signer: Signer, expression: Expression) -> Array:
    """Landmarks relative to the head's centre, turned and tilted with the head.

    Args:
        signer: Whose face.
        expression: T states of the face.

    Returns:
        (T, 68, 2) points in reference units.
    """
    frames = len(expression.blink)
    wide, high = signer.head
    jaw = np.broadcast_to(
        head_outline(signer, np.linspace(-0.05, np.pi + 0.05, 17)), (frames, 17, 2)
    )
    brow_x = np.linspace(-0.74, -0.2, 5) * wide
    arch = np.array([0.9, -0.5, -1.1, -0.9, -0.1])
    # A frown also pulls the inner ends of the brows down.
    frown = np.clip(-expression.brow, 0, None)[:, None] * np.array([0, 0, 0.2, 0.5, 0.8])
    brow_y = -0.27 * high + arch - expression.brow[:, None] * 0.8 + frown
    left_brow = np.stack(np.broadcast_arrays(brow_x, brow_y), axis=-1)
    right_brow = left_brow[:, ::-1] * np.array([-1.0, 1.0])
    nose_y = np.linspace(-0.06, 0.26, 4) * high
    nose = np.stack([np.zeros(4), nose_y], axis=-1)
    nostrils = np.stack(
        [np.linspace(-0.17, 0.17, 5) * wide, np.array([0.31, 0.34, 0.36, 0.34, 0.31]) * high], -1
    )
    opening = 0.105 * high * (1 - 0.92 * expression.blink) * (1 + 0.06 * expression.brow)
    eye_y = -0.045 * high
    eyes = [_eye(0.205 * wide, opening, (side * 0.43 * wide, eye_y), side > 0) for side in (-1, 1)]
    half = wide * (0.36 + 0.07 * expression.width)
    lip, gap = 0.062 * high, expression.mouth * 0.13 * high
    outer = _lips(half, lip + gap * 0.35, lip * 1.25 + gap, 0.60 * high, 6)
    inner = _lips(half * 0.82, 0.012 * high + gap * 0.35, 0.012 * high + gap, 0.60 * high, 4)
    inside = np.concatenate(
        [
            left_brow,
            right_brow,
            np.broadcast_to(nose, (frames, 4, 2)),
            np.broadcast_to(nostrils, (frames, 5, 2)),
            *eyes,
            outer,
            inner,
        ],
        axis=1,
    )
    # Turning the head moves what is near the viewer (nose most) across the outline of the head.
    depth = np.full(51, 1.0)
    depth[10:14] = (1.1, 1.3, 1.55, 1.8)
    depth[14:19] = 1.5
    inside = inside + np.stack(
        [2.4 * expression.turn[:, None] * depth, np.zeros((frames, 51))], axis=-1
    )
    return place_in_head(np.concatenate([jaw, inside], axis=1), signer, expression)


def place_in_head(points: Array, signer: Signer, expression: Expression) -> Array:
    """Tilt and shift points (T, N, 2), given around the head's centre, to reference units."""
    pivot = np.array([0.0, signer.head[1]])
    cos, sin = np.cos(expression.roll), np.sin(expression.roll)
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], axis=-2)  # (T, 2, 2)
    turned = np.einsum("tij,tnj->tni", turn, points - pivot) + pivot
    shift = np.stack([expression.shift_x, expression.shift_y], axis=-1)[:, None]
    return np.asarray(turned + shift + np.array(signer.head_centre))
