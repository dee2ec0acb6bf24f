"""Settings of the `pose` commands. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PoseInfoConfig"]


@dataclass(frozen=True)
class PoseInfoConfig:
    """Say what files of poses hold."""

    files: tuple[str, ...] = ()
    """Files or folders of poses; they can also be named without a flag."""
    json: bool = False
    """Print one JSON object on stdout."""
