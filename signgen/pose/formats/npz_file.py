"""numpy's archives: our own, and those that users make of DWPose.

Our own has the members `format` ("signgen-poses"), `version` (1), `keypoints` (T, K, 2) and
`confidence` (T, K) in float32, `skeleton`, `size` (height, width) and `fps` (float64). It keeps
every bit.

Others are read as DWPose (`dwpose`): one member (T, 134, 2 or 3) of points, with scores (T, 134) in
a member `scores`, `score` or `confidence` where there are two numbers per point; or the members
`bodies`, `hands`, `faces` and their scores, with an axis of frames first. They carry no size and no
rate.

Files are not trusted: sizes are checked before a member is read, and arrays of objects (pickles)
are refused.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.pose.formats import dwpose
from signgen.pose.formats.clips import Reading
from signgen.pose.formats.persons import Person, in_pixels, reading
from signgen.pose.formats.reading import (
    MAX_BYTES,
    MAX_FRAMES,
    checked_fps,
    checked_sequence,
    checked_size,
)
from signgen.pose.skeleton import SKELETONS
from signgen.structures import PoseSequence

__all__ = ["FORMAT", "VERSION", "read", "sniff", "to_bytes"]

FORMAT = "signgen-poses"
VERSION = 1
_MAX_MEMBERS = 64
#: Members above a megabyte may expand this often; key points shrink to a half.
_MAX_RATIO = 200
_OWN = ("format", "version", "keypoints", "confidence", "skeleton", "size", "fps")
_SCORES = ("scores", "score", "confidence")
_PARTS = ("bodies", "candidate", "subset", "score", "hands", "hands_score", "faces", "faces_score")

_MAX_HEAD = 1000
_HEAD = re.compile(
    rb"\{'descr': '(?P<kind>[<>|=]?[A-Za-z]\d{0,5})', 'fortran_order': (?P<fortran>True|False), "
    rb"'shape': \((?P<shape>(?:\d{1,12}, ?)*(?:\d{1,12})?)\),? *\} *\n?"
)
#: Everything that zipfile and numpy are known to raise on broken files.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)

Members = dict[str, NDArray[Any]]


def sniff(head: bytes) -> bool:
    """Tell whether a file begins as a zip archive, which every .npz is."""
    return head.startswith(b"PK\x03\x04")


def read(
    data: bytes, path: Path, *, size: tuple[int, int] | None = None, fps: float | None = None
) -> tuple[str, Reading]:
    """Read the bytes of one file.

    Args:
        data: What `sniff` recognised.
        path: Named in messages.
        size: (H, W) of the pictures, for DWPose; without it the extent of the points.
        fps: Frames per second, for DWPose; 25 without it.

    Returns:
        Name of the format, `npz` or `dwpose`, and the sequence.

    Raises:
        UserError: If the archive is broken, too large, holds objects, or is neither of the two.
    """
    members = _members(data, path)
    if "format" in members:
        return "npz", Reading(_own(members, path))
    arrays = {name: value for name, value in members.items() if value.ndim >= 3}
    if "bodies" in members or "candidate" in members:
        frames = _frames(members, path)
    elif len(arrays) == 1:
        name, values = arrays.popitem()
        frames = _table(name, values, members, path)
    else:
        raise UserError(
            f"{path} has members {', '.join(sorted(members))[:100]!a}; expected our own or DWPose."
        )
    return "dwpose", reading(in_pixels(frames, path, size), path, size, fps)


def to_bytes(poses: PoseSequence) -> bytes:
    """Return the file of a sequence; the same sequence gives the same bytes."""
    out = io.BytesIO()
    np.savez(
        out,
        format=np.array(FORMAT),
        version=np.array(VERSION),
        keypoints=np.ascontiguousarray(poses.keypoints, "<f4"),
        confidence=np.ascontiguousarray(poses.confidence, "<f4"),
        skeleton=np.array(poses.skeleton),
        size=np.array(poses.size, "<i8"),
        fps=np.array(poses.fps, "<f8"),
    )
    return out.getvalue()


# ----- members ------------------------------------------------------------------------------------


def _members(data: bytes, path: Path) -> Members:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            _check_archive(infos, path)
            return {
                info.filename.removesuffix(".npy"): _array(archive.read(info), info, path)
                for info in infos
            }
    except _BROKEN as error:
        raise UserError(
            f"{path} is a broken .npz archive ({type(error).__name__}). Write it again."
        ) from error


def _check_archive(infos: list[zipfile.ZipInfo], path: Path) -> None:
    names = [info.filename for info in infos]
    if any(name.endswith("data.pkl") for name in names):
        raise UserError(
            f"{path} was written by torch.save; expected .npz or a plain pickle. Write it with "
            "pickle.dump."
        )
    if len(set(names)) != len(names) or not all(name.endswith(".npy") for name in names):
        raise UserError(f"{path} is a zip archive but not numpy's; expected members *.npy.")
    if not 0 < len(infos) <= _MAX_MEMBERS:
        raise UserError(f"{path} has {len(infos)} members; expected 1 to {_MAX_MEMBERS}.")
    total = sum(info.file_size for info in infos)
    if total > MAX_BYTES:
        raise UserError(f"{path} expands to {total} bytes; at most {MAX_BYTES} are read. Split it.")
    for info in infos:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UserError(f"{path} is packed in an unknown way; expected numpy's .npz.")
        if info.flag_bits & 1:
            raise UserError(f"{path} is encrypted; expected numpy's .npz.")
        if info.file_size > max(2**20, _MAX_RATIO * info.compress_size):
            raise UserError(
                f"{path}: member {info.filename[:40]!a} expands from {info.compress_size} to "
                f"{info.file_size} bytes; expected key points."
            )


def _array(data: bytes, info: zipfile.ZipInfo, path: Path) -> NDArray[Any]:
    """Parse one member after comparing what its head announces with its length.

    The head is a Python literal, of which only the form that numpy writes is accepted: evaluating
    others can raise nearly anything.
    """
    what = f"{path}: member {info.filename[:40]!a}"
    start = {b"\x93NUMPY\x01\x00": 10, b"\x93NUMPY\x02\x00": 12}.get(data[:8])
    if start is None or len(data) < start:
        raise UserError(f"{what} is not an array of numpy's; expected version 1 or 2 of .npy.")
    end = start + int.from_bytes(data[8:start], "little")
    found = _HEAD.fullmatch(data[start : min(end, start + _MAX_HEAD)])
    if found is None:
        raise UserError(f"{what} is not an array of plain numbers; expected one.")
    kind, order, axes = found["kind"].decode(), found["fortran"], found["shape"]
    if "O" in kind:
        raise UserError(
            f"{what} holds Python objects, which could run programs; not read. Save plain arrays."
        )
    dtype = np.dtype(kind)
    shape = tuple(int(axis) for axis in axes.replace(b",", b" ").split())
    if dtype.kind not in "iufbU" or math.prod(shape) * dtype.itemsize != len(data) - end:
        raise UserError(f"{what} is not the numbers that its head announces.")
    array = np.frombuffer(data, dtype, offset=end) if math.prod(shape) else np.zeros(0, dtype)
    return array.reshape(shape, order="F" if order == b"True" else "C")


# ----- our own ------------------------------------------------------------------------------------


def _own(members: Members, path: Path) -> PoseSequence:
    for name in _OWN:
        if name not in members:
            raise UserError(f"{path} has no member {name!r}; {FORMAT} needs it. Write it again.")
    marker, version = _scalar(members["format"]), _scalar(members["version"])
    if marker != FORMAT:
        raise UserError(f"{path} has format {str(marker)[:40]!a}; expected {FORMAT!r}.")
    if version != VERSION:
        raise UserError(
            f"{path} has version {str(version)[:40]}; this signgen reads {VERSION}. Update signgen."
        )
    skeleton = _scalar(members["skeleton"])
    if not isinstance(skeleton, str) or skeleton not in SKELETONS:
        raise UserError(
            f"{path} has skeleton {str(skeleton)[:40]!a}; expected one of {', '.join(SKELETONS)}."
        )
    points, confidence = members["keypoints"], members["confidence"]
    for name, values, axes in (("keypoints", points, 3), ("confidence", confidence, 2)):
        if values.ndim != axes or values.dtype.kind != "f":
            raise UserError(
                f"{path}: {name} is {values.dtype.name} of shape {list(values.shape)}; expected "
                f"float32 of {axes} axes."
            )
    if points.shape[-1] != 2 or points.shape[:2] != confidence.shape:
        raise UserError(
            f"{path}: keypoints have shape {list(points.shape)} and confidence "
            f"{list(confidence.shape)}; expected [T, K, 2] and [T, K]."
        )
    return checked_sequence(
        points,
        confidence,
        path,
        skeleton=skeleton,
        size=checked_size(members["size"].tolist(), path),
        fps=checked_fps(_scalar(members["fps"]), path),
    )


def _scalar(values: NDArray[Any]) -> object:
    return values.item() if values.size == 1 else None


# ----- DWPose -------------------------------------------------------------------------------------


def _frames(members: Members, path: Path) -> list[list[Person]]:
    """Cut members with an axis of frames into frames."""
    parts = {name: members[name] for name in _PARTS if name in members}
    if "candidate" in parts:
        parts["bodies"] = parts.pop("candidate")
    lengths = {len(values) if values.ndim else 0 for values in parts.values()}
    if len(lengths) != 1 or not 0 < (count := lengths.pop()) <= MAX_FRAMES:
        raise UserError(f"{path}: its members have different numbers of frames; expected the same.")
    return [
        dwpose.persons({name: values[t] for name, values in parts.items()}, f"{path}: frame {t}")
        for t in range(count)
    ]


def _table(name: str, values: NDArray[Any], members: Members, path: Path) -> list[list[Person]]:
    what = f"{path}: {name[:40]!a}"
    if values.ndim != 3 or values.shape[1] != dwpose.NUM_POINTS or values.dtype.kind not in "iuf":
        raise UserError(
            f"{what} has shape {list(values.shape)}; expected (T, 134, 2 or 3), or our own .npz."
        )
    if not 0 < len(values) <= MAX_FRAMES:
        raise UserError(f"{what} holds {len(values)} frames; expected at least 1.")
    scores = next((members[key] for key in _SCORES if key in members), None)
    if scores is not None and values.shape[2] == 2:
        if scores.shape != values.shape[:2] or scores.dtype.kind not in "iuf":
            raise UserError(
                f"{path}: scores have shape {list(scores.shape)}; expected "
                f"{list(values.shape[:2])}."
            )
        values = np.concatenate([values, scores[..., None]], axis=-1)
    return [dwpose.from_array(frame, f"{what}: frame {t}") for t, frame in enumerate(values)]
