"""Key points of DeepFashion In-shop as files have them: 18 joints a picture, in three frames.

    padded256   256 x 256 canvas whose middle 176 columns hold the picture: 40 <= x <= 216
    256x176     the picture at 256 x 176 (height x width)
    unit        0 to 1 on both axes of the picture

Texts have a line `x y` per joint; tables have `name:keypoints_y:keypoints_x` (y first). A joint is
missing where either coordinate is negative, which is decided before any subtraction. The joints are
those of `openpose-18`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from signgen.data.deepfashion.names import ViewName, parse_name
from signgen.pose.formats import deepfashion
from signgen.pose.formats.reading import read_bytes
from signgen.structures import UserError

__all__ = [
    "FRAMES",
    "Frame",
    "RawKeyPoints",
    "check_inside",
    "choose_frame",
    "has_torso",
    "read_keypoints",
    "to_unit",
]

Frame = Literal["padded256", "256x176", "unit"]
FRAMES: tuple[Frame, ...] = ("padded256", "256x176", "unit")
TORSO = (2, 5, 8, 11)
"""Both shoulders and both hips: PATN keeps a picture only where all four are detected."""
MAX_OUTSIDE = 0.01
"""Largest share of visible joints outside their pictures before a frame is taken to be wrong."""

Rows = NDArray[np.float64]
_SHIFT = {"padded256": (40.0, 0.0), "256x176": (0.0, 0.0), "unit": (0.0, 0.0)}
_SCALE = {"padded256": (176.0, 256.0), "256x176": (176.0, 256.0), "unit": (1.0, 1.0)}


@dataclass(frozen=True)
class RawKeyPoints:
    """Key points as they are in files.

    Args:
        places: Files and folders they were read from.
        rows: (18, 2) x, y by name; negative where missing. At least one joint is not missing.
        faults: What is wrong with the key points of a picture, the rest of a sentence, by name.
    """

    places: tuple[Path, ...]
    rows: Mapping[ViewName, Rows]
    faults: Mapping[ViewName, str]


# ----- reading ------------------------------------------------------------------------------------


def read_keypoints(
    places: Sequence[Path], wanted: Collection[ViewName] | None = None
) -> RawKeyPoints:
    """Read key points from tables and folders of texts.

    Args:
        places: CSV files, and folders with one `.txt` per picture, nested or flat.
        wanted: Pictures whose key points are read; None for all.

    Returns:
        The key points; pictures whose row or text is damaged are in `faults`.

    Raises:
        UserError: If a place is missing (66) or is no such table or folder (65).
    """
    rows: dict[ViewName, Rows] = {}
    faults: dict[ViewName, str] = {}
    for place in places:
        for name, found in _folder(place, wanted) if place.is_dir() else _table(place, wanted):
            if isinstance(found, str):
                faults[name] = found
            elif (found < 0).any(axis=1).all():
                faults[name] = f"has no detected joint in {place}"
            else:
                rows[name] = found
    if not rows:
        named = ", ".join(str(place) for place in places)
        raise UserError(f"{named} has key points of none of the listed pictures.")
    return RawKeyPoints(tuple(places), rows, faults)


def _folder(
    folder: Path, wanted: Collection[ViewName] | None
) -> Iterator[tuple[ViewName, Rows | str]]:
    for top, below, files in os.walk(folder):
        below.sort()
        for file in sorted(files):
            path = Path(top) / file
            name = parse_name(path.as_posix()) if file.endswith(".txt") else None
            if name is None or (wanted is not None and name not in wanted):
                continue
            try:
                yield name, _checked(deepfashion.text_rows(read_bytes(path), path), path)
            except UserError as error:
                yield name, f"has no usable key points: {error}"


def _table(
    path: Path, wanted: Collection[ViewName] | None
) -> Iterator[tuple[ViewName, Rows | str]]:
    data = read_bytes(path)
    if not deepfashion.is_table(data):
        raise UserError(f"{path} does not begin with the line name:keypoints_y:keypoints_x.")
    for number, line in enumerate(data.splitlines()[1:], 2):
        name = parse_name(line.split(b":")[0].decode(errors="replace").strip())
        if name is None or (wanted is not None and name not in wanted):
            continue
        what = f"{path}, line {number}"
        try:
            yield name, _checked(deepfashion.table_row(line, what, path)[1], what)
        except UserError as error:
            yield name, f"has no usable key points: {error}"


def _checked(rows: Rows, where: object) -> Rows:
    if not np.isfinite(rows).all() or np.abs(rows).max() > 1e6:
        raise UserError(f"{where} holds numbers that are no coordinates.")
    return rows


# ----- frames -------------------------------------------------------------------------------------


def choose_frame(points: RawKeyPoints, given: Frame | None = None) -> Frame:
    """Tell the frame of key points from all of them together.

    No coordinate above 1.5 is the unit frame. Texts are otherwise on the padded canvas; tables are
    on it where an x is above 176, and on 256x176 where an x is below 40.

    Args:
        points: All key points of the dataset.
        given: The frame if the user named it.

    Raises:
        UserError: If the key points of a table fit both canvases and its name does not tell.
    """
    if given is not None:
        return given
    stacked = np.stack(list(points.rows.values()))
    seen = stacked[~_missing(stacked)]
    if seen.max() <= 1.5:
        return "unit"
    if any(place.is_dir() for place in points.places) or seen[:, 0].max() > 176:
        return "padded256"
    if seen[:, 0].min() < 40 or all("resize" in place.name for place in points.places):
        return "256x176"
    raise UserError(
        f"{points.places[0]}: its x go from {seen[:, 0].min():g} to {seen[:, 0].max():g}, which "
        "fits both the padded 256 x 256 canvas and 256 x 176. Say which with --keypoint-frame."
    )


def _missing(rows: Rows) -> NDArray[np.bool_]:
    return np.asarray((rows < 0).any(axis=-1), dtype=np.bool_)


def to_unit(rows: Rows, frame: Frame) -> tuple[Rows, NDArray[np.bool_]]:
    """Map key points to their picture.

    Args:
        rows: (..., 18, 2) as read.
        frame: Where they live.

    Returns:
        (..., 18, 2) with 0 to 1 inside the picture, 0 where missing, and (..., 18) visible. Times
        (W, H) they are pixels: x' = (x - 40) * W / 176 and y' = y * H / 256 on the padded canvas.
    """
    visible = ~_missing(rows)
    unit = (rows - _SHIFT[frame]) / _SCALE[frame]
    return np.where(visible[..., None], unit, 0.0), visible


def check_inside(points: RawKeyPoints, frame: Frame) -> float:
    """Return the share of visible joints outside their pictures.

    Raises:
        UserError: If it is more than `MAX_OUTSIDE`: the frame is another one.
    """
    unit, visible = to_unit(np.stack(list(points.rows.values())), frame)
    outside = ((unit < 0) | (unit > 1)).any(axis=-1) & visible
    share = float(outside.sum() / visible.sum())
    if share > MAX_OUTSIDE:
        raise UserError(
            f"{points.places[0]}: {outside.sum()} of {visible.sum()} visible joints "
            f"({100 * share:.1f} %) lie outside their pictures in the frame {frame}; expected at "
            f"most 1 %. Give another --keypoint-frame ({', '.join(FRAMES)})."
        )
    return share


def has_torso(rows: Rows) -> bool:
    """Tell whether both shoulders and both hips are detected, PATN's rule for usable pictures."""
    return not _missing(rows[list(TORSO)]).any()
