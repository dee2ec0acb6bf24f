"""Hands and face, painted once more in windows of their own.

A hand is a tenth of a picture's width, and a few cells of its latents. In a window of its own it
has the pixels that fingers need, and a network that is small beside the decoder.
"""

# Differs from FPDM: it has nothing of the kind, because at 512 x 512 a hand has twice the cells.

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import radians

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor, nn

from signgen.diffusion import draws
from signgen.models.guided.painting import Painter
from signgen.pose.drawing.draw import draw_pose
from signgen.pose.skeleton import COCO_WHOLEBODY, HAND_POINTS, HAND_ROOT, SKELETONS
from signgen.pose.transforms import flip
from signgen.structures import Guide, PoseSequence, Windows

__all__ = ["FACE", "HANDS", "SIDE", "WindowPainter", "find_windows", "random_turns", "read_turned"]

LEFT, RIGHT, FACE = 0, 1, 2
"""Numbers of the windows of a pose."""
HANDS = (LEFT, RIGHT)
SIDE = 64
"""Side of a window as the network sees it, in pixels."""
REACH = 1.6
"""Side of a window as a share of the longer side of its points."""
LEAST_SIDE = 24 / 208
"""Side of a window at least, as a share of the picture's shorter side: a fist seen from the front
has points close together."""
LEAST_POINTS = 5
"""Points that must be there."""
BORDER = 8
"""Pixels of `SIDE` over which a window fades into the picture."""
TURN = radians(20)
"""Angle by which a window is turned in training at most."""
ZOOM, SHIFT = 0.12, 0.12
"""Shares of half a window by which it is scaled and shifted in training at most."""
MAX_FLOW = 6.0
"""Pixels of `SIDE` by which the moved source may be shifted."""


def find_windows(poses: PoseSequence) -> Windows | None:
    """Find the windows of hands and face, and draw the pose in them, once per frame.

    Args:
        poses: T poses in pixels of the picture.

    Returns:
        Windows of T frames, or None for skeletons without hands and face.
    """
    if poses.skeleton != COCO_WHOLEBODY:
        return None
    mirrored = flip(poses)
    parts = [slice(root, root + HAND_POINTS) for root in HAND_ROOT.values()]
    parts.append(slice(*SKELETONS[COCO_WHOLEBODY].face))
    squares = np.zeros((len(poses), len(parts), 3), np.int64)
    drawn = np.zeros((len(poses), len(parts), SIDE, SIDE, 3), np.uint8)
    for t in range(len(poses)):
        for number, part in enumerate(parts):
            square = _square(poses.keypoints[t, part][poses.visible[t, part]], poses.size)
            if square is None:
                continue
            squares[t, number] = left, top, side = square
            # Every hand is drawn as a right one: the left one in the mirror
            seen = mirrored if number == LEFT else poses
            corner = (poses.size[1] - left - side if number == LEFT else left, top)
            points = (seen.keypoints[t] - corner + 0.5) * (SIDE / side) - 0.5
            drawn[t, number] = draw_pose(
                points.astype(np.float32), seen.confidence[t], seen.skeleton, (SIDE, SIDE), "clean"
            )
    planes = rearrange(torch.from_numpy(drawn), "t part h w c -> t part c h w")
    return Windows(torch.from_numpy(squares), planes.float().div_(255))


def random_turns(windows: Windows) -> Tensor:
    """Draw how windows are changed in training; (B, P, 2, 3) for `read_turned`."""
    draw = draws.uniform(windows.squares.new_empty(*windows.squares.shape[:2], 4).float()) * 2 - 1
    angle, zoom = draw[..., 0] * TURN, 1 + draw[..., 1] * ZOOM  # (B, P)
    rows = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=-1)
    turn = rearrange(rows, "b p (i j) -> b p i j", i=2) * zoom[..., None, None]
    return torch.cat([turn, SHIFT * draw[..., 2:, None]], dim=-1)


