"""Boxes of top-down estimation: which part of a frame the network sees, and the way back.

The conventions of MMPose's `GetBBoxCenterScale` and `TopdownAffine`, in float32 as there: pixels of
the network's input equal MMPose's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.pose.estimators.base import Box, Frame

__all__ = ["PADDING", "Crop", "boxed_chunks", "crop_frame", "crop_of"]

#: The network sees this much more than the box, as in its training.
PADDING = 1.25

Size = tuple[int, int]


@dataclass(frozen=True)
class Crop:
    """Where in a frame the network looks.

    Args:
        center: (2,) x, y in pixels of the frame.
        extent: (2,) width and height in pixels of the frame, in the proportions of the input.
        input_size: (H, W) of the network's input.
    """

    center: NDArray[np.float32]
    extent: NDArray[np.float32]
    input_size: Size

    def matrix(self) -> NDArray[np.float64]:
        """Return the (2, 3) matrix from pixels of the frame to pixels of the input."""
        height, width = self.input_size
        seen = _corner(self.center, self.extent[0])
        drawn = _corner(np.array([width * 0.5, height * 0.5], np.float32), np.float32(width))
        return np.asarray(cv2.getAffineTransform(seen, drawn), np.float64)

    def to_frame(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Bring (..., 2) points from pixels of the input to pixels of the frame."""
        size = np.array(self.input_size[::-1], np.float64)
        return points / size * self.extent + self.center - 0.5 * self.extent


def _corner(center: NDArray[np.float32], width: np.float32) -> NDArray[np.float32]:
    """Return centre, top middle and top left of a square: (3, 2)."""
    x, y = center
    top = y - width * np.float32(0.5)
    # Half the width again, but rounded as MMPose rounds it.
    return np.array([(x, y), (x, top), (x - (y - top), top)], np.float32)


def crop_of(box: Box | None, frame_size: Size, input_size: Size) -> Crop:
    """Grow a box by `PADDING` and to the input's proportions, around its centre.

    Args:
        box: In pixels, may reach outside the frame; None for the whole frame.
        frame_size: (H, W) of the frame.
        input_size: (H, W) of the network's input.
    """
    height, width = frame_size
    corners = np.array((0, 0, width, height) if box is None else box, np.float32)
    extent = (corners[2:] - corners[:2]) * np.float32(PADDING)
    if not (np.isfinite(corners).all() and (extent > 0).all()):
        raise UserError(f"box {box}: holds no pixels; expected x0 < x1 and y0 < y1, finite.")
    aspect = input_size[1] / input_size[0]
    if extent[0] > extent[1] * aspect:
        extent = np.array([extent[0], extent[0] / aspect], np.float32)
    else:
        extent = np.array([extent[1] * aspect, extent[1]], np.float32)
    return Crop((corners[:2] + corners[2:]) * np.float32(0.5), extent, input_size)


def crop_frame(frame: Frame, crop: Crop) -> Frame:
    """Cut and resize (bilinear, black outside the frame) to the (H, W, 3) input."""
    height, width = crop.input_size
    picture = cv2.warpAffine(
        np.ascontiguousarray(frame), crop.matrix(), (width, height), flags=cv2.INTER_LINEAR
    )
    return np.asarray(picture, np.uint8)


def boxed_chunks(
    frames: Iterable[Frame], boxes: Sequence[Box | None] | None, batch_size: int
) -> Iterator[list[tuple[Frame, Box | None]]]:
    """Pair each frame with its box and group them; frames are read as groups are asked for."""
    rest, count = iter(frames), 0
    while chunk := list(islice(rest, batch_size)):
        start, count = count, count + len(chunk)
        if boxes is not None and count > len(boxes):
            raise _unpaired(len(boxes), f"at least {count}")
        places = [None] * len(chunk) if boxes is None else boxes[start:count]
        yield list(zip(chunk, places, strict=True))
    if boxes is not None and count != len(boxes):
        raise _unpaired(len(boxes), str(count))


def _unpaired(boxes: int, frames: str) -> UserError:
    return UserError(f"boxes: {boxes} boxes for {frames} frames; give one box per frame.")
