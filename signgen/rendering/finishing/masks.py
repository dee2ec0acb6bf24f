"""Where the signer is in a rendered frame: by key points and colours, human parsing, or MediaPipe.

Every frame is looked at by itself, so that a render which goes on has the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from signgen.config.render import RenderConfig
from signgen.errors import ExitCode, UserError
from signgen.human_parsing.parsers import Parser, is_label_map, open_parser
from signgen.pose.warping.figure import SIDES, Figure
from signgen.pose.warping.filling import fill
from signgen.pose.warping.matting import matte
from signgen.pose.warping.silhouette import person_mask
from signgen.rendering.base import Frame

__all__ = ["FindPerson", "Opacity", "by_key_points", "cut_out", "open_finder"]

Opacity = NDArray[np.float32]
"""(H, W), 1 on the person, 0 on the background."""
FindPerson = Callable[[Frame, Figure], Opacity]
"""Finds a person in a picture (H, W, 3), whose key points are known."""

_INSIDE = 0.045
"""Units inside of a border from which on colours are the person's alone."""
_LEG = (1.1, 1.0)
"""Units of a thigh and a shin that hang down from a hip whose leg is not known."""


def open_finder(config: RenderConfig) -> FindPerson:
    """Return what finds the signer in frames, as the settings say.

    Raises:
        UserError: If it is human parsing without a checkpoint (2), or MediaPipe, which is not
            installed (69).
    """
    chosen = config.person_mask
    network = bool(config.parsing) and not is_label_map(config.parsing)
    if chosen == "parsing" and not network:
        raise UserError(
            "--person-mask parsing needs a network, since every frame is parsed; expected a "
            "SegFormer checkpoint or an ONNX file of SCHP as --parsing.",
            ExitCode.USAGE,
        )
    if chosen == "parsing" or (chosen == "auto" and network):
        return _by_parsing(config)
    if chosen == "mediapipe":
        from signgen.pose.estimators.mediapipe import MediaPipePerson

        segmenter = MediaPipePerson()
        return lambda picture, figure: segmenter.find(picture)
    return by_key_points


def _by_parsing(config: RenderConfig) -> FindPerson:
    """Return what finds a person by a network, which is loaded with the first frame."""

    @cache
    def parser() -> Parser:
        return open_parser(config.parsing, config.label_set, config.device)

    return lambda picture, figure: np.asarray(next(parser().parse([picture])) > 0, np.float32)


def by_key_points(picture: Frame, figure: Figure) -> Opacity:
    """Find a person by key points and colours; see `signgen.pose.warping.silhouette`."""
    size = (picture.shape[0], picture.shape[1])
    unit = figure.unit(size)
    return person_mask(picture, _with_legs(figure, unit), unit)


def _with_legs(figure: Figure, unit: float) -> Figure:
    """Let legs hang down where only hips are known, as in most recordings of signers."""
    points, visible = figure.points.copy(), figure.visible.copy()
    for side in SIDES:
        for above, below, length in zip(("hip", "knee"), ("knee", "ankle"), _LEG, strict=True):
            start, end = (figure.index(f"{side}_{name}") for name in (above, below))
            if visible[start] and not visible[end]:
                points[end], visible[end] = points[start] + (0, length * unit), True
    return Figure(points, visible, figure.skeleton)


def cut_out(picture: Frame, opacity: Opacity, unit: float) -> Frame:
    """Return a person with opacity, (H, W, 4), in colours of its own up to its border.

    Args:
        picture: (H, W, 3) uint8 RGB.
        opacity: Roughly where the person is; its border is refined by the colours on both sides.
        unit: Width of the shoulders in pixels.
    """
    fine = matte(picture, opacity, unit).person  # (H, W)
    reach = 2 * max(1, round(_INSIDE * unit)) + 1
    inside = cv2.erode(opacity, np.ones((reach, reach), np.uint8)) > 0.5
    # A pixel of the border is a mixture: the person's share of it has the colours beside it
    own = np.where((fine > 0.98)[..., None], picture, fill(picture, inside))
    return np.dstack([own, np.rint(fine * 255).astype(np.uint8)])
