"""Give the motion of one signer the proportions and place of another, limb by limb.

Every part gets its own ratio `r` = scale * part, see `signgen.pose.retargeting.proportions`. With m
the middle of the shoulders, m0 its median and primes for the result, frame by frame:

    m' = source neck + scale (m - m0)              shoulder' = m' + scale (shoulder - m)
    nose' = m' + r_neck (nose - m)                 head point' = nose' + r_head (head point - nose)
    elbow' = shoulder' + r_upper_arm (elbow - shoulder)
    wrist' = elbow' + r_forearm (wrist - elbow)    hand point' = wrist' + r_hand (point - wrist)
    hip, leg, foot' = m' + r_torso (point - m)

Directions and foreshortening of limbs stay the driver's; hands and head keep their shape.

Contacts. With other proportions, a finger at the driver's chin would end beside the source's. Where
a hand is near the head (weight w, see `signgen.pose.retargeting.contact`), the hand moves by w
(F(a) - H(a)): a is the part of the hand that is nearest, H maps hand points as above, F maps head
points. In full contact a lands at the same place of the head. Hands near each other keep their
relative place in the same way; each gives way by half, a hand at the head not at all. The elbow
follows by half of the hand's move: simpler than inverse kinematics, which needs depth, and as
smooth as the motion.
While a hand is not seen its move is bridged, so that its wrist does not jump.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from signgen.pose.retargeting.contact import Nearness, held, nearness
from signgen.pose.retargeting.proportions import (
    Alignment,
    Array,
    Mask,
    bridged,
    head_points,
    measure,
)
from signgen.pose.skeleton import FINGERS, SIDES, SKELETONS
from signgen.pose.transforms import with_points
from signgen.structures import PoseSequence

__all__ = ["retarget"]

_HANDICAP = 0.15
"""Head radii by which fingertips go before other points of a hand that is in contact."""


def retarget(
    driving: PoseSequence, source: PoseSequence, alignment: Alignment | None = None
) -> PoseSequence:
    """Give the driving motion the source signer's proportions, limb by limb.

    Arguments and result are those of `align`; the source's skeleton may be another one.
    """
    alignment = measure(driving, source) if alignment is None else alignment
    body = _Body(driving, alignment)
    # Place every part as its own ratio says
    points = body.rest()
    head = body.move_head(points)
    arms = [body.arm(side) for side in SIDES]
    # Keep contacts of hands with the head and with each other
    shifts = _contact_shifts(body, head, arms)
    for arm, shift in zip(arms, shifts, strict=True):
        arm.write(points, shift)
    return with_points(driving, points, source.size)


@dataclass(frozen=True)
class _Similarity:
    """Maps p to `to` + ratio (p - `about`), frame by frame; `about` and `to` are (T, 2)."""

    about: Array
    to: Array
    ratio: float

    def __call__(self, points: Array) -> Array:
        """Map (T, 2) or (T, n, 2) points."""
        if points.ndim == 2:
            return self.to + self.ratio * (points - self.about)
        return self.to[:, None] + self.ratio * (points - self.about[:, None])


@dataclass(frozen=True)
class _Arm:
    """One arm before contacts: where its elbow goes, and how its hand is mapped."""

    elbow: int
    wrist: int
    hand: slice
    moved_elbow: Array  # (T, 2)
    driving: Array  # (T, K, 2)
    map: _Similarity

    def write(self, points: Array, shift: Array) -> None:
        """Put elbow, wrist and hand into `points`, the hand moved by `shift` (T, 2)."""
        points[:, self.elbow] = self.moved_elbow + shift / 2
        points[:, self.wrist] = self.map(self.driving[:, self.wrist]) + shift
        points[:, self.hand] = self.map(self.driving[:, self.hand]) + shift[:, None]


class _Body:
    """The driver's points, (T, K, 2), and how its parts are mapped."""

    def __init__(self, driving: PoseSequence, alignment: Alignment) -> None:
        self.skeleton = SKELETONS[driving.skeleton]
        self.points = driving.keypoints.astype(np.float64)
        self.seen = driving.visible
        self.unit = alignment.head_radius
        self.head = [self.skeleton.index(name) for name in head_points(driving.skeleton)]
        self.ratio = {part: alignment.scale * value for part, value in alignment.used.items()}
        self.shoulders = {side: self.joint(f"{side}_shoulder") for side in SIDES}
        middle = (self.shoulders["left"] + self.shoulders["right"]) / 2
        to = alignment.source_neck + alignment.scale * (middle - alignment.driving_neck)
        self.trunk = _Similarity(middle, np.asarray(to), alignment.scale)

    def joint(self, name: str) -> Array:
        """Return a joint over time (T, 2), bridged where it is missing."""
        k = self.skeleton.index(name)
        return bridged(self.points[:, k : k + 1], self.seen[:, k : k + 1])[:, 0]

    def ever(self, name: str) -> bool:
        """Tell whether a point is seen in any frame."""
        return bool(self.seen[:, self.skeleton.index(name)].any())

    def rest(self) -> Array:
        """Return all points as the trunk is mapped, hips, legs and feet with the torso's ratio."""
        moved = self.trunk(self.points)
        legs = ("hip", "knee", "ankle", "toe", "heel")
        below = [k for k, name in enumerate(self.skeleton.names) if name.endswith(legs)]
        moved[:, below] = replace(self.trunk, ratio=self.ratio["torso"])(self.points[:, below])
        return moved

    def move_head(self, points: Array) -> _Similarity:
        """Put the head into `points`, and return its map."""
        neck = replace(self.trunk, ratio=self.ratio["neck"])
        # Without a nose the head hangs on the middle of the shoulders.
        nose = self.joint("nose") if self.ever("nose") else self.trunk.about
        head = _Similarity(nose, neck(nose), self.ratio["head"])
        points[:, self.head] = head(self.points[:, self.head])
        return head

    def arm(self, side: str) -> _Arm:
        """Map one arm; an elbow that is never seen is left out of the chain."""
        shoulder = self.shoulders[side]
        hand = slice(*getattr(self.skeleton, f"{side}_hand"))
        wrist = self._wrist(side, hand)
        upper, lower = self.ratio["upper_arm"], self.ratio["forearm"]
        moved = elbow = self.trunk(shoulder)
        if self.ever(f"{side}_elbow"):
            bent = self.joint(f"{side}_elbow")
            elbow = moved + upper * (bent - shoulder)
            to = elbow + lower * (wrist - bent)
        else:
            to = moved + (upper + lower) / 2 * (wrist - shoulder)
        return _Arm(
            elbow=self.skeleton.index(f"{side}_elbow"),
            wrist=self.skeleton.index(f"{side}_wrist"),
            hand=hand,
            moved_elbow=elbow,
            driving=self.points,
            map=_Similarity(wrist, to, self.ratio["hand"]),
        )

    def _wrist(self, side: str, hand: slice) -> Array:
        """Return the wrist over time; where it is missing, the hand's root stands in for it."""
        k = self.skeleton.index(f"{side}_wrist")
        points, seen = self.points[:, k], self.seen[:, k]
        if hand.stop > hand.start:
            points = np.where(seen[:, None], points, self.points[:, hand.start])
            seen = seen | self.seen[:, hand.start]
        if not seen.any():
            return self.shoulders[side]
        return bridged(points[:, None], seen[:, None])[:, 0]


