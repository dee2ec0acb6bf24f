"""Arms that rest stay where the source has them.

An estimator finds the points of an arm that lies still 2 to 3 % of the shoulders' width from where
it found them in another frame. A source that is moved by that trembles, and is painted anew.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from signgen.pose.warping import SIDES, Figure
from signgen.structures import PoseSequence

__all__ = ["RESTS", "rest_arms"]

RESTS = 0.05
"""Widths of the shoulders that nine of ten points of an arm that rests are moved by at most. At
twice as much the arm is where its pose has it, and in between it goes from one to the other."""
_MOST = 90
"""Percentile of the points: single ones may be wrong."""


def rest_arms(poses: PoseSequence, source: PoseSequence, within: float = RESTS) -> PoseSequence:
    """Return poses in which an arm that hardly differs from the source's is the source's.

    An arm is elbow, wrist and hand: a hand that signs is never held, however little its arm moves.
    One of which elbow, wrist or hand are missing, in the source or in a pose, is left as it is.

    Args:
        poses: T poses, in pixels of the source.
        source: The source's pose, of the same skeleton and size; the first one is taken.
        within: See `RESTS`.
    """
    own = Figure.of(source.keypoints[0], source.confidence[0], source.skeleton)
    unit, keypoints = own.unit(source.size), poses.keypoints.copy()
    for side in SIDES:
        joints = [own.index(f"{side}_{name}") for name in ("elbow", "wrist")]
        hand = np.arange(*own.hand_span(side).indices(len(own.points)))
        if own.hand(side) is None or not own.visible[joints].all():
            continue
        arm = np.concatenate([joints, hand[own.visible[hand]]])
        for t, (points, confidence) in enumerate(
            zip(poses.keypoints, poses.confidence, strict=True)
        ):
            figure = Figure.of(points, confidence, poses.skeleton)
            if figure.hand(side) is None or not figure.visible[joints].all():
                continue
            known = arm[figure.visible[arm]]
            away = figure.points[known] - own.points[known]  # (n, 2)
            moved = np.percentile(np.linalg.norm(away, axis=1), _MOST) / unit
            share = np.clip(2 * (moved / within - 1), 0, 1)
            share = share * share * (3 - 2 * share)  # without a jerk at either end
            keypoints[t, known] = own.points[known] + share * away
    return replace(poses, keypoints=keypoints)
