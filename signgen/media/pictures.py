"""A video as a folder of numbered PNG with opacity, as editors and compositors take it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from signgen.errors import ExitCode, UserError
from signgen.files.writing import make_folder, written

__all__ = ["append_pictures", "finish_pictures", "picture_name"]


def picture_name(number: int) -> str:
    """Return the name of a frame: `000000.png` is the first."""
    return f"{number:06d}.png"


def append_pictures(folder: Path, frames: Sequence[NDArray[np.uint8]], first: int) -> None:
    """Write frames into a growing folder; what a kill left of them before is replaced.

    Args:
        folder: Where; made if it is missing.
        frames: (H, W, 4) uint8 RGB and opacity each.
        first: Number of the first one.

    Raises:
        UserError: If they cannot be written (74).
    """
    make_folder(folder)
    for number, frame in enumerate(frames, first):
        path = folder / picture_name(number)
        with written(path):
            Image.fromarray(frame, "RGBA").save(path, format="PNG", compress_level=4)


def finish_pictures(grown: Path, out: Path, count: int, size: tuple[int, int], shown: Path) -> None:
    """Copy the frames of a growing folder into a new one, and verify it.

    Args:
        grown: The growing folder.
        out: The folder to make.
        count: Number of frames; files behind them are left out.
        size: (H, W) of the frames.
        shown: What to call it in messages.

    Raises:
        UserError: If a frame is missing or not as it should be (74).
    """
    out.mkdir()
    for number in range(count):
        path = out / picture_name(number)
        with written(shown / path.name):
            shutil.copyfile(grown / path.name, path)
        with Image.open(path, formats=("PNG",)) as picture:
            picture.load()
            found = (picture.mode, picture.size)
        if found != ("RGBA", size[::-1]):
            raise UserError(
                f"{shown / path.name} was not written: read back (mode, size) {found}; expected "
                f"{('RGBA', size[::-1])}.",
                ExitCode.IO,
            )
