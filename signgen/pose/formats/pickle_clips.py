"""Clips in a pickle, plain or gzipped: MSKA, SLRT, NLA-SLR and DWPose.

================  ==================================================================================
mska              {clip: {"name", "gloss", "text", "num_frames", "keypoint": tensor (T, 133, 3)}}
slrt              {clip: {"keypoints": array (T, 133, 3)}}
arrays            {clip: array (T, 133, 3)}, as NLA-SLR; also (T, 134, 3) in the order of DWPose
dwpose            [frame, ...] of one clip, or {clip: [frame, ...]}; a frame as `dwpose` says
================  ==================================================================================

The third value of a point is its confidence; where it is 0 or less the point is missing, and a
frame of zeros is a missing frame. Coordinates are pixels. No such file says of which picture, so
the size comes from the caller, else from the clip's name: 260x210 for PHOENIX (`train/`, `dev/`,
`test/`, `fullFrame-210x260px/`), 512x512 for CSL-Daily (`S000020_P0000_T00`). The rate is 25 unless
the caller gives one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.pose.formats import dwpose
from signgen.pose.formats.byte_source import ByteSource
from signgen.pose.formats.checked import DEFAULT_FPS, checked_sequence
from signgen.pose.formats.clips import Clips, Reading
from signgen.pose.formats.frames import NUM_KEYPOINTS, Person, in_pixels, reading
from signgen.pose.formats.pickle_values import Array, PickleError
from signgen.pose.formats.restricted_pickle import read_pickle

__all__ = ["read"]

_EXPECTED = "key points of MSKA, SLRT, NLA-SLR or DWPose"
_SIZES = (
    (re.compile(r"(train|dev|test|fullFrame-210x260px)/"), (260, 210)),
    (re.compile(r"S\d+_P\d+_T\d+$"), (512, 512)),
)
_PARTS = ("faces", "faces_score", "hands", "hands_score")
_KEYS = {"keypoint": "mska", "keypoints": "slrt"}

_MAX_FRAMES = 50_000

_Readers = dict[str, Callable[[], Reading]]


def read(
    source: ByteSource, *, size: tuple[int, int] | None = None, fps: float | None = None
) -> Clips:
    """List the clips of a pickle; a clip's numbers are read when it is looked up.

    Args:
        source: The pickle.
        size: (H, W) of the pictures; by the clip's name without it.
        fps: Frames per second, or None for 25.

    Returns:
        The clips, `coco-wholebody-133`.

    Raises:
        UserError: If the pickle is not one of those above.
    """
    path, value = source.path, read_pickle(source)
    if isinstance(value, list) or dwpose.is_frame(value):
        frames: list[Any] = value if isinstance(value, list) else [value]
        if frames and not all(dwpose.is_frame(frame) for frame in frames):
            raise UserError(
                f"{path} is a list without key points{_named(frames[0])}; expected {_EXPECTED}."
            )
        return Clips(path, "dwpose", {path.stem: partial(_dwpose, frames, path, size, fps)})
    if isinstance(value, Array):
        name = path.stem
        return Clips(path, "arrays", {name: partial(_array, value, path, name, size, fps)})
    if not isinstance(value, dict):
        raise UserError(f"{path} is a pickle of a {type(value).__name__}; expected {_EXPECTED}.")
    if len({id(entry) for entry in value.values()}) != len(value):
        raise UserError(f"{path}: two clips are one and the same; expected key points for each.")
    kinds, readers = set(), _Readers()
    for name, entry in value.items():
        kind, readers[name] = _entry(entry, path, name, size, fps)
        kinds.add(kind)
    if len(kinds) > 1:
        raise UserError(f"{path} mixes {' and '.join(sorted(kinds))}; expected one of them.")
    return Clips(path, kinds.pop() if kinds else "", readers)


def _entry(
    entry: object, path: Path, name: str, size: tuple[int, int] | None, fps: float | None
) -> tuple[str, Callable[[], Reading]]:
    if isinstance(entry, Array):
        return "arrays", partial(_array, entry, path, name, size, fps)
    if isinstance(entry, list) and entry and all(dwpose.is_frame(frame) for frame in entry):
        return "dwpose", partial(_dwpose, entry, path, size, fps)
    if isinstance(entry, dict):
        for key, kind in _KEYS.items():
            array = entry.get(key)
            if isinstance(array, Array):
                return kind, partial(_array, array, path, name, size, fps)
    raise UserError(
        f"{path}: clip {name[:60]!a} has no key points{_named(entry)}; expected {_EXPECTED}."
    )


def _named(entry: object) -> str:
    if not isinstance(entry, dict):
        return ""
    return f" but {', '.join(key[:20] for key in list(entry)[:6])}".encode(
        "ascii", "backslashreplace"
    ).decode()


def _loaded(array: Array, what: str) -> NDArray[np.float64]:
    try:
        values = array.load()
    except PickleError as error:
        raise UserError(f"{what} {error}. Nothing of it was run. Write the file again.") from None
    if values.dtype.kind not in "iuf":
        raise UserError(f"{what} holds {values.dtype.name}; expected numbers.")
    with np.errstate(all="ignore"):  # NaN is named later, with its place
        return values.astype(np.float64)


def _array(
    array: Array, path: Path, name: str, size: tuple[int, int] | None, fps: float | None
) -> Reading:
    what = f"{path}: clip {name[:60]!a}"
    values = _loaded(array, what)
    if values.ndim != 3 or values.shape[1] not in (NUM_KEYPOINTS, dwpose.NUM_POINTS):
        raise UserError(f"{what} has shape {list(values.shape)}; expected (T, 133, 3).")
    if values.shape[2] != 3 or not len(values):
        raise UserError(f"{what} has shape {list(values.shape)}; expected (T, 133, 3).")
    place = Path(what)
    if values.shape[1] == dwpose.NUM_POINTS:
        persons = [dwpose.from_array(frame, f"{what}: frame {t}") for t, frame in enumerate(values)]
        return reading(in_pixels(persons, place, size), place, size, fps)
    poses = checked_sequence(
        values[..., :2],
        np.maximum(values[..., 2], 0),
        place,
        skeleton="coco-wholebody-133",
        size=size or _size_of(name, what),
        fps=fps or DEFAULT_FPS,
    )
    return Reading(poses)


def _size_of(name: str, what: str) -> tuple[int, int]:
    for pattern, size in _SIZES:
        if pattern.match(name):
            return size
    raise UserError(
        f"{what}: the file does not say the size of the pictures. Name it with --size HEIGHT WIDTH."
    )


def _dwpose(
    frames: list[Mapping[str, Any]],
    path: Path,
    size: tuple[int, int] | None,
    fps: float | None,
) -> Reading:
    # A frame can stand in a pickle many times over at no cost.
    if not 0 < len(frames) <= _MAX_FRAMES:
        raise UserError(f"{path} holds {len(frames)} frames; expected 1 to {_MAX_FRAMES}.")
    persons: list[list[Person]] = []
    for t, frame in enumerate(frames):
        what = f"{path}: frame {t}"
        persons.append(dwpose.persons(_tree(frame, what), what))
    return reading(in_pixels(persons, path, size), path, size, fps)


def _tree(frame: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Load the arrays of a frame, and of its bodies.

    Lists are refused: the same list can stand in a pickle many times over, so that a few bytes
    would become billions of numbers.
    """
    loaded: dict[str, Any] = {}
    for key in ("bodies", "candidate", "subset", "score", *_PARTS):
        value = frame.get(key)
        if isinstance(value, Array):
            loaded[key] = _loaded(value, f"{what}: {key}")
        elif isinstance(value, dict) and key == "bodies":
            loaded[key] = _tree({**value, "bodies": None}, what)
        elif value is not None:
            raise UserError(f"{what}: {key} is a {type(value).__name__}; expected an array.")
    return loaded
