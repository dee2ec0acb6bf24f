"""The one adapter: reads frames, poses and parts of the records that a manifest lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signgen.data.adapter import DatasetAdapter
from signgen.data.manifest import MANIFEST, SPLITS, Entry, Manifest, read_manifest
from signgen.data.phoenix14t import PARTS, find_root, keypoint_file, scan
from signgen.human_parsing.label_sets import LabelSet, label_set
from signgen.human_parsing.maps import Parts, read_label_set, read_labels
from signgen.media import Backend, VideoReader, check_backend, open_video, read_image
from signgen.pose.formats import read_poses
from signgen.pose.skeleton import SKELETONS
from signgen.structures import ExitCode, FrameRef, PoseSequence, Record, Triplet, UserError

__all__ = ["ManifestDataset", "bundled_sample", "open_dataset", "parts_of"]


class ManifestDataset:
    """Records of a manifest as a `DatasetAdapter`."""

    def __init__(self, manifest: Manifest, video_reader: Backend = "auto") -> None:
        self.manifest, self.video_reader = manifest, video_reader
        self.name, self.skeleton = manifest.dataset, manifest.skeleton
        self._entries = {(e.record.split, e.record.id): e for e in manifest.entries}

    def records(self, split: str) -> list[Record]:
        """List the records of a split, sorted by id; none is an error."""
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
        """Read one frame, (H, W, 3) uint8 RGB."""
        entry = self.entry(ref.record)
        path = self.manifest.root / entry.frame_path(ref.index)
        if entry.is_video:
            frame = _video(path, self.video_reader, entry.constant_rate).frame(ref.index)
        else:
            frame = read_image(path)
        if frame.shape[:2] != entry.size:
            raise UserError(
                f"{path} is {frame.shape[1]} x {frame.shape[0]} pixels (width x height); its "
                f"record has {entry.size[1]} x {entry.size[0]}. Run `signgen prepare` again."
            )
        return frame

    def pose(self, ref: FrameRef) -> PoseSequence:
        """Read the key points of one frame, (1, K) in its pixels; nothing else is read."""
        return self._poses(ref.record, slice(ref.index, ref.index + 1))

    def poses(self, record: Record) -> PoseSequence:
        """Read the key points of a record, (T, K) in pixels of its frames."""
        return self._poses(record, slice(None))

    def _poses(self, record: Record, frames: slice) -> PoseSequence:
        entry = self.entry(record)
        if not entry.poses:
            raise UserError(
                f"{self.manifest.folder}: {entry.name} has no key points. "
                "Run `signgen prepare` with --keypoints or --estimator.",
                ExitCode.NO_INPUT,
            )
        path = self.manifest.folder / entry.poses
        # What changes when a file is replaced, so that an old one is not read from memory
        version = path.stat().st_mtime_ns if path.is_file() else 0
        if entry.first_pose is None:
            return _clip_poses(path, record.num_frames, version).frames(frames)
        rows = _packed_poses(path, SKELETONS[self.skeleton].num_keypoints, version)
        stop = entry.first_pose + record.num_frames
        if stop > len(rows):
            raise UserError(
                f"{path} has {len(rows)} poses; {record.id} needs rows up to {stop}. "
                "Run `signgen prepare` again."
            )
        chosen = np.array(rows[entry.first_pose : stop][frames])  # (T, K, 3)
        if not np.isfinite(chosen).all():
            raise UserError(
                f"{path} has key points of {record.id} that are not finite; expected numbers. "
                "Run `signgen prepare` again."
            )
        points, scores = chosen[..., :2], chosen[..., 2].astype(np.float32)
        return PoseSequence(points, scores, self.skeleton, entry.size, entry.fps)

    def parts(self, ref: FrameRef) -> Parts | None:
        """Read the human parsing of a frame, or None if the record has none."""
        entry = self.entry(ref.record)
        if not entry.parts:
            return None
        path = self.manifest.parts_root / entry.parts_path(ref.index)
        labelled = self._labelled
        return Parts(read_labels(path, labelled, entry.size), labelled, path)

    @cached_property
    def _labelled(self) -> LabelSet:
        manifest = self.manifest
        if manifest.label_set:
            return label_set(manifest.label_set, manifest.folder)
        # A tree whose label maps do not say what they mean is an error only where they are wanted
        return read_label_set(manifest.parts_root / PARTS)


@lru_cache(maxsize=16)
def _video(path: Path, video_reader: Backend, constant_rate: float | None) -> VideoReader:
    """Keep a few videos open: frames of one clip are often read one after another."""
    return open_video(path, video_reader, constant_rate=constant_rate)


@lru_cache(maxsize=8)
def _packed_poses(path: Path, num_keypoints: int, _version: int) -> NDArray[np.floating]:
    """Map a packed file of poses into memory, (rows, K, 3): x, y, confidence."""
    try:
        rows: NDArray[np.floating] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise UserError(
            f"{path} does not exist; expected a manifest's poses. Run `signgen prepare` again.",
            ExitCode.NO_INPUT,
        ) from error
    except Exception as error:  # a crafted header can provoke any
        raise UserError(f"{path} is not a packed file of poses, or is cut off.") from error
    if (
        rows.dtype not in (np.float32, np.float64)
        or rows.ndim != 3
        or rows.shape[1:] != (num_keypoints, 3)
    ):
        raise UserError(
            f"{path} has {rows.dtype} of shape {rows.shape}; expected float32 (rows, "
            f"{num_keypoints}, 3), or float64. Run `signgen prepare` again."
        )
    return rows


@lru_cache(maxsize=4096)
def _clip_poses(path: Path, num_frames: int, _version: int) -> PoseSequence:
    poses = read_poses(path)
    if len(poses) != num_frames:
        raise UserError(
            f"{path} has {len(poses)} poses; its clip has {num_frames} frames, expected as many."
        )
    return poses


def parts_of(adapter: DatasetAdapter, ref: FrameRef, needed_by: str = "the model") -> Parts:
    """Return the human parsing of a frame, for what needs it: a model, or a flag.

    Raises:
        UserError: If the dataset has none.
    """
    parts = adapter.parts(ref)
    if parts is None:
        raise UserError(
            f"dataset {adapter.name} has no human parsing of {ref.record.split}/{ref.record.id}, "
            f"which {needed_by} needs. Run `signgen prepare` with --parsing.",
            ExitCode.NO_INPUT,
        )
    return parts


# ----- opening ------------------------------------------------------------------------------------


def bundled_sample() -> Path:
    """Return the folder of the synthetic sample that ships with the package."""
    return Path(__file__).resolve().parent.parent / "assets" / "sample"


def open_dataset(
    root: str, splits: Sequence[str] = SPLITS, video_reader: Backend = "auto"
) -> ManifestDataset:
    """Open the dataset a user names.

    Args:
        root: A folder with a manifest (or the manifest itself), a folder in the PHOENIX-2014T
            layout with key points in `keypoints/`, or `sample` for the bundled sample.
        splits: Splits that will be asked for; others are not looked at where there is no manifest.
        video_reader: What decodes frames of videos.
    """
    check_backend(video_reader)
    folder = bundled_sample() if root == "sample" else Path(root)
    if folder.is_file() or (folder / MANIFEST).is_file():
        return ManifestDataset(read_manifest(folder), video_reader)
    # A tree in the PHOENIX-2014T layout; its first problem is an error.
    clips = scan(find_root(folder), [*dict.fromkeys(splits)], video_reader)
    if clips.problems:
        raise UserError(str(clips.problems[0]))
    entries = tuple(replace(entry, poses=keypoint_file(entry)) for entry in clips.entries)
    manifest = Manifest(
        "phoenix14t",
        "coco-wholebody-133",
        clips.root,
        clips.root,
        entries,
        label_set=clips.label_set,
    )
    return ManifestDataset(manifest, video_reader)
