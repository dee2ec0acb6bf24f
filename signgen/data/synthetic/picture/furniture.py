"""What a seated signer sits on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from signgen.data.synthetic.body import Body, Posed

__all__ = ["Chair", "place_chair"]

_CORNERS = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
_SIDES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
_COLOURS = ((0.02, 0.02, 0.022), (0.12, 0.06, 0.03), (0.3, 0.2, 0.12), (0.35, 0.35, 0.36))


@dataclass(frozen=True)
class Chair:
    """Boxes that do not move.

    Args:
        points: (n, 3) metres.
        faces: (f, 3) int64.
        colour: Linear reflectance.
    """

    points: Tensor
    faces: Tensor
    colour: tuple[float, float, float]


def place_chair(body: Body, posed: Posed, seed: int) -> Chair:
    """Put a chair under a seated body.

    Args:
        body: The body.
        posed: It sits through all frames.
        seed: Of what the chair is like.
    """
    rng = np.random.default_rng((seed, 0xC4A1))
    # The seat is below the thighs
    owner = body.bone_indices.gather(1, body.bone_weights.argmax(1, keepdim=True))[:, 0]
    names = [f"{name}.{end}" for name in ("pelvis", "upperleg01", "upperleg02") for end in "LR"]
    thighs = torch.isin(owner, torch.tensor([body.bone(n) for n in names], device=owner.device))
    thighs[13380:] = False
    points = posed.vertices[0, thighs]
    back, front = float(points[:, 1].max()), float(points[:, 1].min())
    top = float(points[points[:, 1] > front + 0.15, 2].min()) - 0.005
    wide, thick = rng.uniform(0.2, 0.28), rng.uniform(0.03, 0.09)
    front = front + rng.uniform(0.08, 0.16)
    boxes = [((-wide, front, top - thick), (wide, back + 0.02, top))]
    if rng.random() < 0.6:  # a back
        height = rng.uniform(0.3, 0.5)
        boxes.append(((-wide, back + 0.02, top), (wide, back + 0.06, top + height)))
    leg = 0.02
    boxes += [
        ((x - leg, y - leg, top - 0.45), (x + leg, y + leg, top - thick))
        for x in (leg - wide, wide - leg)
        for y in (front + leg, back - leg)
    ]
    return _boxes(boxes, _COLOURS[int(rng.integers(len(_COLOURS)))], posed.vertices)


def _boxes(
    boxes: Sequence[tuple[Sequence[float], Sequence[float]]],
    colour: tuple[float, float, float],
    like: Tensor,
) -> Chair:
    points: list[NDArray[np.float64]] = []
    faces: list[tuple[int, int, int]] = []
    for low, high in boxes:
        corners = np.array(low) + _CORNERS * (np.array(high) - np.array(low))
        # Each side has corners of its own, so that edges are sharp
        for side in _SIDES:
            first = 4 * len(points)
            points.append(corners[list(side)])
            faces += [(first, first + 1, first + 2), (first, first + 2, first + 3)]
    return Chair(
        like.new_tensor(np.concatenate(points)), torch.tensor(faces, device=like.device), colour
    )
