"""Sign-like motion: a random sequence of signs as smooth tracks of both hands.

A sign is a handshape, a place in signing space and a movement (after Stokoe's three parameters);
between signs hands travel on minimum-jerk paths (Flash and Hogan 1985), handshape and orientation
with them. Places are written for the right hand and mirrored for the left; axes as in
`signgen.data.synthetic.body`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from signgen.data.synthetic.motion.hands import HANDSHAPES, Side, hand_axes, handshape
from signgen.data.synthetic.motion.space import HEAD_PLACES, REACH, TOUCHING, SigningSpace

__all__ = ["HandKey", "MotionPlan", "plan_motion", "sample_track"]

Array = NDArray[np.float64]

_SPEED = 1.4
"""Fastest mean speed of an adult's hands, metres per second."""

# Where the fingers point and the palm faces.
_ORIENTATIONS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "up-out": ((0.1, -0.1, 1), (0.05, -1, 0)),
    "up-in": ((0.2, -0.1, 1), (0.15, 1, 0)),
    "up-side": ((0.05, -0.25, 1), (1, -0.45, 0)),
    "tilted-out": ((0.65, -0.1, 0.8), (0.2, -1, -0.1)),
    "inward-in": ((0.9, -0.25, 0.35), (0, 1, 0)),
    "inward-down": ((0.85, -0.45, 0.1), (0, 0.6, -0.75)),
    "forward-down": ((0.25, -0.75, 0.45), (0, -0.5, -0.85)),
    "forward-up": ((0.45, -0.75, 0.2), (0.1, -0.4, 0.85)),
}
_ORIENTATION_WEIGHTS = (0.26, 0.15, 0.14, 0.13, 0.13, 0.06, 0.06, 0.07)
_REST_ORIENTATIONS = {
    "lap": ((0.35, -0.9, -0.1), (0.1, 0.0, -1.0)),
    "belly": ((0.9, -0.2, -0.3), (0.0, 1.0, 0.1)),
    "hanging": ((0.1, -0.1, -1.0), (1.0, 0.3, 0.1)),
}
_MOVEMENTS = ("HOLD", "STRAIGHT", "ARC", "CIRCLE", "SHAKE", "TWIST")
_MODES = ("one", "mirror", "alternate", "base", "cross")
_MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class HandKey:
    """State of one hand at one time, and how it gets there.

    Args:
        time: Seconds.
        centre: (3,) place of the middle of the palm.
        shape: (25,) handshape.
        axes: (3, 3) axes of the hand as columns.
        bulge: (3,) sideways swing half-way from the previous key.
        circle: (2, 3) cosine and sine arm of a full turn on the way from the previous key.
    """

    time: float
    centre: Array
    shape: Array
    axes: Array
    bulge: Array = field(default_factory=lambda: np.zeros(3))
    circle: Array = field(default_factory=lambda: np.zeros((2, 3)))


@dataclass(frozen=True)
class MotionPlan:
    """What the hands of a signer do in one clip.

    Args:
        right: Keys of the right hand, by time.
        left: Keys of the left hand, by time.
        gloss: Names of the signs.
        dominant: The hand that signs alone.
    """

    right: tuple[HandKey, ...]
    left: tuple[HandKey, ...]
    gloss: tuple[str, ...]
    dominant: Side


def minimum_jerk(share: Array) -> Array:
    """Smooth step with zero speed and acceleration at both ends (Flash and Hogan 1985)."""
    return share**3 * (10 - 15 * share + 6 * share**2)


def sample_track(keys: Sequence[HandKey], times: Array, side: Side) -> tuple[Array, Array, Array]:
    """Interpolate a hand's keys.

    Args:
        keys: At least one key, sorted by time.
        times: (T,) seconds; outside the keys the first or last one holds.
        side: Which hand: decides the handedness of its axes.

    Returns:
        Palm centres (T, 3), handshapes (T, 25) and axes (T, 3, 3).
    """
    starts = np.array([key.time for key in keys])
    index = np.clip(np.searchsorted(starts, times, side="right") - 1, 0, max(len(keys) - 2, 0))
    after = np.minimum(index + 1, len(keys) - 1)
    span = np.maximum(starts[after] - starts[index], 1e-6)
    share = minimum_jerk(np.clip((times - starts[index]) / span, 0, 1))[:, None]
    centres, shapes, bulges = (
        np.stack([getattr(key, name) for key in keys]) for name in ("centre", "shape", "bulge")
    )
    circles = np.stack([key.circle for key in keys])[after]
    centre = centres[index] + share * (centres[after] - centres[index])
    centre = centre + np.sin(np.pi * share) * bulges[after]
    turn = 2 * np.pi * share
    centre = centre + (np.cos(turn) - 1) * circles[:, 0] + np.sin(turn) * circles[:, 1]
    shape = shapes[index] + share * (shapes[after] - shapes[index])
    # The axes of a left hand are a reflection; a rotation is needed to interpolate.
    flip = np.array([-1.0 if side == "left" else 1.0, 1.0, 1.0])
    rotations = Rotation.from_matrix(np.stack([key.axes for key in keys]) * flip)
    turns = (rotations[index].inv() * rotations[after]).as_rotvec()
    axes = (rotations[index] * Rotation.from_rotvec(share * turns)).as_matrix() * flip
    return centre, shape, axes


