"""Settings of the layers through which the frames of a clip see each other. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from signgen.config.ranges import Count, Natural

__all__ = ["MotionConfig"]


@dataclass(frozen=True)
class MotionConfig:
    """Motion layers in the U-Net, through which the frames of a clip see each other (AnimateDiff).

    Stage `motion` trains them; there are none where `window` is 0.
    """

    window: Natural = 0
    """Frames that see each other, at most 32; AnimateDiff has 16. 0 is none: every frame by
    itself."""
    overlap: Natural = 4
    """Frames that two windows of a video share, over which the first fades into the second; at most
    half of `window`."""
    heads: Count = 8
    """Attention heads of each motion layer, as AnimateDiff."""

    def frames(self, rows: int) -> int:
        """Return how many of the rows of a batch are one clip: a window, or what there is of it."""
        return min(self.window, rows) or 1
