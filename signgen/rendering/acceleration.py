"""The exact engine: what depends on neither frame nor step is computed once.

It gives the frames of the plain path up to rounding; `docs/performance.md` says how much faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from signgen.config.sampling import ResolvedSampling
from signgen.device import autocast
from signgen.structures import Conditioning, SourceFeatures

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from signgen.diffusion.samplers import Denoiser
    from signgen.models.attention import SourceMemory
    from signgen.models.base import PoseGuidedModel

__all__ = ["denoiser", "remember"]


def remember(model: PoseGuidedModel, source: SourceFeatures) -> SourceMemory | None:
    """Return an empty memory of a source for all chunks of a clip.

    Args:
        model: The model.
        source: Features of the source.

    Returns:
        None for models that have no use for it.
    """
    from signgen.models.attention import SourceMemory
    from signgen.models.base import RemembersSource

    return SourceMemory(source.tokens, source.maps) if isinstance(model, RemembersSource) else None


def denoiser(
    model: PoseGuidedModel,
    branches: Sequence[Conditioning],
    sampling: ResolvedSampling,
    device: torch.device,
    memory: SourceMemory | None = None,
) -> Denoiser:
    """Return the model with guidance, in the precision asked for.

    Args:
        model: The model, on the device.
        branches: Its branches, each for the same B samples.
        sampling: Precision and weights of guidance.
        device: Where it computes.
        memory: From `remember`; the plain path if not given.
    """
    from signgen.diffusion.guidance import guided, guided_together
    from signgen.models.base import RemembersSource

    # The plain path
    def denoise(z: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        with autocast(sampling.precision, device):
            return model.denoise(z, t, conditioning)

    if memory is None or not isinstance(model, RemembersSource):
        return guided(denoise, branches, sampling.guidance)

    # What the branches need once for all steps
    def prepare(needed: Sequence[Conditioning]) -> Denoiser:
        with autocast(sampling.precision, device):
            predict = model.denoiser(needed, memory)

        def denoise_together(z: Tensor, t: Tensor) -> Tensor:
            with autocast(sampling.precision, device):
                return predict(z, t)

        return denoise_together

    return guided_together(prepare, branches, sampling.guidance)
