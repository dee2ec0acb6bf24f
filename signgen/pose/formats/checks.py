"""Checks that all formats of poses share: no number of a file is trusted."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.pose.skeleton import COCO_WHOLEBODY, SKELETONS
from signgen.structures import PoseSequence

__all__ = [
    "DEFAULT_FPS",
    "MAX_FPS",
    "MAX_FRAMES",
    "MAX_SIDE",
    "Numbers",
    "checked_fps",
    "checked_sequence",
    "checked_size",
    "checked_skeleton",
    "mark_missing",
    "number_array",
    "stated_number",
]

MAX_FRAMES = 1_000_000
MAX_SIDE = 65_535
MAX_FPS = 1000.0
#: Frame rate of files that carry none, where the caller gives none: that of PHOENIX-2014T.
DEFAULT_FPS = 25.0
_MAX_COORDINATE = 1e6
_HAIR = 1e-3

Numbers = NDArray[np.float64]


def checked_fps(value: object, path: Path) -> float:
    """Return a frame rate above 0 and at most `MAX_FPS`; UserError if it is anything else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= MAX_FPS:
        return float(value)
    raise UserError(
        f"{path}: fps is {_short(value)}; expected a number above 0 and at most {MAX_FPS:g}. "
        "Name the right one with --fps (in a render --pose-fps)."
    )


def stated_number(value: object) -> float | None:
    """Return what a file says as a finite number, whatever its range; None where it is none."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9:
        return float(value)
    return None


def checked_size(value: object, path: Path) -> tuple[int, int]:
    """Return (H, W), whole numbers from 1 to `MAX_SIDE`; UserError if it is anything else."""
    if isinstance(value, (list, tuple)) and len(value) == 2:
        height, width = value
        if _is_side(height) and _is_side(width):
            return int(height), int(width)
    raise UserError(
        f"{path}: size is {_short(value)}; "
        f"expected [height, width], whole numbers from 1 to {MAX_SIDE}."
    )


def _short(value: object) -> str:
    """Return a value for a message on one line; huge values are cut."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return "not printable"
    return text if len(text) <= 40 else f"{text[:37]}..."


def _is_side(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 1 <= value <= MAX_SIDE and value == int(value)


def checked_skeleton(value: object, path: Path) -> str:
    """Return the name of a skeleton; UserError if it is anything else."""
    if isinstance(value, str) and value in SKELETONS:
        return value
    raise UserError(
        f"{path} has skeleton {str(value)[:40]!a}; expected one of {', '.join(SKELETONS)}."
    )


def number_array(values: object, shape: tuple[int | None, ...], what: str) -> Numbers:
    """Convert nested lists of parsed JSON to float64; NaN and infinite values are let through.

    Args:
        values: The lists.
        shape: Expected shape; None matches any length.
        what: File and place, the beginning of the message.
    """
    expected = f"; expected shape [{', '.join('any' if n is None else str(n) for n in shape)}]"
    try:
        array = np.asarray(values)
        if array.dtype.kind == "O":  # whole numbers beyond 64 bits end up here, as do nulls
            array = np.asarray(values, dtype=np.float64)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise UserError(f"{what} is not a regular list of numbers{expected}.") from error
    if array.dtype.kind not in "iuf":
        raise UserError(f"{what} holds something other than numbers{expected}.")
    fits = array.ndim == len(shape) and all(
        n is None or n == m for n, m in zip(shape, array.shape, strict=False)
    )
    if not fits:
        raise UserError(f"{what} has shape {list(array.shape)}{expected}.")
    return array.astype(np.float64)


def mark_missing(
    points: NDArray[np.floating], confidence: NDArray[np.floating]
) -> tuple[Numbers, Numbers]:
    """Give key points that a file calls missing in another way confidence 0 and the place (0, 0).

    Missing are points with a coordinate or a confidence that is no number (NaN, or null in JSON),
    whatever the other numbers say, and a confidence a hair below 0, as some detectors round.

    Args:
        points: (..., K, 2).
        confidence: (..., K).
    """
    missing = np.isnan(points).any(axis=-1) | np.isnan(confidence)
    with np.errstate(invalid="ignore"):
        rounded = (confidence < 0) & (confidence > -_HAIR)
    return (
        np.where(missing[..., None], 0, points).astype(np.float64, copy=False),
        np.where(missing | rounded, 0, confidence).astype(np.float64, copy=False),
    )


def checked_sequence(
    points: NDArray[np.floating],
    confidence: NDArray[np.floating],
    path: Path | str,
    *,
    size: tuple[int, int],
    fps: float,
    skeleton: str = COCO_WHOLEBODY,
    exact: bool = False,
) -> PoseSequence:
    """Build the sequence after looking at every number; missing points become 0.

    Args:
        points: (T, K, 2), (x, y) in pixels of `size`.
        confidence: (T, K), 0 means missing.
        path: Named in messages.
        size: (H, W), already checked.
        fps: Frames per second, already checked.
        skeleton: A key of `SKELETONS`.
        exact: Keep 64 bits of the points.
    """
    frames, count = confidence.shape
    if frames == 0:
        raise UserError(f"{path} holds 0 frames; expected at least 1.")
    if frames > MAX_FRAMES:
        raise UserError(f"{path} holds {frames} frames; at most {MAX_FRAMES} are read. Split it.")
    if count != SKELETONS[skeleton].num_keypoints:
        raise UserError(
            f"{path} has {count} key points; "
            f"expected {SKELETONS[skeleton].num_keypoints} ({skeleton})."
        )
    points, confidence = mark_missing(points, confidence)
    _check_numbers(confidence, path, "confidence", 0.0)
    scores = confidence.astype(np.float32)
    visible = scores > 0  # what is too small for float32 is missing as well
    if not visible.any():
        raise UserError(
            f"{path}: every key point of all {frames} frames is missing (confidence 0); "
            "expected a visible signer. Estimate the poses again."
        )
    _check_numbers(points, path, "coordinate", -_MAX_COORDINATE)
    points[~visible] = 0  # a copy of ours
    return PoseSequence(
        keypoints=points.astype(np.float64 if exact else np.float32, copy=False),
        confidence=scores * visible,
        skeleton=skeleton,
        size=size,
        fps=fps,
    )


def _check_numbers(values: NDArray[np.floating], path: Path | str, what: str, low: float) -> None:
    """Name the first number that is not finite or out of range, with frame and key point."""
    with np.errstate(invalid="ignore"):
        bad = ~((values >= low) & (values <= _MAX_COORDINATE))
    if not bad.any():
        return
    place = np.argwhere(bad)[0].tolist()
    value = float(values[tuple(place)])
    expected = "a finite number" if not math.isfinite(value) else f"{low:g} to {_MAX_COORDINATE:g}"
    raise UserError(
        f"{path}: {what} of key point {place[1]} in frame {place[0]} is {value:g}; "
        f"expected {expected}."
    )
