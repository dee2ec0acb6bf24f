"""Guides of a guided decoder: the source moved to each pose, made once per source and per frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from signgen.pose.warping import WarpSource, prepare_source, warp
from signgen.rendering.base import Frame
from signgen.structures import PoseSequence

if TYPE_CHECKING:
    from signgen.structures import Guide

__all__ = ["GuideSource"]


@dataclass(frozen=True)
class GuideSource:
    """A source that can be moved; make it with `GuideSource.of`.

    Args:
        picture: (H, W, 3) uint8 RGB.
        parts: The source taken apart; None where its key points are unknown.
    """

    picture: Frame
    parts: WarpSource | None

    @staticmethod
    def of(picture: Frame, signer: PoseSequence | None) -> GuideSource:
        """Take a source apart, once per signer.

        Args:
            picture: (H, W, 3) uint8 RGB.
            signer: Key points in it, in its pixels; None where they are unknown.
        """
        # A photo and nothing else
        if signer is None:
            return GuideSource(picture, None)

        # Take it apart
        points = signer.keypoints[0], signer.confidence[0]
        return GuideSource(picture, prepare_source(picture, *points, skeleton=signer.skeleton))

    def move(self, poses: PoseSequence, indices: Iterable[int]) -> Guide:
        """Return the guide of some frames (B), at the size of the picture.

        Args:
            poses: Poses in pixels of the picture.
            indices: Which of them.
        """
        from signgen.data.examples.guides import guide_of, unknown_guide
        from signgen.models.guided.windows import find_windows
        from signgen.structures import Guide

        frames = poses.frames(list(indices))
        if self.parts is None:
            # Anything may move
            guide = unknown_guide(self.picture).expand(len(frames))
        else:
            # Move it to every pose
            pairs = zip(frames.keypoints, frames.confidence, strict=True)
            moved = (warp(self.parts, points, confidence) for points, confidence in pairs)
            guide = Guide.cat([guide_of(self.picture, one) for one in moved])  # (B, C, H, W) each
        return replace(guide, windows=find_windows(frames))
