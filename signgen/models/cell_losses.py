"""Losses of latent cells: of all of them, and of those inside regions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from signgen.diffusion.processes import mean_of_all

__all__ = ["hand_losses", "mean_inside"]


def mean_inside(error: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of (B, 1, h, w) weighted by a mask of the same shape; 0 where it is empty.

    Of several processes, whose mean is what is meant: of them, the mask counts as a whole.
    """
    return (mask * error).sum() / mean_of_all(mask.sum()).clamp(min=1e-6)


def hand_losses(
    error: Tensor, hands: Tensor, weight: float, weighted: Tensor | None = None
) -> dict[str, Tensor]:
    """Return the loss of cells, in which hands may count more.

    Args:
        error: (B, 1, h, w) of the cells.
        hands: (B, 1, H, W) in [0, 1], 1 inside the boxes around the hands.
        weight: What hands count more than the rest.
        weighted: (B, 1, h, w), the error that is optimised, if timesteps do not count alike.

    Returns:
        Scalars `loss` (optimised), `mse` (all cells alike) and `mse_hands`.
    """
    inside = F.adaptive_avg_pool2d(hands.float(), (error.shape[-2], error.shape[-1]))
    # Differs from FPDM: hands may count more, because signs are read from them; 0 is FPDM.
    counted = 1 + weight * inside
    optimised = error if weighted is None else weighted
    return {
        "loss": (counted * optimised).mean() / mean_of_all(counted.mean()),
        "mse": error.mean(),
        "mse_hands": mean_inside(error, inside),
    }
