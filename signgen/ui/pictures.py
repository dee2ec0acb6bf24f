"""The source as the page shows it: key points drawn on, and the part that a model renders."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from signgen.errors import ExitCode, UserError
from signgen.media import read_image
from signgen.pose.drawing.viewing import overlay
from signgen.pose.estimators import open_estimator
from signgen.pose.extraction.clips import estimate_source
from signgen.pose.formats import read_clip_of
from signgen.pose.transforms import fit_to_source
from signgen.rendering.base import Frame

__all__ = ["source_view"]

BOX = (255, 214, 10)
"""Colour of the box around what is rendered: yellow, seen on skin, cloth and walls."""


def source_view(
    source: str, source_poses: str, crop: tuple[int, int, int, int] | None = None
) -> tuple[Frame, str]:
    """Return the source with its key points drawn on it, and what there is to say of them.

    Args:
        source: The picture.
        source_poses: File with its key points; they are estimated where it is empty.
        crop: (x0, y0, x1, y1) of the part that is rendered; None for the whole.
    """
    picture = read_image(source)
    size = (picture.shape[0], picture.shape[1])

    # Key points
    said = "Key points of the source are those of the file."
    try:
        if source_poses:
            poses = read_clip_of(Path(source_poses), source, size).poses.frames([0])
        else:
            estimator = open_estimator("auto", None)
            poses = estimate_source(picture, estimator, name=Path(source).name)
            said = f"Key points of the source were found by {estimator.name}."
        (shown,) = overlay(fit_to_source(poses, size), [picture])
    except UserError as error:
        if source_poses or error.code not in {ExitCode.UNAVAILABLE, ExitCode.DATA}:
            raise
        return picture, (
            "No key points of the source: no estimator is installed, or it finds nobody. Give a "
            "file of them, or install one: make pose-mediapipe."
        )

    # The part that is rendered
    if crop is not None:
        shown = np.ascontiguousarray(shown)
        width = max(2, round(min(size) / 150))
        cv2.rectangle(shown, (crop[0], crop[1]), (crop[2] - 1, crop[3] - 1), BOX, width)
        said += " The yellow box is the part that is rendered."
    return shown, said
