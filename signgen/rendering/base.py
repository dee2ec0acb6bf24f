"""What every renderer is: a source picture and poses in, frames out; and the pictures it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from signgen.config.model import ModelConfig
from signgen.human_parsing.maps import Parts
from signgen.media import read_image
from signgen.pose.drawing.drawn import DRAWN
from signgen.pose.skeleton import SKELETONS
from signgen.structures import ExitCode, PoseSequence, UserError

__all__ = [
    "WARP",
    "Frame",
    "FrameRenderer",
    "PartsOf",
    "RendersFrames",
    "check_chunk",
    "check_skeleton",
    "picture_of",
    "resize_picture",
]

WARP = "warp"
"""What `--model` calls the renderer that has no model."""
Frame = NDArray[np.uint8]
"""(H, W, 3) RGB."""
PartsOf = Callable[[], Parts]
"""Gives the human parsing of a picture; asked by models only that use it."""


# ----- what a renderer is -------------------------------------------------------------------------


class RendersFrames(Protocol):
    """Makes frames of a signer, one per pose."""

    def render(
        self,
        source: Frame,
        poses: PoseSequence,
        *,
        signer: PoseSequence | None = None,
        parts: PartsOf | None = None,
    ) -> Iterator[Frame]:
        """Yield one frame per pose, in order, as large as the source.

        Args:
            source: (H, W, 3) uint8 RGB, the picture of the signer.
            poses: The poses; scaled to the source if the sizes differ.
            signer: Key points in the source, of which the first pose is taken; None where they are
                unknown.
            parts: Gives the human parsing of the source, if it is wanted.
        """
        ...


class FrameRenderer(RendersFrames, Protocol):
    """A renderer that the commands choose by name."""

    @property
    def pose_style(self) -> Literal["clean", "fpdm"]:
        """How poses are drawn beside its frames."""
        ...

    def facts(self) -> dict[str, object]:
        """Return the settings that its frames depend on, as JSON."""
        ...

    def check_skeleton(self, skeleton: str, where: str) -> None:
        """Refuse poses of a skeleton that it cannot render.

        Args:
            skeleton: That of the poses.
            where: What to call the poses in the message.
        """
        ...

    def warnings(
        self, source: Frame, poses: PoseSequence, signer: PoseSequence | None = None
    ) -> tuple[str, ...]:
        """Return what to expect of these inputs that is worse than usual, a line each.

        Args:
            source: (H, W, 3) uint8 RGB.
            poses: Poses in its pixels.
            signer: Key points in the source, in its pixels.
        """
        ...

    def render(
        self,
        source: Frame,
        poses: PoseSequence,
        size: tuple[int, int] | None = None,
        *,
        signer: PoseSequence | None = None,
        parts: PartsOf | None = None,
        start: int = 0,
    ) -> Iterator[Frame]:
        """Yield one frame per pose at `size` (H, W), as large as the source if not given.

        Args:
            source: As `RendersFrames.render`.
            poses: As there.
            size: (H, W) of the frames.
            signer: As there.
            parts: As there.
            start: Number of the first frame to render.
        """
        ...


def check_skeleton(skeleton: str, config: ModelConfig, where: str) -> None:
    """Refuse poses of another skeleton than the model's, and drawings where it needs key points.

    Args:
        skeleton: That of the poses.
        config: Settings of the model.
        where: What to call the poses in the message.
    """
    if skeleton == DRAWN and config.guided:
        raise UserError(
            f"{where} holds poses drawn beforehand; the model moves the source by key points. Give "
            "a file of key points, or choose a model with the plain decoder."
        )
    if skeleton not in (DRAWN, config.skeleton):
        raise UserError(
            f"{where} has {SKELETONS[skeleton].num_keypoints} key points (skeleton {skeleton}); "
            f"the model was trained on {config.skeleton}. Extract the poses again with that "
            "skeleton."
        )


# ----- pictures -----------------------------------------------------------------------------------


def picture_of(source: Frame | Image.Image | str | Path) -> Frame:
    """Return a picture as (H, W, 3) uint8 RGB.

    Args:
        source: Such an array, a PIL picture of mode RGB, or a file.

    Raises:
        UserError: If it is an array of another shape or type, or a picture of another mode (65),
            or a file that cannot be read.
    """
    # A file
    if isinstance(source, str | Path):
        return read_image(source)

    # A PIL picture
    if isinstance(source, Image.Image):
        if source.mode != "RGB":
            raise UserError(
                f"source is a picture of mode {source.mode}; expected RGB. Give "
                'source.convert("RGB").'
            )
        return np.array(source)

    # An array
    array = np.asarray(source)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise UserError(
            f"source is an array of {array.dtype} with shape {array.shape}; expected uint8 RGB of "
            "shape (H, W, 3), 0 to 255."
        )
    return array  # (H, W, 3)


def resize_picture(picture: NDArray[np.float32], size: tuple[int, int]) -> Frame:
    """Return an (H, W, 3) picture in [0, 255] at `size` (H, W) as uint8."""
    if picture.shape[:2] != size:
        # Bicubic rings when it shrinks, so that averages areas instead.
        shrinks = picture.shape[0] >= size[0] and picture.shape[1] >= size[1]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        picture = cv2.resize(picture, (size[1], size[0]), interpolation=method).astype(np.float32)
    return np.asarray(picture.round().clip(0, 255), dtype=np.uint8)


def check_chunk(chunk: int) -> None:
    """Refuse an impossible number of frames at a time."""
    if not isinstance(chunk, int) or chunk < 1:
        raise UserError(f"--chunk is {chunk}; expected a whole number, at least 1.", ExitCode.USAGE)
