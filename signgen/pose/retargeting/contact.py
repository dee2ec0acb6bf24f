"""Where hands come near a face or each other, and how near: contacts that a sign depends on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from signgen.pose.retargeting.proportions import Array, Mask, bridged

__all__ = ["Nearness", "held", "nearness"]

NEAR, FAR = 0.3, 2.0
"""Distances in head radii at and below which the weight of a contact is 1, and above which 0."""
FOCUS = 0.03
"""Head radii by which a point may be farther off than the nearest one and still count for 1/e."""


@dataclass(frozen=True)
class Nearness:
    """How near a set of points comes to another one, frame by frame.

    Args:
        weight: (T,) 0 to 1, from far to touching; smooth in the points.
        place: (T, 2) the part of the points that is nearest: their mean, weighted by nearness.
        known: (T,) whether both sets have visible points; weight and place are 0 elsewhere.
    """

    weight: Array
    place: Array
    known: Mask


def nearness(
    points: Array,
    seen: Mask,
    others: Array,
    others_seen: Mask,
    unit: float,
    handicap: Array | float = 0.0,
) -> Nearness:
    """Measure how near points come to others.

    The weight falls smoothly from 1 at `NEAR` units to 0 at `FAR` units of the least distance. All
    results are continuous in the points: nothing jumps when another finger becomes the nearest.

    Args:
        points: (T, n, 2), of a hand.
        seen: (T, n) which of them are visible.
        others: (T, m, 2), of the head or the other hand.
        others_seen: (T, m) which of them are visible.
        unit: Radius of the head in the same pixels, above 0.
        handicap: (n,) units that count on top of each point's distance, so that others go first.
    """
    # Distance of each point from the nearest other one, in units
    apart = np.full(seen.shape, np.inf)  # (T, n)
    for k in range(points.shape[1]):
        every = np.linalg.norm(points[:, k, None] - others, axis=-1)
        apart[:, k] = np.where(others_seen, every, np.inf).min(axis=1, initial=np.inf)
    apart = np.where(seen, apart, np.inf) / unit + handicap
    least = apart.min(axis=1, initial=np.inf)  # (T,)
    known = np.isfinite(least)
    least = np.where(known, least, FAR)
    # Smooth step for the weight, soft minimum for the place
    share = np.clip((FAR - least) / (FAR - NEAR), 0, 1)
    focus = np.exp(-(apart - least[:, None]) / FOCUS)
    total = np.where(known, focus.sum(axis=1), 1)
    place = (focus[..., None] * points).sum(axis=1) / total[:, None]  # (T, 2)
    return Nearness(share**2 * (3 - 2 * share), place, known)


def held(values: Array, known: Mask) -> Array:
    """Bridge values (T, d) over frames where they are unknown; zero where they never are known."""
    if not known.any():
        return np.zeros_like(values)
    return bridged(values[:, None], known[:, None])[:, 0]
