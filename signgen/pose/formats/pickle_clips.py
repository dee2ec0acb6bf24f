"""Clips in a pickle, plain or gzipped, read without running it: MSKA, SLRT, NLA-SLR and DWPose.

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

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from signgen.errors import UserError
from signgen.files.foreign import pickles
from signgen.files.foreign.arrays import Array, read_arrays
from signgen.files.foreign.unpickling import PickleError
from signgen.pose.formats import dwpose
from signgen.pose.formats.checks import DEFAULT_FPS, Numbers, checked_sequence
from signgen.pose.formats.persons import NUM_KEYPOINTS, read_signer
from signgen.pose.formats.reading import MAX_BYTES, Clips, Format, InputFile, Reading

__all__ = ["FORMAT"]

_EXPECTED = "key points of MSKA, SLRT, NLA-SLR or DWPose"
_SIZES = (
    (re.compile(r"(train|dev|test|fullFrame-210x260px)/"), (260, 210)),
    (re.compile(r"S\d+_P\d+_T\d+$"), (512, 512)),
)
_KEYS = {"keypoint": "mska", "keypoints": "slrt"}

_MAX_FRAMES = 500_000

Clip = Array | list[Any]
"""What a pickle has of a clip: an array, or frames of DWPose."""


def _read(file: InputFile) -> Clips:
    """List the clips of a pickle; a clip's numbers are read when it is looked up."""
    path = file.path
    pickled, length = read_arrays(path, MAX_BYTES, "key points")
    entries = [(path.stem, pickled, str(path))]
    if _is_dict(pickled) and not dwpose.is_frame(pickled):
        entries = [(str(n), clip, f"{path}: clip {str(n)[:60]!a}") for n, clip in pickled.items()]
    kinds: set[str] = set()
    clips: dict[str, Clip] = {}
    for name, entry, what in entries:
        kind, clips[name] = _clip(entry, what)
        kinds.add(kind)
    if len(kinds) > 1:
        raise UserError(f"{path} mixes {' and '.join(sorted(kinds))}; expected one of them.")
    _check_total(clips.values(), path, length)
    readers: dict[str, Callable[[], Reading]] = {
        name: partial(_read_array, file, name, clip)
        if isinstance(clip, Array)
        else partial(_read_dwpose, file, clip)
        for name, clip in clips.items()
    }
    return Clips(path, "".join(kinds), readers)


FORMAT = Format(lambda file: pickles.sniff(file.head), _read)


def _clip(entry: object, what: str) -> tuple[str, Clip]:
    """Return the format of a clip, and its array or its list of frames."""
    if isinstance(entry, Array):
        return "arrays", entry
    if dwpose.is_frame(entry):
        return "dwpose", [entry]
    if isinstance(entry, list) and entry and dwpose.is_frame(entry[0]):
        return "dwpose", entry
    for key, kind in _KEYS.items():
        if isinstance(entry, dict) and isinstance(entry.get(key), Array):
            return kind, entry[key]
    first = entry[0] if isinstance(entry, list) and entry else entry
    keys = f" but {', '.join(str(key)[:20] for key in list(first)[:6])}" if _is_dict(first) else ""
    raise UserError(f"{what} has no key points{ascii(keys)[1:-1]}; expected {_EXPECTED}.")


def _is_dict(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _check_total(clips: Iterable[Clip], path: Path, length: int) -> None:
    """Refuse numbers that stand in a pickle many times over, which costs it two bytes each time."""
    total = frames = 0
    for clip in clips:
        for frame in [clip] if isinstance(clip, Array) else clip:
            frames += not isinstance(clip, Array)
            total += sum(math.prod(array.shape) for array in _arrays(frame))
            if total > length or frames > _MAX_FRAMES:
                raise UserError(
                    f"{path} holds more numbers than bytes, or more than {_MAX_FRAMES} "
                    "frames of DWPose; expected each clip once."
                )


def _arrays(frame: object) -> Iterable[Array]:
    if isinstance(frame, Array):
        return [frame]
    parts = frame if _is_dict(frame) else {}
    bodies = parts.get("bodies")
    inner = list(bodies.values()) if _is_dict(bodies) else []
    return [part for part in [*parts.values(), *inner] if isinstance(part, Array)]


def _loaded(array: Array, what: str) -> Numbers:
    try:
        values = array.load()
    except PickleError as error:
        raise UserError(f"{what} {error}. Nothing of it was run. Write the file again.") from None
    if values.dtype.kind not in "iuf":
        raise UserError(f"{what} holds {values.dtype.name}; expected numbers.")
    return dwpose.to_numbers(values, what)


def _read_array(file: InputFile, name: str, array: Array) -> Reading:
    what = f"{file.path}: clip {name[:60]!a}"
    values = _loaded(array, what)  # (T, 133 or 134, 3)
    if (
        values.ndim != 3
        or values.shape[1] not in (NUM_KEYPOINTS, dwpose.NUM_POINTS)
        or values.shape[2] != 3
        or not len(values)
    ):
        raise UserError(f"{what} has shape {list(values.shape)}; expected (T, 133, 3).")
    if values.shape[1] == dwpose.NUM_POINTS:
        frames = [dwpose.from_array(frame, f"{what}: frame {t}") for t, frame in enumerate(values)]
        return read_signer(frames, file, normalised=True, what=what)
    by_name = next((size for pattern, size in _SIZES if pattern.match(name)), None)
    size = file.size or by_name
    if size is None:
        raise UserError(
            f"{what}: the file does not say the size of the pictures. Name it with --size HEIGHT "
            "WIDTH."
        )
    poses = checked_sequence(
        values[..., :2], np.fmax(values[..., 2], 0), what, size=size, fps=file.fps or DEFAULT_FPS
    )
    return Reading(poses, assumed=("fps",) if file.size == by_name else ("size", "fps"))


def _read_dwpose(file: InputFile, frames: list[Mapping[str, Any]]) -> Reading:
    persons = []
    for t, frame in enumerate(frames):
        what = f"{file.path}: frame {t}"
        if not dwpose.is_frame(frame):
            raise UserError(f"{what} has no bodies; expected a frame of DWPose.")
        persons.append(dwpose.from_dictionary(_tree(frame, what), what))
    return read_signer(persons, file, normalised=True)


def _tree(frame: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Load the arrays of a frame, and of its bodies.

    Lists are refused: the same list can stand in a pickle many times over, so that a few bytes
    would become billions of numbers.
    """
    loaded: dict[str, Any] = {}
    for key in ("bodies", *dwpose.PARTS):
        value = frame.get(key)
        if isinstance(value, Array):
            loaded[key] = _loaded(value, f"{what}: {key}")
        elif isinstance(value, dict) and key == "bodies":
            loaded[key] = _tree({**value, "bodies": None}, what)
        elif value is not None:
            raise UserError(f"{what}: {key} is a {type(value).__name__}; expected an array.")
    return loaded
