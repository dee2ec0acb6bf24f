"""Settings of the `pose` commands. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Device", "EstimatorName", "PoseExtractConfig", "PoseInfoConfig"]

Device = Literal["auto", "cpu", "cuda"]
EstimatorName = Literal["auto", "mediapipe", "mmpose", "hrnet"]


@dataclass(frozen=True)
class PoseInfoConfig:
    """Say what files of poses hold."""

    files: tuple[str, ...] = ()
    """Files or folders of poses; they can also be named without a flag."""
    json: bool = False
    """Print one JSON object on stdout."""


@dataclass(frozen=True)
class PoseExtractConfig:
    """Extract key points from videos or folders of frames: one file of poses per clip."""

    inputs: tuple[str, ...] = ()
    """Video, picture, folder of frame pictures, or folder of these at any depth; can also be named
    without a flag."""
    out: str = ""
    """File for one clip (.pose, .json or .npz), else a folder, where clips that are done are
    skipped."""
    estimator: EstimatorName = "auto"
    """`mediapipe`, `mmpose`, `hrnet`, or `auto`: HRNet where its checkpoint is found, else
    MediaPipe."""
    weights: str | None = None
    """Checkpoint of HRNet or MMPose."""
    device: Device = "auto"
    """Where HRNet and MMPose compute."""
    batch_size: int = 8
    """Frames computed at a time; does not change the result."""
    boxes: str | None = None
    """Where the signer is, JSON or CSV with clip, frame (optional), x0, y0, x1, y1 and score
    (optional); the whole frame if not given."""
    aspect: float = 1.0
    """Height of a pixel over its width; 1.1538 for PHOENIX-2014T's squashed frames."""
    fps: float = 25.0
    """Frame rate of folders of pictures."""
    shard: str | None = None
    """Part of the clips, such as 0/4 to 3/4, for one of several jobs."""
    format: Literal["pose", "json", "npz"] = "pose"
    """Format of the files in a folder."""
    report: str | None = None
    """Also write the report to this JSON file."""
    json: bool = False
    """Print the report as one JSON object on stdout."""
