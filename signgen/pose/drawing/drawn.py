"""Poses that were drawn beforehand, one picture a frame, as the published FPDM takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.files.paths import check_local
from signgen.media import image_size, list_pictures, read_image
from signgen.media.video import PICTURE_SUFFIXES
from signgen.structures import PoseSequence

__all__ = ["DRAWN", "DrawnPoses", "check_drawing", "holds_drawings", "read_drawn_poses"]

DRAWN = "drawn"
"""What takes the place of a skeleton's name: there are no key points."""
DEFAULT_FPS = 25.0
BLACK, LEAST_BLACK = 32, 0.25
"""Brightest black (JPEG is not exact), and the share of a drawing that is black at least."""


@dataclass(frozen=True)
class DrawnPoses(PoseSequence):
    """Poses known by their drawings alone: (T, 0) key points, and a picture for each frame.

    Args:
        pictures: T files of one size, drawn on black in the style that the model knows.
    """

    pictures: tuple[Path, ...] = ()

    def frames(self, index: slice | Sequence[int]) -> DrawnPoses:
        """Return the chosen frames as a sequence of their own."""
        numbers = np.arange(len(self))[index]
        chosen = tuple(self.pictures[number] for number in numbers)
        points = _no_points(len(chosen))
        return replace(self, keypoints=points, confidence=points[..., 0], pictures=chosen)

    def picture(self, index: int) -> NDArray[np.uint8]:
        """Read the drawing of a frame, (H, W, 3) uint8 RGB."""
        return read_image(self.pictures[index])


def holds_drawings(path: str | Path) -> bool:
    """Tell whether a path is a picture, or a folder of pictures without key points (JSON)."""
    path = Path(path)
    if not path.is_dir():
        return path.suffix.lower() in PICTURE_SUFFIXES
    return not any(path.glob("*.json")) and bool(list_pictures(path))


def read_drawn_poses(path: str | Path, fps: float | None = None) -> DrawnPoses:
    """List the drawings of a folder in natural order, or take one picture; 25 fps if not given.

    Raises:
        UserError: If sizes differ, or the first picture is no drawing on black.
    """
    # List them
    path = check_local(path, "folder of drawn poses")
    pictures = list_pictures(path) if path.is_dir() else (path,)
    if not pictures:
        raise UserError(f"{path} holds no pictures; expected drawn poses, one a frame.")

    # All of one size
    height, width = check_drawing(pictures[0]).shape[:2]
    for picture in pictures[1:]:
        if image_size(picture, ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")) != (height, width):
            raise UserError(
                f"{picture} has another size than {pictures[0].name}, which has {width} x {height} "
                "pixels (width x height); expected drawings of one size."
            )
    size = (int(height), int(width))
    points = _no_points(len(pictures))
    return DrawnPoses(points, points[..., 0], DRAWN, size, fps or DEFAULT_FPS, pictures)


def check_drawing(path: Path) -> NDArray[np.uint8]:
    """Read a picture, (H, W, 3) uint8 RGB, which must be a drawing on black and no photograph."""
    drawn = read_image(path)
    black = float((drawn.max(axis=-1) <= BLACK).mean())
    if black < LEAST_BLACK:
        raise UserError(
            f"{path} is no pose drawn on black: {black:.0%} of it is black, expected "
            f"{LEAST_BLACK:.0%} at least. To get poses from frames of a signer: `signgen pose "
            "extract`."
        )
    return drawn


def _no_points(count: int) -> NDArray[np.float32]:
    return np.zeros((count, 0, 2), np.float32)
