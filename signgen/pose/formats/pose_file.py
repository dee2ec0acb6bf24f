"""Binary `.pose` files, with the pose-format library.

Read are versions 0.0, 0.1 and 0.2 with the components of MediaPipe Holistic (543, 576, 586 or the
reduced 178 points), OpenPose (137) or COCO-WholeBody (133). World landmarks are ignored. Masked and
undetected points are missing; the file's confidences are kept. Of several people one is followed
(`persons.follow_signer`), because their order in the file says nothing.

Written is version 0.2 with pose-format's own components for COCO-WholeBody-133: BODY 23, FACE 68,
LEFT_HAND 21 and RIGHT_HAND 21 points of x, y and confidence; one person; coordinates, confidences
and the frame rate in float32, which is what the format can carry.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.pose.formats.checks import Numbers, checked_sequence, checked_size, stated_number
from signgen.pose.formats.persons import Person, follow_signer
from signgen.pose.formats.pose_maps import Component, map_components
from signgen.pose.formats.reading import Clips, Format, InputFile, Reading
from signgen.pose.skeleton import COCO_WHOLEBODY
from signgen.structures import PoseSequence

__all__ = ["FORMAT", "to_bytes"]

_VERSIONS = (0.0, 0.1, 0.2)


def _recognise(file: InputFile) -> bool:
    """Tell whether the bytes begin with a known version and a named component."""
    if len(file.head) < 14:
        return False
    version, _, _, _, components, name = struct.unpack_from("<f5H", file.head)
    known = any(abs(version - v) < 1e-4 for v in _VERSIONS)
    return known and 0 < components < 64 and 0 < name < 256


def _read(file: InputFile) -> Clips:
    path, pose = file.path, _parse(file.data, file.path)
    size = checked_size((pose.header.dimensions.height, pose.header.dimensions.width), path)
    stated = float(pose.body.fps)
    fps = file.rate(stated)
    with np.errstate(all="ignore"):  # NaN is named later, with its place
        confidence = np.asarray(pose.body.confidence, dtype=np.float64)  # (T, people, N)
    values = np.ma.asarray(pose.body.data)  # (T, people, N, dimensions)
    if confidence.ndim != 3 or values.ndim != 4 or values.shape[:3] != confidence.shape:
        raise UserError(f"{path} is a broken .pose file: points and confidences differ in number.")
    if 0 in confidence.shape:
        raise UserError(
            f"{path} holds {len(confidence)} frames and {confidence.shape[1]} people; "
            "expected at least 1 of each."
        )
    # Of version 0.0 the library reads the first person only.
    header, count = pose.header, None if pose.header.version < 0.05 else confidence.shape[1]
    people = [
        _person(header, values[:, person], confidence[:, person], path)
        for person in range(confidence.shape[1])
    ]
    # A long clip is there a dozen times otherwise
    del pose, values, confidence
    points, scores = people[0] if len(people) == 1 else _followed(people)
    poses = checked_sequence(points, scores, path, size=size, fps=fps)
    _check_pixels(poses, path)
    return Clips.of_one(
        file, "pose", Reading(poses, people=count, stated_fps=stated_number(stated))
    )


FORMAT = Format(_recognise, _read)


def _parse(data: bytes, path: Path) -> Any:
    """Call the library, and see to it that nothing is missing at the end of the file."""
    from pose_format import Pose
    from pose_format.pose_header import PoseHeader
    from pose_format.utils.reader import BufferReader

    try:
        reader = BufferReader(data)
        header = PoseHeader.read(reader)
        declared = struct.unpack_from("<HH", data, reader.read_offset)[1]
        with np.errstate(all="ignore"):
            pose = Pose.read(data)
        frames = len(pose.body.confidence)
    except Exception as error:  # the library raises nearly anything on broken files
        raise UserError(
            f"{path} is a broken or truncated .pose file ({type(error).__name__}). Write it again."
        ) from error
    # Version 0.1 finds the number of frames from the length of the file, so a cut file would read
    # as nonsense.
    if abs(header.version - 0.1) < 1e-4 and frames % 65536 != declared:
        raise UserError(
            f"{path} is a truncated .pose file: it announces {declared} frames and holds {frames}. "
            "Write it again."
        )
    return pose


def _followed(people: list[tuple[Numbers, Numbers]]) -> tuple[Numbers, Numbers]:
    """Return (T, 133, 2) points and (T, 133) confidence of the signer among several people."""
    signer = follow_signer(
        [
            [Person(points[t], scores[t]) for points, scores in people if scores[t].any()]
            for t in range(len(people[0][1]))
        ]
    )
    return (
        np.stack([person.points for person in signer]),
        np.stack([person.confidence for person in signer]),
    )


def _person(
    header: Any, values: np.ma.MaskedArray[Any, Any], confidence: NDArray[np.float64], path: Path
) -> tuple[Numbers, Numbers]:
    """Return (T, 133, 2) points and (T, 133) confidence of one person."""
    components = _components(header, values, confidence, path)
    mapped = map_components(components)
    if mapped is None:
        raise _unknown(components, path)
    return mapped


def _components(
    header: Any, values: np.ma.MaskedArray[Any, Any], confidence: NDArray[np.float64], path: Path
) -> dict[str, Component]:
    """Cut one person into components, taking x and y by their letters."""
    components: dict[str, Component] = {}
    start = 0
    for part in header.components:
        stop = start + len(part.points)
        if "X" not in part.format or "Y" not in part.format:
            raise UserError(f"{path}: component {part.name[:40]!r} has no X and Y.")
        x, y = part.format.index("X"), part.format.index("Y")
        if max(x, y) >= values.shape[-1]:
            raise UserError(f"{path} is a broken .pose file: its points have too few dimensions.")
        chosen = values[:, start:stop, [x, y]]  # (T, N, 2)
        hidden = np.ma.getmaskarray(chosen).any(axis=-1)
        unknown = np.isnan(chosen.data).any(axis=-1)
        scores = np.where(hidden | unknown, 0.0, confidence[:, start:stop])
        with np.errstate(all="ignore"):
            points = np.where((scores == 0)[..., None], 0.0, chosen.data).astype(np.float64)
        components[part.name] = Component(list(part.points), points, scores)
        start = stop
    return components


def _unknown(components: dict[str, Component], path: Path) -> UserError:
    lengths = {name: len(part.names) for name, part in components.items()}
    if lengths and all("hand" in name.lower() for name in lengths):
        return UserError(
            f"{path} has only hand points ({sum(lengths.values())}); body points are needed to "
            "draw a signer. Estimate the whole body."
        )
    listed = ", ".join(f"{name[:40]} {count}" for name, count in list(lengths.items())[:6])
    return UserError(
        f"{path} has components {listed!a}; expected those of MediaPipe Holistic, OpenPose BODY_25 "
        "with hands, or COCO-WholeBody 133."
    )


def _check_pixels(poses: PoseSequence, path: Path) -> None:
    """Refuse normalised coordinates: all points within a few pixels around 0 of a large frame."""
    seen = poses.keypoints[poses.visible]
    extent = float(np.ptp(seen, axis=0).max())
    if extent < 4 and float(np.abs(seen).max()) < 8 and min(poses.size) > 32:
        raise UserError(
            f"{path}: all points lie within {extent:.3g} pixels of a "
            f"{poses.size[1]}x{poses.size[0]} frame; "
            "expected pixels, not normalised coordinates."
        )


def to_bytes(poses: PoseSequence, path: Path) -> bytes:
    """Return the file of a sequence; UserError naming `path` if the skeleton does not fit."""
    if poses.skeleton != COCO_WHOLEBODY:
        raise UserError(
            f"{path}: .pose cannot carry the skeleton {poses.skeleton}; expected "
            f"{COCO_WHOLEBODY}. Write .json or .npz."
        )
    from pose_format import Pose
    from pose_format.numpy import NumPyPoseBody
    from pose_format.pose_header import PoseHeader, PoseHeaderDimensions
    from pose_format.utils.cocowholebody133_header import cocowholebody_components

    height, width = poses.size
    header = PoseHeader(
        version=0.2,
        dimensions=PoseHeaderDimensions(width, height, 0),
        components=cocowholebody_components(),
    )
    data = np.ma.masked_array(
        poses.keypoints[:, None], mask=np.repeat(~poses.visible[:, None, :, None], 2, axis=-1)
    )  # (T, 1, 133, 2)
    out = io.BytesIO()
    Pose(header, NumPyPoseBody(poses.fps, data, poses.confidence[:, None])).write(out)
    return out.getvalue()