def read_turned(plane: Tensor, turns: Tensor) -> Tensor:
    """Read n windows (n, C, S, S) where turns (n, 2, 3) have them; outside is their border."""
    grid = F.affine_grid(turns, list(plane.shape), align_corners=False)
    return F.grid_sample(plane, grid, padding_mode="border", align_corners=False)


def _square(points: NDArray[np.floating], size: tuple[int, int]) -> tuple[int, int, int] | None:
    """Return left, top and side of the window of points (n, 2), or None where there is none."""
    if len(points) < LEAST_POINTS:
        return None
    low, high = points.min(axis=0), points.max(axis=0)
    side = round(max(REACH * float((high - low).max()), LEAST_SIDE * min(size)))
    left, top = np.rint((low + high) / 2 - (side - 1) / 2).astype(int).tolist()
    # Wholly outside of the picture
    height, width = size
    if left >= width or top >= height or left + side <= 0 or top + side <= 0:
        return None
    return left, top, side


class WindowPainter(nn.Module):
    """Paints parts of pictures anew, each in its window.

    Args:
        channels: Channels of the network at a half, a quarter ... of a window.
        parts: Which windows, in this order.
    """

    def __init__(self, channels: Sequence[int], parts: Sequence[int]) -> None:
        super().__init__()
        self.parts = tuple(parts)
        self.network = Painter(channels, max_flow=MAX_FLOW)

    def forward(self, picture: Tensor, guide: Guide) -> Tensor:
        """Paint on pictures (B, 3, H, W) of the guide's size; what did not move stays.

        Raises:
            ValueError: If the guide has no windows.
        """
        squares = _windows(guide).squares
        picture = picture.clone()
        for part in self.parts:
            for index in torch.nonzero(squares[:, part, 2]).flatten().tolist():
                painting = self.network(None, *self.seen(picture, guide, [(index, part)]))
                view = _view(picture, guide, index, part)
                mixed = painting.mix(view.warped, view.source, view.moved)[0]
                _paste(picture[index], mixed, squares[index, part].tolist(), mirrored=part == LEFT)
        return picture

    def found(self, guide: Guide) -> list[tuple[int, int]]:
        """Return the windows that there are: numbers of picture and part."""
        squares = _windows(guide).squares
        there = [torch.nonzero(squares[:, part, 2]).flatten().tolist() for part in self.parts]
        return [(index, part) for part, at in zip(self.parts, there, strict=True) for index in at]

    def seen(
        self, picture: Tensor, guide: Guide, found: Iterable[Sequence[int]]
    ) -> tuple[Tensor, Guide]:
        """Return what is in windows as the network sees it, hands as right ones.

        Args:
            picture: (B, 3, H, W) pictures to paint on: the `source` of what is returned.
            guide: Of the pictures' size, with windows.
            found: n windows: numbers of picture and part.

        Returns:
            Drawn poses (n, 3, S, S), and the guide of the windows at that size.
        """
        windows = [(index, part) for index, part in found]
        drawn = torch.stack([_windows(guide).drawn[index, part] for index, part in windows])
        side = (SIDE, SIDE)
        return drawn, Guide.cat([_view(picture, guide, *at).resized(side) for at in windows])


def _view(picture: Tensor, guide: Guide, index: int, part: int) -> Guide:
    """Return what is in a window (B = 1) in the picture's own pixels; see `seen`."""
    square = _windows(guide).squares[index, part].tolist()
    one = replace(guide, source=picture, windows=None).mapped(
        lambda plane: _cut(plane[index], square, mirrored=part == LEFT)[None]
    )
    # It fades into the picture, and nowhere touches what did not move
    fade = F.interpolate(_fade(picture), one.size, mode="bilinear")
    return replace(one, moved=fade * (one.moved > 0))


def _windows(guide: Guide) -> Windows:
    if guide.windows is None:
        raise ValueError("hands and face cannot be painted: the guide has no windows of them")
    return guide.windows


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