def _contact_shifts(body: _Body, head: _Similarity, arms: list[_Arm]) -> list[Array]:
    """Return by how much each hand moves, (T, 2), to keep its place at the head and the other."""
    # Each hand at the head
    face, face_seen = body.points[:, body.head], body.seen[:, body.head]
    faces = [_near(body, arm.hand, face, face_seen) for arm in arms]
    shifts = [
        held(near.weight[:, None] * (head(near.place) - arm.map(near.place)), near.known)
        for near, arm in zip(faces, arms, strict=True)
    ]
    # Both hands at each other
    hands = [
        _near(body, arm.hand, body.points[:, other.hand], body.seen[:, other.hand])
        for arm, other in zip(arms, reversed(arms), strict=True)
    ]
    left, right = (
        arm.map(near.place) + shift for arm, near, shift in zip(arms, hands, shifts, strict=True)
    )
    wanted = arms[0].map.ratio * (hands[0].place - hands[1].place)
    missing = hands[0].weight[:, None] * (wanted - (left - right))
    # At the head a hand stays, and the other one goes all the way.
    at_head = [held(near.weight[:, None], near.known) for near in faces]
    give = 0.5 * (1 - at_head[0]) * (1 + at_head[1]), 0.5 * (1 - at_head[1]) * (1 + at_head[0])
    known = hands[0].known
    return [shifts[0] + held(give[0] * missing, known), shifts[1] - held(give[1] * missing, known)]


def _near(body: _Body, hand: slice, others: Array, others_seen: Mask) -> Nearness:
    """Measure how near a hand is; it touches with its fingertips where it might with others."""
    handicap = np.full(hand.stop - hand.start, _HANDICAP)
    handicap[[joints[-1] for joints in FINGERS.values()] if len(handicap) else []] = 0
    return nearness(
        body.points[:, hand], body.seen[:, hand], others, others_seen, body.unit, handicap
    )
