"""Preparing a dataset: check its pictures, pack its key points, write its manifest and a report."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from signgen.data.manifest import SPLITS, Entry, Manifest, Problem, Scan, write_manifest
from signgen.files.digests import sha256
from signgen.files.locking import locked
from signgen.files.paths import check_no_device, check_output
from signgen.files.writing import atomic_paths, make_folder, remove_leftovers, save_text
from signgen.media import open_video, probe_video
from signgen.pose.skeleton import SKELETONS
from signgen.pose.transforms import resize
from signgen.structures import ExitCode, PoseSequence, Progress, Record, UserError

__all__ = [
    "PROBLEMS",
    "PosesOf",
    "Prepared",
    "Resplit",
    "check_picture",
    "preparation",
    "prepare_dataset",
]

PROBLEMS = "problems.jsonl"
"""What was left out, one JSON object a line, beside the manifest."""

PosesOf = Callable[[Entry], PoseSequence]
"""Returns the key points of a record, one per frame; a `UserError` keeps the record out."""


Resplit = Callable[[Sequence[Record]], Mapping[str, str]]
"""Returns the split of every record by its id."""
OF_ALL = frozenset({ExitCode.USAGE, ExitCode.UNAVAILABLE, ExitCode.CANNOT_CREATE, ExitCode.IO})
"""Exit codes of errors that every other record would meet too: no room to write, no estimator."""


@dataclass(frozen=True)
class Prepared:
    """What `prepare_dataset` made.

    Args:
        manifest: The dataset.
        path: File of the manifest.
        problems: What was left out.
        trimmed: What was cut at the end of records, a line each.
    """

    manifest: Manifest
    path: Path
    problems: tuple[Problem, ...]
    trimmed: tuple[str, ...] = ()


@contextmanager
def preparation(out: str | Path) -> Iterator[None]:
    """Keep a folder to one preparation, and remove what killed ones left in it.

    Raises:
        UserError: If another one has not ended, or the folder cannot be made (73).
    """
    out = Path(out)
    with locked(out, "a preparation"):
        for folder in (out, out / "poses", *(out / "estimated").glob("**/")):
            remove_leftovers(folder, "*")
        yield


def prepare_dataset(
    scan: Scan,
    dataset: str,
    skeleton: str,
    poses_of: PosesOf | None,
    out: Path,
    *,
    check: bool = True,
    trim_ends: int = 0,
    resplit: Resplit | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """Write the manifest of a dataset and the packed key points beside it.

    Records with broken pictures or without fitting key points are left out and listed in
    `problems.jsonl`. Running it again replaces what it wrote.

    Args:
        scan: Records and the problems of the look through their folder.
        dataset: Short name of the dataset.
        skeleton: Skeleton of the poses.
        poses_of: Where key points come from; None writes a manifest without any.
        out: Folder to write to; made if it is missing.
        check: Look at the first and last bytes of every picture, and decode every video.
        trim_ends: Frames or poses to cut at most at the end of a record that has more of one than
            of the other.
        resplit: Gives the records that are left their splits, where these are drawn.
        progress: Wraps the records as they are worked on, with their number.
    """
    make_folder(out / "poses")
    check_output(out / PROBLEMS)
    entries: list[Entry] = []
    problems, trimmed = list(scan.problems), list[str]()
    files: dict[str, str] = {}
    for split in SPLITS:
        records = [entry for entry in scan.entries if entry.record.split == split]
        records.sort(key=lambda entry: entry.record.id)
        pending = progress(records, len(records)) if progress and records else records
        # One record after the other: its pictures, its key points, its rows of the packed file
        sound = _with_whole_pictures(pending, scan.root, problems) if check else pending
        if poses_of is None:
            entries += sound
            continue
        posed = _with_poses(sound, skeleton, poses_of, problems, trim_ends, trimmed)
        name = f"poses/{split}.npy"
        num_rows = sum(entry.record.num_frames for entry in records)
        packed = _pack(out, name, (num_rows, SKELETONS[skeleton].num_keypoints, 3), posed)
        if packed:
            entries += packed
            files[name] = sha256(out / name)
    if not entries:
        first = "".join(f" First: {problem}" for problem in problems[:1])
        raise UserError(f"{scan.root} has no record that can be used.{first}")
    entries = entries if resplit is None else _again_split(entries, resplit)
    manifest = Manifest(
        dataset,
        skeleton,
        scan.root.resolve(),
        out.resolve(),
        tuple(entries),
        files,
        scan.label_set,
    )
    rows = [{"path": str(p.path), "what": p.message, "record": p.record} for p in problems]
    save_text(out / PROBLEMS, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
    return Prepared(manifest, write_manifest(manifest), tuple(problems), tuple(trimmed))


def _again_split(entries: Sequence[Entry], resplit: Resplit) -> list[Entry]:
    """Return records in other splits; their poses stay in the files that they were packed into."""
    splits = resplit([entry.record for entry in entries])
    again = [
        replace(entry, record=replace(entry.record, split=splits[entry.record.id]))
        for entry in entries
    ]
    return sorted(again, key=lambda entry: (SPLITS.index(entry.record.split), entry.record.id))


def _with_whole_pictures(
    records: Iterable[Entry], root: Path, problems: list[Problem]
) -> Iterator[Entry]:
    """Yield the records whose pictures or videos are whole; note what is wrong with the others."""
    for entry in records:
        path = root
        try:
            if entry.is_video:
                path = root / entry.frame_path(0)
                _check_video(path, entry)
            for index in range(0 if entry.is_video else entry.record.num_frames):
                path = root / entry.frame_path(index)
                check_picture(path)
        except UserError as error:
            problems.append(Problem.of(error, path, entry.name))
        else:
            yield entry


def _with_poses(
    records: Iterable[Entry],
    skeleton: str,
    poses_of: PosesOf,
    problems: list[Problem],
    trim_ends: int,
    trimmed: list[str],
) -> Iterator[tuple[Entry, PoseSequence]]:
    """Yield the records that have fitting key points; note what was cut, and what is wrong."""
    for entry in records:
        count, message = entry.record.num_frames, ""
        try:
            poses = poses_of(entry)
        except UserError as error:
            if error.code in OF_ALL:
                raise
            message = f"is left out: {error}"
        else:
            if poses.skeleton != skeleton:
                message = f"has key points of skeleton {poses.skeleton}; expected {skeleton}."
            elif abs(len(poses) - count) > trim_ends:
                message = (
                    f"has {len(poses)} poses for {count} frames; expected as many. --trim-ends "
                    f"{abs(len(poses) - count)} cuts the longer one at the end."
                )
            else:
                both = min(len(poses), count)
                if len(poses) != count:
                    trimmed.append(
                        f"{entry.name} has {len(poses)} poses for {count} frames; {both} are kept."
                    )
                yield _cut(entry, both), poses.frames(slice(both))
        if message:
            problems.append(Problem(Path(entry.name), message, entry.name))


def _cut(entry: Entry, count: int) -> Entry:
    """Return a record without the frames from `count` on."""
    frames = entry.frames if isinstance(entry.frames, str) else entry.frames[:count]
    parts = entry.parts if isinstance(entry.parts, str) else entry.parts[:count]
    record = replace(entry.record, num_frames=count)
    return replace(entry, record=record, frames=frames, parts=parts)


def _pack(
    out: Path, name: str, shape: tuple[int, int, int], records: Iterable[tuple[Entry, PoseSequence]]
) -> list[Entry]:
    """Write poses into one file, (rows, K, 3); return their records with their place in it.

    Without any there is no file; rows for records that were left out stay 0.
    """
    entries: list[Entry] = []
    row = 0
    with ExitStack() as stack:
        for entry, poses in records:
            if not entries:
                (temporary,) = stack.enter_context(atomic_paths([out / name]))
                bits = poses.keypoints.dtype
                # A full disk would end the process where it is found out page by page
                _reserve(temporary, math.prod(shape) * bits.itemsize)
                packed = np.lib.format.open_memmap(temporary, "w+", bits, shape)
                stack.callback(packed.flush)
            entries.append(replace(entry, poses=name, first_pose=row))
            placed, stop = resize(poses, entry.size), row + len(poses)
            packed[row:stop, :, :2] = placed.keypoints
            packed[row:stop, :, 2] = placed.confidence
            row = stop
    return entries


def _reserve(path: Path, size: int) -> None:
    """Fail now, with an `OSError`, where the disk has no room for a file of so many bytes."""
    if not hasattr(os, "posix_fallocate"):
        return
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, size))


def _check_video(path: Path, entry: Entry) -> None:
    """Refuse a video of which other frames come out than counted; all of them are decoded."""
    frames = entry.record.num_frames
    if entry.constant_rate is not None:
        frames = open_video(path).file_frames
    found = probe_video(path, count=True).num_frames
    if found != frames:
        raise UserError(
            f"{path} holds {found} frames that can be decoded, but declares {frames}; it is cut "
            "off or damaged. Copy or export the video again."
        )


def check_picture(path: Path) -> None:
    """Refuse a PNG or JPEG file by its first and last bytes: one that was cut off has lost its end.

    The pixels themselves are not decoded.
    """
    check_no_device(path, "a frame")
    try:
        with path.open("rb") as file:
            start = file.read(8)
            file.seek(-8, os.SEEK_END)
            end = file.read(8)
    except OSError as error:
        reason = "is too short for a picture" if path.is_file() else error.strerror
        raise UserError(f"{path} cannot be read: {reason}.") from error
    png = start == b"\x89PNG\r\n\x1a\n"
    if not png and not start.startswith(b"\xff\xd8\xff"):
        raise UserError(f"{path} is neither PNG nor JPEG; expected a frame.")
    if png and end != b"IEND\xaeB`\x82":
        raise UserError(f"{path} is cut off: a PNG ends in IEND. Copy it again.")
    if not png and b"\xff\xd9" not in end:
        raise UserError(f"{path} is cut off: a JPEG ends in FF D9. Copy it again.")
