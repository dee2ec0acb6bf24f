"""Pictures of a signer from its features and drawn poses: condition, denoise, decode."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from signgen.config.sampling import ResolvedSampling
from signgen.device import autocast
from signgen.rendering.acceleration import denoiser
from signgen.rendering.editing import Kept
from signgen.rendering.windows import joined
from signgen.structures import Conditioning, ExitCode, Guide, SourceFeatures, UserError

if TYPE_CHECKING:
    from torch import Tensor

    from signgen.diffusion.samplers import Callback
    from signgen.diffusion.schedule import NoiseSchedule
    from signgen.models.attention import SourceMemory
    from signgen.models.base import PoseGuidedModel

__all__ = ["Drawn", "check_steps", "generate", "generated"]


@dataclass(frozen=True, eq=False)
class Drawn:
    """What a chunk is sampled from.

    Args:
        indices: Numbers of its frames.
        pose: (B, 3, H, W) drawn poses in [0, 1].
        clip: (B, 3, S, S) the poses for stage 1's tower, where they are not made from `pose`.
        guide: The source moved to them, for guided models.
    """

    indices: range
    pose: Tensor
    clip: Tensor | None
    guide: Guide | None


def generate(
    model: PoseGuidedModel,
    source: SourceFeatures,
    pose: Tensor,
    *,
    sampling: ResolvedSampling,
    guide: Guide | None = None,
    **given: Any,
) -> Tensor:
    """Sample pictures of a signer: decode what `generate_latents` samples from the same arguments.

    Returns:
        (B, 3, H, W) float32 in [-1, 1], of the poses' size, or the guide's where there is one.
    """
    import torch

    latents, conditioning = generate_latents(
        model, source, pose, sampling=sampling, guide=guide, **given
    )
    precision = "no" if model.latents.upcast else sampling.precision
    with torch.inference_mode(), autocast(precision, pose.device):
        return model.decode(latents, conditioning, guide).float()


def generate_latents(
    model: PoseGuidedModel,
    source: SourceFeatures,
    pose: Tensor,
    *,
    frames: Sequence[int],
    sampling: ResolvedSampling,
    guide: Guide | None = None,
    memory: SourceMemory | None = None,
    kept: Kept | None = None,
    clip: Tensor | None = None,
    callback: Callback | None = None,
) -> tuple[Tensor, Conditioning]:
    """Sample latents of a signer; the noise of a frame depends on the seed and its index alone.

    With `official_noise` it depends on the batch too: see `BatchNoise`. Frames of a model with
    motion are clips of `motion.window` frames, or one shorter clip, and see each other.

    Args:
        model: The model, in eval mode.
        source: Features of one signer, or of B signers.
        pose: (B, 3, H, W) drawn poses in [0, 1], on the model's device.
        frames: B indices of the frames in their sequence, which choose the noise.
        sampling: How to sample. Decoding has 32 bits where the autoencoder asks for it.
        guide: The source moved to the poses, for models whose settings say `guided`, at the size
            that the pictures are to have.
        memory: From `acceleration.remember(model, source)`: what depends on the source alone is
            then computed once for all calls, else in every step.
        kept: What is the source's own and stays so.
        clip: (B, 3, S, S) the poses for stage 1's tower where they are not made from `pose`; see
            `FPDM.condition`.
        callback: Is told every step: its number, its timestep, the latents after it.

    Returns:
        (B, C, h, w) float32 latents, scaled, and what they were sampled for.
    """
    import torch

    from signgen.diffusion.noise import BatchNoise, FrameNoise
    from signgen.diffusion.samplers import sample

    indices, device = list(frames), pose.device
    draw = (BatchNoise if sampling.official_noise else FrameNoise)(sampling.seed)
    shape = model.latents.shape((int(pose.shape[-2]), int(pose.shape[-1])))

    with torch.inference_mode():
        # Condition on signer and poses
        features = source.expand(len(pose)) if len(source.tokens) == 1 else source
        with autocast(sampling.precision, device):
            drawings = (pose,) if clip is None else (pose, clip)
            conditioning = model.condition(features, *drawings, guide=guide)
            seen = model.config.motion.frames(len(pose))
            conditioning = replace(conditioning, frames=seen)
            branches = model.branches(conditioning)

        # Denoise
        noise = draw.initial(indices, shape).to(device)
        denoise = denoiser(model, branches, sampling, device, memory)
        latents = sample(
            denoise if kept is None else kept.around(denoise, model.schedule, noise),
            model.schedule,
            sampler=sampling.sampler,
            steps=sampling.steps,
            noise=noise,
            step_noise=lambda step: draw.step(indices, step, shape).to(device),
            callback=callback,
        )  # (B, C, h, w)
        if kept is not None:
            latents = kept.blended(latents)
    return latents, conditioning


def generated(
    model: PoseGuidedModel,
    source: SourceFeatures,
    drawn: Iterable[Drawn],
    step: int,
    **shared: Any,
) -> Iterator[tuple[range, list[NDArray[np.float32]]]]:
    """Sample pictures chunk by chunk, or window by window of a model with motion.

    Args:
        model: The model, in eval mode.
        source: The encoded source picture.
        drawn: What the frames of each chunk or window are made from.
        step: Frames that are decoded at a time, of windows.
        shared: Further arguments of `generate` that are the same for all.

    Yields:
        Numbers of frames, and their pictures, (H, W, 3) float32 in [0, 255] at the size of the
        model or the guide.
    """

    def given(chunk: Drawn) -> dict[str, Any]:
        guide = None if chunk.guide is None else chunk.guide.to(chunk.pose.device)
        return {**shared, "frames": chunk.indices, "guide": guide, "clip": chunk.clip}

    # Each chunk by itself
    motion = model.config.motion
    if not motion.window:
        for chunk in drawn:
            yield chunk.indices, _shown(generate(model, source, chunk.pose, **given(chunk)))
        return

    # Windows that fade into each other, then decoded by the plain decoder
    import torch

    latents = (
        (chunk.indices, generate_latents(model, source, chunk.pose, **given(chunk))[0])
        for chunk in drawn
    )
    sampling: ResolvedSampling = shared["sampling"]
    precision = "no" if model.latents.upcast else sampling.precision
    for indices, done in joined(latents, motion.overlap):
        for first in range(0, len(indices), step):
            with torch.inference_mode(), autocast(precision, done.device):
                pictures = model.latents.decode(done[first : first + step]).float()
            yield indices[first : first + step], _shown(pictures)


def _shown(pictures: Tensor) -> list[NDArray[np.float32]]:
    """Return pictures (B, 3, H, W) in [-1, 1] as (H, W, 3) float32 in [0, 255]."""
    pixels = rearrange((pictures + 1) * 127.5, "b c h w -> b h w c").cpu().numpy()
    return list(pixels.astype(np.float32))


def check_steps(schedule: NoiseSchedule, sampling: ResolvedSampling) -> None:
    """Refuse a number of steps that the sampler cannot take."""
    from signgen.diffusion.samplers import sampling_timesteps

    try:
        sampling_timesteps(schedule, sampling.sampler, sampling.steps)
    except ValueError as error:
        raise UserError(f"--{error}.", ExitCode.USAGE) from None
