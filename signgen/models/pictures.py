"""What pictures a model knows: measured on frames it is trained on, compared with what it is given.

Four plain statistics of a picture at the model's size, and how large and where the signer is in it.
They find what is far away, such as a photo for a model of drawings; they cannot tell what is near.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signgen.config.pictures import PicturesConfig, Range
from signgen.media.resizing import resize_image
from signgen.pose.warping import Figure
from signgen.structures import PoseSequence

__all__ = [
    "STATISTICS",
    "Stance",
    "joined",
    "measure_pictures",
    "picture_statistics",
    "stance",
    "unusual",
]

STATISTICS = ("brightness", "contrast", "saturation", "detail")
"""Mean luma; its standard deviation; mean of the largest minus the smallest channel; mean absolute
difference of luma between neighbours, across and down. All of pixels in [0, 1]."""
SLACK = 0.5
"""Share of a range's width beside it that is not unusual yet."""
NARROWEST = 0.02
"""Width that a range counts with at least, where all training pictures were alike."""
_ENDS = (2, 98)
"""Percentiles that a range goes from and to."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of the channels (BT.601)."""


@dataclass(frozen=True)
class Stance:
    """How large a signer is in a frame, and where.

    Args:
        shoulders: Width of the shoulders in pixels; see `Figure.unit`.
        neck: (x, y) of the middle between them in pixels.
    """

    shoulders: float
    neck: NDArray[np.float64]


def stance(poses: PoseSequence) -> Stance | None:
    """Return the median stance over the frames that show both shoulders, or None without one."""
    if not poses.visible.any():
        return None
    widths, necks = [], []
    for keypoints, confidence in zip(poses.keypoints, poses.confidence, strict=True):
        figure = Figure.of(keypoints, confidence, poses.skeleton)
        shoulders = figure.side("shoulder")
        if shoulders is not None:
            widths.append(figure.unit(poses.size))
            necks.append(shoulders.mean(axis=0))
    return Stance(float(np.median(widths)), np.median(necks, axis=0)) if widths else None


def picture_statistics(picture: NDArray[np.uint8], size: tuple[int, int]) -> dict[str, float]:
    """Return the `STATISTICS` of a picture.

    Args:
        picture: (H, W, 3) uint8 RGB.
        size: (H, W) of the model, at which they are taken.
    """
    pixels = resize_image(picture, size, "area").astype(np.float32) / 255
    luma = pixels @ _LUMA  # (H, W)
    across, down = (np.abs(np.diff(luma, axis=axis)).mean() for axis in (1, 0))
    spread = pixels.max(axis=-1) - pixels.min(axis=-1)
    values = (luma.mean(), luma.std(), spread.mean(), across + down)
    return {name: float(value) for name, value in zip(STATISTICS, values, strict=True)}


def measure_pictures(
    frames: Iterable[tuple[NDArray[np.uint8], PoseSequence | None]], size: tuple[int, int]
) -> PicturesConfig:
    """Measure frames that a model is trained on.

    Args:
        frames: Pictures (H, W, 3) uint8, each with its one pose in its pixels, if known.
        size: (H, W) of the model.
    """
    # Measure every frame
    aspects, shares, necks = [], [], []
    values: dict[str, list[float]] = {name: [] for name in STATISTICS}
    for picture, pose in frames:
        height, width = picture.shape[:2]
        aspects.append(width / height)
        for name, value in picture_statistics(picture, size).items():
            values[name].append(value)
        found = None if pose is None else stance(pose)
        if pose is not None and found is not None:
            shares.append(found.shoulders / pose.size[1])
            necks.append(found.neck / pose.size[::-1])

    # Sum them up
    if not aspects:
        return PicturesConfig()
    neck = np.median(necks, axis=0) if necks else np.zeros(2)
    return PicturesConfig(
        frames=len(aspects),
        aspect=round(float(np.median(aspects)), 4),
        shoulders=_range(shares),
        neck=(round(float(neck[0]), 3), round(float(neck[1]), 3)),
        **{name: _range(found) for name, found in values.items()},
    )


def joined(known: PicturesConfig, new: PicturesConfig) -> PicturesConfig:
    """Return what is known of pictures of two trainings that show signers alike, as the first."""
    ranges: dict[str, Any] = {}
    for name in STATISTICS:
        before, now = getattr(known, name), getattr(new, name)
        ranges[name] = (min(before[0], now[0]), max(before[1], now[1]))
    return replace(known, frames=known.frames + new.frames, **ranges)


def _range(values: list[float]) -> Range:
    if not values:
        return (0.0, 0.0)
    low, high = np.percentile(values, _ENDS)
    return round(float(low), 4), round(float(high), 4)


def unusual(known: PicturesConfig, picture: NDArray[np.uint8], size: tuple[int, int]) -> str:
    """Name the statistic in which a picture is farthest from those that a model knows.

    Args:
        known: What was measured in training.
        picture: (H, W, 3) uint8 RGB, as the model is given it.
        size: (H, W) of the model.

    Returns:
        Name, value and range in words, or nothing where all are near their ranges.
    """
    if not known.frames:
        return ""
    values = picture_statistics(picture, size)
    off = {name: _distance(value, getattr(known, name)) for name, value in values.items()}
    name = max(off, key=lambda name: off[name])
    if off[name] <= SLACK:
        return ""
    low, high = getattr(known, name)
    return f"{name} {values[name]:.2g}, known {low:.2g} to {high:.2g}"


def _distance(value: float, known: Range) -> float:
    """Return how far a value is outside of a range, in widths of it."""
    low, high = known
    return max(low - value, value - high, 0.0) / max(high - low, NARROWEST)
