"""Settings of the `pose` commands. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from signgen.config.ranges import Count, Natural, Rate

__all__ = [
    "Align",
    "Device",
    "EstimatorName",
    "PoseAlignConfig",
    "PoseConvertConfig",
    "PoseExtractConfig",
    "PoseInfoConfig",
    "PoseViewConfig",
]

Device = Literal["auto", "cpu", "cuda", "mps"]
EstimatorName = Literal["auto", "mediapipe", "mmpose", "hrnet"]
Align = Literal["none", "affine", "limb"]
"""How driving poses are brought into the source's frame: `signgen.pose.retargeting.retarget`."""


@dataclass(frozen=True)
class PoseInfoConfig:
    """Say what files of poses hold."""

    files: tuple[str, ...] = ()
    """Files or folders of poses."""
    clip: str | None = None
    """Clip to look into, in files that hold many."""
    size: tuple[Count, Count] | None = None
    """Height and width of the pictures, for formats that do not say."""
    fps: Rate | None = None
    """Frames per second, whatever the file says; 25 where neither says."""
    json: bool = False
    """Print one JSON object on stdout."""


@dataclass(frozen=True)
class PoseConvertConfig:
    """Convert key points to another format."""

    source: str = ""
    """File or folder of poses."""
    out: str = ""
    """File to write, or a folder for all clips of a file."""
    format: Literal["own", "npz", "pose", "openpose"] | None = None
    """Format to write: own (.json), npz, pose or openpose; by the suffix of the output without it,
    npz in a folder."""
    clip: str | None = None
    """Clip to convert, of files that hold many; all of them without it."""
    size: tuple[Count, Count] | None = None
    """Height and width of the pictures, for formats that do not say."""
    fps: Rate | None = None
    """Frames per second, whatever the file says; 25 where neither says."""
    crop: tuple[int, int, int, int] | None = None
    """Cut this box out of the frame: x0 y0 x1 y1 in pixels."""
    resize: tuple[Count, Count] | None = None
    """Scale to this height and width, each axis on its own; after cropping."""
    flip: bool = False
    """Mirror left and right: the left hand becomes the right one."""
    fill_gaps: int = 0
    """Fill gaps of up to this many frames by straight lines."""
    smooth: bool = False
    """Smooth with the One-Euro filter: calm at rest, quick in fast movement."""
    json: bool = False
    """Print one JSON object on stdout."""


@dataclass(frozen=True)
class PoseExtractConfig:
    """Extract key points from videos or folders of frames: one file of poses per clip."""

    inputs: tuple[str, ...] = ()
    """Videos, pictures, folders of frames, or folders of these at any depth."""
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
    constant_rate: float | None = None
    """Frames per second to resample videos to, by repeating and leaving out frames: for videos
    whose rate varies. Not if not given."""
    shard: str | None = None
    """Part of the clips, such as 0/4 to 3/4, for one of several jobs."""
    format: Literal["pose", "json", "npz"] = "pose"
    """Format of the files in a folder."""
    report: str | None = None
    """Also write the report to this JSON file."""
    json: bool = False
    """Print the report as one JSON object on stdout."""


@dataclass(frozen=True)
class PoseAlignConfig:
    """Give driving poses the place and proportions of the source signer."""

    poses: str = ""
    """Poses to sign, of any signer."""
    source_poses: str = ""
    """Poses of the source signer: of the picture, or better of a whole clip."""
    source: str | None = None
    """Picture of the source signer, for the preview and its size."""
    mode: Align = "limb"
    """`limb`: every part gets the source's proportions, hands keep their place at the face;
    `affine`: one scale and place for all; `none`: fitted to the frame only."""
    out: str = "aligned.json"
    """File of poses to write, in pixels of the source's frame."""
    preview: str | None = None
    """Also show the poses fitted only (left) and aligned (right), over the dimmed source: .mp4, or
    .png with up to eight frames."""
    json: bool = False
    """Print one JSON object on stdout."""


@dataclass(frozen=True)
class PoseViewConfig:
    """Draw a file of poses on a video, on a picture, or on black."""

    poses: str = ""
    """File or folder of poses."""
    video: str | None = None
    """Video or folder of pictures to draw on; must have as many frames as there are poses."""
    frame: str | None = None
    """Picture to draw every pose on."""
    trim_ends: Natural = 0
    """Frames or poses to cut at most at the end where there are more of one than of the other."""
    out: str = "view.mp4"
    """File to write: .mp4, or .png with up to eight frames."""
    json: bool = False
    """Print one JSON object on stdout."""
