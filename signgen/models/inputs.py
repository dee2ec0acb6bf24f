"""What a model wants: the size of its sources, poses drawn on a canvas and then shrunk, squares."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from signgen.config.model import FPDMConfig, ModelConfig
from signgen.media.resizing import Resize, resize_image
from signgen.pose.drawing.draw import draw_pose
from signgen.pose.drawing.drawn import DrawnPoses
from signgen.pose.transforms import resize
from signgen.structures import PoseSequence, UserError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PoseDrawing", "source_size", "square", "tower_side"]


def source_size(config: ModelConfig) -> tuple[int, int]:
    """Return the (H, W) that sources are squashed to.

    Raises:
        UserError: If a side is not positive.
    """
    return _positive("source_size", config.source_size or config.size)


def tower_side(config: ModelConfig) -> int | None:
    """Return the side of the squares that stage 1's tower takes, or None of models without one."""
    known = isinstance(config, FPDMConfig) and config.fusion != "none"
    return config.ipf.image_size if known else None


def square(pixels: Tensor, side: int, *, crop: bool = False) -> Tensor:
    """Make pictures square, as an image processor does on 8-bit pictures.

    Args:
        pixels: (B, 3, H, W) in [-1, 1].
        side: Side of the square in pixels.
        crop: Shrink the shorter edge to `side` and cut the square from the centre (CLIP's image
            processor); else squash: the aspect ratio is not kept and nothing is cut off.

    Returns:
        (B, 3, side, side) float32 in [0, 1].
    """
    from torch.nn.functional import interpolate

    unit = pixels.float() / 2 + 0.5  # [0, 1]
    height, width = unit.shape[-2:]

    # Choose the size before the crop
    size = (side, side)
    if crop:
        shorter = min(height, width)
        size = (int(side * height / shorter), int(side * width / shorter))

    # Resize rows, then columns, each rounded to 8 bits, as Pillow does for image processors
    for stage in ((height, size[1]), size):
        if unit.shape[-2:] != stage:
            unit = interpolate(unit, size=stage, mode="bicubic", antialias=True)
            unit = (unit * 255).round().clamp(0, 255) / 255

    # Cut the square
    top, left = (size[0] - side) // 2, (size[1] - side) // 2
    return unit[..., top : top + side, left : left + side]  # (B, 3, side, side)


@dataclass(frozen=True)
class PoseDrawing:
    """How poses are drawn for a model; make it with `PoseDrawing.of`.

    The FPDM style has lines of fixed width in pixels, so that a large canvas makes them thin.

    Args:
        size: (H, W) of the drawing that the model gets.
        canvas: (H, W) of the canvas on which it is made, before it is squashed to `size`.
        style: The style of `draw_pose`.
        method: How it is squashed.
        apart: Whether stage 1's tower sees a square made from the canvas: so it does where the
            drawing at `size` is another picture. FPDM's tower never sees that one.
    """

    size: tuple[int, int]
    canvas: tuple[int, int]
    style: Literal["clean", "fpdm"]
    method: Resize = "area"
    apart: bool = False

    @staticmethod
    def of(config: ModelConfig, *, training: bool = False) -> PoseDrawing:
        """Return how poses are drawn for a model.

        Args:
            config: Settings of the model.
            training: Draw on the canvas of training; outside of it, on that of rendering.

        Raises:
            UserError: If a side of the canvas is not positive.
        """
        canvas, name = config.pose_canvas, "pose_canvas"
        if config.pose_canvas_render is not None and not training:
            canvas, name = config.pose_canvas_render, "pose_canvas_render"
        canvas = _positive(name, canvas or config.size)
        return PoseDrawing(
            config.size,
            canvas,
            config.pose_style,
            config.resize,
            apart=canvas != config.size and tower_side(config) is not None,
        )

    def exact(self, poses: PoseSequence) -> PoseSequence:
        """Return poses in as many bits as their drawing needs, before they are moved or scaled.

        FPDM's program truncates numbers of 64 bits: in 32 a limb whose centre is a whole number may
        end up a pixel beside it. The clean style has 32.
        """
        bits = np.float64 if self.style == "fpdm" else np.float32
        return replace(poses, keypoints=poses.keypoints.astype(bits, copy=False))

    def draw(self, poses: PoseSequence, index: int = 0) -> NDArray[np.uint8]:
        """Draw one pose of a sequence, (H, W, 3) uint8 RGB at `size`; see `on_canvas`."""
        return self.shrink(self.on_canvas(poses, index))

    def on_canvas(self, poses: PoseSequence, index: int = 0) -> NDArray[np.uint8]:
        """Draw one pose of a sequence on the canvas.

        Args:
            poses: The sequence, in pixels of any size: it is scaled to the canvas, each axis on its
                own.
            index: Which pose.

        Returns:
            (H, W, 3) uint8 RGB of the canvas's size; poses drawn beforehand as they are.
        """
        if isinstance(poses, DrawnPoses):
            return poses.picture(index)
        one = self.exact(poses.frames([index]))
        placed = one if one.size == self.canvas else resize(one, self.canvas)
        return draw_pose(
            placed.keypoints[0], placed.confidence[0], placed.skeleton, self.canvas, self.style
        )

    def shrink(self, drawn: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a drawing of the canvas at `size`."""
        return resize_image(drawn, self.size, self.method)


def _positive(name: str, size: tuple[int, int]) -> tuple[int, int]:
    if min(size) < 1:
        raise UserError(
            f"model: {name} is {size[0]} {size[1]}; expected a height and width of at least 1."
        )
    return size
