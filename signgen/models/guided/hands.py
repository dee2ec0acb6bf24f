"""Hands, painted once more in windows of their own.

A hand is a tenth of a picture's width, and a few cells of its latents. In a window of its own it
has the pixels that fingers need, and a network that is small beside the decoder.
"""

# Differs from FPDM: it has nothing of the kind, because at 512 x 512 a hand has twice the cells.

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from signgen.models.guided.painting import Painter
from signgen.pose.drawing.draw import draw_pose
from signgen.pose.skeleton import HAND_POINTS, HAND_ROOT
from signgen.pose.transforms import flip
from signgen.structures import Guide, HandWindows, PoseSequence

__all__ = ["HandPainter", "hand_windows"]

WITH_HANDS = "coco-wholebody-133"
"""The skeleton that has hands."""
SIDE = 64
"""Side of a window as the network sees it, in pixels."""
REACH = 1.6
"""Side of a window as a share of the longer side of the hand's points."""
LEAST_SIDE = 24 / 208
"""Side of a window at least, as a share of the picture's shorter side: a fist seen from the front
has points close together."""
LEAST_POINTS = 5
"""Points of a hand that must be there."""
BORDER = 8
"""Pixels of `SIDE` over which a window fades into the picture."""
MAX_FLOW = 6.0
"""Pixels of `SIDE` by which the moved source may be shifted."""


def hand_windows(poses: PoseSequence) -> HandWindows | None:
    """Find the windows of hands and draw them, once per frame.

    Args:
        poses: T poses in pixels of the picture.

    Returns:
        Windows of T frames, or None for skeletons without hands.
    """
    if poses.skeleton != WITH_HANDS:
        return None
    mirrored = flip(poses)
    squares = np.zeros((len(poses), 2, 3), np.int64)
    drawn = np.zeros((len(poses), 2, SIDE, SIDE, 3), np.uint8)
    for t in range(len(poses)):
        for hand, root in enumerate(HAND_ROOT.values()):
            square = _square(poses, t, root)
            if square is None:
                continue
            squares[t, hand] = left, top, side = square
            # Every hand is drawn as a right one: the left one in the mirror
            seen = mirrored if hand == 0 else poses
            corner = (poses.size[1] - left - side if hand == 0 else left, top)
            points = (seen.keypoints[t] - corner + 0.5) * (SIDE / side) - 0.5
            drawn[t, hand] = draw_pose(
                points.astype(np.float32), seen.confidence[t], seen.skeleton, (SIDE, SIDE), "clean"
            )
    planes = rearrange(torch.from_numpy(drawn), "t hand h w c -> t hand c h w")
    return HandWindows(torch.from_numpy(squares), planes.float().div_(255))


def _square(poses: PoseSequence, t: int, root: int) -> tuple[int, int, int] | None:
    """Return left, top and side of a hand's window, or None where the hand is not seen."""
    hand = slice(root, root + HAND_POINTS)
    points = poses.keypoints[t, hand][poses.visible[t, hand]]  # (n, 2)
    if len(points) < LEAST_POINTS:
        return None
    low, high = points.min(axis=0), points.max(axis=0)
    side = round(max(REACH * float((high - low).max()), LEAST_SIDE * min(poses.size)))
    left, top = np.rint((low + high) / 2 - (side - 1) / 2).astype(int).tolist()
    # A hand wholly outside of the picture
    height, width = poses.size
    if left >= width or top >= height or left + side <= 0 or top + side <= 0:
        return None
    return left, top, side


class HandPainter(nn.Module):
    """Paints the hands of pictures anew, each in its window, the left one first.

    Args:
        channels: Channels of the network at a half, a quarter ... of a window.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.network = Painter(channels, max_flow=MAX_FLOW)

    def forward(self, picture: Tensor, guide: Guide) -> Tensor:
        """Paint the hands of pictures (B, 3, H, W) of the guide's size; what did not move stays.

        Raises:
            ValueError: If the guide has no windows.
        """
        squares = _windows(guide).squares
        picture = picture.clone()
        for hand in range(2):
            for index in torch.nonzero(squares[:, hand, 2]).flatten().tolist():
                painting = self.network(None, *self.seen(picture, guide, [(index, hand)]))
                view = _view(picture, guide, index, hand)
                mixed = painting.mix(view.warped, view.source, view.moved)[0]
                _paste(picture[index], mixed, squares[index, hand].tolist(), mirrored=hand == 0)
        return picture

    def seen(
        self, picture: Tensor, guide: Guide, found: Iterable[Sequence[int]]
    ) -> tuple[Tensor, Guide]:
        """Return what is in windows as the network sees it, as of right hands.

        Args:
            picture: (B, 3, H, W) pictures to paint on: the `source` of what is returned.
            guide: Of the pictures' size, with windows.
            found: n windows: number of the picture, and 0 for the left or 1 for the right hand.

        Returns:
            Drawn poses (n, 3, S, S), and the guide of the windows at that size.
        """
        windows = [(index, hand) for index, hand in found]
        drawn = torch.stack([_windows(guide).drawn[index, hand] for index, hand in windows])
        side = (SIDE, SIDE)
        return drawn, Guide.cat([_view(picture, guide, *at).resized(side) for at in windows])


def _view(picture: Tensor, guide: Guide, index: int, hand: int) -> Guide:
    """Return what is in a window (B = 1) in the picture's own pixels; see `seen`."""
    square = _windows(guide).squares[index, hand].tolist()
    one = replace(guide, source=picture, hands=None).mapped(
        lambda plane: _cut(plane[index], square, mirrored=hand == 0)[None]
    )
    # It fades into the picture, and nowhere touches what did not move
    fade = F.interpolate(_fade(picture), one.size, mode="bilinear")
    return replace(one, moved=fade * (one.moved > 0))


def _windows(guide: Guide) -> HandWindows:
    if guide.hands is None:
        raise ValueError("hands cannot be painted: the guide has no windows of them")
    return guide.hands


def _fade(like: Tensor) -> Tensor:
    """Return (1, 1, SIDE, SIDE), 1 in the middle and towards 0 at the border."""
    edge = torch.arange(SIDE, device=like.device) + 0.5
    ramp = (torch.minimum(edge, SIDE - edge) / BORDER).clamp(max=1)
    return torch.minimum(ramp, ramp[:, None])[None, None]


def _cut(plane: Tensor, square: Sequence[int], *, mirrored: bool) -> Tensor:
    """Cut a square out of planes (C, H, W), whose outermost pixels go on beyond their edge."""
    left, top, side = square
    steps = torch.arange(side, device=plane.device)
    rows = (top + steps).clamp(0, plane.shape[-2] - 1)
    columns = (left + steps).clamp(0, plane.shape[-1] - 1)
    cut = plane[:, rows][:, :, columns]
    return cut.flip(-1) if mirrored else cut


def _paste(picture: Tensor, window: Tensor, square: Sequence[int], *, mirrored: bool) -> None:
    """Put a square (C, side, side) into planes (C, H, W), where it lies inside."""
    left, top, side = square
    window = window.flip(-1) if mirrored else window
    height, width = picture.shape[-2:]
    rows = slice(max(0, top), min(height, top + side))
    columns = slice(max(0, left), min(width, left + side))
    picture[:, rows, columns] = window[
        :, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
