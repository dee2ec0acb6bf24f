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

from signgen.data.deepfashion.lists import ViewName, parse_name
from signgen.pose.formats import deepfashion
from signgen.pose.formats.reading import read_bytes
from signgen.structures import UserError

__all__ = [
    "Frame",
    "RawKeyPoints",
    "choose_frame",
    "has_torso",
    "read_keypoints",
    "share_outside",
    "to_pixels",
    "to_unit",
]

Rows = NDArray[np.float64]
Frame = Literal["padded256", "256x176", "unit"]
# Left edge and top of the picture, its width and height.
_FRAMES: dict[Frame, tuple[tuple[float, float], tuple[float, float]]] = {
    "padded256": ((40, 0), (176, 256)),
    "256x176": ((0, 0), (176, 256)),
    "unit": ((0, 0), (1, 1)),
}
_TORSO = (2, 5, 8, 11)  # both shoulders and both hips
# Largest share of visible joints outside their pictures before a frame is taken to be wrong.
_MAX_OUTSIDE = 0.01


@dataclass(frozen=True)
class RawKeyPoints:
    """Key points as they are in files.

    Args:
        rows: (18, 2) x, y by name; negative where missing. At least one joint is not missing.
        faults: What is wrong with the key points of a picture, the rest of a sentence, by name.
    """

    places: tuple[Path, ...]
    rows: Mapping[ViewName, Rows]
    faults: Mapping[ViewName, str]


# ----- reading ------------------------------------------------------------------------------------


def read_keypoints(places: Sequence[Path], names: Collection[ViewName]) -> RawKeyPoints:
    """Read key points from tables and folders of texts.

    Args:
        places: CSV files, and folders with one `.txt` per picture, nested or flat.
        names: Pictures whose key points are read.

    Returns:
        The key points; pictures whose row or text is damaged are in `faults`.
    """
    rows: dict[ViewName, Rows] = {}
    faults: dict[ViewName, str] = {}
    for place in places:
        for name, joints in _folder(place, names) if place.is_dir() else _table(place, names):
            if isinstance(joints, UserError):
                faults[name] = f"has no usable key points: {joints}"
            elif (joints < 0).any(axis=1).all():
                faults[name] = f"has no detected joint in {place}"
            else:
                rows[name] = joints
    if not rows:
        named = ", ".join(str(place) for place in places)
        raise UserError(f"{named} has key points of none of the listed pictures.")
    return RawKeyPoints(tuple(places), rows, faults)


def _folder(
    folder: Path, names: Collection[ViewName]
) -> Iterator[tuple[ViewName, Rows | UserError]]:
    for top, below, files in os.walk(folder):
        below.sort()
        for file in sorted(files):
            path = Path(top) / file
            name = parse_name(path.as_posix()) if file.endswith(".txt") else None
            if name is not None and name in names:
                try:
                    yield name, _checked(deepfashion.text_rows(read_bytes(path), path), str(path))
                except UserError as error:
                    yield name, error


def _table(path: Path, names: Collection[ViewName]) -> Iterator[tuple[ViewName, Rows | UserError]]:
    data = read_bytes(path)
    if not deepfashion.is_table(data):
        raise UserError(f"{path} does not begin with the line name:keypoints_y:keypoints_x.")
    for number, line in enumerate(data.splitlines()[1:], 2):
        name = parse_name(line.split(b":")[0].decode(errors="replace").strip())
        if name is not None and name in names:
            place = f"{path}, line {number}"
            try:
                yield name, _checked(deepfashion.table_row(line, place, path)[1], place)
            except UserError as error:
                yield name, error


def _checked(joints: Rows, place: str) -> Rows:
    if not np.isfinite(joints).all() or np.abs(joints).max() > 1e6:
        raise UserError(f"{place} holds numbers that are no coordinates.")
    return joints


# ----- frames -------------------------------------------------------------------------------------


def choose_frame(points: RawKeyPoints) -> Frame:
    """Tell the frame of key points from all of them together.

    No coordinate above 1.5 is the unit frame. Texts are otherwise on the padded canvas; tables are
    on it where an x is above 176, and on 256x176 where an x is below 40.
    """
    joints = np.stack(list(points.rows.values()))
    visible = joints[~_missing(joints)]
    least, most = visible[:, 0].min(), visible[:, 0].max()
    if visible.max() <= 1.5:
        return "unit"
    if any(place.is_dir() for place in points.places) or most > 176:
        return "padded256"
    if least < 40 or all("resize" in place.name for place in points.places):
        return "256x176"
    raise UserError(
        f"{points.places[0]}: its x go from {least:g} to {most:g}, which "
        "fits both the padded 256 x 256 canvas and 256 x 176. Say which with --keypoint-frame."
    )


def share_outside(points: RawKeyPoints, frame: Frame) -> float:
    """Return the share of visible joints outside their pictures; above 1 % is an error.

    Then the key points are in another frame.
    """
    unit, visible = to_unit(np.stack(list(points.rows.values())), frame)
    outside = ((unit < 0) | (unit > 1)).any(axis=-1) & visible
    share = float(outside.sum() / visible.sum())
    if share > _MAX_OUTSIDE:
        raise UserError(
            f"{points.places[0]}: {outside.sum()} of {visible.sum()} visible joints "
            f"({100 * share:.1f} %) lie outside their pictures in the frame {frame}; expected at "
            f"most 1 %. Give another --keypoint-frame ({', '.join(_FRAMES)})."
        )
    return share


def to_pixels(joints: Rows, frame: Frame, size: tuple[int, int]) -> tuple[Rows, NDArray[np.bool_]]:
    """Map key points, (..., 18, 2) as read, to their picture of a size (H, W).

    Returns:
        (..., 18, 2) pixels, 0 where missing, and (..., 18) visible. On the padded canvas x' = (x -
        40) * (W / 176) and y' = y * (H / 256), in that order, to the last bit as FPDM's program.
    """
    visible = ~_missing(joints)
    shift, scale = _FRAMES[frame]
    factor = np.array(size[::-1], np.float64) / scale
    return np.where(visible[..., None], (joints - shift) * factor, 0.0), visible


def to_unit(joints: Rows, frame: Frame) -> tuple[Rows, NDArray[np.bool_]]:
    """Return the same with 0 to 1 inside the picture."""
    return to_pixels(joints, frame, (1, 1))


def has_torso(joints: Rows) -> bool:
    """Tell whether both shoulders and both hips are detected, PATN's rule for usable pictures."""
    return not _missing(joints[list(_TORSO)]).any()


def _missing(joints: Rows) -> NDArray[np.bool_]:
    return np.asarray((joints < 0).any(axis=-1), dtype=np.bool_)
