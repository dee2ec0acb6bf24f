"""The one adapter: reads frames, poses and parts of the records that a manifest lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from signgen.data.manifest import MANIFEST, SPLITS, Entry, Manifest, read_manifest
from signgen.data.phoenix14t import find_root, keypoint_file, scan
from signgen.media import VideoReader, open_video, read_image
from signgen.pose.formats import read_poses
from signgen.pose.skeleton import SKELETONS
from signgen.structures import ExitCode, FrameRef, PoseSequence, Record, Triplet, UserError

__all__ = ["ManifestDataset", "bundled_sample", "is_video", "open_dataset", "picture_path"]


class ManifestDataset:
    """Records of a manifest as a `DatasetAdapter`.

    Args:
        manifest: Where everything lies.
        splits: Splits the manifest may have; another one is an error when it is asked for.
    """

    def __init__(self, manifest: Manifest, splits: Sequence[str] = SPLITS) -> None:
        self.manifest, self.splits = manifest, tuple(splits)
        self.name, self.skeleton = manifest.dataset, manifest.skeleton
        self._entries = {(e.record.split, e.record.id): e for e in manifest.entries}

    def records(self, split: str) -> list[Record]:
        """List the records of a split, sorted by id.

        Raises:
            UserError: If there are none.
        """
        records = [entry.record for entry in self.manifest.split(split)]
        if not records:
            known = ", ".join(self.manifest.counts()) or "none"
            raise UserError(
                f"{self.manifest.folder} has no records of split {split}; it has {known}.",
                ExitCode.NO_INPUT,
            )
        return records

    def pairs(self, split: str) -> list[Triplet] | None:
        """List the pairs of a split where the dataset names them, else None."""
        entries = self.manifest.split(split)
        if any(entry.pairs is None for entry in entries):
            return None
        return [
            Triplet(FrameRef(entry.record, source), FrameRef(entry.record, target))
            for entry in entries
            for source, target in entry.pairs or ()
        ]

    def entry(self, record: Record) -> Entry:
        """Return where a record lies."""
        return self._entries[record.split, record.id]

    def frame(self, ref: FrameRef) -> NDArray[np.uint8]:
        """Read one frame, (H, W, 3) uint8 RGB.

        Raises:
            UserError: If the picture is missing or broken, or has another size than the record.
        """
        entry = self.entry(ref.record)
        path = self.manifest.root / picture_path(entry, ref.index)
        frame = _reader(path).frame(ref.index) if is_video(entry) else read_image(path)
        if frame.shape[:2] != entry.size:
            raise UserError(
                f"{path} is {frame.shape[1]} x {frame.shape[0]} pixels (width x height); its "
                f"record has {entry.size[1]} x {entry.size[0]}. Run `signgen prepare` again."
            )
        return frame

    def pose(self, record: Record) -> PoseSequence:
        """Read the key points of a record, (T, K) in pixels of its frames.

        Raises:
            UserError: If there are none, or the file is missing, broken or of another length.
        """
        entry = self.entry(record)
        if not entry.poses:
            raise UserError(
                f"{self.manifest.folder}: {record.split}/{record.id} has no key points. "
                "Run `signgen prepare` with --keypoints or --estimator.",
                ExitCode.NO_INPUT,
            )
        path = self.manifest.folder / entry.poses
        if entry.first_pose is None:
            return _read_clip_poses(path, record.num_frames, _version(path))
        rows = packed_poses(path, SKELETONS[self.skeleton].num_keypoints, _version(path))
        stop = entry.first_pose + record.num_frames
        if stop > len(rows):
            raise UserError(
                f"{path} has {len(rows)} poses; {record.id} needs rows up to {stop}. "
                "Run `signgen prepare` again."
            )
        part = np.array(rows[entry.first_pose : stop])
        return PoseSequence(part[..., :2], part[..., 2], self.skeleton, entry.size, entry.fps)

    def parts(self, ref: FrameRef) -> NDArray[np.uint8] | None:
        """Read the (H, W) human-parsing labels of a frame, or None if the record has none."""
        entry = self.entry(ref.record)
        if not entry.parts:
            return None
        path = self.manifest.root / _numbered(entry.parts, ref.index + entry.first_frame)
        with Image.open(path, formats=["PNG"]) as labels:
            return np.asarray(labels.convert("L"))


def is_video(entry: Entry) -> bool:
    """Tell whether the frames of a record are those of one video file."""
    return isinstance(entry.frames, str) and "#" not in entry.frames


@lru_cache(maxsize=16)
def _reader(path: Path) -> VideoReader:
    """Keep the readers of a few videos: frames of one clip are often read one after another."""
    return open_video(path)


def picture_path(entry: Entry, index: int) -> str:
    """Return the path of a record's picture number `index`, from 0, or of its video.

    Paths are below the manifest's root.
    """
    if isinstance(entry.frames, tuple):
        return entry.frames[index]
    return _numbered(entry.frames, index + entry.first_frame)


def _numbered(pattern: str, number: int) -> str:
    """Put a number into the run of `#` of a pattern, with zeros in front."""
    return re.sub("#+", lambda run: f"{number:0{len(run[0])}d}", pattern, count=1)


def _version(path: Path) -> int:
    """Return what changes when a file is replaced, so that an old one is not read from memory."""
    return path.stat().st_mtime_ns if path.is_file() else 0


@lru_cache(maxsize=8)
def packed_poses(path: Path, num_keypoints: int, _: int) -> NDArray[np.float32]:
    """Map a packed file of poses into memory, (rows, K, 3): x, y, confidence.

    The last argument tells versions of the file apart, see `_version`.

    Raises:
        UserError: If it is missing (66) or is not such a file (65).
    """
    try:
        rows: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise UserError(
            f"{path} does not exist; expected a manifest's poses. Run `signgen prepare` again.",
            ExitCode.NO_INPUT,
        ) from error
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} is not a packed file of poses, or is cut off.") from error
    if rows.dtype != np.float32 or rows.ndim != 3 or rows.shape[1:] != (num_keypoints, 3):
        raise UserError(
            f"{path} has {rows.dtype} of shape {rows.shape}; expected float32 (rows, "
            f"{num_keypoints}, 3). Run `signgen prepare` again."
        )
    return rows


@lru_cache(maxsize=4096)
def _read_clip_poses(path: Path, num_frames: int, _: int) -> PoseSequence:
    poses = read_poses(path)
    if len(poses) != num_frames:
        raise UserError(
            f"{path} has {len(poses)} poses; its clip has {num_frames} frames, expected as many."
        )
    return poses


# ----- opening ------------------------------------------------------------------------------------


def bundled_sample() -> Path:
    """Return the folder of the synthetic sample that ships with the package."""
    return Path(__file__).resolve().parent.parent / "assets" / "sample"


def open_dataset(root: str, splits: Sequence[str] = SPLITS) -> ManifestDataset:
    """Open the dataset a user names.

    Args:
        root: A folder with a manifest (or the manifest itself), a folder in the PHOENIX-2014T
            layout with key points in `keypoints/`, or `sample` for the bundled sample.
        splits: Splits that will be asked for; others are not looked at where there is no manifest.

    Raises:
        UserError: If it is neither, or the layout is damaged in one of the splits.
    """
    folder = bundled_sample() if root == "sample" else Path(root)
    if folder.is_file() or (folder / MANIFEST).is_file():
        return ManifestDataset(read_manifest(folder))
    return ManifestDataset(_unprepared(find_root(folder), splits), splits)


def _unprepared(root: Path, splits: Sequence[str]) -> Manifest:
    """Look through a tree in the PHOENIX-2014T layout; its first problem is an error."""
    found = scan(root, splits)
    for problem in found.problems:
        raise UserError(f"{problem.path} {problem.what}")
    entries = []
    for entry in found.entries:
        path = keypoint_file(root, entry.record)
        poses = path.relative_to(root).as_posix()
        entries.append(replace(entry, poses=poses))
    return Manifest("phoenix14t", "coco-wholebody-133", root, root, tuple(entries))
