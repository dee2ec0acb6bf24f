"""Cumulative classifier-free guidance over any number of branches (FPDM Eq. 12)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from signgen.structures import Conditioning, ExitCode, UserError

if TYPE_CHECKING:
    from torch import Tensor

    from signgen.diffusion.samplers import Denoiser

__all__ = ["ConditionalDenoiser", "guidance_coefficients", "guidance_weights", "guided"]

ConditionalDenoiser: TypeAlias = "Callable[[Tensor, Tensor, Conditioning], Tensor]"
"""(z, t, conditioning) -> prediction."""


def guidance_weights(weights: Sequence[float], branches: int) -> tuple[float, ...]:
    """Return the weights that a model with so many branches uses: the first `branches - 1`.

    FPDM without fusion has two branches, so that of its two weights only w_1 counts.

    Args:
        weights: w_1, w_2, ..
        branches: Number of branches, at least 1.

    Raises:
        UserError: If there are too few weights.
    """
    needed = branches - 1
    if len(weights) < needed:
        raise UserError(
            f"--guidance has {len(weights)} weights; expected {needed}, because the model has "
            f"{branches} branches.",
            ExitCode.USAGE,
        )
    return tuple(weights[:needed])


def guidance_coefficients(weights: Sequence[float]) -> list[float]:
    """Return the factor of each branch in `e_0 + sum_i w_i (e_i - e_{i-1})` (FPDM Eq. 12).

    Args:
        weights: w_1 .. w_n for n + 1 branches.

    Returns:
        n + 1 factors that add up to 1: 1 - w_1, w_1 - w_2, .., w_n. Equal neighbouring weights give
        a zero, so that branch need not be computed.
    """
    # w_0 = 1 and w_{n+1} = 0
    bounds = [1.0, *weights, 0.0]
    return [before - after for before, after in pairwise(bounds)]


def guided(
    denoise: ConditionalDenoiser, branches: Sequence[Conditioning], weights: Sequence[float]
) -> Denoiser:
    """Combine the branches of cumulative classifier-free guidance into one denoiser.

    The branches that count run as one batch.

    Args:
        denoise: The model.
        branches: From nothing given to everything given, each for the same B samples.
        weights: One weight per branch after the first; see `guidance_weights`.

    Raises:
        UserError: If there are too few weights.
    """
    import torch

    # One factor per branch
    factors = guidance_coefficients(guidance_weights(weights, len(branches)))

    # Leave out branches that do not count
    needed = [index for index, factor in enumerate(factors) if factor != 0]
    together = Conditioning.cat([branches[index] for index in needed])
    count = len(needed)

    def guided_denoise(z: Tensor, t: Tensor) -> Tensor:
        # All branches as one batch
        output = denoise(z.repeat(count, 1, 1, 1), t.repeat(count), together)  # (count B, C, h, w)

        # Weighted sum of the branches
        combined = torch.zeros_like(z, dtype=torch.float32)
        for index, branch in zip(needed, output.float().chunk(count), strict=True):
            combined = combined + factors[index] * branch
        return combined

    return guided_denoise
