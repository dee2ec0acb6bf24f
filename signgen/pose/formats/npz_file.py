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
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.pose.formats import dwpose
from signgen.pose.formats.checks import (
    MAX_FRAMES,
    checked_sequence,
    checked_size,
    checked_skeleton,
    stated_number,
)
from signgen.pose.formats.own_json import NAME, VERSION
from signgen.pose.formats.persons import Person, read_signer
from signgen.pose.formats.reading import MAX_BYTES, Clips, Format, InputFile, Reading
from signgen.structures import PoseSequence

__all__ = ["FORMAT", "to_bytes"]

_MAX_MEMBERS = 64
#: Members above a megabyte may expand this often; key points shrink to a half.
_MAX_RATIO = 200
_MAX_HEAD = 1000

Members = dict[str, NDArray[Any]]


def _read(file: InputFile) -> Clips:
    members, path = _members(file.data, file.path), file.path
    if "format" in members:
        poses = _own(members, file)
        (stated,) = members["fps"].ravel()[:1].tolist() or [None]
        return Clips.of_one(file, "npz", Reading(poses, stated_fps=stated_number(stated)))
    tables = [name for name, values in members.items() if values.ndim >= 3]
    if "bodies" in members or "candidate" in members:
        frames = _frames(members, path)
    elif len(tables) == 1:
        frames = _table(tables[0], members, path)
    else:
        raise UserError(
            f"{path} has members {', '.join(sorted(members))[:100]!a}; expected our own or DWPose."
        )
    return Clips.of_one(file, "dwpose", read_signer(frames, file, normalised=True))


FORMAT = Format(lambda file: file.head.startswith(b"PK\x03\x04"), _read)


def to_bytes(poses: PoseSequence) -> bytes:
    """Return the file of a sequence; the same sequence gives the same bytes."""
    out = io.BytesIO()
    np.savez(
        out,
        format=np.array(NAME),
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
            members = archive.infolist()
            _check_archive(members, path)
            return {
                member.filename.removesuffix(".npy"): _array(
                    archive.read(member), f"{path}: member {member.filename[:40]!a}"
                )
                for member in members
            }
    except UserError:
        raise
    except Exception as error:  # zipfile and numpy raise nearly anything on broken files
        raise UserError(
            f"{path} is a broken .npz archive ({type(error).__name__}). Write it again."
        ) from error


def _check_archive(members: list[zipfile.ZipInfo], path: Path) -> None:
    names = [member.filename for member in members]
    if any(name.endswith("data.pkl") for name in names):
        raise UserError(
            f"{path} was written by torch.save; expected .npz or a plain pickle. Write it with "
            "pickle.dump."
        )
    if len(set(names)) != len(names) or not all(name.endswith(".npy") for name in names):
        raise UserError(f"{path} is a zip archive but not numpy's; expected members *.npy.")
    if not 0 < len(members) <= _MAX_MEMBERS:
        raise UserError(f"{path} has {len(members)} members; expected 1 to {_MAX_MEMBERS}.")
    total = sum(member.file_size for member in members)
    if total > MAX_BYTES:
        raise UserError(f"{path} expands to {total} bytes; at most {MAX_BYTES} are read. Split it.")
    for member in members:
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UserError(f"{path} is packed in an unknown way; expected numpy's .npz.")
        if member.flag_bits & 1:
            raise UserError(f"{path} is encrypted; expected numpy's .npz.")
        if member.file_size > max(2**20, _MAX_RATIO * member.compress_size):
            raise UserError(
                f"{path}: member {member.filename[:40]!a} expands from {member.compress_size} to "
                f"{member.file_size} bytes; expected key points."
            )


def _array(data: bytes, what: str) -> NDArray[Any]:
    """Parse one member after comparing what its head announces with its length."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read_head = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read_head is None:
        raise UserError(f"{what} is not an array of numpy's; expected version 1 or 2 of .npy.")
    shape, fortran, dtype = read_head(stream, max_header_size=_MAX_HEAD)
    if dtype.hasobject:
        raise UserError(
            f"{what} holds Python objects, which could run programs; not read. Save plain arrays."
        )
    start, count = stream.tell(), math.prod(shape)
    if dtype.kind not in "iufbU" or count * dtype.itemsize != len(data) - start:
        raise UserError(f"{what} is not the numbers that its head announces.")
    array = np.frombuffer(data, dtype, offset=start) if count else np.zeros(0, dtype)
    return array.reshape(shape, order="F" if fortran else "C")


# ----- our own ------------------------------------------------------------------------------------


def _own(members: Members, file: InputFile) -> PoseSequence:
    path = file.path
    for name in ("format", "version", "keypoints", "confidence", "skeleton", "size", "fps"):
        if name not in members:
            raise UserError(f"{path} has no member {name!r}; {NAME} needs it. Write it again.")
    marker, version, skeleton, fps = (
        members[name].item() if members[name].size == 1 else None
        for name in ("format", "version", "skeleton", "fps")
    )
    if marker != NAME:
        raise UserError(f"{path} has format {str(marker)[:40]!a}; expected {NAME!r}.")
    if version != VERSION:
        raise UserError(
            f"{path} has version {str(version)[:40]}; this signgen reads {VERSION}. Update signgen."
        )
    points, confidence = members["keypoints"], members["confidence"]
    for name, axes in (("keypoints", 3), ("confidence", 2)):
        values = members[name]
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
        size=checked_size(members["size"].tolist(), path),
        fps=file.rate(fps),
        skeleton=checked_skeleton(skeleton, path),
    )


# ----- DWPose -------------------------------------------------------------------------------------


def _frames(members: Members, path: Path) -> list[list[Person]]:
    """Cut members with an axis of frames into frames."""
    parts = {name: members[name] for name in ("bodies", *dwpose.PARTS) if name in members}
    if "candidate" in parts:
        parts["bodies"] = parts.pop("candidate")
    lengths = {len(values) if values.ndim else 0 for values in parts.values()}
    if len(lengths) != 1 or not 0 < (count := lengths.pop()) <= MAX_FRAMES:
        raise UserError(f"{path}: its members have different numbers of frames; expected the same.")
    return [
        dwpose.from_dictionary(
            {name: values[t] for name, values in parts.items()}, f"{path}: frame {t}"
        )
        for t in range(count)
    ]


def _table(name: str, members: Members, path: Path) -> list[list[Person]]:
    what, values = f"{path}: {name[:40]!a}", members[name]
    if values.ndim != 3 or values.shape[1] != dwpose.NUM_POINTS or values.dtype.kind not in "iuf":
        raise UserError(
            f"{what} has shape {list(values.shape)}; expected (T, 134, 2 or 3), or our own .npz."
        )
    if not 0 < len(values) <= MAX_FRAMES:
        raise UserError(f"{what} holds {len(values)} frames; expected at least 1.")
    scores = next(
        (members[key] for key in ("scores", "score", "confidence") if key in members), None
    )
    if scores is not None and values.shape[2] == 2:
        if scores.shape != values.shape[:2] or scores.dtype.kind not in "iuf":
            raise UserError(
                f"{path}: scores have shape {list(scores.shape)}; expected "
                f"{list(values.shape[:2])}."
            )
        values = np.concatenate([values, scores[..., None]], axis=-1)  # (T, 134, 3)
    return [dwpose.from_array(frame, f"{what}: frame {t}") for t, frame in enumerate(values)]
