"""Settings of `signgen info`."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["InfoConfig"]


@dataclass(frozen=True)
class InfoConfig:
    """Say where a rendered video comes from."""

    video: str = ""
    """A video of `signgen render`."""
    json: bool = False
    """Print one JSON object on stdout."""
