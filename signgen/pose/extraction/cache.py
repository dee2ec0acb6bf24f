"""Poses of a video, extracted once: kept in a cache folder by the video's content."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from signgen.errors import UserError
from signgen.files.digests import sha256
from signgen.files.paths import check_input
from signgen.files.writing import make_folder
from signgen.media import Frames, read_frames
from signgen.pose.estimators import PoseEstimator
from signgen.pose.extraction.clips import SKELETON, extract_clip
from signgen.pose.formats import read_poses, write_poses
from signgen.structures import PoseSequence, Progress

__all__ = ["VideoPoses", "cache_folder", "open_video_poses"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class VideoPoses:
    """Poses that a video shows, not yet extracted.

    Args:
        file: Where they are kept; they are there already if it is a file.
    """

    clip: Frames
    estimator: PoseEstimator
    file: Path
    frames: int

    skeleton = SKELETON

    def __len__(self) -> int:
        return self.frames

    @property
    def fps(self) -> float:
        """Frames per second of the video."""
        return self.clip.fps

    def read(self, progress: Progress | None = None) -> PoseSequence:
        """Return the poses from the cache, else extract and keep them; the log says which."""
        if self.file.is_file():
            try:
                poses = read_poses(self.file)
            except UserError as error:
                log.warning("extracted again: %s", error)
            else:
                log.info("poses of %s from the cache, %s", self.clip.path, self.file)
                return replace(poses, fps=self.fps)
        log.info("extracting poses from %s with %s", self.clip.path, self.estimator.name)
        poses = extract_clip(
            self.clip,
            self.estimator,
            wrap=None if progress is None else lambda clip: progress(clip, self.frames),
        )
        try:
            make_folder(self.file.parent)
            write_poses(poses, self.file)
        except UserError as error:
            log.warning("the poses are not kept for next time: %s", error)
            return poses
        # The file rounds: what is read now is what the cache gives next time.
        return read_poses(self.file)


def open_video_poses(
    path: str | Path, estimator: PoseEstimator, constant_rate: float | None = None
) -> VideoPoses:
    """Check a video and find the place of its poses in the cache; extracts nothing.

    Args:
        path: The video.
        estimator: Finds the points.
        constant_rate: Frames per second to resample the video to; None leaves it as it is.
    """
    clip = read_frames(check_input(path, "video"), constant_rate=constant_rate, strict=False)
    frames = clip.info.num_frames or sum(1 for _ in clip)
    maker = re.sub(r"[^A-Za-z0-9.-]+", "_", estimator.name)
    rate = "" if constant_rate is None else f"-{constant_rate:g}fps"
    name = f"{sha256(clip.path)}-{maker}{rate}.json"
    return VideoPoses(clip, estimator, cache_folder() / name, frames)


def cache_folder() -> Path:
    """Return the folder of extracted poses: below SIGNGEN_CACHE, else the user's cache folder."""
    own = os.environ.get("SIGNGEN_CACHE")
    if own:
        return Path(own) / "poses"
    # The XDG base directory specification ignores a value that is no absolute path.
    users = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (users if users.is_absolute() else Path.home() / ".cache") / "signgen" / "poses"
