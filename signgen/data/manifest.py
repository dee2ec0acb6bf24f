"""Manifests: which records a prepared dataset has and where their frames and poses lie.

A manifest is a file of JSON lines, `manifest.jsonl`:

    {"format": "signgen-manifest", "version": 1, "dataset": ..., "skeleton": ..., "root": ..., ...}
    {"id": ..., "split": ..., "signer": ..., "num_frames": ..., "size": [H, W], "frames": ..., ...}
    {"records": 1, "sha256": "..."}

The last line holds the number of records and the SHA-256 of all bytes before it, so that a file
that was cut or changed is noticed. `root` is where the frames are; poses lie beside the manifest.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from operator import index
from pathlib import Path, PurePosixPath
from typing import Any

from signgen.files.paths import one_line
from signgen.files.writing import save_bytes
from signgen.pose.skeleton import SKELETONS
from signgen.structures import ExitCode, Record, UserError

__all__ = [
    "MANIFEST",
    "SPLITS",
    "Entry",
    "Manifest",
    "Problem",
    "Scan",
    "read_manifest",
    "write_manifest",
]

MANIFEST = "manifest.jsonl"
SPLITS = ("train", "dev", "test")
_FORMAT, _VERSION, _AGAIN = "signgen-manifest", 1, "Run `signgen prepare` again."


@dataclass(frozen=True)
class Entry:
    """One record and where its frames and poses lie; paths use `/` and are relative.

    Args:
        frames: Below the manifest's `root`: a video file; a pattern such as
            `train/clip/images####.png`, in which the run of `#` stands for the frame's number; or
            one picture per frame.
        size: (H, W) of the frames.
        first_frame: Number of the first picture of a pattern.
        constant_rate: `fps`, where frames of a video are repeated and left out to be at it.
        poses: File of poses beside the manifest; empty where there are none.
        first_pose: Row of a packed `.npy`, (rows, K, 3), where the record begins, else None.
        parts: Human-parsing label maps below the manifest's `parts_root`: a pattern as in `frames`,
            or one per frame; empty where there are none.
        pairs: (source, target) views, for datasets that list them; None for every two frames.
    """

    record: Record
    frames: str | tuple[str, ...]
    size: tuple[int, int]
    fps: float
    first_frame: int = 1
    constant_rate: float | None = None
    poses: str = ""
    first_pose: int | None = None
    parts: str | tuple[str, ...] = ""
    pairs: tuple[tuple[int, int], ...] | None = None

    @property
    def name(self) -> str:
        """`split/id`, unique in the dataset."""
        return f"{self.record.split}/{self.record.id}"

    @property
    def is_video(self) -> bool:
        """Whether the frames are those of one video file."""
        return isinstance(self.frames, str) and "#" not in self.frames

    def frame_path(self, index: int) -> str:
        """Return the path of frame `index`, from 0, or of its video below the root."""
        if isinstance(self.frames, tuple):
            return self.frames[index]
        return self._numbered(self.frames, index)

    def parts_path(self, index: int) -> str:
        """Return the path of the label map of frame `index`, from 0, below its folder."""
        if isinstance(self.parts, tuple):
            return self.parts[index]
        return self._numbered(self.parts, index)

    def _numbered(self, pattern: str, index: int) -> str:
        number = index + self.first_frame
        return re.sub("#+", lambda run: f"{number:0{len(run[0])}d}", pattern, count=1)


@dataclass(frozen=True)
class Manifest:
    """Everything a loader needs to know about a dataset.

    Args:
        skeleton: Skeleton of its poses, a key of `signgen.pose.skeleton.SKELETONS`.
        root: Absolute folder that the frames are relative to.
        folder: Absolute folder that the poses are relative to.
        entries: Sorted by split and id; ids are unique within a split.
        files: SHA-256 of the packed files of poses by their path.
        label_set: What the numbers in its label maps mean, a key of `LABEL_SETS`; empty if unknown.
        parts_folder: Absolute folder that the label maps are relative to; `root` if not given.
    """

    dataset: str
    skeleton: str
    root: Path
    folder: Path
    entries: tuple[Entry, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    label_set: str = ""
    parts_folder: Path | None = None

    def __post_init__(self) -> None:
        if self.skeleton not in SKELETONS:
            raise ValueError(f"skeleton is {self.skeleton!r}; expected one of {list(SKELETONS)}")
        names = [(entry.record.split, entry.record.id) for entry in self.entries]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"{twice[0]} has two records of id {twice[1]}; expected unique ids")

    @property
    def parts_root(self) -> Path:
        """Folder that the label maps are relative to."""
        return self.parts_folder or self.root

    def split(self, name: str) -> tuple[Entry, ...]:
        """Return the entries of a split, sorted by id."""
        entries = [entry for entry in self.entries if entry.record.split == name]
        return tuple(sorted(entries, key=lambda entry: entry.record.id))

    def counts(self) -> dict[str, dict[str, int]]:
        """Return records, frames and listed pairs of every split that has any."""
        counts = {}
        for name in SPLITS:
            if entries := self.split(name):
                pairs = [len(entry.pairs) for entry in entries if entry.pairs is not None]
                counts[name] = {
                    "records": len(entries),
                    "frames": sum(entry.record.num_frames for entry in entries),
                    **({"pairs": sum(pairs)} if pairs else {}),
                }
        return counts


@dataclass(frozen=True)
class Problem:
    """Something that keeps a record out of a dataset.

    Args:
        path: The file or folder at fault.
        message: What is wrong with it and what was expected, the rest of the sentence.
        record: `split/id` of the record that is left out; empty where no record is.
    """

    path: Path
    message: str
    record: str = ""

    def __str__(self) -> str:
        return f"{self.path} {self.message}"

    @staticmethod
    def of(error: UserError, path: Path, record: str = "") -> Problem:
        """Return what an error says of a file."""
        return Problem(path, str(error).removeprefix(f"{path} "), record)


@dataclass(frozen=True)
class Scan:
    """What a look through the folder of a dataset found.

    Args:
        root: Folder that the entries' frames are relative to.
        problems: What is wrong, one for each record that is left out.
        label_set: What the numbers in its label maps mean; empty where it is not known.
        remarks: What should be known of records that are not, a line each.
    """

    root: Path
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    label_set: str = ""
    remarks: tuple[str, ...] = ()


# ----- writing ------------------------------------------------------------------------------------


def write_manifest(manifest: Manifest) -> Path:
    """Write `manifest.jsonl` into the manifest's folder, atomically; return the file."""
    header: dict[str, object] = {
        "format": _FORMAT,
        "version": _VERSION,
        "dataset": manifest.dataset,
        "skeleton": manifest.skeleton,
        "root": _portable(manifest.root, manifest.folder),
        "counts": manifest.counts(),
        "files": dict(manifest.files),
        **({"label_set": manifest.label_set} if manifest.label_set else {}),
    }
    if manifest.parts_folder is not None:
        header["parts_root"] = _portable(manifest.parts_folder, manifest.folder)
    rows = [header, *(_row(entry) for split in SPLITS for entry in manifest.split(split))]
    body = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    last = {"records": len(rows) - 1, "sha256": hashlib.sha256(body).hexdigest()}
    path = manifest.folder / MANIFEST
    save_bytes(path, body + json.dumps(last).encode() + b"\n")
    return path


