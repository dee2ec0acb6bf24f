"""Any folder of recordings as a dataset: videos or folders of pictures, one signer or several.

    DIR/hello.mp4  DIR/thanks.mp4                    one signer
    DIR/anna/hello.mp4  DIR/ben/hello.mp4            signers by folder
    DIR/train/...  DIR/val/...  DIR/test/...         splits by folder (How2Sign)
    DIR/hello/0001.png ...                           a folder of pictures is a clip too
    hello.mp4                                        a single clip

Folders that name no signer, such as How2Sign's `rgb_front/raw_videos`, are passed over.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from signgen.data.manifest import SPLITS, Entry, Problem, Scan
from signgen.files.paths import check_local
from signgen.media import Backend, find_clips, open_clip, open_video
from signgen.structures import ExitCode, Record, UserError

__all__ = ["SPLIT_NAMES", "drawn_splits", "scan_folder", "splits_of"]

SPLIT_NAMES = {"train": "train", "dev": "dev", "val": "dev", "validation": "dev", "test": "test"}
"""How folders call the splits."""

_NO_SIGNER = {"rgb_front", "rgb_side", "raw_videos", "videos", "clips", "sentence_level"}
_NO_CLIPS = {"openpose_output", "features", "poses", "keypoints"}


def scan_folder(
    folder: Path,
    *,
    fps: float = 25.0,
    split_by: Literal["clip", "signer"] = "clip",
    video_reader: Backend = "auto",
    constant_rate: float | None = None,
) -> Scan:
    """Look for the clips of a folder.

    Args:
        folder: The recordings, or a single video.
        fps: Frame rate of folders of pictures, which have none of their own.
        split_by: What is kept together when clips are put into splits: each clip, or all clips of a
            signer. Not used where folders name the splits.
        video_reader: What decodes videos.
        constant_rate: Frames per second to resample videos to; None leaves them as they are.

    Returns:
        The clips that can be read, and one problem for each other.
    """
    if not check_local(folder, "folder of recordings").exists():
        raise UserError(f"{folder} does not exist; expected recordings.", ExitCode.NO_INPUT)
    found = find_clips(folder.resolve())
    folder = folder.resolve() if folder.is_dir() else folder.resolve().parent
    clips = {
        name: path
        for name, path in found.items()
        if not _NO_CLIPS & set(path.relative_to(folder).parts)
    }
    signers = {name: _signer(name, folder.name) for name in clips}
    splits = splits_of(signers, split_by)
    entries, problems = list[Entry](), list[Problem]()
    remarks: list[str] = []
    for name, path in clips.items():
        record = Record(name, splits[name], signers[name], 1)
        try:
            entry, said = _entry(folder, path, record, fps, video_reader, constant_rate)
            entries.append(entry)
            remarks += said
        except UserError as error:
            problems.append(Problem.of(error, path, f"{record.split}/{name}"))
    return Scan(folder, tuple(entries), tuple(problems), remarks=tuple(remarks))


def _entry(
    folder: Path,
    path: Path,
    record: Record,
    fps: float,
    video_reader: Backend,
    constant_rate: float | None,
) -> tuple[Entry, tuple[str, ...]]:
    """Count the frames of a clip and say where they lie, and what should be known of it."""
    if path.is_file():
        video = open_video(path, video_reader, constant_rate=constant_rate)
        record = replace(record, num_frames=len(video))
        name = path.relative_to(folder).as_posix()
        entry = Entry(record, name, video.size, video.fps, constant_rate=constant_rate)
        return entry, video.remarks
    clip = open_clip(path, fps)
    names = tuple(picture.relative_to(folder).as_posix() for picture in clip.pictures or ())
    return Entry(replace(record, num_frames=len(names)), names, clip.info.size, clip.fps), ()


def _signer(name: str, default: str) -> str:
    """Return the first folder above a clip that is no split and no technical name."""
    above = [part for part in name.split("/")[:-1] if part not in _NO_SIGNER]
    if above and above[0] in SPLIT_NAMES:
        above = above[1:]
    return above[0] if above else default


def splits_of(
    signers: Mapping[str, str], split_by: Literal["clip", "signer"] = "clip"
) -> dict[str, str]:
    """Return the split of every clip, by its first folder where all have one, else drawn.

    Args:
        signers: The signer of every clip.
        split_by: As for `drawn_splits`.
    """
    named = {name: SPLIT_NAMES.get(name.split("/")[0], "") for name in signers}
    return named if all(named.values()) else drawn_splits(signers, split_by)


def drawn_splits(
    signers: Mapping[str, str],
    split_by: Literal["clip", "signer"] = "clip",
    shares: tuple[float, float] = (0.1, 0.1),
) -> dict[str, str]:
    """Draw splits by the checksum of names, so that a clip keeps its split when others come.

    The only ones that may move are those that stand in for a split nothing was drawn for.

    Args:
        signers: The signer of every clip.
        split_by: `signer` keeps the clips of a signer together.
        shares: Shares of the clips (or signers) for dev and test, each 0 to 1.

    Returns:
        The split of every clip; each split has one where there are three clips (or signers), fewer
        are all for training.
    """
    unit = {name: signer if split_by == "signer" else name for name, signer in signers.items()}
    # Numbers from 0 to 1, excluded, that only the names decide
    digests = {key: hashlib.sha256(key.encode()).digest() for key in unit.values()}
    drawn = {key: int.from_bytes(digest[:6]) / 2**48 for key, digest in digests.items()}
    if len(drawn) < 3:
        return dict.fromkeys(signers, "train")
    dev, test = shares
    split = {
        key: "dev" if drawn[key] < dev else "test" if drawn[key] < dev + test else "train"
        for key in sorted(drawn, key=lambda key: (drawn[key], key))
    }
    for empty in [name for name in SPLITS if name not in split.values()]:
        fullest = Counter(split.values()).most_common(1)[0][0]
        split[next(key for key, name in split.items() if name == fullest)] = empty
    return {name: split[key] for name, key in unit.items()}
