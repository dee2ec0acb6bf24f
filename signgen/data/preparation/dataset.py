"""Preparing a dataset: check its pictures, pack its key points, write its manifest and a report."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from signgen.data.dataset import is_video, picture_path
from signgen.data.manifest import SPLITS, Entry, Manifest, Problem, Scan, write_manifest
from signgen.files.digests import sha256
from signgen.files.paths import check_output
from signgen.files.writing import atomic_path, make_folder, save_text
from signgen.pose.skeleton import SKELETONS
from signgen.pose.transforms import resize
from signgen.structures import PoseSequence, UserError

__all__ = [
    "PROBLEMS",
    "PosesOf",
    "Prepared",
    "Progress",
    "check_pictures",
    "picture_fault",
    "prepare_dataset",
]

PROBLEMS = "problems.jsonl"
"""What was left out, one JSON object a line, beside the manifest."""

PosesOf = Callable[[Entry], PoseSequence]
"""Returns the key points of a record, one per frame; a `UserError` keeps the record out."""
Progress = Callable[[Iterable[Entry], int], Iterable[Entry]]
"""Wraps records as they are worked on, with their number."""

_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"


@dataclass(frozen=True)
class Prepared:
    """What `prepare_dataset` made.

    Args:
        manifest: The manifest as written.
        path: Its file.
        problems: What was left out.
    """

    manifest: Manifest
    path: Path
    problems: tuple[Problem, ...]


def prepare_dataset(
    found: Scan,
    dataset: str,
    skeleton: str,
    poses_of: PosesOf | None,
    out: Path,
    *,
    check: bool = True,
    progress: Progress | None = None,
) -> Prepared:
    """Write the manifest of a dataset and the packed key points beside it.

    Records with broken pictures or without fitting key points are left out and listed in
    `problems.jsonl`. Running it again replaces what it wrote.

    Args:
        found: Records and the problems of the look through their folder.
        dataset: Short name of the dataset.
        skeleton: Skeleton of the poses.
        poses_of: Where key points come from; None writes a manifest without any.
        out: Folder to write to; made if it is missing.
        check: Look at the first and last bytes of every picture.
        progress: Wraps the records as they are worked on, with their number.

    Returns:
        The manifest and everything that was left out.

    Raises:
        UserError: If no record is left, or the folder cannot be written.
    """
    make_folder(out / "poses")
    check_output(out / PROBLEMS)
    entries: list[Entry] = []
    problems = list(found.problems)
    files: dict[str, str] = {}
    for split in SPLITS:
        chosen = [entry for entry in found.entries if entry.record.split == split]
        chosen.sort(key=lambda entry: entry.record.id)
        shown = chosen if progress is None or not chosen else progress(chosen, len(chosen))
        with _PosePack(out, f"poses/{split}.npy", chosen, skeleton) as pack:
            for entry in shown:
                kept: Entry | Problem = entry
                broken = check_pictures(found.root, entry) if check else None
                if broken is not None:
                    kept = broken
                elif poses_of is not None:
                    kept = pack.add(entry, poses_of)
                if isinstance(kept, Entry):
                    entries.append(kept)
                else:
                    problems.append(kept)
        files |= pack.files
    if not entries:
        first = f" First: {problems[0].path} {problems[0].what}" if problems else ""
        raise UserError(f"{found.root} has no record that can be used.{first}")
    manifest = Manifest(
        dataset, skeleton, found.root.resolve(), out.resolve(), tuple(entries), files
    )
    rows = [{"path": str(p.path), "what": p.what, "record": p.record} for p in problems]
    save_text(out / PROBLEMS, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
    return Prepared(manifest, write_manifest(manifest), tuple(problems))


class _PosePack:
    """A file of packed poses of one split, (rows, K, 3), that gets its name when it is complete."""

    def __init__(self, out: Path, name: str, entries: Sequence[Entry], skeleton: str) -> None:
        self.path, self.name, self.skeleton = out / name, name, skeleton
        self.rows = sum(entry.record.num_frames for entry in entries)
        self.files: dict[str, str] = {}
        self._next = 0
        self._packed: np.memmap[Any, np.dtype[np.float32]] | None = None
        self._written = ExitStack()

    def __enter__(self) -> Self:
        return self

    def add(self, entry: Entry, poses_of: PosesOf) -> Entry | Problem:
        """Pack the poses of a record; return it with their place, or what is wrong with them."""
        record = entry.record
        name = f"{record.split}/{record.id}"
        try:
            poses = poses_of(entry)
        except UserError as error:
            return Problem(Path(name), f"is left out: {error}", name)
        if poses.skeleton != self.skeleton:
            what = f"has key points of skeleton {poses.skeleton}; expected {self.skeleton}."
            return Problem(Path(name), what, name)
        if len(poses) != record.num_frames:
            what = f"has {len(poses)} poses for {record.num_frames} frames; expected as many."
            return Problem(Path(name), what, name)
        if self._packed is None:
            shape = (self.rows, SKELETONS[self.skeleton].num_keypoints, 3)
            temporary = self._written.enter_context(atomic_path(self.path))
            self._packed = np.lib.format.open_memmap(
                temporary, mode="w+", dtype=np.float32, shape=shape
            )

            def finish(failed: type[BaseException] | None, *_: object) -> None:
                if failed is None and self._packed is not None:
                    self._packed.flush()
                    self.files[self.name] = sha256(temporary)

            self._written.push(finish)
        first, self._next = self._next, self._next + record.num_frames
        placed = resize(poses, entry.size)
        self._packed[first : self._next, :, :2] = placed.keypoints
        self._packed[first : self._next, :, 2] = placed.confidence
        return replace(entry, poses=self.name, first_pose=first)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._written.__exit__(kind, error, trace)


def check_pictures(root: Path, entry: Entry) -> Problem | None:
    """Look at the first and last bytes of a record's PNG and JPEG files; None if all are whole.

    A picture whose copy was cut off has lost its end; the pixels themselves are not decoded. Videos
    were gone through when their frames were counted.
    """
    if is_video(entry):
        return None
    for index in range(entry.record.num_frames):
        path = root / picture_path(entry, index)
        if fault := picture_fault(path):
            return Problem(path, fault, f"{entry.record.split}/{entry.record.id}")
    return None


def picture_fault(path: Path) -> str:
    """Return what is wrong with the ends of a PNG or JPEG file; empty if nothing."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
            file.seek(-8, os.SEEK_END)
            end = file.read(8)
    except OSError as error:
        reason = "is too short for a picture" if path.is_file() else error.strerror
        return f"cannot be read: {reason}."
    png = start == _PNG_START
    if not png and not start.startswith(_JPEG_START):
        return "is neither PNG nor JPEG; expected a frame."
    if png and end != _PNG_END:
        return "is cut off: a PNG ends in IEND. Copy it again."
    if not png and _JPEG_END not in end:
        return "is cut off: a JPEG ends in FF D9. Copy it again."
    return ""
