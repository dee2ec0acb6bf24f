"""Handshapes, and the finger bones of a body that take them.

Hand axes, for both hands: x to the thumb's side, y from the wrist to the fingers, z out of the
palm. Seen in them a left hand is a right one, so one table of handshapes serves both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from signgen.data.synthetic.body import Body, Rest

__all__ = [
    "HANDSHAPES",
    "HandRig",
    "Side",
    "finger_joints",
    "finger_turns",
    "hand_axes",
    "handshape",
    "rig_hand",
    "swing_between",
]

Side = Literal["left", "right"]
Array = NDArray[np.float64]

# Thumb joints CMC, MCP, IP, tip in hand lengths, to write thumbs as places.
_THUMB_BASE = np.array([0.12, 0.09, 0.02])

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
# Thumb codes: places of MCP, IP and tip; only their directions count.
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

#: Names of the handshapes in signs, after the finger-spelling letters and numbers they resemble.
HANDSHAPES: tuple[str, ...] = tuple(name for name in _SHAPES if name != "REST")


def handshape(name: str) -> Array:
    """Return a handshape as 25 numbers that may be interpolated linearly.

    Four fingers x (spread, MCP, PIP, DIP flexion) in degrees, then 3 x 3 places of the thumb.

    Args:
        name: One of `HANDSHAPES`, or `REST`.
    """
    codes, thumb, spread = _SHAPES[name]
    fingers = [(angle, *_FLEXIONS[code]) for angle, code in zip(spread, codes, strict=True)]
    return np.concatenate([np.ravel(fingers), np.ravel(_THUMBS[thumb])]).astype(np.float64)


def hand_axes(fingers: Array, palm: Array, side: Side) -> Array:
    """Axes of a hand from where its fingers point and its palm faces.

    Args:
        fingers: (..., 3) direction of the stretched fingers, not zero.
        palm: (..., 3) direction the palm faces; made perpendicular to `fingers`.
        side: Which hand.

    Returns:
        (..., 3, 3) with the x, y and z axis of the hand as columns: a rotation for the right hand,
        a reflection for the left one.
    """
    along = _unit(fingers)
    normal = _unit(palm - along * (palm * along).sum(-1, keepdims=True))
    across = np.cross(along, normal) if side == "right" else np.cross(normal, along)
    return np.stack([across, along, normal], axis=-1)


@dataclass(frozen=True)
class HandRig:
    """The finger bones of one hand in the rest pose.

    Args:
        axes: (3, 3) hand axes as columns.
        palm: (3,) middle of the palm from the wrist, in hand axes, metres.
        thumb_bones: Three indices of bones, from the wrist on.
        thumb: (3, 3) their directions in hand axes.
        finger_bones: Four rows of three indices, index to little finger.
        fingers: (4, 3, 3, 3) their frames in hand axes: columns hinge, direction and the third.
        knuckles: (5, 3) where thumb and fingers begin from the wrist, in hand axes, metres.
        lengths: (5, 3) of the bones, metres.
    """

    axes: Array
    palm: Array
    thumb_bones: tuple[int, ...]
    thumb: Array
    finger_bones: tuple[tuple[int, ...], ...]
    fingers: Array
    knuckles: Array
    lengths: Array

    @property
    def length(self) -> float:
        """From the wrist to the tip of the stretched middle finger."""
        return float(np.linalg.norm(self.knuckles[2]) + self.lengths[2].sum())


def rig_hand(body: Body, rest: Rest, side: Side) -> HandRig:
    """Measure a hand of a body in the rest pose."""
    end = "L" if side == "left" else "R"
    heads, tails = rest.heads.cpu().numpy().astype(float), rest.tails.cpu().numpy().astype(float)
    digits = tuple(
        tuple(body.bone(f"finger{digit}-{joint}.{end}") for joint in (1, 2, 3))
        for digit in (1, 2, 3, 4, 5)
    )
    wrist = heads[body.bone(f"wrist.{end}")]
    index, middle, little = (heads[digits[digit][0]] for digit in (1, 2, 4))
    # The palm faces where the fingers bend to.
    along = middle - wrist
    normal = np.cross(index - little, along)
    curl = tails[digits[2][2]] - middle
    axes = hand_axes(along, normal * np.sign(normal @ curl), side)
    directions = _unit((tails - heads)[np.array(digits)]) @ axes  # (5, 3, 3)
    hinge = _unit(np.cross(directions[1:, 0], directions[1:, 2]))[:, None]  # (4, 1, 3)
    return HandRig(
        axes,
        (0.62 * along) @ axes,
        digits[0],
        directions[0],
        digits[1:],
        _frames(np.broadcast_to(hinge, directions[1:].shape), directions[1:]),
        (heads[[digit[0] for digit in digits]] - wrist) @ axes,
        np.linalg.norm((tails - heads)[np.array(digits)], axis=-1),
    )


def finger_turns(rig: HandRig, shapes: Array) -> dict[int, Array]:
    """Turn finger bones into handshapes.

    Args:
        rig: The hand at rest.
        shapes: (T, 25) handshapes.

    Returns:
        For each bone its turn (T, 3, 3) from rest in hand axes, as if the hand were unturned.
    """
    frames = len(shapes)
    turns: dict[int, Array] = {}
    # Fingers
    angles = np.radians(shapes[:, :16].reshape(frames, 4, 4))
    # A bent finger cannot be spread: the collateral ligaments pull it back to the middle.
    spread = angles[..., 0] * np.cos(np.clip(angles[..., 1], 0, np.pi / 2))
    bend = np.cumsum(angles[..., 1:], axis=-1)[..., None]  # (T, 4, 3, 1)
    zero = np.zeros_like(spread)
    along = np.stack([np.sin(spread), np.cos(spread), zero], axis=-1)[:, :, None]
    hinge = np.stack([np.cos(spread), -np.sin(spread), zero], axis=-1)[:, :, None]
    directions = np.cos(bend) * along + np.sin(bend) * np.array([0.0, 0.0, 1.0])
    wanted = _frames(np.broadcast_to(hinge, directions.shape), directions)  # (T, 4, 3, 3, 3)
    moved = wanted @ np.swapaxes(rig.fingers, -1, -2)
    for finger, bones in enumerate(rig.finger_bones):
        turns |= {bone: moved[:, finger, joint] for joint, bone in enumerate(bones)}
    # Thumb: each bone swings on from the one before
    places = np.concatenate(
        [np.broadcast_to(_THUMB_BASE, (frames, 1, 3)), shapes[:, 16:].reshape(frames, 3, 3)], axis=1
    )
    steps = _unit(np.diff(places, axis=1))
    turn = np.broadcast_to(np.eye(3), (frames, 3, 3))
    for joint, bone in enumerate(rig.thumb_bones):
        turn = swing_between(turn @ rig.thumb[joint], steps[:, joint]) @ turn
        turns[bone] = turn
    return turns


def finger_joints(rig: HandRig, turns: Mapping[int, Array]) -> Array:
    """Follow the finger bones.

    Args:
        rig: The hand at rest.
        turns: Of every finger bone (T, 3, 3), see `finger_turns`.

    Returns:
        (T, 20, 3) joints from the wrist in hand axes, metres: of thumb, index, middle, ring and
        little finger the three joints from the palm on, then the tip.
    """
    directions = np.concatenate([rig.thumb[None], rig.fingers[..., 1]])  # (5, 3, 3)
    digits = (rig.thumb_bones, *rig.finger_bones)
    joints = []
    for digit, bones in enumerate(digits):
        place = np.broadcast_to(rig.knuckles[digit], (len(turns[bones[0]]), 3))
        joints.append(place)
        for joint, bone in enumerate(bones):
            step = rig.lengths[digit, joint] * directions[digit, joint]
            place = place + turns[bone] @ step
            joints.append(place)
    return np.stack(joints, axis=1)


def swing_between(start: Array, end: Array) -> Array:
    """Return the shortest rotations (..., 3, 3) from unit vectors to unit vectors (..., 3)."""
    axis, cosine = np.cross(start, end), (start * end).sum(-1)
    x, y, z = np.moveaxis(axis, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    factor = 1 / np.maximum(1 + cosine, 1e-6)
    return np.asarray(np.eye(3) + cross + cross @ cross * factor[..., None, None])


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _frames(hinge: Array, direction: Array) -> Array:
    """Rotations with a hinge, made perpendicular to the direction, and the direction as columns."""
    hinge = _unit(hinge - direction * (hinge * direction).sum(-1, keepdims=True))
    return np.stack([hinge, direction, np.cross(hinge, direction)], axis=-1)
