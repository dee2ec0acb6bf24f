"""The camera before a signer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from signgen.data.synthetic.signers.appearance import View

__all__ = ["Camera", "place_camera"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Args:
        position: (3,) metres.
        axes: (3, 3) rows right, down and forward.
        focal: Focal length in pixels.
        size: (H, W) of the picture.
    """

    position: Array
    axes: Array
    focal: float
    size: tuple[int, int]

    def project(self, points: Array) -> tuple[Array, Array]:
        """Return pixels (..., 2), (x, y) with pixel centres at whole numbers, and distances (...).

        Args:
            points: (..., 3) metres, before the camera.
        """
        seen = (points - self.position) @ self.axes.T
        middle = np.array([self.size[1] - 1, self.size[0] - 1]) / 2
        return middle + self.focal * seen[..., :2] / seen[..., 2:], seen[..., 2]


def place_camera(view: View, crown: float, size: tuple[int, int]) -> Camera:
    """Place a camera before a signer who stands at the origin.

    Args:
        view: What it sees.
        crown: Height of the top of the head, metres.
        size: (H, W) of the picture.
    """
    target = np.array([view.side, 0.0, crown - view.middle])
    forward = np.array(
        [
            math.sin(view.yaw) * math.cos(view.pitch),
            math.cos(view.yaw) * math.cos(view.pitch),
            -math.sin(view.pitch),
        ]
    )
    right = np.array([math.cos(view.yaw), -math.sin(view.yaw), 0.0])
    down = np.cross(forward, right)
    cosine, sine = math.cos(view.roll), math.sin(view.roll)
    axes = np.stack([cosine * right + sine * down, cosine * down - sine * right, forward])
    focal = size[0] * view.distance / view.height
    return Camera(target - view.distance * forward, axes, focal, size)
