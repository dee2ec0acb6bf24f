"""Settings of `signgen ui`."""

from __future__ import annotations

from dataclasses import dataclass

from signgen.config.pose import Device

__all__ = ["UiConfig"]


@dataclass(frozen=True)
class UiConfig:
    """Open a page in the browser, for this machine alone."""

    port: int = 7860
    """Port on 127.0.0.1. The page cannot be opened to others."""
    model: str = "mini"
    """Model that the page begins with, as for `signgen render`."""
    device: Device = "auto"
    """Where to compute."""
    max_frames: int = 1500
    """Frames of the longest video that the page renders; a minute at 25 frames per second."""
    max_upload: int = 500
    """Megabytes of the largest file that can be uploaded."""
    open: bool = True
    """Open the browser."""
