"""From two poses to the moves of all parts: where every joint goes, what rests, what is in front.

Parts hang on one another: the head and the shoulders on the torso, elbows on shoulders, wrists on
elbows, hands on wrists. What a part does beyond what it hangs on passes a gate: below a first
threshold (the tremble of estimated key points) it is nothing, above a second one it is all. So a
part at rest stays exactly where it is, and nothing jumps where a movement begins. A joint that
either pose lacks goes with what it hangs on.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from signgen.pose.skeleton import FINGERS
from signgen.pose.warping.bones import BoneMove, similar
from signgen.pose.warping.figure import (
    SIDES,
    Array,
    Figure,
    Hand,
    Side,
    limbs_of,
    palm_size,
)
from signgen.pose.warping.moves import HandMove, Motion
from signgen.pose.warping.neutral_hand import neutral_hand
from signgen.pose.warping.silhouette import head_shape
from signgen.pose.warping.trunk import HeadMove, Station, TrunkMove, smoothstep

__all__ = ["find_motion", "front_side"]

_GATES: Mapping[str, tuple[float, float]] = {
    "torso": (0.04, 0.1),
    "torso_turn": (0.06, 0.14),
    "hips": (0.15, 0.35),
    "hips_turn": (0.15, 0.3),
    "shoulder": (0.045, 0.1),
    "elbow": (0.022, 0.06),
    "wrist": (0.02, 0.055),
    "hand": (0.04, 0.08),
    "finger": (0.035, 0.08),
    "head": (0.01, 0.025),
    "face": (0.006, 0.016),
}
"""Thresholds of the gates, in units: more than what key points of a part at rest tremble by."""
_RESTING_ELBOW = 5.0
"""Factor of the elbow's thresholds while the wrist rests: sleeves make elbows hard to estimate."""
_FINGERS = ([0], *(list(joints) for joints in FINGERS.values()))
"""Points of a hand that rest or move together."""
_SCALES = (0.5, 2.0)
"""Range of the ratio of any length of the trunk."""
_FOCUS = 0.03
"""Units within which the nearest points of the head decide."""
_TORSO = 1.5
"""Units from shoulders to hips where these are not known."""
_LIMBS = (0.85, 0.7)
"""Lengths in units of upper arm and forearm that are seen from the side."""
_CHIN = 8
"""Index of the chin among the points of the face."""
_LIPS = list(range(60, 68))
"""Indices of the inner lips among the points of the face, from one corner around."""
_OPENING, _CAVITY = (0.02, 0.06), 0.85
"""Units by which inner lips part wider than the source's for a mouth to be dark, and how dark."""
_PALM = (0.8, 1.25)
"""Range of the ratio of palms, relative to the whole signer."""
_MARGIN = 0.1
"""Units by which the left hand must come nearer to the camera to be drawn over the right one."""


def find_motion(
    source: Figure, target: Figure, unit: float, guessed: frozenset[Side] = frozenset()
) -> Motion:
    """Find where every part of the source goes.

    Args:
        source: Key points of the source.
        target: Those of the target pose, in pixels of the same picture.
        unit: Width of the source's shoulders in pixels.
        guessed: Sides whose hand in the source is only laid over what is seen: its fingers are not
            known, and it moves as a whole.
    """
    finder = _Finder(source, target, unit)
    limbs: dict[str, BoneMove] = {}
    hands: dict[Side, HandMove] = {}
    drawn: dict[Side, tuple[Array, float]] = {}
    for side in SIDES:
        limbs |= finder.arm(side)
        hand = finder.hand(side, limbs.get(f"{side}_forearm"), whole=side in guessed)
        if hand is not None:
            hands[side] = hand
        elif (missing := finder.drawn_hand(side, limbs.get(f"{side}_forearm"))) is not None:
            drawn[side] = missing
    return Motion(
        trunk=finder.trunk(),
        limbs={name: move for name, move in limbs.items() if not move.still},
        hands={side: move for side, move in hands.items() if not move.still},
        drawn=drawn,
        mouth=finder.mouth(),
        front=front_side(target, unit * finder.scale),
    )


