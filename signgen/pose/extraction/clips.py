"""Key points of one clip, of one picture, or of many clips: resumable, not stopped by a bad one.

A clip whose file of poses is there, can be read and has as many frames as the clip is not estimated
again. Memory does not grow with a clip's length beyond its points.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from signgen.errors import ExitCode, UserError
from signgen.files.writing import make_folder
from signgen.media import Frames, open_clip
from signgen.pose.estimators import Box, Frame, PoseEstimator
from signgen.pose.extraction.boxes import PersonBoxes
from signgen.pose.formats import read_poses, write_poses
from signgen.pose.skeleton import COCO_WHOLEBODY
from signgen.pose.summary import coverage
from signgen.structures import PoseSequence

__all__ = [
    "ClipResult",
    "ExtractionReport",
    "FrameCounter",
    "estimate_source",
    "extract_clip",
    "extract_files",
]

log = logging.getLogger(__name__)

SKELETON = COCO_WHOLEBODY
Status = Literal["done", "skipped", "failed"]

FrameCounter = Callable[[int, int], None]
"""Takes the number of frames done and the number of clips begun."""


@dataclass(frozen=True)
class ClipResult:
    """What became of one clip.

    Args:
        status: `done`, `skipped` (was done already) or `failed`.
        error: Why it failed, on one line; empty otherwise.
        file: The file of poses; empty where it failed.
        frames: Number of poses.
        coverage: Share of them that shows each part, see `summary.coverage`.
    """

    id: str
    status: Status
    error: str = ""
    file: str = ""
    frames: int = 0
    coverage: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ExtractionReport:
    """What became of all clips.

    Args:
        seconds: Time for the clips that were done or failed.
        frames_per_second: Rate of estimating.
    """

    estimator: str
    results: tuple[ClipResult, ...]
    seconds: float
    frames_per_second: float

    def count(self, status: Status) -> int:
        """Return the number of clips of one status."""
        return sum(result.status == status for result in self.results)

    @property
    def coverage(self) -> dict[str, float]:
        """Share of all frames that show each part."""
        rows = [result for result in self.results if result.frames]
        total = sum(row.frames for row in rows)
        return {
            part: round(sum(row.coverage[part] * row.frames for row in rows) / total, 4)
            for part in (rows[0].coverage if rows else ())
        }

    def as_json(self) -> dict[str, object]:
        """Return the report as one JSON object."""
        return {
            "schema_version": 1,
            "estimator": self.estimator,
            "clips": len(self.results),
            "done": self.count("done"),
            "skipped": self.count("skipped"),
            "failed": self.count("failed"),
            "frames": sum(result.frames for result in self.results),
            "seconds": self.seconds,
            "frames_per_second": self.frames_per_second,
            "coverage": self.coverage,
            "results": [asdict(result) for result in self.results],
        }


# ----- one clip -----------------------------------------------------------------------------------


def extract_clip(
    clip: Frames,
    estimator: PoseEstimator,
    boxes: Sequence[Box | None] | None = None,
    *,
    wrap: Callable[[Iterable[Frame]], Iterable[Frame]] | None = None,
) -> PoseSequence:
    """Estimate as many poses as a clip has frames, at its size and rate.

    Args:
        clip: Its frames.
        estimator: Finds the points.
        boxes: Where the signer is, one per frame; None for the whole frame.
        wrap: Wraps the frames as they are read; for a progress bar.
    """
    signer = list(estimator.estimate(clip if wrap is None else wrap(clip), boxes))
    if not any((confidence > 0).any() for _, confidence in signer):
        raise UserError(
            f"{clip.path}: {estimator.name} finds nobody in {len(signer)} frames; expected a "
            "signer. Name where the signer is with boxes, or choose another estimator."
        )
    return PoseSequence(
        np.stack([points for points, _ in signer]),  # (T, 133, 2)
        np.stack([confidence for _, confidence in signer]),  # (T, 133)
        SKELETON,
        clip.info.size,
        clip.info.fps,
    )


def estimate_source(
    image: Frame, estimator: PoseEstimator, *, name: str = "the picture"
) -> PoseSequence:
    """Estimate the pose in one (H, W, 3) picture, such as the source of a render."""
    ((points, confidence),) = estimator.estimate([image])
    if not (confidence > 0).any():
        raise UserError(f"{name}: {estimator.name} finds nobody; expected a signer.")
    height, width = image.shape[:2]
    return PoseSequence(points[None], confidence[None], SKELETON, (height, width), 25.0)


# ----- many clips ---------------------------------------------------------------------------------


def extract_files(
    files: Mapping[str, tuple[Path, Path]],
    estimator: PoseEstimator,
    boxes: PersonBoxes | None = None,
    *,
    fps: float = 25.0,
    constant_rate: float | None = None,
    strict: bool = False,
    progress: FrameCounter | None = None,
) -> ExtractionReport:
    """Estimate clips and write a file of poses for each.

    A clip that fails stops nothing, unless poses cannot be written at all (73, 74).

    Args:
        files: Clip and file of poses by name, from `files.plan_files`.
        estimator: Finds the points.
        boxes: Where the signer is, by clip; None for whole frames.
        fps: Frame rate of folders of pictures.
        constant_rate: Frames per second to resample videos to; None leaves them as they are.
        strict: Do all clips again, and stop at the first that fails.
        progress: Called after each frame.
    """
    results: list[ClipResult] = []
    estimated, seconds = 0, 0.0

    def counted(frames: Iterable[Frame]) -> Iterator[Frame]:
        nonlocal estimated
        for frame in frames:
            yield frame
            estimated += 1
            if progress is not None:
                progress(estimated, len(results) + 1)

    for id, (path, file) in files.items():
        started = time.perf_counter()
        try:
            clip = open_clip(path, fps, constant_rate=constant_rate, strict=False)
            for remark in clip.remarks:
                log.warning("%s", remark)
            poses = None if strict else _finished(file, clip)
            status: Status = "done" if poses is None else "skipped"
            if poses is None:
                places = None
                if boxes is not None:
                    places = boxes.of_clip(id, _num_frames(clip), clip.info.size)
                poses = extract_clip(clip, estimator, places, wrap=counted)
                make_folder(file.parent)
                write_poses(poses, file)
                seconds += time.perf_counter() - started
            result = ClipResult(id, status, "", str(file), len(poses), coverage(poses))
        except Exception as error:
            if strict or _concerns_all(error):
                raise
            seconds += time.perf_counter() - started
            reason = error if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            result = ClipResult(id, "failed", " ".join(str(reason).split()))
            log.warning(
                "failed: %s",
                result.error if str(path) in result.error else f"{path}: {result.error}",
            )
        results.append(result)
    return ExtractionReport(
        estimator.name,
        tuple(results),
        round(seconds, 3),
        round(estimated / seconds, 2) if seconds else 0.0,
    )


def _concerns_all(error: Exception) -> bool:
    """Tell whether an error would meet every other clip, too: no room to write, no device."""
    codes = {ExitCode.CANNOT_CREATE, ExitCode.IO, ExitCode.UNAVAILABLE, ExitCode.USAGE}
    return isinstance(error, UserError) and error.code in codes


def _finished(file: Path, clip: Frames) -> PoseSequence | None:
    """Return the poses that a clip has already, or None where it has none that fit."""
    if not file.is_file():
        return None
    try:
        poses = read_poses(file)
    except UserError as error:
        log.info("done again: %s", error)
        return None
    fits = poses.skeleton == SKELETON and poses.size == clip.info.size
    fits = fits and abs(poses.fps - clip.fps) <= 0.01 * clip.fps
    # Headers may count frames that an edit list cuts: decoding is what counts.
    if fits and (len(poses) == clip.info.num_frames or len(poses) == _num_frames(clip)):
        return poses
    log.info("done again: %s does not fit %s", file, clip.path)
    return None


def _num_frames(clip: Frames) -> int:
    return len(clip.pictures) if clip.pictures is not None else sum(1 for _ in clip)
