"""Key points of DeepFashion's pictures in one table: PATN, DPTN, CASD, CFLD, GFLA.

Files are called `fasion-resize-annotation-*.csv` or `fasion-annotation-*.csv`. The first line is
`name:keypoints_y:keypoints_x`; every other one has the name of a picture and two JSON lists of 18
numbers, y first, -1 for missing, in the order of OpenPose's COCO-18. A line is a clip of one frame.

Coordinates are those of the picture at 256x176 (height x width), unless an x of the file is above
176: then they live on the 256-pixel square canvas whose middle 176 columns hold the picture, and 40
is taken from every x. They are scaled to the picture's size.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.files.reading import parse_json
from signgen.pose.formats.clips import Clips, Reading
from signgen.pose.formats.deepfashion import CONTENT, MARGIN, NUM_POINTS
from signgen.pose.formats.reading import (
    DEFAULT_FPS,
    checked_sequence,
    number_array,
)

__all__ = ["parse_row", "read", "sniff"]

_HEAD = b"name:keypoints_y:keypoints_x"


def sniff(data: bytes) -> bool:
    """Tell whether the first line is the head of such a table."""
    return data.removeprefix(b"\xef\xbb\xbf").startswith(_HEAD)


def read(
    data: bytes, path: Path, *, size: tuple[int, int] | None = None, fps: float | None = None
) -> Clips:
    """Read the bytes of one file.

    Args:
        data: What `sniff` recognised.
        path: Named in messages.
        size: (H, W) of the pictures that the points are scaled to; 256x176 without it.
        fps: Frames per second, or None for 25.

    Returns:
        One clip of one frame per line, `openpose-18`, named as the line is.

    Raises:
        UserError: If a line is not a name and two lists of 18 numbers, or a name occurs twice.
    """
    rows: dict[str, NDArray[np.float64]] = {}
    lines = data.removeprefix(b"\xef\xbb\xbf").splitlines()[1:]
    for number, line in enumerate(lines, 2):
        if line.strip():
            name, values = parse_row(line, f"{path}: line {number}", path)
            if name in rows:
                raise UserError(f"{path}: line {number}: {name[:60]!a} occurs twice.")
            rows[name] = values
    padded = any((values[:, 0] > CONTENT[1]).any() for values in rows.values())
    return Clips(
        path,
        "deepfashion-csv",
        {
            name: partial(_picture, values, padded, path, name, size or CONTENT, fps)
            for name, values in rows.items()
        },
    )


def parse_row(line: bytes, what: str, path: Path) -> tuple[str, NDArray[np.float64]]:
    """Return the name and the (18, 2) x, y of a line; a negative number marks a missing point.

    Args:
        line: Bytes of the line.
        what: File and number of the line, for messages.
        path: The file.

    Raises:
        UserError: If it is not a name and two lists of 18 numbers.
    """
    cells = line.split(b":")
    if len(cells) != 3:
        raise UserError(f"{what} has {len(cells)} cells; expected name:keypoints_y:keypoints_x.")
    try:
        name = cells[0].decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise UserError(f"{what}: the name is not UTF-8.") from error
    if not name.isprintable() or not name:
        raise UserError(f"{what}: the name is {name[:40]!a}; expected that of a picture.")
    y, x = (
        number_array(parse_json(cell, path, "poses"), (NUM_POINTS,), f"{what}: {axis}")
        for cell, axis in zip(cells[1:], ("keypoints_y", "keypoints_x"), strict=True)
    )
    return name, np.stack([x, y], axis=-1)


def _picture(
    values: NDArray[np.float64],
    padded: bool,
    path: Path,
    name: str,
    size: tuple[int, int],
    fps: float | None,
) -> Reading:
    visible = values.min(axis=1) >= 0
    points = (values - (MARGIN if padded else 0.0, 0)) * (
        size[1] / CONTENT[1],
        size[0] / CONTENT[0],
    )
    return Reading(
        checked_sequence(
            points[None],
            visible[None].astype(np.float64),
            Path(f"{path}: {name[:60]}"),
            skeleton="openpose-18",
            size=size,
            fps=fps or DEFAULT_FPS,
        )
    )