def plan_motion(
    rng: np.random.Generator, space: SigningSpace, duration: float, *, dominant: Side, rest: str
) -> MotionPlan:
    """Draw the motion of a clip.

    Args:
        rng: Drawn from.
        space: Of the body that signs.
        duration: Seconds that must be filled with signs.
        dominant: The hand that signs alone.
        rest: Where hands rest: in the `lap`, `hanging` or at the `belly`.
    """
    planner = _Planner(rng, space, dominant, rest)
    planner.hold(rng.uniform(0.02, 0.08))
    while planner.time < duration:
        planner.add_sign(rng.uniform(0.24, 0.42), rng.uniform(0.16, 0.36))
    keys = planner.keys
    return MotionPlan(tuple(keys["right"]), tuple(keys["left"]), tuple(planner.gloss), dominant)


class _Planner:
    """Grows the keys of both hands sign by sign."""

    def __init__(
        self, rng: np.random.Generator, space: SigningSpace, dominant: Side, rest: str
    ) -> None:
        self.rng = rng
        self.space = space
        self.places: Mapping[str, Array] = space.places()
        self.rest = rest
        self.scale = space.reach / REACH
        self.dominant: Side = dominant
        self.other: Side = "left" if dominant == "right" else "right"
        self.keys: dict[Side, list[HandKey]] = {"right": [], "left": []}
        self.gloss: list[str] = []
        if rng.random() < 0.45:
            for side in self.keys:
                self.keys[side].append(self._rest_key(0.0, side))
        else:
            self.add_sign(0.0, 0.0)

    @property
    def time(self) -> float:
        return self.keys["right"][-1].time

    def add_sign(self, travel: float, stroke: float) -> None:
        """Travel to a new sign in `travel` seconds or more and perform it in `stroke` seconds."""
        rng = self.rng
        mode = str(rng.choice(_MODES, p=[0.26, 0.34, 0.16, 0.14, 0.1]))
        movement = str(rng.choice(_MOVEMENTS, p=[0.16, 0.24, 0.2, 0.14, 0.12, 0.14]))
        shape = str(rng.choice(HANDSHAPES))
        name, centre = self._place(self.dominant)
        orientation = str(rng.choice(list(_ORIENTATIONS), p=_ORIENTATION_WEIGHTS))
        if shape == "THUMB":
            orientation = "inward-in"
        axes = self._axes(_ORIENTATIONS[orientation], self.dominant)
        if name in TOUCHING and rng.random() < 0.6:  # with the fingertips
            centre = centre - 0.5 * self.space.hand_length * axes[:, 1]
        swing = rng.normal(0, 0.02, 3) * self.scale
        start = HandKey(0.0, centre, handshape(shape), axes, swing)
        other = self._other_key(start, mode)
        time = self._arrival(travel, start, other)
        start, other = replace(start, time=time), replace(other, time=time)
        self.keys[self.dominant].append(start)
        self.keys[self.other].append(other)
        self.gloss.append(f"{shape}-{name}-{movement}-{mode.upper()}")
        if stroke > 0:
            end = self._stroke(start, movement, stroke)
            self.keys[self.dominant].append(end)
            still = mode in ("one", "base") or movement == "HOLD"
            after = (
                replace(other, time=end.time, bulge=np.zeros(3))
                if still
                else self._other_key(end, mode)
            )
            self.keys[self.other].append(after)
            self.hold(rng.uniform(0.02, 0.12))

    def _arrival(self, travel: float, start: HandKey, other: HandKey) -> float:
        """When both hands are at their next keys."""
        if not self.keys[self.dominant]:
            return 0.0
        ways = ((self.dominant, start), (self.other, other))
        far = max(float(np.linalg.norm(key.centre - self.keys[s][-1].centre)) for s, key in ways)
        return self.time + max(travel, far / (_SPEED * self.scale))

    def hold(self, length: float) -> None:
        """Keep both hands where they are."""
        for keys in self.keys.values():
            time = keys[-1].time + length
            still = replace(keys[-1], time=time, bulge=np.zeros(3), circle=np.zeros((2, 3)))
            keys.append(still)

    def _axes(self, orientation: tuple[Sequence[float], Sequence[float]], side: Side) -> Array:
        fingers, palm = (np.array(direction) for direction in orientation)
        jitter = Rotation.from_rotvec(self.rng.normal(0, 0.13, 3)).as_matrix()
        mirror = np.ones(3) if side == "right" else _MIRROR
        return hand_axes(jitter @ fingers * mirror, jitter @ palm * mirror, side)

    def _place(self, side: Side) -> tuple[str, Array]:
        """Choose a place away from where the hand is and from where the clip began."""
        keys = self.keys[side]
        avoided = [keys[0].centre, keys[-1].centre] if keys else []
        # Signs at the head are the hardest to render, so they are drawn more often.
        weights = np.array([1.8 if name in HEAD_PLACES else 1.0 for name in self.places])
        best, best_distance = ("NEUTRAL", self._mirrored(self.places["NEUTRAL"], side)), -1.0
        names = list(self.places)
        for name in self.rng.choice(names, 8, replace=False, p=weights / weights.sum()):
            jitter = self.rng.normal(0, 0.02, 3) * self.scale
            place = self._mirrored(self.places[name] + jitter, side)
            distance = min((float(np.hypot(*(place - old)[::2])) for old in avoided), default=9.0)
            if distance > best_distance:
                best, best_distance = (str(name), place), distance
            if distance >= 0.2 * self.scale:
                break
        return best

    def _mirrored(self, place: Array, side: Side) -> Array:
        return place if side == "right" else place * _MIRROR

    def _rest_key(self, time: float, side: Side) -> HandKey:
        place = self.space.resting(self.rest) + self.rng.normal(0, 0.015, 3)
        axes = self._axes(_REST_ORIENTATIONS[self.rest], side)
        return HandKey(time, self._mirrored(place, side), handshape("REST"), axes)

    def _other_key(self, key: HandKey, mode: str) -> HandKey:
        """State of the non-dominant hand that goes with the dominant hand's state."""
        rng, side, scale = self.rng, self.other, self.scale
        if mode == "one":
            return self._rest_key(key.time, side)
        outward = 1.0 if side == "left" else -1.0
        low, high = self.space.shoulders[2] + scale * np.array([-0.36, -0.12])
        if mode == "base":
            place = key.centre + scale * np.array([0.02 * outward, 0.06, -0.10])
            place[2] = np.clip(place[2], low, high)
            shape = handshape(str(rng.choice(["FLAT", "FLAT", "S", "FIVE"])))
            return HandKey(key.time, place, shape, self._axes(_ORIENTATIONS["inward-in"], side))
        centre = key.centre * _MIRROR
        if mode == "cross":
            centre = centre * [0.35, 1, 1] + scale * np.array([-0.06 * outward, 0.07, -0.03])
        else:
            centre[0] = outward * max(outward * centre[0], 0.075 * scale)
        if mode == "alternate":
            centre = centre + scale * np.array(
                [0.02 * outward, 0.0, -0.19 if centre[2] > high else 0.19]
            )
        return HandKey(
            key.time,
            centre,
            key.shape,
            key.axes * _MIRROR[:, None],
            key.bulge * _MIRROR,
            key.circle * _MIRROR,
        )

    def _stroke(self, key: HandKey, movement: str, length: float) -> HandKey:
        """State at the end of a sign's movement that began at `key`."""
        rng, scale = self.rng, self.scale
        end = replace(key, time=key.time + length, bulge=np.zeros(3))
        angle = rng.uniform(0, 2 * np.pi)
        step = np.array([np.cos(angle), -0.3, 0.8 * np.sin(angle)])
        step = step * rng.uniform(0.07, 0.14) * scale
        too_high = key.centre[2] + step[2] > self.space.head[2] + 0.14 * scale
        if too_high or abs(key.centre[0] + step[0]) > 0.38 * scale:
            step = -step
        if movement in ("STRAIGHT", "ARC"):
            bulge = np.array([-step[2], -0.03 * scale, step[0]]) * (movement == "ARC") * 0.6
            return replace(end, centre=key.centre + step, bulge=bulge)
        if movement == "CIRCLE":
            radius = rng.uniform(0.035, 0.065) * scale * np.sign(rng.normal())
            return replace(end, circle=np.array([[radius, 0, 0], [0, 0, abs(radius)]]))
        if movement == "TWIST":
            angle = rng.choice([-1.0, 1.0]) * rng.uniform(0.8, 1.4)
            return replace(
                end, axes=Rotation.from_rotvec(key.axes[:, 1] * angle).as_matrix() @ key.axes
            )
        if movement == "SHAKE":
            return replace(end, bulge=np.array([step[0], 0.0, step[2] * 0.5]))
        return end
