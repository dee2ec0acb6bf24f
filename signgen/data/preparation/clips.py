"""The `prepare` commands for videos: PHOENIX-2014T, and folders of recordings."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from signgen.config.data import ClipsConfig, PrepareFolderConfig, PreparePhoenixConfig
from signgen.data.dataset import open_dataset
from signgen.data.folder import scan_folder, splits_of
from signgen.data.frame_cache.writing import write_cache
from signgen.data.manifest import Entry, Scan
from signgen.data.phoenix14t import COUNTS, find_root, scan
from signgen.data.preparation.dataset import (
    PROBLEMS,
    Prepared,
    Resplit,
    preparation,
    prepare_dataset,
)
from signgen.data.preparation.keypoint_files import KeypointFiles
from signgen.data.preparation.parsing import add_parsing
from signgen.files.archive import unpack
from signgen.files.digests import sha256
from signgen.files.writing import make_folder, save_text
from signgen.media import Frames, VideoInfo, check_backend, open_clip, open_video
from signgen.media.clips import VIDEO_SUFFIXES
from signgen.pose.estimators import PoseEstimator, open_estimator
from signgen.pose.extraction.clips import SKELETON, extract_clip
from signgen.pose.formats import Reading, read_poses, write_poses
from signgen.pose.summary import coverage, missing_frames, remarks
from signgen.structures import ExitCode, PoseSequence, Progress, UserError

__all__ = ["prepare_folder", "prepare_phoenix14t"]

log = logging.getLogger(__name__)


def prepare_phoenix14t(
    config: PreparePhoenixConfig, progress: Progress | None = None
) -> dict[str, object]:
    """Check PHOENIX-2014T, gather its key points and write its manifest; return a report."""
    with _preparation(config):
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
        complete = all(
            (row["videos"], row["frames"]) == COUNTS[split] for split, row in splits.items()
        )
        return report | {"splits": splits, "complete": complete}


def prepare_folder(
    config: PrepareFolderConfig, progress: Progress | None = None
) -> dict[str, object]:
    """Check a folder of recordings, gather key points and write the manifest.

    Args and result are those of `prepare_phoenix14t`.
    """
    if config.constant_rate is not None and config.parsing:
        raise UserError(
            "--constant-rate changes which frame is which, and --parsing keeps label maps by the "
            "numbers of frames; expected one of them. Resample the videos first, with ffmpeg's "
            "-fps_mode cfr.",
            ExitCode.USAGE,
        )
    with _preparation(config):
        clips = scan_folder(
            _unpacked(config, Path(config.videos)),
            fps=config.fps,
            split_by=config.split_by,
            video_reader=config.video_reader,
            constant_rate=config.constant_rate,
        )
        keypoints = [Path(name) for name in config.keypoints] or [clips.root]
        prepared, report = _prepared(
            config,
            clips,
            "folder",
            keypoints,
            progress,
            resplit=lambda records: splits_of({r.id: r.signer for r in records}, config.split_by),
        )
        signers = sorted({entry.record.signer for entry in prepared.manifest.entries})
        return report | {"splits": prepared.manifest.counts(), "signers": signers}


def _preparation(config: ClipsConfig) -> AbstractContextManager[None]:
    if not config.out:
        raise UserError("--out is missing; expected a folder to write to.", ExitCode.USAGE)
    return preparation(config.out)


def _unpacked(config: ClipsConfig, raw: Path) -> Path:
    """Unpack an archive beside the manifest; anything else is taken as it is."""
    check_backend(config.video_reader)
    if not raw.is_file() or raw.suffix.lower() in VIDEO_SUFFIXES:
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
    try:
        unpack(raw, folder)
    except UserError:
        with suppress(OSError):  # what else is there stays
            folder.parent.rmdir()
        raise
    save_text(note, source + "\n")
    return folder


def _prepared(
    config: ClipsConfig,
    clips: Scan,
    name: str,
    keypoints: list[Path],
    progress: Progress | None,
    resplit: Resplit | None = None,
) -> tuple[Prepared, dict[str, object]]:
    """Gather key points, write the manifest and, if asked for, the cache; return a report too."""
    source = _PoseSource(config, clips.root, KeypointFiles(keypoints, clips.entries))
    source.remarks += clips.remarks
    poses_of = None if config.estimator == "none" and not keypoints else source.poses_of
    if poses_of is not None:
        source.open_estimator(clips.entries)
    prepared = prepare_dataset(
        clips,
        name,
        SKELETON,
        poses_of,
        Path(config.out),
        check=config.check,
        trim_ends=config.trim_ends,
        resplit=resplit,
        progress=progress,
    )
    if config.parsing:
        prepared = add_parsing(prepared, config.parsing, config.label_set, config.device, progress)
    if config.cache is not None:
        dataset = open_dataset(config.out, video_reader=config.video_reader)
        splits = list(prepared.manifest.counts())
        write_cache(dataset, splits, f"{config.out}/cache", config.cache, config.cache_resize)
    return prepared, {
        "schema_version": 1,
        "dataset": name,
        "manifest": str(prepared.path),
        "keypoints": dict(source.counts),
        "clips": len(prepared.manifest.entries),
        "frames": sum(entry.record.num_frames for entry in prepared.manifest.entries),
        **(hands := source.hands()),
        "frames_without_signer": source.missing,
        "most_people": source.people,
        "trimmed_clips": len(prepared.trimmed),
        "remarks": [
            *_without_training(prepared),
            *_without_hands(hands),
            *prepared.trimmed[:2],
            *source.remarks,
        ][:5],
        "clips_with_remarks": len(source.remarks),
        **({"label_set": label_set} if (label_set := prepared.manifest.label_set) else {}),
        "left_out": len(prepared.problems),
        "problems": [str(problem) for problem in prepared.problems[:5]],
        "all_problems": str(prepared.path.with_name(PROBLEMS)),
    }


def _without_training(prepared: Prepared) -> list[str]:
    """Warn where there is nothing to train on."""
    counts = prepared.manifest.counts()
    if "train" in counts:
        return []
    return [
        f"{prepared.path} has no clip to train on, only {', '.join(counts)}: put recordings into a "
        "folder `train`, or mend what was left out."
    ]


def _without_hands(coverage: Mapping[str, float]) -> list[str]:
    """Warn where hands are hardly to be seen."""
    shares = coverage.values()
    if not shares or (min(shares) >= 0.2 and max(shares) >= 0.5):
        return []
    seen = " and ".join(
        f"the {side.removesuffix('_coverage').replace('_', ' ')} in {share:.0%}"
        for side, share in coverage.items()
    )
    return [
        f"key points show {seen} of frames, from which little is learnt of hands: look at some "
        "with `signgen pose view`, leave out recordings without them, or estimate them again."
    ]


# ----- key points ---------------------------------------------------------------------------------


@dataclass
class _PoseSource:
    """Key points of clips: from files where there are any, else estimated, once.

    Args:
        config: Estimator and its settings; estimated key points are kept below its `out`.
        counts: How many clips got their key points from where.
        missing: Frames of all clips that miss the signer.
        people: Most people in one frame, as far as files say.
        shown: Frames that show each hand, and all frames.
        remarks: What should be known of clips, a line for each of these.
        estimator: Opened before the first clip, if one needs it.
    """

    config: ClipsConfig
    root: Path
    files: KeypointFiles
    counts: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    people: int = 1
    shown: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)
    estimator: PoseEstimator | None = None

    def open_estimator(self, entries: Sequence[Entry]) -> None:
        """Open the estimator where a record needs it, before the work begins.

        Raises:
            UserError: If there is none (69).
        """
        config = self.config
        if config.estimator == "none":
            return
        bare = [entry.name for entry in entries if not self._has_file(entry)]
        if not bare:
            return
        try:
            self.estimator = open_estimator(config.estimator, config.weights or None, config.device)
        except UserError as error:
            raise UserError(
                f"{len(bare)} of {len(entries)} clips have no key points ({bare[0]}), and they "
                f"cannot be estimated: {error} Or name key points with --keypoints, or leave such "
                "clips out with --estimator none.",
                error.code,
            ) from error

    def _has_file(self, entry: Entry) -> bool:
        try:
            self.files.place(entry)
        except UserError as error:
            return error.code != ExitCode.NO_INPUT  # what is wrong with it is said in its turn
        return True

    def hands(self) -> dict[str, float]:
        """Return the share of frames that show each hand; empty without key points."""
        frames = self.shown["frames"]
        if not frames:
            return {}
        sides = ("left_hand", "right_hand")
        return {f"{side}_coverage": round(self.shown[side] / frames, 4) for side in sides}

    def poses_of(self, entry: Entry) -> PoseSequence:
        try:
            place = self.files.place(entry)
        except UserError as error:
            # Only where there is no file at all: one that is broken must not be passed over.
            if error.code != ExitCode.NO_INPUT or self.config.estimator == "none":
                raise
            return self._noted(Reading(self._estimated(entry)), entry.name)
        reading = self.files.read(place, entry)
        self.counts[str(place.path) if place.clip is not None else "files"] += 1
        if entry.constant_rate is not None:
            reading = replace(reading, poses=self._resampled(reading.poses, entry))
        return self._noted(reading, str(place))

    def _resampled(self, poses: PoseSequence, entry: Entry) -> PoseSequence:
        """Return the poses of the frames that a resampled video shows."""
        path, count = self.root / entry.frame_path(0), entry.record.num_frames
        video = open_video(path, self.config.video_reader, constant_rate=entry.constant_rate)
        if len(poses) == count != video.file_frames:
            return poses  # they were resampled too
        left = abs(len(poses) - video.file_frames)
        if left > self.config.trim_ends:
            raise UserError(
                f"has {len(poses)} poses for {video.file_frames} frames of its file, {count} at "
                f"{entry.fps:g} a second; expected as many. --trim-ends {left} cuts the longer one."
            )
        return poses.frames([number for number in video.numbers if number < len(poses)])

    def _noted(self, reading: Reading, name: str) -> PoseSequence:
        self.missing += missing_frames(reading.poses)
        self.shown["frames"] += len(reading.poses)
        for part, share in coverage(reading.poses).items():
            self.shown[part] += round(share * len(reading.poses))
        self.people = max(self.people, reading.people or 1)
        self.remarks += [" ".join(lines)] if (lines := remarks(reading, name)) else []
        return reading.poses

    def _estimated(self, entry: Entry) -> PoseSequence:
        """Return what was estimated before, or estimate it now and keep it."""
        config = self.config
        assert self.estimator is not None
        # A video is told from one that replaces it: recordings are cut and exported again, corpora
        # of pictures are large and do not change.
        digest = f"-{sha256(self.root / entry.frame_path(0))[:12]}" if entry.is_video else ""
        digest += "" if entry.constant_rate is None else f"-{entry.constant_rate:g}fps"
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
        return open_clip(root / entry.frame_path(0), entry.fps, constant_rate=entry.constant_rate)
    count = entry.record.num_frames
    pictures = tuple(root / entry.frame_path(index) for index in range(count))
    return Frames(root, VideoInfo(entry.fps, entry.size, count), pictures)
