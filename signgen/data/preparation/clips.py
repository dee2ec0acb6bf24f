"""The `prepare` commands for videos: PHOENIX-2014T, and folders of recordings."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from signgen.config.data import ClipsConfig, PrepareFolderConfig, PreparePhoenixConfig
from signgen.data.dataset import open_dataset
from signgen.data.folder import scan_folder
from signgen.data.frame_cache.writing import write_cache
from signgen.data.manifest import Entry, Scan
from signgen.data.phoenix14t import COUNTS, find_root, scan
from signgen.data.preparation.dataset import PROBLEMS, Prepared, prepare_dataset
from signgen.data.preparation.keypoint_files import KeypointFiles
from signgen.data.preparation.parsing import add_parsing
from signgen.files.archive import unpack
from signgen.files.digests import sha256
from signgen.files.writing import make_folder, save_text
from signgen.media import Frames, VideoInfo, check_backend, open_clip
from signgen.pose.estimators import PoseEstimator, open_estimator
from signgen.pose.extraction.clips import SKELETON, extract_clip
from signgen.pose.formats import read_poses, write_poses
from signgen.structures import ExitCode, PoseSequence, Progress, UserError

__all__ = ["prepare_folder", "prepare_phoenix14t"]

log = logging.getLogger(__name__)


def prepare_phoenix14t(
    config: PreparePhoenixConfig, progress: Progress | None = None
) -> dict[str, object]:
    """Check PHOENIX-2014T, gather its key points and write its manifest; return a report."""
    root = find_root(_unpacked(config, Path(config.raw)))
    keypoints = [Path(name) for name in config.keypoints]
    if not keypoints and (root / "keypoints").is_dir():
        keypoints = [root / "keypoints"]
    clips = scan(root, video_reader=config.video_reader)
    prepared, report = _prepared(config, clips, "phoenix14t", keypoints, progress)
    # Numbers beside those of the complete corpus
    splits: dict[str, dict[str, int]] = {}
    for split, (videos, frames) in COUNTS.items():
        counts = prepared.manifest.counts().get(split, {"records": 0, "frames": 0})
        splits[split] = {
            "videos": counts["records"],
            "expected_videos": videos,
            "frames": counts["frames"],
            "expected_frames": frames,
        }
    complete = all((row["videos"], row["frames"]) == COUNTS[split] for split, row in splits.items())
    return report | {"splits": splits, "complete": complete}


def prepare_folder(
    config: PrepareFolderConfig, progress: Progress | None = None
) -> dict[str, object]:
    """Check a folder of recordings, gather key points and write the manifest.

    Args and result are those of `prepare_phoenix14t`.
    """
    folder = _unpacked(config, Path(config.videos))
    clips = scan_folder(
        folder, fps=config.fps, split_by=config.split_by, video_reader=config.video_reader
    )
    keypoints = [Path(name) for name in config.keypoints] or [clips.root]
    prepared, report = _prepared(config, clips, "folder", keypoints, progress)
    signers = sorted({entry.record.signer for entry in prepared.manifest.entries})
    return report | {"splits": prepared.manifest.counts(), "signers": signers}


def _unpacked(config: ClipsConfig, raw: Path) -> Path:
    """Unpack an archive beside the manifest; anything else is taken as it is."""
    if not config.out:
        raise UserError("--out is missing; expected a folder to write to.", ExitCode.USAGE)
    check_backend(config.video_reader)
    if not raw.is_file():
        return raw
    folder, note = Path(config.out, "raw"), Path(config.out, "raw.txt")
    source = f"{raw.name}, {raw.stat().st_size} bytes"
    if folder.is_dir():
        before = note.read_text(encoding="utf-8").strip() if note.is_file() else "another archive"
        if before != source:
            raise UserError(
                f"{folder} was unpacked from {before}; this is {source}. Choose another --out, or "
                "remove that folder."
            )
        log.info("%s was unpacked into %s before", raw, folder)
        return folder
    log.info("unpacking %s into %s", raw, folder)
    make_folder(folder.parent)
    save_text(note, source + "\n")
    unpack(raw, folder)
    return folder


def _prepared(
    config: ClipsConfig, clips: Scan, name: str, keypoints: list[Path], progress: Progress | None
) -> tuple[Prepared, dict[str, object]]:
    """Gather key points, write the manifest and, if asked for, the cache; return a report too."""
    out = Path(config.out)
    source = _PoseSource(config, clips.root, KeypointFiles(keypoints, clips.entries))
    poses_of = None if config.estimator == "none" and not keypoints else source.poses_of
    prepared = prepare_dataset(
        clips, name, SKELETON, poses_of, out, check=config.check, progress=progress
    )
    if config.parsing:
        prepared = add_parsing(
            prepared, config.parsing, config.label_set or "", config.device, progress
        )
    if config.cache is not None:
        dataset = open_dataset(config.out, video_reader=config.video_reader)
        splits = list(prepared.manifest.counts())
        write_cache(dataset, splits, out / "cache", config.cache, config.cache_resize)
    return prepared, {
        "schema_version": 1,
        "dataset": name,
        "manifest": str(prepared.path),
        "keypoints": dict(source.counts),
        **({"label_set": label_set} if (label_set := prepared.manifest.label_set) else {}),
        "left_out": len(prepared.problems),
        "problems": [str(problem) for problem in prepared.problems[:5]],
        "all_problems": str(prepared.path.with_name(PROBLEMS)),
    }


# ----- key points ---------------------------------------------------------------------------------


@dataclass
class _PoseSource:
    """Key points of clips: from files where there are any, else estimated, once.

    Args:
        config: Estimator and its settings; estimated key points are kept below its `out`.
        counts: How many clips got their key points from where.
        estimator: Opened when the first clip needs it.
    """

    config: ClipsConfig
    root: Path
    files: KeypointFiles
    counts: Counter[str] = field(default_factory=Counter)
    estimator: PoseEstimator | None = None

    def poses_of(self, entry: Entry) -> PoseSequence:
        try:
            place = self.files.place(entry)
        except UserError as error:
            # Only where there is no file at all: one that is broken must not be passed over.
            if error.code != ExitCode.NO_INPUT or self.config.estimator == "none":
                raise
            return self._estimated(entry)
        poses = self.files.read(place, entry)
        self.counts[str(place.path) if place.clip is not None else "files"] += 1
        return poses

    def _estimated(self, entry: Entry) -> PoseSequence:
        """Return what was estimated before, or estimate it now and keep it."""
        config = self.config
        if self.estimator is None:
            assert config.estimator != "none"
            self.estimator = open_estimator(config.estimator, config.weights or None, config.device)
        # A video is told from one that replaces it: recordings are cut and exported again, corpora
        # of pictures are large and do not change.
        digest = f"-{sha256(self.root / entry.frame_path(0))[:12]}" if entry.is_video else ""
        file = Path(config.out, "estimated", self.estimator.name, f"{entry.name}{digest}.npz")
        self.counts[self.estimator.name] += 1
        if file.is_file():
            poses = read_poses(file)
            if len(poses) == entry.record.num_frames and poses.size == entry.size:
                return poses
        poses = extract_clip(frames_of(self.root, entry), self.estimator)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_poses(poses, file)
        return poses


def frames_of(root: Path, entry: Entry) -> Frames:
    """Return the frames of a record, to iterate in order."""
    if entry.is_video:
        return open_clip(root / entry.frame_path(0), entry.fps)
    count = entry.record.num_frames
    pictures = tuple(root / entry.frame_path(index) for index in range(count))
    return Frames(root, VideoInfo(entry.fps, entry.size, count), pictures)
