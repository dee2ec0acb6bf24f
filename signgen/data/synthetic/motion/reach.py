"""Inverse kinematics of the arms: hands are placed, shoulders and elbows follow.

Two bones and a swivel: the elbow may turn about the line from shoulder to wrist (Tolani, Goswami
and Badler 2000); of all places it may take, the most comfortable one is chosen for the motion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from signgen.data.synthetic.body import Body, Rest
from signgen.data.synthetic.motion.hands import HandRig, Side, rig_hand, swing_between

__all__ = ["ArmPose", "ArmRig", "reach", "rig_arm"]

Array = NDArray[np.float64]

_SWIVELS = np.radians(np.arange(-20, 101, 8))
"""Where elbows may be: 0 hangs down and a little out, 90 is raised to the side."""
_PRONATION = np.radians(80)
_FLEXION, _DEVIATION = np.radians(55), np.radians(22)
"""How far a wrist bends towards the palm or the back of the hand, and to its sides."""
_STRETCH = 0.985
"""The most of its length that an arm reaches: a stretched elbow has no direction."""


@dataclass(frozen=True)
class ArmRig:
    """The bones of one arm in the rest pose, metres.

    Args:
        side: Which arm.
        bones: Indices of upperarm01, upperarm02, lowerarm01, lowerarm02 and wrist.
        shoulder: (3,)
        middle: (3,) where upperarm02 begins.
        elbow: (3,)
        wrist: (3,)
        upper: (3, 3) frame of the upper arm: columns direction, hinge of the elbow, third.
        lower: (3, 3) that of the forearm.
        hand: The hand.
    """

    side: Side
    bones: tuple[int, ...]
    shoulder: Array
    middle: Array
    elbow: Array
    wrist: Array
    upper: Array
    lower: Array
    hand: HandRig

    @property
    def lengths(self) -> tuple[float, float]:
        """Upper arm and forearm."""
        elbow = self.elbow
        return float(np.linalg.norm(elbow - self.shoulder)), float(
            np.linalg.norm(self.wrist - elbow)
        )


@dataclass(frozen=True)
class ArmPose:
    """How an arm is held over T frames.

    Args:
        turns: For each bone its turn (T, 3, 3) from rest in space.
        elbows: (T, 3)
        wrists: (T, 3) as wanted, or as near as the arm reaches.
        axes: (T, 3, 3) hand axes as wanted, or as near as the wrist bends.
    """

    turns: dict[int, Array]
    elbows: Array
    wrists: Array
    axes: Array


def rig_arm(body: Body, rest: Rest, side: Side) -> ArmRig:
    """Measure an arm of a body in the rest pose."""
    end = "L" if side == "left" else "R"
    names = ("upperarm01", "upperarm02", "lowerarm01", "lowerarm02", "wrist")
    bones = tuple(body.bone(f"{name}.{end}") for name in names)
    heads = rest.heads.cpu().numpy().astype(float)
    shoulder, middle, elbow, wrist = (heads[bones[index]] for index in (0, 1, 2, 4))
    hinge = np.cross(elbow - shoulder, wrist - elbow)
    return ArmRig(
        side,
        bones,
        shoulder,
        middle,
        elbow,
        wrist,
        _frames(elbow - shoulder, hinge),
        _frames(wrist - elbow, hinge),
        rig_hand(body, rest, side),
    )


def reach(
    arm: ArmRig,
    shoulders: Array,
    wrists: Array,
    axes: Array,
    depth: Callable[[Array], Array] | None = None,
) -> ArmPose:
    """Hold an arm so that its hand is where and turned as it should be.

    Args:
        arm: Which arm.
        shoulders: (T, 3) where it hangs.
        wrists: (T, 3) wanted wrists.
        axes: (T, 3, 3) wanted hand axes.
        depth: How deep points (T, N, 3) lie inside the body, (T, N) metres, negative outside:
            elbows avoid it.
    """
    wrists, elbows = _elbows(arm, shoulders, wrists)  # (T, 3), (T, S, 3)
    upper, lower = _arm_frames(arm, shoulders, elbows, wrists)  # (T, S, 3, 3)
    twist, swing = _wrist_angles(arm, lower, axes[:, None])  # (T, S), (T, S, 3)
    # Comfort of every elbow: a natural height, wrists that bend little, no arm in the body
    excess = np.maximum(np.abs(twist) - 0.75 * _PRONATION, 0)
    bend = _share_of_limit(arm, swing)
    cost = 1.2 * (_SWIVELS - np.radians(15)) ** 2 + 4 * excess**2
    cost = cost + 1.2 * np.maximum(bend - 0.6, 0) ** 2
    if depth is not None:
        shares = np.array([0.35, 0.7, 1.0])[:, None]
        along = elbows[:, :, None] * shares + shoulders[:, None, None] * (1 - shares)
        fore = elbows[:, :, None] * shares[:2] + wrists[:, None, None] * (1 - shares[:2])
        points = np.concatenate([along[:, :, 1:], fore], axis=2)  # (T, S, N, 3)
        inside = depth(points.reshape(len(points), -1, 3)).reshape(points.shape[:3])
        cost = cost + (np.maximum(inside + 0.04, 0) ** 2).sum(-1) * 900
    swivel = gaussian_filter1d(_cheapest_path(cost), 1.5, mode="nearest")
    # The chosen elbows, and hands within what wrists bend
    elbow = _swivelled(arm, shoulders, wrists, swivel[:, None])
    upper, lower = (turn[:, 0] for turn in _arm_frames(arm, shoulders, elbow, wrists))
    twist, swing = _wrist_angles(arm, lower, axes)
    twist = np.clip(twist, -_PRONATION, _PRONATION)
    swing = swing / np.maximum(_share_of_limit(arm, swing), 1)[:, None]
    # A turn out of reach may be nearest from either side
    twist, swing = (gaussian_filter1d(a, 1.2, axis=0, mode="nearest") for a in (twist, swing))
    wrist = (
        lower @ Rotation.from_rotvec(swing).as_matrix() @ _about(arm.lower[:, 0], twist)
    )  # (T, 3, 3)
    turns = (
        *_upper_arm(arm, upper, elbow[:, 0] - shoulders),
        lower @ _about(arm.lower[:, 0], 0.35 * twist),
        lower @ _about(arm.lower[:, 0], 0.8 * twist),
        wrist,
    )
    return ArmPose(
        dict(zip(arm.bones, turns, strict=True)), elbow[:, 0], wrists, wrist @ arm.hand.axes
    )


def _upper_arm(arm: ArmRig, turn: Array, to_elbow: Array) -> tuple[Array, Array]:
    """Share the upper arm's twist between its two bones; the elbow stays where it is."""
    axis, middle = arm.upper[:, 0], arm.middle - arm.shoulder
    untwisted = swing_between(np.broadcast_to(axis, to_elbow.shape), _unit(to_elbow))
    twist = Rotation.from_matrix(np.swapaxes(untwisted, -1, -2) @ turn).as_rotvec() @ axis
    first = untwisted @ _about(axis, 0.5 * twist)
    # The middle of the upper arm is not quite on its line
    wanted = _unit(to_elbow - first @ middle)
    second = swing_between(_unit(turn @ (arm.elbow - arm.middle)), wanted) @ turn
    return first, second


