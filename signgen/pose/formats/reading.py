"""Checks that all readers of key points share: no number of a file is trusted."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signgen.errors import ExitCode, UserError
from signgen.files import reading
from signgen.pose.skeleton import SKELETONS
from signgen.structures import PoseSequence

__all__ = [
    "DEFAULT_FPS",
    "MAX_BYTES",
    "MAX_FPS",
    "MAX_FRAMES",
    "MAX_SIDE",
    "checked_fps",
    "checked_sequence",
    "checked_size",
    "number_array",
    "read_bytes",
    "read_head",
]

MAX_BYTES = 512 * 2**20
MAX_FRAMES = 1_000_000
MAX_SIDE = 65_535
MAX_FPS = 1000.0
#: Frame rate of files that carry none, where the caller gives none: that of PHOENIX-2014T.
DEFAULT_FPS = 25.0
_MAX_COORDINATE = 1e6


def read_head(path: Path, count: int = 16) -> bytes:
    """Read the first bytes of a file, whatever its size.

    Raises:
        UserError: If it is missing or unreadable (66), or empty (65).
    """
    try:
        with path.open("rb") as file:
            data = file.read(count)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not data:
        raise UserError(f"{path} is empty (0 bytes); expected poses. Write the file again.")
    return data


def read_bytes(path: Path) -> bytes:
    """Read a whole file of at most `MAX_BYTES`, which may not be empty."""
    data = reading.read_bytes(path, MAX_BYTES, "a file of poses")
    if not data:
        raise UserError(f"{path} is empty (0 bytes); expected poses. Write the file again.")
    return data


def _unreadable(path: Path, error: Exception) -> UserError:
    if isinstance(error, FileNotFoundError):
        return UserError(f"{path} does not exist; expected a file of poses.", ExitCode.NO_INPUT)
    reason = getattr(error, "strerror", None) or error
    return UserError(f"{path} cannot be read: {reason}.", ExitCode.NO_INPUT)


def checked_fps(value: object, path: Path) -> float:
    """Return a frame rate as float, above 0 and at most `MAX_FPS`.

    Raises:
        UserError: If it is anything else.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= MAX_FPS:
        return float(value)
    raise UserError(
        f"{path}: fps is {_short(value)}; expected a number above 0 and at most {MAX_FPS:g}."
    )


def checked_size(value: object, path: Path) -> tuple[int, int]:
    """Return a size as (H, W), whole numbers from 1 to `MAX_SIDE`.

    Raises:
        UserError: If it is anything else.
    """
    if isinstance(value, (list, tuple)) and len(value) == 2:
        height, width = value
        if _is_side(height) and _is_side(width):
            return int(height), int(width)
    raise UserError(
        f"{path}: size is {_short(value)}; "
        f"expected [height, width], whole numbers from 1 to {MAX_SIDE}."
    )


def _is_side(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 1 <= value <= MAX_SIDE and value == int(value)


def _short(value: object) -> str:
    """Return a value for a message on one line; huge values are cut."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return "not printable"
    return text if len(text) <= 40 else f"{text[:37]}..."


def number_array(values: object, shape: tuple[int | None, ...], what: str) -> NDArray[np.float64]:
    """Convert nested lists of numbers.

    Args:
        values: Lists of parsed JSON.
        shape: Expected shape; None matches any length.
        what: File and place, the beginning of the message.

    Returns:
        float64 array of that shape; may still hold NaN or infinite values.

    Raises:
        UserError: If the lists are ragged, deeper or shallower, or hold anything but numbers.
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind == "O":  # whole numbers beyond 64 bits end up here, as do nulls
            array = np.asarray(values, dtype=np.float64)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise UserError(f"{what} is not a regular list of numbers{_expected(shape)}.") from error
    if array.dtype.kind not in "iuf":
        raise UserError(f"{what} holds something other than numbers{_expected(shape)}.")
    fits = array.ndim == len(shape) and all(
        n is None or n == m for n, m in zip(shape, array.shape, strict=False)
    )
    if not fits:
        raise UserError(f"{what} has shape {list(array.shape)}{_expected(shape)}.")
    return array.astype(np.float64)


def _expected(shape: tuple[int | None, ...]) -> str:
    return f"; expected shape [{', '.join('any' if n is None else str(n) for n in shape)}]"


def checked_sequence(
    points: NDArray[np.floating],
    confidence: NDArray[np.floating],
    path: Path,
    *,
    skeleton: str,
    size: tuple[int, int],
    fps: float,
) -> PoseSequence:
    """Build the sequence after looking at every number; missing points become 0.

    Args:
        points: (T, K, 2), (x, y) in pixels of `size`.
        confidence: (T, K), 0 means missing.
        path: Named in messages.
        skeleton: A key of `SKELETONS`.
        size: (H, W), already checked.
        fps: Frames per second, already checked.

    Returns:
        The sequence in float32.

    Raises:
        UserError: If there are no frames or too many, a number is NaN, infinite or absurdly large,
            a confidence is negative, or every point is missing.
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
    _check_numbers(confidence, path, "confidence", 0.0)
    scores = confidence.astype(np.float32)
    visible = scores > 0  # what is too small for float32 is missing as well
    if not visible.any():
        raise UserError(
            f"{path}: every key point of all {frames} frames is missing (confidence 0); "
            "expected a visible signer. Estimate the poses again."
        )
    _check_numbers(points, path, "coordinate", -_MAX_COORDINATE)
    return PoseSequence(
        keypoints=np.where(visible[..., None], points, 0).astype(np.float32),
        confidence=scores * visible,
        skeleton=skeleton,
        size=size,
        fps=fps,
    )


def _check_numbers(values: NDArray[np.floating], path: Path, what: str, low: float) -> None:
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
