"""Key points of one DeepFashion picture: 18 lines `x y`.

The text lives on a 256-pixel square canvas whose middle 176 columns hold the picture (FPDM, NTED):
40 is taken from x, then 176x256 is scaled to the picture. A negative coordinate, -1 in published
files, marks its point as missing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.pose.formats.reading import DEFAULT_FPS, checked_sequence, read_bytes
from signgen.structures import PoseSequence

__all__ = ["CONTENT", "MARGIN", "NUM_POINTS", "parse", "read", "rows", "sniff"]

NUM_POINTS = 18
MARGIN = 40.0
CONTENT = (256, 176)  # (H, W)
_MAX_TEXT = 65_536


def sniff(data: bytes) -> bool:
    """Tell whether the bytes are a short text whose first line is two numbers."""
    if not data or len(data) > _MAX_TEXT or b"\0" in data:
        return False
    return _row(data.split(b"\n", 1)[0]) is not None


def _row(line: bytes) -> tuple[float, float] | None:
    try:
        x, y = line.split()
        return float(x), float(y)
    except ValueError:
        return None


def read(path: Path, size: tuple[int, int]) -> PoseSequence:
    """Read one file.

    Args:
        path: Text file.
        size: (H, W) of the picture that the points are scaled to.

    Returns:
        A sequence of one frame, `openpose-18`.

    Raises:
        UserError: If the file is missing (66), or not 18 lines of two finite numbers (65).
    """
    return parse(read_bytes(path), path, size=size)


def parse(
    data: bytes, path: Path, *, size: tuple[int, int] | None = None, fps: float | None = None
) -> PoseSequence:
    """Read the bytes of one file; see `read`. Without a size the points stay on 256x176."""
    values = rows(data, path)
    size = size or CONTENT
    visible = values.min(axis=1) >= 0
    points = (values - (MARGIN, 0)) * (size[1] / CONTENT[1], size[0] / CONTENT[0])
    return checked_sequence(
        points[None],
        visible[None].astype(np.float64),
        path,
        skeleton="openpose-18",
        size=size,
        fps=fps or DEFAULT_FPS,
    )


def rows(data: bytes, path: Path) -> NDArray[np.float64]:
    """Return the (18, 2) numbers of a file as they are; a negative one marks a missing point.

    Raises:
        UserError: If there are not 18 lines of two numbers.
    """
    lines = [line for line in data.splitlines() if line.strip()]
    found = [_row(line) for line in lines[: NUM_POINTS + 1]]
    if len(lines) != NUM_POINTS:
        raise UserError(
            f"{path} has {len(lines)} lines; expected {NUM_POINTS} key points, one 'x y' a line."
        )
    values = np.empty((NUM_POINTS, 2))
    for number, row in enumerate(found):
        if row is None:
            raise UserError(f"{path}: line {number + 1} is not two numbers; expected 'x y'.")
        values[number] = row
    return values
