"""The renderer without a model: it moves the source's own pixels to every pose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from signgen.media.resizing import check_size
from signgen.pose.resting import rest_arms
from signgen.pose.transforms import fill_missing, fit_to_source
from signgen.pose.warping import SIDES, Figure, prepare_source, warp
from signgen.rendering.base import WARP, Frame, PartsOf, picture_of, resize_picture
from signgen.structures import ExitCode, PoseSequence, UserError

__all__ = ["WARP", "WarpRenderer", "first_pose"]

MAX_GAP = 4
"""Frames that a key point may be missing for and is taken to move on in a straight line."""


class WarpRenderer:
    """Render a signer by moving the parts of the source picture; needs no weights and no torch.

    Likeness, clothes and room are the source's own. So are the handshapes: fingers are bent bone by
    bone, and only a hand that the source does not show is drawn. See `signgen.pose.warping`.

    Example:
        renderer = WarpRenderer()
        frames = list(renderer.render("signer.png", poses, signer=read_poses("signer.json")))
    """

    pose_style: Literal["clean", "fpdm"] = "clean"
    """How poses are drawn beside its frames."""

    def facts(self) -> dict[str, object]:
        """Return nothing: frames depend on the inputs alone."""
        return {}

    def check_skeleton(self, skeleton: str, where: str) -> None:
        """Take poses of every skeleton."""

    def warnings(
        self, source: Frame, poses: PoseSequence, signer: PoseSequence | None = None
    ) -> tuple[str, ...]:
        """Say which hands of the source are not known; arguments as `FrameRenderer.warnings`."""
        if signer is None:
            return ()
        # Which hands are known
        figure = Figure.of(signer.keypoints[0], signer.confidence[0], signer.skeleton)
        missing = [side for side in SIDES if figure.hand(side) is None]
        if not missing:
            return ()
        hands = "no hand" if len(missing) == len(SIDES) else f"no {missing[0]} hand"
        return (
            f"the source's key points have {hands}: what is seen there is moved as it is, else a "
            "hand is drawn. Take a picture in which both hands are sharp.",
        )

    def render(
        self,
        source: Frame | Image.Image | str | Path,
        poses: PoseSequence,
        size: tuple[int, int] | None = None,
        *,
        signer: PoseSequence | None = None,
        parts: PartsOf | None = None,
        start: int = 0,
    ) -> Iterator[Frame]:
        """Yield one frame per pose, in order.

        Args:
            source: Picture of the signer: (H, W, 3) uint8 RGB, a PIL picture, or a file.
            poses: Poses of any skeleton; scaled to the source if the sizes differ. Key points that
                are missing for up to four frames are filled in.
            size: (H, W) of the frames; the source's size if not given.
            signer: Key points in the source, of the same skeleton; the first pose is taken.
            parts: Not used.
            start: Number of the first frame to render.

        Yields:
            (H, W, 3) uint8 RGB.

        Raises:
            UserError: If the source is no such picture, or `signer` is missing, empty, or of
                another skeleton.
        """
        # Take the source apart
        if size is not None:
            check_size(size)
        picture = picture_of(source)
        height, width = picture.shape[:2]
        own = first_pose(signer, poses.skeleton, (height, width))
        pieces = prepare_source(picture, own.keypoints[0], own.confidence[0], skeleton=own.skeleton)

        # Move it frame by frame
        placed = rest_arms(fill_missing(fit_to_source(poses, (height, width)), MAX_GAP), own)
        rest = placed.frames(slice(start, None))
        for keypoints, confidence in zip(rest.keypoints, rest.confidence, strict=True):
            moved = warp(pieces, keypoints, confidence).picture  # (H, W, 3)
            if size in (None, (height, width)):
                yield moved
            else:
                yield resize_picture(moved.astype(np.float32), size)


def first_pose(
    signer: PoseSequence | None, skeleton: str, size: tuple[int, int], where: str = "signer"
) -> PoseSequence:
    """Return the pose of a source picture, in its pixels.

    Args:
        signer: Its key points.
        skeleton: That of the poses it is to be moved to.
        size: (H, W) of the picture.
        where: What to call the key points in a message.

    Raises:
        UserError: If there are none, or they are of another skeleton.
    """
    if signer is None:
        raise UserError(
            f"{where} is not given; the warp needs the key points of the source.", ExitCode.USAGE
        )
    if not signer.visible[:1].any():
        raise UserError(
            f"{where}: every key point of the first pose is missing; expected those of the source."
        )
    if signer.skeleton != skeleton:
        raise UserError(
            f"{where}: the source's key points are of {signer.skeleton}, the poses of {skeleton}; "
            "expected one skeleton. Extract one of them again."
        )
    return fit_to_source(signer.frames([0]), size)
