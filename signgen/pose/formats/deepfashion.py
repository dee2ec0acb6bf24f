"""Key points of DeepFashion's pictures: a text of one picture, or a table of many.

A text has 18 lines `x y` on a 256-pixel square canvas whose middle 176 columns hold the picture
(FPDM, NTED): 40 is taken from x. A table (PATN, DPTN, CASD, CFLD, GFLA) is called
`fasion-resize-annotation-*.csv` or `fasion-annotation-*.csv`: after the line
`name:keypoints_y:keypoints_x` each line is a clip of one frame, the name of a picture and two JSON
lists of 18 numbers, y first. Its coordinates are those of the picture at 256x176 (height x width),
unless an x of the file is above 176: then they live on the canvas, too.

Points are in the order of OpenPose's COCO-18, are scaled to the picture's size, and are missing
where a coordinate is negative, -1 in published files.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from signgen.errors import UserError
from signgen.files.reading import parse_json
from signgen.pose.formats.checks import DEFAULT_FPS, Numbers, checked_sequence, number_array
from signgen.pose.formats.reading import Clips, Format, InputFile, Reading
from signgen.pose.skeleton import OPENPOSE_18

__all__ = ["TABLE", "TEXT", "is_table", "table_row", "text_rows"]

_NUM_POINTS = 18
_MARGIN = 40.0
_CONTENT = (256, 176)  # (H, W)
_MAX_TEXT = 65_536


def _picture(file: InputFile, values: Numbers, padded: bool, what: str | None = None) -> Reading:
    """Read the (18, 2) numbers of one picture."""
    size = file.size or _CONTENT
    scale = (size[1] / _CONTENT[1], size[0] / _CONTENT[0])
    points = (values - (_MARGIN if padded else 0.0, 0)) * scale
    visible = values.min(axis=1) >= 0
    poses = checked_sequence(
        points[None],
        visible[None].astype(np.float64),
        what or file.path,
        size=size,
        fps=file.fps or DEFAULT_FPS,
        skeleton=OPENPOSE_18,
        exact=True,
    )
    return Reading(poses, assumed=("size", "fps"))


# ----- text ---------------------------------------------------------------------------------------


def _recognise_text(file: InputFile) -> bool:
    """Tell whether a file is a short text whose first line is two numbers."""
    if _text_row(file.head.split(b"\n", 1)[0]) is None:
        return False
    return len(file.data) <= _MAX_TEXT and b"\0" not in file.data


def _text_row(line: bytes) -> tuple[float, float] | None:
    try:
        x, y = line.split()
        return float(x), float(y)
    except ValueError:
        return None


def text_rows(data: bytes, path: Path) -> Numbers:
    """Return the (18, 2) numbers of a text as they are; a negative one marks a missing point."""
    lines = [line for line in data.splitlines() if line.strip()]
    if len(lines) != _NUM_POINTS:
        raise UserError(
            f"{path} has {len(lines)} lines; expected {_NUM_POINTS} key points, one 'x y' a line."
        )
    rows = []
    for number, line in enumerate(lines, 1):
        row = _text_row(line)
        if row is None:
            raise UserError(f"{path}: line {number} is not two numbers; expected 'x y'.")
        rows.append(row)
    return np.array(rows)


def _read_text(file: InputFile) -> Clips:
    reading = _picture(file, text_rows(file.data, file.path), padded=True)
    return Clips.of_one(file, "deepfashion", reading)


TEXT = Format(_recognise_text, _read_text)


# ----- table --------------------------------------------------------------------------------------


def is_table(data: bytes) -> bool:
    """Tell whether the first line is the head of a table."""
    return data.removeprefix(b"\xef\xbb\xbf").startswith(b"name:keypoints_y:keypoints_x")


def table_row(line: bytes, what: str, path: Path) -> tuple[str, Numbers]:
    """Return the name and the (18, 2) x, y of a line; a negative number marks a missing point."""
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
        number_array(parse_json(cell, path, "poses"), (_NUM_POINTS,), f"{what}: {axis}")
        for cell, axis in zip(cells[1:], ("keypoints_y", "keypoints_x"), strict=True)
    )
    return name, np.stack([x, y], axis=-1)


def _read_table(file: InputFile) -> Clips:
    path = file.path
    pictures: dict[str, Numbers] = {}
    for number, line in enumerate(file.data.splitlines()[1:], 2):
        if not line.strip():
            continue
        name, values = table_row(line, f"{path}: line {number}", path)
        if name in pictures:
            raise UserError(f"{path}: line {number}: {name[:60]!a} occurs twice.")
        pictures[name] = values
    padded = any((values[:, 0] > _CONTENT[1]).any() for values in pictures.values())
    readers = {
        name: partial(_picture, file, values, padded, f"{path}: {name[:60]}")
        for name, values in pictures.items()
    }
    return Clips(path, "deepfashion-csv", readers)


TABLE = Format(lambda file: is_table(file.head), _read_table)
