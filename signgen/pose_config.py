"""Settings of the `pose` commands. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Align", "PoseAlignConfig", "PoseInfoConfig", "PoseViewConfig"]

Align = Literal["none", "affine", "limb"]
"""How driving poses are brought into the source's frame, see `signgen.pose.retarget`."""


@dataclass(frozen=True)
class PoseInfoConfig:
    """Say what files of poses hold."""

    files: tuple[str, ...] = ()
    """Files or folders of poses; they can also be named without a flag."""
    json: bool = False
    """Print one JSON object on stdout."""


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
    """File or folder of poses; it can also be named without a flag."""
    video: str | None = None
    """Video or folder of pictures to draw on; must have as many frames as there are poses."""
    frame: str | None = None
    """Picture to draw every pose on."""
    out: str = "view.mp4"
    """File to write: .mp4, or .png with up to eight frames."""
    json: bool = False
    """Print one JSON object on stdout."""