def _portable(root: Path, folder: Path) -> str:
    """Return `root` relative to the manifest where it lies below it or around it."""
    if root.is_relative_to(folder) or folder.is_relative_to(root):
        root = Path(os.path.relpath(root, folder))
    return root.as_posix()


def _row(entry: Entry) -> dict[str, object]:
    """Return an entry as one flat JSON object without what equals its default."""
    record = asdict(entry.record)
    row = {name: value for name, value in record.items() if value or name not in {"gloss", "text"}}
    for part in fields(Entry):
        value = getattr(entry, part.name)
        if part.name != "record" and value != part.default:
            row[part.name] = value
    return row


# ----- reading ------------------------------------------------------------------------------------


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest: the file, or the folder that holds it."""
    path = path / MANIFEST if path.is_dir() else path
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror}; expected a manifest. "
            "Make one with `signgen prepare`.",
            ExitCode.NO_INPUT,
        ) from error
    (header, rows), folder = _checked_lines(data, path), path.resolve().parent
    entries = tuple(_entry(row, f"{path}, line {number}") for number, row in enumerate(rows, 2))
    try:
        manifest = Manifest(
            dataset=str(header["dataset"]),
            skeleton=str(header["skeleton"]),
            root=(folder / str(header["root"])).resolve(),
            folder=folder,
            entries=entries,
            files={str(k): str(v) for k, v in dict(header.get("files") or {}).items()},
            label_set=str(header.get("label_set", "")),
            parts_folder=(folder / str(p)).resolve() if (p := header.get("parts_root")) else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} has a bad first line or records: {error}. {_AGAIN}") from error
    if not manifest.root.is_dir():
        raise UserError(
            f"{path}: its frames lay in {manifest.root}, which is not a folder. {_AGAIN}",
            ExitCode.NO_INPUT,
        )
    return manifest


def _checked_lines(data: bytes, path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the header and the records."""
    end = data.rstrip(b"\n").rfind(b"\n") + 1
    body = data[:end]
    try:
        last = json.loads(data[end:])
        rows = [json.loads(line) for line in body.splitlines()]
        known = rows[0]["format"] == _FORMAT
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        raise UserError(f"{path} is not a signgen manifest, or is cut off. {_AGAIN}") from error
    if not known or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{path} is not a signgen manifest. {_AGAIN}")
    version = rows[0].get("version")
    if version != _VERSION:
        raise UserError(f"{path} has version {version!r}; expected {_VERSION}. {_AGAIN}")
    if not isinstance(last, dict) or last.get("sha256") != hashlib.sha256(body).hexdigest():
        raise UserError(f"{path} was changed or cut: its checksum does not fit. {_AGAIN}")
    return rows[0], rows[1:]