class _Finder:
    """Follows the parts of one source to one target, from the torso outwards."""

    def __init__(self, source: Figure, target: Figure, unit: float) -> None:
        self.source, self.target, self.unit = source, target, unit
        self.shoulders, self.hips = self._stations()
        self.scale = float(np.sqrt(abs(np.linalg.det(self.shoulders.forth))))

    def _share(self, lengths: Array, part: str, factor: float = 1.0) -> Array:
        """Return what passes a part's gate of displacements in pixels, 0 to 1."""
        low, high = _GATES[part]
        return smoothstep(lengths / self.unit, factor * low, factor * high)

    def _gated(self, rest: Array, wanted: Array | None, part: str, factor: float = 1.0) -> Array:
        """Return points (n, 2) moved from `rest` to `wanted`, all by the same share."""
        if wanted is None:
            return rest
        moved = wanted - rest
        return np.asarray(rest + self._share(np.hypot(*moved.T).max(), part, factor) * moved)

    def _settled(self, source: Array, moved: Array, wanted: Array, part: str) -> Array:
        """Return moved points (n, 2), or the source's where the target wants them there."""
        share = self._share(np.hypot(*(wanted - source).T).max(), part)
        return np.asarray(source + share * (moved - source)) if share < 1 else moved

    def _gated_pair(self, rest: Array, wanted: Array | None, part: str) -> Array:
        """Return two points moved: their middle first, then what they do against each other."""
        if wanted is None:
            return rest
        shift = (wanted - rest).mean(axis=0)
        turn = wanted - rest - shift
        share = self._share(np.hypot(*shift), part)
        return np.asarray(
            rest + share * shift + self._share(np.hypot(*turn[0]), f"{part}_turn") * turn
        )

    def _stations(self) -> tuple[Station, Station]:
        """Follow shoulders and hips; what either pose lacks goes with the rest."""
        shoulders = self.source.side("shoulder")
        if shoulders is None:
            still = Station(np.zeros(2), np.zeros(2), np.eye(2))
            return still, still
        moved = self._gated_pair(shoulders, self.target.side("shoulder"), "torso")
        middle, to = shoulders.mean(axis=0), moved.mean(axis=0)
        width = _ratio(shoulders, moved)
        hips, low = self.source.side("hip"), self.target.side("hip")
        if hips is None or low is None:
            turned = _turned(shoulders, moved, width, width)
            below = np.array([0.0, _TORSO * self.unit])
            bottom = Station(middle + below, to + width * below, width * np.eye(2))
            return Station(middle, to, turned), bottom
        rest = hips if np.array_equal(moved, shoulders) else to + width * (hips - middle)
        low = self._gated_pair(rest, low, "hips")
        torso = np.stack([middle, hips.mean(axis=0)])
        torso_moved = np.stack([to, low.mean(axis=0)])
        along = _ratio(torso, torso_moved)
        forth = _turned(shoulders, moved, width, along)
        hip_forth = _turned(hips, low, _ratio(hips, low), along)
        return Station(middle, to, forth), Station(torso[1], torso_moved[1], hip_forth)

    # ----- trunk ----------------------------------------------------------------------------------

    def trunk(self) -> TrunkMove | None:
        """Return the move of torso and head, None where both rest."""
        head = self._head()
        if self.shoulders.still and self.hips.still and head is None:
            return None
        return TrunkMove(self.shoulders, self.hips, head)

    def _head(self) -> HeadMove | None:
        """Follow the points of the head, None where it goes with the shoulders."""
        face = self.source.face
        candidates = [*self.source.head(), *range(face.start, face.stop)]
        common = [k for k in candidates if self.source.visible[k] and self.target.visible[k]]
        if len(common) < 2:
            return None
        points, wanted = self.source.points[common], self.target.points[common]
        rest = self.shoulders.forward(points)
        rigid = similar(rest, wanted)(rest)
        beyond = wanted - rigid
        share = self._share(np.hypot(*beyond.T), "face")[:, None]
        moved = self._gated(rest, rigid, "head") + share * beyond
        if np.array_equal(moved, rest):
            return None
        ears, shape = self.source.side("ear"), head_shape(self.source, self.unit)
        if ears is not None and shape is not None and self.target.side("ear") is not None:
            # A head that nods turns about its ears: the crown goes half with them.
            crown = shape.crown()
            ears_moved = moved[[common.index(k) for k in self.source.head()[-2:]]]
            with_ears, with_face = similar(ears, ears_moved)(crown), similar(points, moved)(crown)
            points = np.concatenate([points, crown])
            moved = np.concatenate([moved, (with_ears + with_face) / 2])
        base = self.shoulders.target
        if face.start + _CHIN in common:
            chin = moved[common.index(face.start + _CHIN)]
        else:
            # As far below eyes, ears and nose as it usually is.
            chin = moved.mean(axis=0) + np.array([0.0, 0.25 * self.unit])
        if self.source.side("shoulder") is None:
            base = chin + np.array([0.0, 0.4 * self.unit])
        return HeadMove(points, moved, _FOCUS * self.unit, base, chin)

    def mouth(self) -> tuple[Array, float] | None:
        """Return the inner lips and the opacity of an opening that the source does not have."""
        face, moved = self.source.face_points, self.target.face_points
        if face is None or moved is None:
            return None
        heights = [
            float(np.hypot(*(points[_LIPS[1:4]] - points[_LIPS[:4:-1]]).T).mean())
            for points in (face, moved)
        ]
        wider = heights[1] - self.scale * heights[0]
        opacity = _CAVITY * float(smoothstep(np.asarray(wider / self.unit), *_OPENING))
        return (moved[_LIPS], opacity) if opacity > 0 else None

    # ----- arms -----------------------------------------------------------------------------------

    def arm(self, side: Side) -> dict[str, BoneMove]:
        """Return the moves of the limbs of one side that the source shows, also those at rest."""
        moves: dict[str, BoneMove] = {}
        above: BoneMove | None = None
        factor = 1 + (_RESTING_ELBOW - 1) * (1 - self._wrist_share(side))
        for limb in limbs_of(side):
            ends = self.source.joints(limb.start, limb.end)
            if ends is None:
                continue
            if above is None:
                rest = self.shoulders.forward(ends)
                start = self.target.joint(limb.start)
                root = self._gated(rest[:1], None if start is None else start[None], "shoulder")
                rest = rest + (root - rest[:1])
            else:
                rest = above.carry(ends)
            end = self.target.joint(limb.end)
            joint = limb.end.partition("_")[2]
            tip = rest[1:]
            if end is not None:
                tip = self._gated(tip, end[None], joint, factor if joint == "elbow" else 1.0)
                tip = self._settled(ends[1:], tip, end[None], joint)
            above = BoneMove(ends, np.concatenate([rest[:1], tip]), self.scale)
            moves[limb.name] = above
        return moves

    def _wrist_share(self, side: Side) -> float:
        """Return how far a wrist moves against the torso, through its gate; 1 if not known."""
        wrist, moved = (figure.joint(f"{side}_wrist") for figure in (self.source, self.target))
        if wrist is None or moved is None:
            return 1.0
        return float(self._share(np.hypot(*(moved - self.shoulders.forward(wrist))), "wrist"))

    def hand(self, side: Side, forearm: BoneMove | None, *, whole: bool) -> HandMove | None:
        """Return the move of a hand that the source shows."""
        hand, other = self.source.hand(side), self.target.hand(side)
        if hand is None:
            return None
        rest = moved = hand.points if forearm is None else forearm.carry(hand.points)
        if other is not None and whole:
            moved = self._turned_hand(hand, rest, other)
        elif other is not None:
            moved = self._fingers(hand, rest, other)
        if np.array_equal(moved, hand.points):
            return HandMove(hand.points, hand.points, hand.bones, 1.0)
        growth = np.clip(palm_size(moved) / max(palm_size(hand.points), 1e-6) / self.scale, *_PALM)
        return HandMove(hand.points, moved, hand.bones, float(self.scale * growth))

    def _fingers(self, hand: Hand, rest: Array, other: Hand) -> Array:
        """Move a hand, then every finger, to where the target has them."""
        common = hand.visible & other.visible
        rigid = similar(rest[common], other.points[common])(rest)
        moved = self._gated(rest, rigid, "hand")
        wanted = np.where(common[:, None], other.points, rigid)
        for finger in _FINGERS:
            beyond = wanted[finger] - rigid[finger]
            moved[finger] += self._share(np.hypot(*beyond.T).max(), "finger") * beyond
        return self._settled(hand.points, moved, wanted, "hand")

    def _turned_hand(self, hand: Hand, rest: Array, other: Hand) -> Array:
        """Turn a hand whose fingers are not known around its wrist, as the target's points."""
        known = other.visible & (np.arange(21) > 0)
        if not other.visible[0]:
            return rest
        ways = (
            rest[known].mean(axis=0) - rest[0],
            other.points[known].mean(axis=0) - other.points[0],
        )
        before, after = (float(np.arctan2(way[1], way[0])) for way in ways)
        turned = rest[0] + (rest - rest[0]) @ _rotation(after - before).T
        return self._settled(hand.points, turned, turned, "hand")

    def drawn_hand(self, side: Side, forearm: BoneMove | None) -> tuple[Array, float] | None:
        """Return points and opacity of a hand that the source lacks, None for one that rests."""
        if forearm is None:
            return None
        other = self.target.hand(side)
        if other is not None and other.visible.all():
            return other.points, 1.0
        if forearm.still or self.target.joint(f"{side}_wrist") is None:
            return None
        moved = forearm.target[1] - forearm.source[1]
        opacity = float(self._share(np.hypot(*moved), "wrist"))
        points = neutral_hand(
            side, forearm.target[1], np.diff(forearm.target, axis=0)[0], self.unit * self.scale
        )
        return (points, opacity) if opacity > 0 else None


