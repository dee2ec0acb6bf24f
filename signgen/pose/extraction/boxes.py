"""Files that say where the signer is, from any detector of persons.

JSON: a list of objects; CSV: a table with a header. Both have the same keys or columns::

    clip    name of the clip, as its file of poses is called: `a`, or `train/a` in a tree of clips
    frame   number of the frame from 0; left out or empty: the box holds for the whole clip
    x0, y0, x1, y1   corners in pixels of the frame
    score   optional; boxes below 0.3 are not people

Of several boxes for one frame the largest is kept: the signer.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from signgen.errors import UserError
from signgen.files.reading import parse_json
from signgen.pose.estimators.base import Box
from signgen.pose.formats.checks import MAX_FRAMES
from signgen.pose.formats.reading import read_bytes

__all__ = ["PersonBoxes", "read_boxes"]

_LEAST_SCORE = 0.3
_CORNERS = ("x0", "y0", "x1", "y1")


@dataclass(frozen=True)
class PersonBoxes:
    """The signer's box in the frames of many clips.

    Args:
        boxes: By clip, then by frame; None stands for all frames that have no box of their own.
    """

    path: Path
    boxes: Mapping[str, Mapping[int | None, Box]] = field(default_factory=dict)

    def of_clip(self, clip: str, frames: int, size: tuple[int, int]) -> list[Box | None]:
        """Return one box per frame of a clip, None for frames that have none.

        Args:
            clip: Name of the clip; UserError if the file has no box for it.
            frames: Number of its frames; no box may be for a later one.
            size: (H, W) of its frames; no box may lie outside.
        """
        boxes = self.boxes.get(clip)
        if boxes is None:
            raise UserError(
                f"{self.path} has no box of score {_LEAST_SCORE} or more for clip {clip}. "
                "Add one, or extract this clip without --boxes."
            )
        last = max((frame for frame in boxes if frame is not None), default=0)
        if last >= frames:
            raise UserError(
                f"{self.path} has a box for frame {last} of clip {clip}, which has {frames} "
                "frames, counted from 0."
            )
        for frame, (x0, y0, x1, y1) in boxes.items():
            if x0 >= size[1] or y0 >= size[0] or x1 <= 0 or y1 <= 0:
                where = "" if frame is None else f" in frame {frame}"
                raise UserError(
                    f"{self.path}: the box of clip {clip}{where} lies outside its frames of "
                    f"{size[1]} x {size[0]} pixels. Are the boxes those of another size?"
                )
        return [boxes.get(frame, boxes.get(None)) for frame in range(frames)]


def read_boxes(path: str | Path) -> PersonBoxes:
    """Read a file of boxes, JSON or CSV by its content."""
    path = Path(path)
    boxes: dict[str, dict[int | None, Box]] = {}
    for number, row in _rows(read_bytes(path), path):
        where = f"{path}, {number}"
        clip = row.get("clip")
        if not isinstance(clip, str) or not clip:
            raise UserError(f"{where}: clip is {_short(clip)}; expected the name of a clip.")
        frame = _frame(row.get("frame"), where)
        x0, y0, x1, y1 = (_number(row.get(name), name, where) for name in _CORNERS)
        if not (x0 < x1 and y0 < y1):
            raise UserError(
                f"{where}: the box is {x0:g}, {y0:g}, {x1:g}, {y1:g}; expected x0 < x1 and y0 < y1."
            )
        score = row.get("score")
        if score is not None and score != "" and _number(score, "score", where) < _LEAST_SCORE:
            continue
        frames = boxes.setdefault(clip, {})
        if frame not in frames or _area(frames[frame]) < _area((x0, y0, x1, y1)):
            frames[frame] = (x0, y0, x1, y1)
    if not boxes:
        raise UserError(f"{path} holds no box of score {_LEAST_SCORE} or more. Detect again.")
    return PersonBoxes(path, boxes)


def _rows(data: bytes, path: Path) -> Iterable[tuple[str, Mapping[str, object]]]:
    """Yield place and content of every row."""
    if data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{"):
        document = parse_json(data, path, "boxes")
        if not isinstance(document, list):
            raise UserError(f"{path} is JSON but no list; expected a list of boxes.")
        for index, row in enumerate(document):
            if not isinstance(row, dict):
                raise UserError(f"{path}, box {index}: {_short(row)} is no object of a box.")
            yield f"box {index}", row
        return
    try:
        table = csv.DictReader(io.StringIO(data.decode("utf-8-sig")), skipinitialspace=True)
        missing = {"clip", *_CORNERS} - set(table.fieldnames or ())
        if missing:
            raise UserError(
                f"{path} has no column {', '.join(sorted(missing))}; expected a header "
                "clip,frame,x0,y0,x1,y1,score (frame and score may be left out)."
            )
        for row in table:
            yield f"line {table.line_num}", row
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is neither JSON nor CSV ({error}); expected boxes.") from error


def _frame(value: object, where: str) -> int | None:
    if value is None or value == "":
        return None
    number = _number(value, "frame", where)
    if not (number.is_integer() and 0 <= number < MAX_FRAMES):
        raise UserError(f"{where}: frame is {_short(value)}; expected a whole number from 0.")
    return int(number)


def _number(value: object, name: str, where: str) -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        number = float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not abs(number) <= 1e6:
        raise UserError(f"{where}: {name} is {_short(value)}; expected a number.")
    return number


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _short(value: object) -> str:
    return repr(value)[:40]
