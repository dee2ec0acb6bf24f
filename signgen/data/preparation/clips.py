"""The `prepare` commands for videos: PHOENIX-2014T, and folders of recordings."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from signgen.config.data import ClipsConfig, PrepareFolderConfig, PreparePhoenixConfig
from signgen.data.dataset import is_video, open_dataset, picture_path
from signgen.data.folder import scan_folder
from signgen.data.frame_cache.writing import write_cache
from signgen.data.manifest import Entry, Scan
from signgen.data.phoenix14t import COUNTS, find_root, scan
from signgen.data.preparation.dataset import (
    PROBLEMS,
    PosesOf,
    Prepared,
    Progress,
    prepare_dataset,
)
from signgen.data.preparation.keypoint_files import KeypointFiles
from signgen.files.archive import unpack
from signgen.files.digests import sha256
from signgen.files.writing import make_folder, save_text
from signgen.media import Frames, VideoInfo, open_clip
from signgen.pose.estimators import PoseEstimator, open_estimator
from signgen.pose.extraction.clips import SKELETON, extract_clip
from signgen.pose.formats import read_poses, write_poses
from signgen.structures import ExitCode, PoseSequence, UserError

__all__ = ["prepare_folder", "prepare_phoenix14t"]

log = logging.getLogger(__name__)


def prepare_phoenix14t(
    config: PreparePhoenixConfig, progress: Progress | None = None
) -> dict[str, object]:
    """Check RWTH-PHOENIX-Weather 2014T, gather its key points and write its manifest.

    Args:
        config: Paths and settings.
        progress: Wraps the clips as they are worked on, with their number.

    Returns:
        The report, one JSON object.

    Raises:
        UserError: If the corpus is not there, nothing of it can be used, or a setting does not fit.
    """
    out = _out(config)
    root = find_root(_unpacked(Path(config.raw), out))
    found = scan(root)
    own = root / "keypoints"
    given = [Path(name) for name in config.keypoints] or ([own] if own.is_dir() else [])
    made, report = _prepared(config, found, "phoenix14t", given, progress)
    splits: dict[str, dict[str, int]] = {}
    for split, (videos, frames) in COUNTS.items():
        have = made.manifest.counts().get(split, {"records": 0, "frames": 0})
        splits[split] = {
            "videos": have["records"],
            "expected_videos": videos,
            "frames": have["frames"],
            "expected_frames": frames,
        }
    complete = all((row["videos"], row["frames"]) == COUNTS[split] for split, row in splits.items())
    return report | {"splits": splits, "complete": complete}


def prepare_folder(
    config: PrepareFolderConfig, progress: Progress | None = None
) -> dict[str, object]:
    """Check a folder of recordings, gather key points and write the manifest.

    Args:
        config: Paths and settings.
        progress: Wraps the clips as they are worked on, with their number.

    Returns:
        The report, one JSON object.

    Raises:
        UserError: If nothing in the folder can be used, or a setting does not fit.
    """
    out = _out(config)
    found = scan_folder(
        _unpacked(Path(config.videos), out), fps=config.fps, split_by=config.split_by
    )
    given = [Path(name) for name in config.keypoints] or [found.root]
    made, report = _prepared(config, found, "folder", given, progress)
    signers = sorted({entry.record.signer for entry in made.manifest.entries})
    return report | {"splits": made.manifest.counts(), "signers": signers}


def _out(config: ClipsConfig) -> Path:
    if not config.out:
        raise UserError("--out is missing; expected a folder to write to.", ExitCode.USAGE)
    return Path(config.out)


def _unpacked(raw: Path, out: Path) -> Path:
    """Unpack an archive beside the manifest; anything else is taken as it is."""
    if not raw.is_file():
        return raw
    folder, note = out / "raw", out / "raw.txt"
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
    make_folder(out)
    save_text(note, source + "\n")
    unpack(raw, folder)
    return folder


def _prepared(
    config: ClipsConfig, found: Scan, name: str, given: list[Path], progress: Progress | None
) -> tuple[Prepared, dict[str, object]]:
    """Gather key points, write the manifest and, if asked for, the cache; return a report too."""
    out = Path(config.out)
    source = _PoseSource(config, found, given, out)
    made = prepare_dataset(
        found, name, SKELETON, source.poses_of, out, check=config.check, progress=progress
    )
    if config.cache is not None:
        splits = list(made.manifest.counts())
        write_cache(
            open_dataset(str(out)), splits, out / "cache", config.cache, config.cache_resize
        )
    return made, {
        "schema_version": 1,
        "dataset": name,
        "manifest": str(made.path),
        "keypoints": dict(source.counts),
        "left_out": len(made.problems),
        "problems": [f"{problem.path} {problem.what}" for problem in made.problems[:5]],
        "all_problems": str(made.path.with_name(PROBLEMS)),
    }


# ----- key points ---------------------------------------------------------------------------------


@dataclass
class _PoseSource:
    """Key points of clips: from files where there are any, else estimated, once.

    Args:
        config: Estimator and its settings.
        found: The clips.
        given: Files and folders of key points.
        out: Folder of the manifest; estimated key points are kept below it.
        counts: How many clips got their key points from where.
    """

    config: ClipsConfig
    found: Scan
    given: list[Path]
    out: Path
    counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._files = KeypointFiles(self.given, self.found.entries)
        self._estimator: PoseEstimator | None = None

    @property
    def poses_of(self) -> PosesOf | None:
        """Where key points come from; None where none are wanted."""
        return None if self.config.estimator == "none" and not self.given else self._poses

    def _poses(self, entry: Entry) -> PoseSequence:
        try:
            place = self._files.place(entry)
        except UserError as error:
            # Only where there is no file at all: one that is broken must not be passed over.
            if error.code != ExitCode.NO_INPUT or self.config.estimator == "none":
                raise
            return self._estimated(entry)
        poses = self._files(entry)
        self._count(str(place.path) if place.clip is not None else "files")
        return poses

    def _estimated(self, entry: Entry) -> PoseSequence:
        """Return what was estimated before, or estimate it now and keep it."""
        estimator = self._opened()
        name = f"{entry.record.split}/{entry.record.id}{self._content(entry)}.npz"
        file = self.out / "estimated" / estimator.name / name
        self._count(estimator.name)
        if file.is_file():
            poses = read_poses(file)
            if len(poses) == entry.record.num_frames and poses.size == entry.size:
                return poses
        poses = extract_clip(frames_of(self.found.root, entry), estimator)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_poses(poses, file)
        return poses

    def _content(self, entry: Entry) -> str:
        """Return what tells a video from one that replaces it; nothing for pictures.

        Corpora of pictures are large and do not change; recordings are cut and exported again.
        """
        if not is_video(entry):
            return ""
        return f"-{sha256(self.found.root / picture_path(entry, 0))[:12]}"

    def _opened(self) -> PoseEstimator:
        """Open the estimator when the first clip needs it."""
        config = self.config
        if self._estimator is None:
            assert config.estimator != "none"
            weights = config.weights or None
            self._estimator = open_estimator(config.estimator, weights, config.device)
        return self._estimator

    def _count(self, source: str) -> None:
        self.counts[source] = self.counts.get(source, 0) + 1


def frames_of(root: Path, entry: Entry) -> Frames:
    """Return the frames of a record, to iterate in order."""
    if is_video(entry):
        return open_clip(root / picture_path(entry, 0), entry.fps)
    count = entry.record.num_frames
    pictures = tuple(root / picture_path(entry, index) for index in range(count))
    return Frames(root, VideoInfo(entry.fps, entry.size, count), pictures)