def _share_of_limit(arm: ArmRig, swing: Array) -> Array:
    """How far wrists bend, 1 at the limit; `swing` (..., 3) are rotation vectors at rest."""
    in_hand = swing @ arm.hand.axes
    return np.asarray(np.hypot(in_hand[..., 0] / _FLEXION, in_hand[..., 2] / _DEVIATION))


def _elbows(arm: ArmRig, shoulders: Array, wrists: Array) -> tuple[Array, Array]:
    """Wrists within reach (T, 3), and the elbows of all swivels (T, S, 3)."""
    upper, lower = arm.lengths
    line = wrists - shoulders
    distance = np.linalg.norm(line, axis=-1, keepdims=True)
    least = 1.2 * abs(upper - lower) + 0.35 * lower
    within = np.clip(distance, least, _STRETCH * (upper + lower))
    wrists = shoulders + line / distance * within
    swivels = np.broadcast_to(_SWIVELS, (len(wrists), len(_SWIVELS)))
    return wrists, _swivelled(arm, shoulders, wrists, swivels)


def _swivelled(arm: ArmRig, shoulders: Array, wrists: Array, swivels: Array) -> Array:
    """Elbows (T, S, 3) of swivels (T, S) between shoulders and wrists (T, 3) within reach."""
    upper, lower = arm.lengths
    line = wrists - shoulders
    distance = np.linalg.norm(line, axis=-1, keepdims=True)
    line = line / distance
    along = (upper**2 - lower**2 + distance**2) / (2 * distance)
    aside = np.sqrt(np.maximum(upper**2 - along**2, 0))
    outward = 1.0 if arm.side == "left" else -1.0
    # Swivel 0 hangs; where the hand hangs too it points back.
    down = np.array([0.2 * outward, 0.35, -1.0])
    down = _unit(down - line * (line @ down)[:, None])
    out = np.cross(line, down)
    out = out * np.sign((out * np.array([outward, 0.3, 0.0])).sum(-1, keepdims=True))
    ray = np.cos(swivels)[..., None] * down[:, None] + np.sin(swivels)[..., None] * out[:, None]
    return np.asarray((shoulders + line * along)[:, None] + aside[:, None] * ray)