def _entry(row: dict[str, Any], place: str) -> Entry:
    names = {part.name for part in fields(Record)}
    try:
        rest = {name: value for name, value in row.items() if name not in names}
        frames, (height, width) = rest.pop("frames"), rest.pop("size")
        pairs, parts = rest.pop("pairs", None), rest.pop("parts", "")
        entry = Entry(
            record=Record(**{name: value for name, value in row.items() if name in names}),
            frames=frames if isinstance(frames, str) else tuple(frames),
            size=(index(height), index(width)),
            parts=tuple(parts) if isinstance(parts, list) else parts,
            pairs=None if pairs is None else tuple((index(s), index(t)) for s, t in pairs),
            **rest,
        )
    except (TypeError, ValueError, KeyError) as error:
        raise UserError(f"{place} is not a record ({one_line(error)}). {_AGAIN}") from error
    if problem := next(_problems(entry), ""):
        raise UserError(f"{place} {problem}. {_AGAIN}")
    return entry


def _problems(entry: Entry) -> Iterator[str]:
    """Yield what is wrong with the values of an entry; the first makes sense of the next."""
    record, count = entry.record, entry.record.num_frames
    texts = (record.id, record.signer, record.gloss, record.text, entry.poses)
    paths = (entry.frames,) if isinstance(entry.frames, str) else entry.frames
    parts = entry.parts if isinstance(entry.parts, tuple) else (entry.parts,)
    if not all(isinstance(text, str) for text in (*texts, *paths, *parts)):
        yield "holds something other than text where a name or path belongs"
    if record.split not in SPLITS:
        yield f"has split {str(record.split)[:40]!a}; expected one of {', '.join(SPLITS)}"
    first_pose = 0 if entry.first_pose is None else entry.first_pose
    numbers = {"num_frames": count, "first_frame": entry.first_frame, "first_pose": first_pose}
    for name, number in numbers.items():
        least = 1 if name == "num_frames" else 0
        if type(number) is not int or not least <= number < 2**31:
            yield f"has {name} {number!r:.20}; expected a whole number from {least}"
    rates = (entry.fps, entry.fps if entry.constant_rate is None else entry.constant_rate)
    if min(entry.size) < 1 or not all(type(r) in (int, float) and 0 < r < 1e6 for r in rates):
        yield f"has fps {rates[-1]!r:.20} and size {entry.size}; expected numbers above 0"
    if len(paths) != (1 if isinstance(entry.frames, str) else count):
        yield f"lists {len(paths)} pictures for {count} frames"
    if isinstance(entry.parts, tuple) and len(parts) != count:
        yield f"lists {len(parts)} label maps for {count} frames"
    if not all(_stays_below(path) for path in (*paths, entry.poses, *parts, record.id) if path):
        yield "has a path or id that leaves the dataset's folder"
    if any(not 0 <= view < count for pair in entry.pairs or () for view in pair):
        yield f"pairs a view beyond its {count} frames"


def _stays_below(path: str) -> bool:
    parts = PurePosixPath(path)
    return not parts.is_absolute() and ".." not in parts.parts and "\0" not in path
