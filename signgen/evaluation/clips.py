"""Pair generated with reference clips: videos, folders of frames, trees of clips, single images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signgen.errors import ExitCode, UserError
from signgen.evaluation.kinds import UNKNOWN, check_rates, kind_of
from signgen.human_parsing.maps import Parts
from signgen.media import find_clips, list_pictures, open_clip, read_image
from signgen.media.video import PICTURE_SUFFIXES
from signgen.pose.formats import read_clip_of, read_poses
from signgen.structures import PoseSequence

__all__ = [
    "Clip",
    "ClipFiles",
    "Failure",
    "Pairing",
    "file_beside",
    "pair_names",
    "pair_paths",
]


SOURCE_POSES = "poses of the source"


@dataclass(frozen=True)
class Clip:
    """One clip, generated and true.

    Args:
        id: Name of the clip, unique in an evaluation.
        signer: Name of the signer, empty where unknown.
        generated: (H, W, 3) uint8 RGB frames in order; an array (T, H, W, 3) will do.
        reference: The true frames, as many; of the same size unless they are resized.
        poses: Key points of the reference, or None.
        generated_poses: Key points that came with the generated frames, or None.
        compared: Frames of the systems compared with the generated ones, by name.
        source: (H, W, 3) uint8 frames, what was given to the systems: one, or as many as there are
            true frames; None for the first true frame.
        source_poses: Key points of the source, of which the first are taken; None for those of the
            first true frame, where that is the source.
        still: Whether it is a single picture, beside its source, and no clip that begins with it.
        kind: Kind of the files of the true frames, such as `png` or `h264`; see `kinds.kind_of`.
        from_files: Whether frames are decoded while they are iterated, so that a thread can.
        parts: Human parsing of the true frames, as many, or None.
        trim_ends: Frames or key points to cut at most at the end of what has more.
    """

    id: str
    signer: str
    generated: Iterable[NDArray[np.uint8]]
    reference: Iterable[NDArray[np.uint8]]
    poses: PoseSequence | None = None
    generated_poses: PoseSequence | None = None
    compared: Mapping[str, Iterable[NDArray[np.uint8]]] = field(default_factory=dict)
    source: Iterable[NDArray[np.uint8]] | None = None
    source_poses: PoseSequence | None = None
    still: bool = False
    kind: str = UNKNOWN
    from_files: bool = False
    parts: Iterable[Parts] | None = None
    trim_ends: int = 0


@dataclass(frozen=True)
class ClipFiles:
    """The files of a clip: each a video, a folder of pictures, or a picture.

    Args:
        id: Name of the clip, unique in an evaluation.
        generated: Frames to score.
        reference: The true frames.
        poses: Key points of the reference, or None.
        generated_poses: Key points of the generated frames, a file or a folder with one per clip.
        compared: Frames of other systems, by name.
        source: What was given to the systems; None for the first true frame.
        source_poses: Key points of the source, or None.
        signer: Name of the signer, empty where unknown.
        still, trim_ends: As in `Clip`.
    """

    id: str
    generated: Path
    reference: Path
    poses: Path | None = None
    generated_poses: Path | None = None
    compared: Mapping[str, Path] = field(default_factory=dict)
    source: Path | None = None
    source_poses: Path | None = None
    signer: str = ""
    still: bool = False
    trim_ends: int = 0

    def open(self) -> Clip:
        """Open the files; frames are read later, while they are compared."""
        check_rates(self.generated, self.reference)
        own_poses = self.generated_poses
        if own_poses is not None and own_poses.is_dir():
            own_poses = file_beside(own_poses, self.id, "poses")
        return Clip(
            self.id,
            self.signer,
            _frames(self.generated),
            _frames(self.reference),
            None if self.poses is None else _poses(self.poses, self.reference),
            None if own_poses is None else _poses(own_poses, self.generated),
            compared={name: _frames(path) for name, path in self.compared.items()},
            source=None if self.source is None else _frames(self.source),
            source_poses=self._source_poses(),
            still=self.still,
            kind=kind_of(self.reference),
            from_files=True,
            trim_ends=self.trim_ends,
        )

    def _source_poses(self) -> PoseSequence | None:
        if self.source is None or self.source_poses is None:
            return None
        return read_clip_of(self.source_poses, str(self.source), _size(self.source)).poses


@dataclass(frozen=True)
class Failure:
    """A clip that could not be scored, by its name, and why, in one line."""

    id: str
    error: str


@dataclass(frozen=True)
class Pairing:
    """Which clips of several paths belong together.

    Args:
        clips: Those that all paths have, sorted by name.
        failed: Those that one lacks.
        counts: Numbers of names: `matched`, `only_generated`, `only_reference`.
        images: Whether each is a single image.
    """

    clips: tuple[ClipFiles, ...]
    failed: tuple[Failure, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    images: bool = False


def pair_paths(
    generated: str | Path,
    reference: str | Path,
    poses: str | Path | None = None,
    *,
    compare: Mapping[str, str | Path] | None = None,
    source: str | Path | None = None,
    source_poses: str | Path | None = None,
    generated_poses: str | Path | None = None,
) -> Pairing:
    """Pair the clips of two or more paths.

    Each path is a video, a folder of pictures, or a folder with clips at any depth, which are
    videos or folders of pictures. Single clips are paired whatever their names; clips of folders by
    equal ways there, without ending. Pixels are read later, while they are compared.

    Args:
        generated: Frames to score.
        reference: The true frames.
        poses: Poses of the reference, or None: one file, or for folders of clips a folder with one
            file (or MMPose folder) per clip, of the clip's name.
        compare: Frames of other systems, by name.
        source: What was given to the systems: a picture or clip, or a folder with one per clip.
        source_poses: Poses of the source, in the form of `poses`.
        generated_poses: Poses of the generated frames, in the form of `poses`.

    Raises:
        UserError: If a path is missing, holds no clips, is of another kind than the reference, or
            there is no name that all have.
    """
    paths = {"generated": Path(generated)}
    paths |= {name: Path(path) for name, path in (compare or {}).items()}
    truth = _clips(Path(reference))
    systems = {name: _clips(path) for name, path in paths.items()}
    for name, clips in systems.items():
        if isinstance(clips, Path) != isinstance(truth, Path):
            one, many = (paths[name], reference)[:: 1 if isinstance(clips, Path) else -1]
            raise UserError(
                f"{one} is one clip but {many} is a folder of clips; expected both of one kind."
            )
    beside = {"poses": poses, "source": source, SOURCE_POSES: source_poses}
    given = {what: Path(path) for what, path in beside.items() if path is not None}
    own_poses = None if generated_poses is None else Path(generated_poses)
    if isinstance(truth, Path):
        single = {name: clip for name, clip in systems.items() if isinstance(clip, Path)}
        clip = ClipFiles(
            truth.stem,
            single.pop("generated"),
            truth,
            given.get("poses"),
            own_poses,
            compared=single,
            source=given.get("source"),
            source_poses=given.get(SOURCE_POSES),
        )
        return Pairing((clip,), counts={"matched": 1, "only_generated": 0, "only_reference": 0})
    for what, path in given.items():
        _check_folder(path, what)
    folders = {name: clips for name, clips in systems.items() if isinstance(clips, dict)}
    pairing = pair_names(folders, truth, {**paths, "reference": Path(reference)})
    if own_poses is not None and len(pairing.clips) > 1:
        _check_folder(own_poses, "poses")
    pairs, failed = [], list(pairing.failed)
    for clip in pairing.clips:
        try:
            files = {what: file_beside(path, clip.id, what) for what, path in given.items()}
        except UserError as error:
            failed.append(Failure(clip.id, str(error)))
            continue
        pairs.append(
            replace(
                clip,
                poses=files.get("poses"),
                source=files.get("source"),
                source_poses=files.get(SOURCE_POSES),
                generated_poses=own_poses,
            )
        )
    return replace(pairing, clips=tuple(pairs), failed=tuple(failed))


def pair_names(
    systems: Mapping[str, Mapping[str, Path]],
    truth: Mapping[str, Path],
    paths: Mapping[str, Path],
) -> Pairing:
    """Pair clips or images by their names.

    Args:
        systems: Clips by name, of each system; `generated` is one of them.
        truth: Clips of the reference by name.
        paths: What the user gave for each system, and for `reference`.

    Raises:
        UserError: If there is no name that all have.
    """
    every = sorted(set(truth).union(*systems.values()))
    holders = {**systems, "reference": truth}
    missing = {
        name: [holder for holder, clips in holders.items() if name not in clips] for name in every
    }
    names = [name for name, absent in missing.items() if not absent]
    ours = set(systems["generated"])
    if not names:
        lacking = next((name for name in systems if not set(systems[name]) & set(truth)), None)
        raise UserError(
            f"{paths[lacking or 'generated']} and {paths['reference']} have no name in common"
            + ("" if lacking else " that all systems have")
            + f" ({len(systems[lacking or 'generated'])} and {len(truth)} clips); "
            "expected equal names.",
            ExitCode.NO_INPUT,
        )
    others = {system: clips for system, clips in systems.items() if system != "generated"}
    return Pairing(
        clips=tuple(
            ClipFiles(
                name,
                systems["generated"][name],
                truth[name],
                compared={system: clips[name] for system, clips in others.items()},
            )
            for name in names
        ),
        failed=tuple(
            Failure(name, f"{paths[absent[0]]} has no clip {name}; expected equal names.")
            for name, absent in missing.items()
            if absent
        ),
        counts={
            "matched": len(ours & set(truth)),
            "only_generated": len(ours - set(truth)),
            "only_reference": len(set(truth) - ours),
        },
    )


def _frames(path: Path) -> Iterable[NDArray[np.uint8]]:
    """Return the frames of a clip; a picture is decoded once, when its turn comes."""
    if path.suffix.lower() in PICTURE_SUFFIXES and not path.is_dir():
        return (read_image(picture) for picture in (path,))
    return open_clip(path)


def _size(path: Path) -> tuple[int, int]:
    """Return the (H, W) of a picture's or a clip's frames."""
    if path.suffix.lower() in PICTURE_SUFFIXES and not path.is_dir():
        height, width = read_image(path).shape[:2]
        return int(height), int(width)
    return open_clip(path).info.size


def _poses(path: Path, frames: Path) -> PoseSequence:
    """Return the poses of a clip, in pixels of its frames."""
    clip = open_clip(frames)
    return read_poses(path, size=clip.info.size, fps=clip.fps)


def _clips(path: Path) -> Path | dict[str, Path]:
    """Return a path that is one clip, or the clips of a folder by name."""
    clips = find_clips(path)
    return clips if path.is_dir() and not list_pictures(path) else path


def _check_folder(folder: Path, what: str) -> None:
    if not folder.is_dir():
        raise UserError(
            f"{folder} is not a folder; expected a folder with one file of {what} per clip.",
            ExitCode.NO_INPUT,
        )


def file_beside(folder: Path, name: str, what: str) -> Path:
    """Return the file or folder of a clip's name, which may lead into folders below a folder.

    Raises:
        UserError: If there is none of `what`, such as `poses`, or more than one (66).
    """
    _check_folder(folder, what)
    place = folder / name
    entries = sorted(place.parent.iterdir()) if place.parent.is_dir() else []
    files = [
        entry for entry in entries if (entry.name if entry.is_dir() else entry.stem) == place.name
    ]
    if len(files) != 1:
        example = "png" if what == "source" else "json"
        raise UserError(
            f"{folder} has {len(files)} files of {what} for clip {name}; expected one, "
            f"{name}.{example}.",
            ExitCode.NO_INPUT,
        )
    return files[0]
