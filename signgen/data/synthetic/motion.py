"""Sign-like motion: a random sequence of signs as smooth tracks of both hands.

A sign is a handshape, a place in signing space and a movement (after Stokoe's three parameters);
between signs hands travel on minimum-jerk paths (Flash and Hogan 1985), handshape and orientation
with them. Space is described in `signgen.data.synthetic.signer`; places are written for the right
hand (at the left of the picture) and mirrored for the left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from signgen.data.synthetic.hands import HANDSHAPES, Side, hand_axes, handshape

Array = NDArray[np.float64]

# Places of the middle of the palm: (x, y, z) in reference units.
_PLACES: dict[str, tuple[float, float, float]] = {
    "FOREHEAD": (-14, 30, 42),
    "FACE": (-4, 48, 46),
    "CHEEK": (-22, 56, 40),
    "CHIN": (-6, 78, 44),
    "EAR": (-48, 50, 30),
    "SHOULDER": (18, 108, 44),
    "CHEST": (-18, 122, 44),
    "NEUTRAL": (-34, 146, 56),
    "BELLY": (-24, 178, 48),
    "SIDE": (-72, 122, 40),
    "HIGH": (-66, 74, 36),
    "LOW": (-58, 190, 44),
    "CENTRE": (-8, 138, 58),
    "ACROSS": (26, 148, 56),
}
_AT_THE_HEAD = ("FOREHEAD", "FACE", "CHEEK", "CHIN")
_REST_PLACES = ((-30.0, 206.0, 34.0), (-18.0, 216.0, 36.0), (-52.0, 214.0, 26.0))

# Where the fingers point and the palm faces.
_ORIENTATIONS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "up-out": ((0.1, -1, 0.1), (0.05, 0, 1)),
    "up-in": ((0.2, -1, 0.1), (0.15, 0, -1)),
    "up-side": ((0.05, -1, 0.25), (1, 0, 0.45)),
    "tilted-out": ((0.65, -0.8, 0.1), (0.2, 0.1, 1)),
    "inward-in": ((0.9, -0.35, 0.25), (0, 0, -1)),
    "inward-down": ((0.85, -0.1, 0.45), (0, 0.75, -0.6)),
    "forward-down": ((0.25, -0.45, 0.75), (0, 0.85, 0.5)),
    "forward-up": ((0.45, -0.2, 0.75), (0.1, -0.85, 0.4)),
}
_ORIENTATION_WEIGHTS = (0.26, 0.15, 0.14, 0.13, 0.13, 0.06, 0.06, 0.07)
_REST_ORIENTATION = ((0.55, 0.75, 0.25), (0.15, 0.1, -1.0))
_MOVEMENTS = ("HOLD", "STRAIGHT", "ARC", "CIRCLE", "SHAKE", "TWIST")
_MODES = ("one", "mirror", "alternate", "base", "cross")


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
    """What a signer does in one clip.

    Args:
        right: Keys of the right hand, by time.
        left: Keys of the left hand, by time.
        gloss: Names of the signs.
        seed: Seed of face and head motion.
    """

    right: tuple[HandKey, ...]
    left: tuple[HandKey, ...]
    gloss: tuple[str, ...]
    seed: int


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
    # The axes of a right hand are a reflection here; a rotation is needed to interpolate.
    flip = np.array([-1.0 if side == "right" else 1.0, 1.0, 1.0])
    rotations = Rotation.from_matrix(np.stack([key.axes for key in keys]) * flip)
    turns = (rotations[index].inv() * rotations[after]).as_rotvec()
    axes = (rotations[index] * Rotation.from_rotvec(share * turns)).as_matrix() * flip
    return centre, shape, axes


def _axes(name: str, rng: np.random.Generator, side: Side, shape: str = "") -> Array:
    fingers, palm = _REST_ORIENTATION if name == "rest" else _ORIENTATIONS[name]
    if shape == "THUMB":
        fingers, palm = _ORIENTATIONS["inward-in"]
    jitter = Rotation.from_rotvec(rng.normal(0, 0.13, 3)).as_matrix()
    mirror = np.array([1.0 if side == "right" else -1.0, 1.0, 1.0])
    return hand_axes(jitter @ np.array(fingers) * mirror, jitter @ np.array(palm) * mirror, side)


def _mirrored(centre: Array, side: Side) -> Array:
    return centre if side == "right" else centre * np.array([-1.0, 1.0, 1.0])


def _rest_key(time: float, rng: np.random.Generator, side: Side) -> HandKey:
    place = np.array(_REST_PLACES[rng.integers(len(_REST_PLACES))]) + rng.normal(0, 4, 3)
    return HandKey(time, _mirrored(place, side), handshape("REST"), _axes("rest", rng, side))


class _Planner:
    """Grows the keys of both hands sign by sign."""

    def __init__(self, rng: np.random.Generator, right_handed: bool) -> None:
        self.rng = rng
        self.dominant: Side = "right" if right_handed else "left"
        self.other: Side = "left" if right_handed else "right"
        self.keys: dict[Side, list[HandKey]] = {"right": [], "left": []}
        self.gloss: list[str] = []
        if rng.random() < 0.45:
            for side in self.keys:
                self.keys[side].append(_rest_key(0.0, rng, side))
        else:
            self._add_sign(0.0, stroke=0.0)

    @property
    def time(self) -> float:
        return self.keys["right"][-1].time

    def _place(self, side: Side) -> tuple[str, Array]:
        """Choose a place away from where the hand is and from where the clip began."""
        keys = self.keys[side]
        avoided = [keys[0].centre, keys[-1].centre] if keys else []
        # Signs at the head are the hardest to render, so they are drawn more often.
        weights = np.array([1.8 if name in _AT_THE_HEAD else 1.0 for name in _PLACES])
        best, best_distance = (
            ("NEUTRAL", _mirrored(np.array(_PLACES["NEUTRAL"], dtype=float), side)),
            -1.0,
        )
        for name in self.rng.choice(list(_PLACES), 8, replace=False, p=weights / weights.sum()):
            place = _mirrored(np.array(_PLACES[name]) + self.rng.normal(0, 4, 3), side)
            distance = min(
                (float(np.linalg.norm((place - old)[:2])) for old in avoided), default=99.0
            )
            if distance > best_distance:
                best, best_distance = (str(name), place), distance
            if distance >= 48:
                break
        return best

    def _other_key(self, key: HandKey, mode: str) -> HandKey:
        """State of the non-dominant hand that goes with the dominant hand's state."""
        rng, side = self.rng, self.other
        flip = np.array([-1.0, 1.0, 1.0])
        if mode == "one":
            return _rest_key(key.time, rng, side)
        if mode == "base":
            place = key.centre + np.array([4.0 if side == "left" else -4.0, 20.0, -22.0])
            place[1] = np.clip(place[1], 120, 190)
            shape = handshape(str(rng.choice(["FLAT", "FLAT", "S", "FIVE"])))
            return HandKey(key.time, place, shape, _axes("inward-in", rng, side))
        centre = key.centre * flip
        outward = -1.0 if side == "right" else 1.0
        if mode == "cross":
            centre = centre * np.array([0.35, 1, 1]) + np.array([-13.0 * outward, 6.0, -16.0])
        else:
            centre[0] = outward * max(outward * centre[0], 17.0)
        if mode == "alternate":
            centre = centre + np.array([outward * 4.0, 42.0 if centre[1] < 120 else -44.0, 0.0])
        axes = key.axes * flip[:, None]
        return HandKey(key.time, centre, key.shape, axes, key.bulge * flip, key.circle * flip)

    def _stroke(self, key: HandKey, movement: str, length: float) -> HandKey:
        """State at the end of a sign's movement that began at `key`."""
        rng = self.rng
        end = replace(key, time=key.time + length)
        angle = rng.uniform(0, 2 * np.pi)
        step = np.array([np.cos(angle), 0.8 * np.sin(angle), 0.3]) * rng.uniform(16, 30)
        if key.centre[1] + step[1] < 34 or abs(key.centre[0] + step[0]) > 80:
            step = -step
        if movement in ("STRAIGHT", "ARC"):
            bulge = np.array([-step[1], step[0], 6.0]) * (0.6 if movement == "ARC" else 0.0)
            return replace(end, centre=key.centre + step, bulge=bulge)
        if movement == "CIRCLE":
            radius = rng.uniform(8, 14) * np.sign(rng.normal())
            return replace(end, circle=np.array([[radius, 0, 0], [0, abs(radius), 0.0]]))
        if movement == "TWIST":
            turn = Rotation.from_rotvec(
                key.axes[:, 1] * rng.choice([-1.0, 1.0]) * rng.uniform(0.8, 1.4)
            )
            return replace(end, axes=turn.as_matrix() @ key.axes)
        if movement == "SHAKE":
            return replace(end, bulge=np.array([step[0], step[1] * 0.5, 0.0]))
        return end

    def _add_sign(self, time: float, stroke: float) -> None:
        rng = self.rng
        mode = str(rng.choice(_MODES, p=[0.26, 0.34, 0.16, 0.14, 0.1]))
        movement = str(rng.choice(_MOVEMENTS, p=[0.16, 0.24, 0.2, 0.14, 0.12, 0.14]))
        shape = str(rng.choice(HANDSHAPES))
        name, centre = self._place(self.dominant)
        orientation = str(rng.choice(list(_ORIENTATIONS), p=_ORIENTATION_WEIGHTS))
        swing = rng.normal(0, 5, 3)
        start = HandKey(
            time, centre, handshape(shape), _axes(orientation, rng, self.dominant, shape), swing
        )
        other = self._other_key(start, mode)
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

    def hold(self, length: float) -> None:
        """Keep both hands where they are."""
        for keys in self.keys.values():
            keys.append(
                replace(
                    keys[-1],
                    time=keys[-1].time + length,
                    bulge=np.zeros(3),
                    circle=np.zeros((2, 3)),
                )
            )

    def add_sign(self) -> None:
        """Travel to a new sign and perform it."""
        self._add_sign(
            self.time + self.rng.uniform(0.22, 0.36), stroke=self.rng.uniform(0.16, 0.34)
        )


def plan_motion(seed: Sequence[int], duration: float, *, right_handed: bool = True) -> MotionPlan:
    """Draw the motion of a clip.

    Args:
        seed: Entropy of the random numbers; the same seed gives the same motion.
        duration: Seconds that must be filled with signs.
        right_handed: Whether the right hand is dominant.
    """
    rng = np.random.default_rng(tuple(seed))
    planner = _Planner(rng, right_handed)
    planner.hold(rng.uniform(0.02, 0.08))
    while planner.time < duration:
        planner.add_sign()
    keys = planner.keys
    return MotionPlan(
        tuple(keys["right"]), tuple(keys["left"]), tuple(planner.gloss), int(rng.integers(2**31))
    )
