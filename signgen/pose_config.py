"""Settings of the `pose` commands. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["PoseConvertConfig", "PoseInfoConfig"]


@dataclass(frozen=True)
class PoseInfoConfig:
    """Say what files of poses hold."""

    files: tuple[str, ...] = ()
    """Files or folders of poses; they can also be named without a flag."""
    clip: str | None = None
    """Clip to look into, in files that hold many."""
    size: tuple[int, int] | None = None
    """Height and width of the pictures, for formats that do not say."""
    fps: float | None = None
    """Frames per second, for formats that do not say; 25 without it."""
    json: bool = False
    """Print one JSON object on stdout."""


@dataclass(frozen=True)
class PoseConvertConfig:
    """Convert key points to another format."""

    source: str = ""
    """File or folder of poses; it can also be the first word without a flag."""
    out: str = ""
    """File to write, or a folder for all clips of a file; it can also be the second word."""
    format: Literal["own", "npz", "pose", "openpose"] | None = None
    """Format to write: own (.json), npz, pose or openpose; by the suffix of the output without it,
    npz in a folder."""
    clip: str | None = None
    """Clip to convert, of files that hold many; all of them without it."""
    size: tuple[int, int] | None = None
    """Height and width of the pictures, for formats that do not say."""
    fps: float | None = None
    """Frames per second, for formats that do not say; 25 without it."""
    json: bool = False
    """Print one JSON object on stdout."""
