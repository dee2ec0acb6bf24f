"""What DWPose, as used by ControlNet and its relatives, gives for a frame.

Either a dictionary::

    {"bodies": {"candidate": (18 n, 2), "subset": (n, 18), "score": (n, 18)},   # n people
     "hands": (2 n, 21, 2),           # the left hands of all people, then the right ones
     "hands_score": (2 n, 21),
     "faces": (n, 68, 2), "faces_score": (n, 68)}

or an array (134, 2 or 3). Bodies are in the order of OpenPose's COCO-18, so a neck comes second; an
entry of -1 in `subset` and coordinates of -1 are missing points. Scores may be absent: present
points then have confidence 1. Coordinates from 0 to 1 become pixels where the size is known. There
are no feet in a dictionary; an array of 134 has body 18, feet 6, face 68, hands 21 and 21.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.pose.formats.checks import Numbers
from signgen.pose.formats.persons import Person
from signgen.pose.formats.pose_maps import COCO_18

__all__ = ["NUM_POINTS", "PARTS", "from_array", "from_dictionary", "is_frame", "to_numbers"]

NUM_POINTS = 134
PARTS = ("candidate", "subset", "score", "hands", "hands_score", "faces", "faces_score")
_FROM_134 = (*COCO_18, *range(18, NUM_POINTS))


def is_frame(value: object) -> bool:
    """Tell whether a mapping is a frame of DWPose."""
    return isinstance(value, Mapping) and "bodies" in value


def from_dictionary(frame: Mapping[str, Any], what: str) -> list[Person]:
    """Return the persons of one frame.

    Args:
        frame: As above, its values arrays or nested lists; `bodies` may also be the array of the
            candidates.
        what: File and frame, the beginning of messages.
    """
    bodies = frame["bodies"]
    if not isinstance(bodies, Mapping):
        bodies = {"candidate": bodies, "subset": frame.get("subset"), "score": frame.get("score")}
    body = _points(bodies.get("candidate"), 18, f"{what}: candidate")  # (n, 18, 2)
    people = len(body)
    scores = np.ones((people, 18))
    if bodies.get("subset") is not None:
        subset = _scores(bodies["subset"], (people, 18), f"{what}: subset")
        body, scores = _chosen(body, subset, what)
    if bodies.get("score") is not None:
        scores = scores * _scores(bodies["score"], (people, 18), f"{what}: score")
    face = _part(frame, "faces", (people, 68), what)
    hands = _part(frame, "hands", (2 * people, 21), what)
    feet = np.zeros((people, 6, 2)), np.zeros((people, 6))
    parts = (
        (body[:, COCO_18], scores[:, COCO_18]),
        feet,
        face,
        *((hands[0][side], hands[1][side]) for side in (slice(people), slice(people, None))),
    )
    return _present(
        np.concatenate([points for points, _ in parts], axis=1),  # (n, 133, 2)
        np.concatenate([confidence for _, confidence in parts], axis=1),  # (n, 133)
    )


def from_array(values: NDArray[Any], what: str) -> list[Person]:
    """Return the persons of a frame that is an array (134, 2 or 3) or (people, 134, 2 or 3)."""
    table = to_numbers(values, what)
    table = table[None] if table.ndim == 2 else table
    if table.ndim != 3 or table.shape[1] != NUM_POINTS or table.shape[2] not in (2, 3):
        raise UserError(f"{what} has shape {list(values.shape)}; expected (134, 2 or 3).")
    table = table[:, _FROM_134]  # (n, 133, 2 or 3)
    return _present(
        table[..., :2], table[..., 2] if table.shape[2] == 3 else np.ones(table.shape[:2])
    )


def _present(points: Numbers, scores: Numbers) -> list[Person]:
    """Mark what lies at -1 as missing, and leave out people without a point."""
    missing = (points == -1).any(axis=-1)
    scores = np.where(missing, 0, np.maximum(scores, 0))
    return [Person(p, s) for p, s in zip(points, scores, strict=True) if s.any()]


def _chosen(body: Numbers, subset: Numbers, what: str) -> tuple[Numbers, Numbers]:
    """Follow the indices of `subset` into all candidates."""
    with np.errstate(invalid="ignore"):
        known = (subset >= -1) & (subset < body[..., 0].size) & (subset == np.floor(subset))
    if not known.all():
        raise UserError(f"{what}: subset holds {subset[~known][0]:g}; expected an index or -1.")
    index = subset.astype(np.int64)
    candidates = rearrange(body, "n k xy -> (n k) xy")
    return candidates[np.maximum(index, 0)], (index >= 0).astype(np.float64)


def _part(
    frame: Mapping[str, Any], name: str, shape: tuple[int, int], what: str
) -> tuple[Numbers, Numbers]:
    """Return points and scores of faces or hands; missing where the frame leaves them out."""
    values, scores = frame.get(name), frame.get(f"{name}_score")
    if values is None:
        return np.zeros((*shape, 2)), np.zeros(shape)
    points = _points(values, shape[1], f"{what}: {name}")
    if len(points) != shape[0]:
        raise UserError(f"{what}: {name} has {len(points)} entries; expected {shape[0]}.")
    if scores is None:
        return points, np.ones(shape)
    return points, _scores(scores, shape, f"{what}: {name}_score")


def _points(values: object, length: int, what: str) -> Numbers:
    """Return (n, length, 2)."""
    table = to_numbers(values, what)
    if table.ndim < 2 or table.shape[-1] not in (2, 3) or table[..., 0].size % length:
        raise UserError(f"{what} has shape {list(table.shape)}; expected (n, {length}, 2).")
    return table[..., :2].reshape(-1, length, 2)


def _scores(values: object, shape: tuple[int, int], what: str) -> Numbers:
    table = to_numbers(values, what)
    if table.size != shape[0] * shape[1]:
        raise UserError(f"{what} has shape {list(table.shape)}; expected {list(shape)}.")
    return table.reshape(shape)


def to_numbers(values: object, what: str) -> Numbers:
    """Convert an array or nested lists to float64; NaN is named later, with its place."""
    try:
        table = np.asarray(values)
    except ValueError as error:
        raise UserError(f"{what} is not a regular array of numbers.") from error
    if table.dtype.kind not in "iufb":
        raise UserError(f"{what} is not an array of numbers.")
    with np.errstate(all="ignore"):
        return table.astype(np.float64)
