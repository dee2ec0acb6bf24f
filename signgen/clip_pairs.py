"""Pair generated with reference clips: videos, folders of frames, folders of clips."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signgen.errors import ExitCode, UserError
from signgen.media import VIDEO_SUFFIXES, list_pictures, read_frames
from signgen.pose.formats import read_poses
from signgen.structures import PoseSequence


@dataclass(frozen=True)
class ClipPair:
    """One clip, generated and true.

    Args:
        id: Name of the clip, unique in an evaluation.
        signer: Name of the signer, empty where unknown.
        generated: (H, W, 3) uint8 RGB frames in order; an array (T, H, W, 3) will do.
        reference: The true frames, as many and of the same size.
        poses: Key points of the reference, or None.
    """

    id: str
    signer: str
    generated: Iterable[NDArray[np.uint8]]
    reference: Iterable[NDArray[np.uint8]]
    poses: PoseSequence | None = None


def pair_paths(
    generated: str | Path, reference: str | Path, poses: str | Path | None = None
) -> list[ClipPair]:
    """Pair the clips of two paths.

    Each path is a video, a folder of pictures, or a folder of clips, which are videos or folders of
    pictures. Two single clips are paired whatever their names; clips of folders by equal names
    without ending. Pixels are read later, while they are compared.

    Args:
        generated: Frames to score.
        reference: The true frames.
        poses: Poses of the reference, or None: one file, or for folders of clips a folder with one
            file (or MMPose folder) per clip, of the clip's name.

    Returns:
        Pairs, sorted by name.

    Raises:
        UserError: If a path is missing, holds no clips, or a clip or its poses have no partner.
    """
    ours, truth = _clips(Path(generated)), _clips(Path(reference))
    if isinstance(ours, Path) and isinstance(truth, Path):
        return [_pair(truth.stem, ours, truth, None if poses is None else Path(poses))]
    if isinstance(ours, Path) or isinstance(truth, Path):
        single, many = (generated, reference) if isinstance(ours, Path) else (reference, generated)
        raise UserError(
            f"{single} is one clip but {many} is a folder of clips; expected both of one kind."
        )
    _check_partners(set(truth) - set(ours), generated, reference)
    _check_partners(set(ours) - set(truth), reference, generated)
    folder = None if poses is None else Path(poses)
    return [
        _pair(name, ours[name], truth[name], folder and _poses_of(folder, name))
        for name in sorted(truth)
    ]


def _clips(path: Path) -> Path | dict[str, Path]:
    """Return a path that is one clip, or the clips of a folder by name."""
    if not path.is_dir():
        return path
    if list_pictures(path):
        return path
    clips: dict[str, Path] = {}
    for entry in sorted(path.iterdir()):
        is_clip = (
            bool(list_pictures(entry)) if entry.is_dir() else entry.suffix.lower() in VIDEO_SUFFIXES
        )
        if entry.name.startswith(".") or not is_clip:
            continue
        name = entry.name if entry.is_dir() else entry.stem
        if name in clips:
            raise UserError(f"{entry} and {clips[name]} have the same name; expected one of them.")
        clips[name] = entry
    if not clips:
        raise UserError(
            f"{path} holds no clips; expected pictures, videos, or folders of pictures.",
        )
    return clips


def _check_partners(missing: set[str], where: str | Path, other: str | Path) -> None:
    if missing:
        first = min(missing)
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UserError(
            f"{where} has no clip {first}{more}, which {other} has; expected equal names in both.",
            ExitCode.NO_INPUT,
        )


def _poses_of(folder: Path, name: str) -> Path:
    if not folder.is_dir():
        raise UserError(
            f"{folder} is not a folder; expected a folder with one file of poses per clip.",
            ExitCode.NO_INPUT,
        )
    found = [
        entry
        for entry in sorted(folder.iterdir())
        if (entry.name if entry.is_dir() else entry.stem) == name
    ]
    if len(found) != 1:
        raise UserError(
            f"{folder} has {len(found)} files of poses for clip {name}; expected one, {name}.json.",
            ExitCode.NO_INPUT,
        )
    return found[0]


def _pair(name: str, generated: Path, reference: Path, poses: Path | None) -> ClipPair:
    truth = read_frames(reference)
    sequence = None
    if poses is not None:
        sequence = read_poses(poses, size=truth.info.size, fps=truth.fps)
    return ClipPair(name, "", read_frames(generated), truth, sequence)
