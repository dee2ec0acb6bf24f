"""Binary `.pose` files, read with the pose-format library.

Versions 0.0, 0.1 and 0.2 with the components of MediaPipe Holistic (543, 576, 586 or the reduced
178 points), OpenPose (137) or COCO-WholeBody (133). World landmarks are ignored. Masked and
undetected points are missing; the file's confidences are kept. Of several people one is followed
(`frames.follow_signer`), because their order in the file says nothing.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.pose.formats.clips import Reading
from signgen.pose.formats.persons import follow_signer
from signgen.pose.formats.pose_maps import HAND_COMPONENTS, Component, Points, map_components
from signgen.pose.formats.reading import checked_fps, checked_sequence, checked_size
from signgen.structures import PoseSequence

__all__ = ["read", "sniff"]

_VERSIONS = (0.0, 0.1, 0.2)
_EXPECTED = "MediaPipe Holistic, OpenPose BODY_25 with hands, or COCO-WholeBody 133"
#: Everything that pose-format is known to raise on broken files.
_LIBRARY_ERRORS = (
    struct.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    NotImplementedError,
    TypeError,
    ValueError,  # includes UnicodeDecodeError
)


def sniff(data: bytes) -> bool:
    """Tell whether the bytes begin with a known version and a named component."""
    if len(data) < 14:
        return False
    version, _, _, _, components, name = struct.unpack_from("<f5H", data)
    known = any(abs(version - v) < 1e-4 for v in _VERSIONS)
    return known and 0 < components < 64 and 0 < name < 256


def read(data: bytes, path: Path) -> Reading:
    """Read the bytes of one file.

    Args:
        data: What `sniff` recognised.
        path: Named in messages.

    Returns:
        The sequence, `coco-wholebody-133`.

    Raises:
        UserError: If the file is truncated or broken, has only hands or unknown components, no
            people, or bad numbers.
    """
    pose = _parse(data, path)
    size = checked_size((pose.header.dimensions.height, pose.header.dimensions.width), path)
    fps = checked_fps(float(pose.body.fps), path)
    with np.errstate(all="ignore"):  # NaN is named later, with its place
        confidence = np.asarray(pose.body.confidence, dtype=np.float64)  # (T, people, N)
    values = np.ma.asarray(pose.body.data)
    if confidence.ndim != 3 or values.ndim != 4 or values.shape[:3] != confidence.shape:
        raise UserError(f"{path} is a broken .pose file: points and confidences differ in number.")
    if 0 in confidence.shape:
        raise UserError(
            f"{path} holds {len(confidence)} frames and {confidence.shape[1]} people; "
            "expected at least 1 of each."
        )
    people = []
    for person in range(confidence.shape[1]):
        parts = _components(pose, values[:, person], confidence[:, person], path)
        mapped = map_components(parts)
        if mapped is None:
            _refuse(parts, path)
        people.append(mapped)
    points, scores = people[0] if len(people) == 1 else _followed(people)
    poses = checked_sequence(
        points, scores, path, skeleton="coco-wholebody-133", size=size, fps=fps
    )
    _check_pixels(poses, path)
    # Of version 0.0 the library reads the first person only.
    count = None if pose.header.version < 0.05 else confidence.shape[1]
    return Reading(poses, people=count)


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
    except _LIBRARY_ERRORS as error:
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


def _followed(people: list[tuple[Points, Points]]) -> tuple[Points, Points]:
    """Return (T, 133, 2) points and (T, 133) confidence of the signer among several people."""
    frames = [
        [(points[t], scores[t]) for points, scores in people if scores[t].any()]
        for t in range(len(people[0][1]))
    ]
    kept = follow_signer(frames)
    return np.stack([points for points, _ in kept]), np.stack([scores for _, scores in kept])


def _components(
    pose: Any, values: np.ma.MaskedArray[Any, Any], confidence: NDArray[np.float64], path: Path
) -> dict[str, Component]:
    """Cut one person into components, taking x and y by their letters."""
    parts: dict[str, Component] = {}
    start = 0
    for part in pose.header.components:
        stop = start + len(part.points)
        if "X" not in part.format or "Y" not in part.format:
            raise UserError(f"{path}: component {part.name[:40]!r} has no X and Y.")
        x, y = part.format.index("X"), part.format.index("Y")
        if max(x, y) >= values.shape[-1]:
            raise UserError(f"{path} is a broken .pose file: its points have too few dimensions.")
        chosen = values[:, start:stop, [x, y]]
        hidden = np.ma.getmaskarray(chosen).any(axis=-1)
        scores = np.where(hidden, 0.0, confidence[:, start:stop])
        with np.errstate(all="ignore"):
            points = np.where((scores == 0)[..., None], 0.0, chosen.data).astype(np.float64)
        parts[part.name] = Component(list(part.points), points, scores)
        start = stop
    return parts


def _refuse(parts: dict[str, Component], path: Path) -> NoReturn:
    names = set(parts)
    if names and names <= HAND_COMPONENTS:
        count = sum(len(part.names) for part in parts.values())
        raise UserError(
            f"{path} has only hand points ({count}); body points are needed to draw a signer. "
            "Estimate the whole body."
        )
    listed = ", ".join(f"{name[:40]} {len(part.names)}" for name, part in list(parts.items())[:6])
    raise UserError(f"{path} has components {listed!a}; expected those of {_EXPECTED}.")


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
