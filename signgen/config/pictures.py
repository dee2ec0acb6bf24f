"""Settings that say what pictures a model knows. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from signgen.config.ranges import Natural, Positive

__all__ = ["PicturesConfig", "Range"]

Range = tuple[float, float]


@dataclass(frozen=True)
class PicturesConfig:
    """What the pictures are like that a model was trained on; measured when a run begins.

    Ranges go from the 2nd to the 98th percentile.
    """

    frames: Natural = 0
    """Frames that were measured; 0 knows nothing: pictures are then rendered whole, and none is
    called unusual."""
    aspect: Positive = 1.0
    """Width over height."""
    shoulders: Range = (0.0, 0.0)
    """Width of the shoulders, as a share of the picture's width."""
    neck: tuple[float, float] = (0.5, 0.4)
    """Where the middle between the shoulders is: shares of width and height."""
    brightness: Range = (0.0, 1.0)
    """Mean luma, pixels in 0 to 1; as the rest, at the model's size."""
    contrast: Range = (0.0, 1.0)
    """Standard deviation of luma."""
    saturation: Range = (0.0, 1.0)
    """Mean of the largest minus the smallest channel."""
    detail: Range = (0.0, 2.0)
    """Mean absolute difference of luma between neighbours, across and down."""