# ----- helpers ------------------------------------------------------------------------------------


def _ratio(pair: Array, moved: Array) -> float:
    """Return the ratio of the distances of two pairs of points, within `_SCALES`."""
    before, after = (float(np.hypot(*(ends[1] - ends[0]))) for ends in (pair, moved))
    return float(np.clip(after / max(before, 1e-6), *_SCALES)) if before > 0 else 1.0


def _turned(pair: Array, moved: Array, along: float, across: float) -> Array:
    """Return the (2, 2) matrix that turns one pair into another and scales along and across it."""
    before, after = (float(np.arctan2(*(ends[1] - ends[0])[::-1])) for ends in (pair, moved))
    if along == across:
        return along * _rotation(after - before)
    return np.asarray(_rotation(after) @ np.diag([along, across]) @ _rotation(-before))


def _rotation(angle: float) -> Array:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def front_side(figure: Figure, unit: float) -> Side:
    """Return the side whose hand is nearer to the camera.

    A limb of known length that looks short points at the camera (or away, which signers avoid).
    """
    near: dict[Side, float] = {}
    for side in SIDES:
        depth = 0.0
        for limb, length in zip(limbs_of(side), _LIMBS, strict=True):
            ends = figure.joints(limb.start, limb.end)
            if ends is not None:
                seen = float(np.hypot(*(ends[1] - ends[0]))) / unit
                depth += float(np.sqrt(max(0.0, length**2 - seen**2)))
        near[side] = depth
    return "left" if near["left"] > near["right"] + _MARGIN else "right"
