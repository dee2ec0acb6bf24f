"""Still pictures: read, save, and lay several out on one sheet."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_input, check_no_device, one_line
from signgen.files.writing import atomic_path

MAX_PIXELS = 16_800_000
"""Largest picture or frame read by default, in pixels (4096 x 4096 and a little)."""

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
_ORIENTATION_TAG = 0x0112
# `ImageOps.exif_transpose` also writes the EXIF block anew, and fails where other tags are damaged.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What Pillow's decoders raise on broken files; only calls into Pillow stand inside the `try`.
_DECODE_ERRORS = (
    *(OSError, ValueError, SyntaxError, EOFError, ArithmeticError, LookupError, TypeError),
    *(AttributeError, RuntimeError, MemoryError, struct.error, zlib.error),
)


def read_image(path: str | Path, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Read a picture as (H, W, 3) uint8 RGB: PNG, JPEG, WebP, BMP, TIFF, a GIF's first frame.

    It is turned upright by its EXIF orientation; transparent pixels are laid on white; 16-bit grey
    is reduced to 8 bits. The size is checked before anything is decoded.
    """
    path = check_input(path, "picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Opening reads the header only, so size and mode are known before pixels are decoded.
            with Image.open(path, formats=_FORMATS) as picture:
                _check_header(path, picture, max_pixels)
                picture.load()
                upright = _UPRIGHT.get(picture.getexif().get(_ORIENTATION_TAG, 1))
                return _rgb(picture if upright is None else picture.transpose(upright))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UserError(
            f"{path} has far more than {max_pixels} pixels, the limit. Make it smaller."
        ) from error
    except PermissionError as error:
        raise UserError(f"{path} cannot be read: {one_line(error)}.", ExitCode.NO_INPUT) from error
    except UnidentifiedImageError as error:
        raise UserError(
            f"{path} is not a picture; expected PNG, JPEG, WebP, BMP, TIFF or GIF."
        ) from error
    except _DECODE_ERRORS as error:
        raise UserError(
            f"{path} is damaged: {one_line(error)}. Copy or export the picture again."
        ) from error


def _check_header(path: Path, picture: Image.Image, max_pixels: int) -> None:
    width, height = picture.size
    if width * height > max_pixels:
        raise UserError(
            f"{path} has {width} x {height} = {width * height} pixels; the limit is {max_pixels}. "
            "Make it smaller."
        )
    if picture.mode in ("F", "I"):
        raise UserError(f"{path} has 32-bit pixels (mode {picture.mode}); expected 8-bit colour.")


def _rgb(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode.startswith("I;16"):
        # Pillow's own conversion clips at 255 instead of scaling.
        grey = (np.asarray(picture).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return np.array(picture.convert("RGB"), dtype=np.uint8)


def image_size(path: Path, formats: tuple[str, ...]) -> tuple[int, int]:
    """Read the (H, W) of a picture from its header alone; too many pixels are an error."""
    check_no_device(path, "a picture")
    try:
        with Image.open(path, formats=formats) as picture:
            width, height = picture.size
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path} is no picture that can be read ({error}).") from error
    if width * height > MAX_PIXELS:
        raise UserError(f"{path} has {width * height} pixels; too many.")
    return height, width


def save_image(path: str | Path, image: NDArray[np.uint8]) -> None:
    """Write a picture, (H, W, 3) uint8 RGB, as PNG whatever its ending, atomically."""
    check_frame(image)
    with atomic_path(path) as temporary:
        Image.fromarray(image).save(temporary, format="PNG")


def check_frame(frame: NDArray[np.uint8], size: tuple[int, int] | None = None) -> None:
    """Raise `ValueError` unless an array is (H, W, 3) uint8, and of a (H, W) where one is given."""
    fits = frame.ndim == 3 and frame.shape[2] == 3 and frame.dtype == np.uint8 and frame.size > 0
    if not fits or (size is not None and frame.shape[:2] != size):
        wanted = "(H, W, 3)" if size is None else (*size, 3)
        raise ValueError(f"frame is {frame.shape} {frame.dtype}; expected {wanted} uint8")


def side_by_side(*frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay frames in a row, top-aligned; shorter ones are padded below, none is resized."""
    return contact_sheet(frames, columns=len(frames))


def contact_sheet(
    frames: Iterable[NDArray[np.uint8]], columns: int = 6, scale: float = 1.0, gap: int = 4
) -> NDArray[np.uint8]:
    """Lay frames on a white grid, row by row; columns and rows are as large as their largest frame.

    Args:
        frames: (H, W, 3) uint8 each, at least one; sizes may differ.
        columns: Frames in a row, at least 1.
        scale: Factor on the size of each frame.
        gap: Pixels between two frames.
    """
    cells = [_scaled(frame, scale) for frame in frames]
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    widths = [max(row[i].shape[1] for row in rows if i < len(row)) for i in range(len(rows[0]))]
    heights = [max(cell.shape[0] for cell in row) for row in rows]
    shape = (sum(heights) + gap * (len(heights) - 1), sum(widths) + gap * (len(widths) - 1), 3)
    sheet = np.full(shape, 255, np.uint8)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        left = 0
        for cell, width in zip(row, widths, strict=False):
            sheet[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
            left += width + gap
        top += height + gap
    return sheet


def _scaled(frame: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    check_frame(frame)
    if scale == 1:
        return frame
    height, width = (max(1, round(side * scale)) for side in frame.shape[:2])
    resized = Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized, dtype=np.uint8)
