"""What a model wants: the size of its sources, and poses drawn on a canvas and then shrunk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from signgen.config.model import ModelConfig
from signgen.media.resizing import Resize, resize_image
from signgen.pose.drawing.draw import draw_pose
from signgen.pose.transforms import resize
from signgen.structures import PoseSequence, UserError

__all__ = ["PoseDrawing", "source_size"]


def source_size(config: ModelConfig) -> tuple[int, int]:
    """Return the (H, W) that sources are squashed to.

    Raises:
        UserError: If a side is not positive.
    """
    return _positive("source_size", config.source_size or config.size)


@dataclass(frozen=True)
class PoseDrawing:
    """How poses are drawn for a model; make it with `PoseDrawing.of`.

    The FPDM style has lines of fixed width in pixels, so that a large canvas makes them thin.

    Args:
        size: (H, W) of the drawing that the model gets.
        canvas: (H, W) of the canvas on which it is made, before it is squashed to `size`.
        style: The style of `draw_pose`.
        method: How it is squashed.
    """

    size: tuple[int, int]
    canvas: tuple[int, int]
    style: Literal["clean", "fpdm"]
    method: Resize = "area"

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
        return PoseDrawing(
            config.size, _positive(name, canvas or config.size), config.pose_style, config.resize
        )

    def draw(self, poses: PoseSequence, index: int = 0) -> NDArray[np.uint8]:
        """Draw one pose of a sequence.

        Args:
            poses: The sequence, in pixels of any size: it is scaled to the canvas, each axis on its
                own.
            index: Which pose.

        Returns:
            (H, W, 3) uint8 RGB at `size`.
        """
        one = poses.frames([index])
        placed = one if one.size == self.canvas else resize(one, self.canvas)
        drawn = draw_pose(
            placed.keypoints[0], placed.confidence[0], placed.skeleton, self.canvas, self.style
        )
        return resize_image(drawn, self.size, self.method)


def _positive(name: str, size: tuple[int, int]) -> tuple[int, int]:
    if min(size) < 1:
        raise UserError(
            f"model: {name} is {size[0]} {size[1]}; expected a height and width of at least 1."
        )
    return size
