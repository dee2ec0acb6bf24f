"""Handshapes and the kinematics of a 21-joint hand.

Hand axes, for both hands: x points to the thumb's side, y from the wrist to the fingers, z out of
the palm; the length from the wrist to the tip of the stretched middle finger is 1. The left hand is
the right one mirrored, so one table of handshapes serves both. Joint order as COCO-WholeBody:
wrist, thumb (CMC, MCP, IP, tip), index (MCP, PIP, DIP, tip), middle, ring, little finger.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Side = Literal["left", "right"]
Array = NDArray[np.float64]

FINGERS = ("index", "middle", "ring", "pinky")
NUM_SHAPE_VALUES = 25
"""A handshape: 4 fingers x (spread, MCP, PIP, DIP flexion) in degrees, 3 x 3 thumb joint places."""

_KNUCKLES = np.array(
    [[0.155, 0.475, 0.0], [0.045, 0.495, 0.01], [-0.065, 0.47, 0.01], [-0.165, 0.42, 0.0]]
)
_PHALANGES = np.array(
    [[0.235, 0.145, 0.105], [0.245, 0.155, 0.105], [0.225, 0.145, 0.105], [0.175, 0.115, 0.1]]
)
_THUMB_BASE = np.array([0.12, 0.09, 0.02])
_THUMB_BONES = np.array([0.215, 0.175, 0.145])

# Finger codes: (MCP, PIP, DIP) flexion in degrees.
_FLEXIONS: dict[str, tuple[float, float, float]] = {
    "|": (2, 4, 3),
    "f": (82, 100, 62),
    "c": (14, 62, 42),
    "o": (50, 56, 34),
    "b": (72, 8, 4),
    "r": (18, 26, 16),
    "h": (62, 50, 28),
}
# Thumb codes: places of MCP, IP and tip before bone lengths are restored.
_THUMBS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "out": ((0.29, 0.22, 0.03), (0.44, 0.31, 0.03), (0.57, 0.37, 0.02)),
    "side": ((0.25, 0.27, 0.06), (0.285, 0.44, 0.08), (0.27, 0.59, 0.09)),
    "across": ((0.22, 0.27, 0.13), (0.17, 0.37, 0.27), (0.03, 0.41, 0.31)),
    "palm": ((0.19, 0.29, 0.10), (0.08, 0.40, 0.15), (-0.06, 0.42, 0.15)),
    "meet": ((0.25, 0.26, 0.14), (0.25, 0.38, 0.27), (0.20, 0.48, 0.36)),
    "loose": ((0.26, 0.25, 0.07), (0.34, 0.40, 0.11), (0.34, 0.54, 0.15)),
    "bent": ((0.27, 0.24, 0.10), (0.40, 0.34, 0.14), (0.42, 0.47, 0.18)),
    "tuck": ((0.21, 0.27, 0.12), (0.13, 0.38, 0.25), (-0.02, 0.40, 0.28)),
}
# name: finger codes (index to little finger), thumb code, spread of the fingers in degrees
_SHAPES: dict[str, tuple[str, str, tuple[float, float, float, float]]] = {
    "B": ("||||", "palm", (2, 0, -1, -4)),
    "FLAT": ("||||", "side", (2, 0, -1, -4)),
    "FIVE": ("||||", "out", (15, 4, -7, -19)),
    "S": ("ffff", "across", (0, 0, 0, 0)),
    "A": ("ffff", "side", (0, 0, 0, 0)),
    "THUMB": ("ffff", "out", (0, 0, 0, 0)),
    "INDEX": ("|fff", "tuck", (2, 0, 0, 0)),
    "V": ("||ff", "tuck", (13, -9, 0, 0)),
    "U": ("||ff", "tuck", (1, 1, 0, 0)),
    "W": ("|||f", "tuck", (15, 0, -14, 0)),
    "L": ("|fff", "out", (0, 0, 0, 0)),
    "Y": ("fff|", "out", (0, 0, 0, -20)),
    "I": ("fff|", "tuck", (0, 0, 0, -6)),
    "ILY": ("|ff|", "out", (8, 0, 0, -16)),
    "CLAW": ("cccc", "bent", (14, 4, -6, -17)),
    "BENT": ("bbbb", "side", (1, 0, -1, -3)),
    "O": ("oooo", "meet", (0, -1, -1, 0)),
    "F": ("o|||", "meet", (0, 3, -7, -18)),
    "C": ("hhhh", "bent", (2, 0, -1, -3)),
    "REST": ("rrrr", "loose", (4, 1, -2, -6)),
}

HANDSHAPES: tuple[str, ...] = tuple(name for name in _SHAPES if name != "REST")
"""Names of the handshapes in signs, after the finger-spelling letters and numbers they resemble."""


def handshape(name: str) -> Array:
    """Return a handshape as a vector of 25 values that may be interpolated linearly.

    Args:
        name: One of `HANDSHAPES`, or `REST`.
    """
    codes, thumb, spread = _SHAPES[name]
    fingers = [(angle, *_FLEXIONS[code]) for angle, code in zip(spread, codes, strict=True)]
    return np.concatenate([np.ravel(fingers), np.ravel(_THUMBS[thumb])]).astype(np.float64)


def _thumb(places: Array) -> Array:
    """Restore the bone lengths of interpolated thumb places: (T, 3, 3) -> joints (T, 4, 3)."""
    joints = [np.broadcast_to(_THUMB_BASE, places[:, 0].shape)]
    previous = joints[0]
    for bone in range(3):
        step = places[:, bone] - previous
        step = step / np.linalg.norm(step, axis=-1, keepdims=True)
        joints.append(joints[-1] + _THUMB_BONES[bone] * step)
        previous = places[:, bone]
    return np.stack(joints, axis=1)


def _fingers(angles: Array) -> Array:
    """Chain the phalanges: (T, 4, 4) degrees of spread and flexions -> joints (T, 4, 4, 3)."""
    spread = np.radians(angles[..., 0])
    # A bent finger cannot be spread: the collateral ligaments pull it back to the middle.
    spread = spread * np.cos(np.clip(np.radians(angles[..., 1]), 0, np.pi / 2))
    bend = np.cumsum(np.radians(angles[..., 1:]), axis=-1)  # (T, 4, 3)
    along = np.stack([np.sin(spread), np.cos(spread), np.zeros_like(spread)], axis=-1)[:, :, None]
    out = np.array([0.0, 0.0, 1.0])
    bones = np.cos(bend)[..., None] * along + np.sin(bend)[..., None] * out
    steps = bones * _PHALANGES[None, :, :, None]
    base = np.broadcast_to(_KNUCKLES[None, :, None], (len(angles), 4, 1, 3))
    return np.concatenate([base, base + np.cumsum(steps, axis=2)], axis=2)


def local_joints(shapes: Array) -> Array:
    """Joints in hand axes.

    Args:
        shapes: (T, 25) handshapes.

    Returns:
        (T, 21, 3) joints; the wrist is the origin.
    """
    frames = len(shapes)
    wrist = np.zeros((frames, 1, 3))
    thumb = _thumb(shapes[:, 16:].reshape(frames, 3, 3))
    fingers = _fingers(shapes[:, :16].reshape(frames, 4, 4)).reshape(frames, 16, 3)
    return np.concatenate([wrist, thumb, fingers], axis=1)


def place_hand(shapes: Array, axes: Array, wrists: Array, length: float) -> Array:
    """Place a hand in space.

    Args:
        shapes: (T, 25) handshapes.
        axes: (T, 3, 3) columns are the hand's x, y and z axis in space; see `hand_axes`.
        wrists: (T, 3) wrist positions.
        length: Length of the stretched hand.

    Returns:
        (T, 21, 3) joints.
    """
    turned = np.einsum("tij,tkj->tki", axes, local_joints(shapes))
    return np.asarray(wrists[:, None] + length * turned)


def hand_axes(fingers: Array, palm: Array, side: Side) -> Array:
    """Axes of a hand from where its fingers point and its palm faces.

    Args:
        fingers: (3,) direction of the stretched fingers, not zero.
        palm: (3,) direction the palm faces; made perpendicular to `fingers`.
        side: Which hand. With x right, y down and z to the viewer, a right hand with its palm to
            the viewer and its fingers up has the thumb at the right of the picture.

    Returns:
        (3, 3) with the x, y and z axis of the hand as columns.
    """
    along = fingers / np.linalg.norm(fingers)
    normal = palm - along * (palm @ along)
    normal = normal / np.linalg.norm(normal)
    across = np.cross(normal, along) if side == "right" else np.cross(along, normal)
    return np.stack([across, along, normal], axis=1)