def _arm_frames(arm: ArmRig, shoulders: Array, elbows: Array, wrists: Array) -> tuple[Array, Array]:
    """Turns of upper arm and forearm from rest (T, S, 3, 3) for elbows (T, S, 3)."""
    upper, lower = elbows - shoulders[:, None], wrists[:, None] - elbows
    hinge = np.cross(upper, lower)
    return _frames(upper, hinge) @ arm.upper.T, _frames(lower, hinge) @ arm.lower.T


def _wrist_angles(arm: ArmRig, lower: Array, axes: Array) -> tuple[Array, Array]:
    """Split a hand's turn from its forearm: pronation (...), bend as rotation vector (..., 3)."""
    relative = np.swapaxes(lower, -1, -2) @ axes @ arm.hand.axes.T
    shape = relative.shape[:-2]
    turn = Rotation.from_matrix(relative.reshape(-1, 3, 3))
    quaternion = turn.as_quat()  # x, y, z, w
    angle = 2 * np.arctan2(quaternion[:, :3] @ arm.lower[:, 0], quaternion[:, 3])
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    bend = turn * Rotation.from_rotvec(-angle[:, None] * arm.lower[:, 0])
    return angle.reshape(shape), bend.as_rotvec().reshape(*shape, 3)


def _cheapest_path(cost: Array) -> Array:
    """Choose a swivel for each frame, cheap and steady: costs (T, S) -> angles (T,) (Viterbi)."""
    steps = 12 * (_SWIVELS[:, None] - _SWIVELS) ** 2
    total, came = cost[0], []
    for frame in cost[1:]:
        ways = total[:, None] + steps
        came.append(ways.argmin(0))
        total = ways.min(0) + frame
    path = [int(total.argmin())]
    for back in reversed(came):
        path.append(int(back[path[-1]]))
    return np.asarray(_SWIVELS[path[::-1]])


def _about(axis: Array, angles: Array) -> Array:
    return np.asarray(Rotation.from_rotvec(angles[:, None] * axis).as_matrix())


def _frames(direction: Array, hinge: Array) -> Array:
    """Rotations with a direction and a hinge, perpendicular to it, as columns."""
    direction, hinge = _unit(direction), _unit(hinge)
    return np.stack([direction, hinge, np.cross(direction, hinge)], axis=-1)


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
