"""What a stage makes of fixed examples: sheets to look at, and pictures that validation scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from signgen.config.sampling import Sampling
from signgen.data.examples.loading import TripletDataset, collate
from signgen.media import save_image
from signgen.media.resizing import resize_image
from signgen.models.autoencoder import AutoencoderStage
from signgen.models.base import PoseGuidedModel, Trainable
from signgen.models.encoders import clip_pixels
from signgen.rendering.generation import generate
from signgen.structures import Batch

__all__ = ["ROWS", "make_pictures", "to_uint8", "write_sheet"]

ROWS = 4


def make_pictures(
    stage: Trainable, dataset: TripletDataset, positions: Sequence[int]
) -> tuple[Batch, Tensor] | None:
    """Let a stage make the pictures of examples; None where it makes none, as stage 1.

    Args:
        stage: The stage, in eval mode.
        dataset: Where the examples come from.
        positions: Which ones, at least one; they choose the noise too.

    Returns:
        The examples, and pictures (B, 3, H, W) in [-1, 1] of their targets.
    """
    if not isinstance(stage, AutoencoderStage | PoseGuidedModel):
        return None
    device = next(stage.parameters()).device
    examples = [dataset.whole(position, guided=dataset.model.guided) for position in positions]
    batch = collate(examples).to(device)
    if isinstance(stage, AutoencoderStage):
        latents = stage.autoencoder.encode(batch.target).latent_dist.mode()
        return batch, stage.reconstruct(batch, latents)[0].clamp(-1, 1)
    own = batch.tower_pose
    generated = generate(
        stage,
        stage.encode_source(batch.source, batch.source_parts),
        batch.pose,
        frames=positions,
        sampling=Sampling().resolve(stage.config.sampling),
        guide=batch.guide,
        clip=None if own is None else clip_pixels(own, stage.config.ipf.image_size),
    )
    return batch, generated


def write_sheet(stage: Trainable, dataset: TripletDataset, path: Path) -> None:
    """Write one row per example: source, pose, what the stage made of them, and target.

    Before what a guided decoder made is the source moved to the pose. The rows of an autoencoder
    with its own decoder are reconstruction and target. Stage 1 makes no picture, so nothing is
    written.

    Args:
        stage: The stage, in eval mode.
        dataset: Where the examples come from; the first four positions are shown.
        path: PNG to write.
    """
    made = make_pictures(stage, dataset, range(ROWS))
    if made is None:
        return
    batch, pictures = made
    source, target, pose, guide = batch.source, batch.target, batch.pose, batch.guide
    columns = [] if guide is None else [guide.source, pose * 2 - 1, guide.warped]
    if not columns and isinstance(stage, PoseGuidedModel):
        columns = [source, pose * 2 - 1]
    columns += [pictures, target]

    # Lay them out; sources may have another size, and are shown at that of the targets
    path.parent.mkdir(parents=True, exist_ok=True)
    size = (int(target.shape[-2]), int(target.shape[-1]))
    rows = [
        [resize_image(to_uint8(cell), size, "area") for cell in row]
        for row in zip(*columns, strict=True)
    ]
    save_image(path, np.concatenate([np.concatenate(row, axis=1) for row in rows]))


def to_uint8(pixels: Tensor) -> NDArray[np.uint8]:
    """Turn (3, H, W) in [-1, 1] into (H, W, 3) uint8."""
    array = ((pixels.float().cpu() + 1) * 127.5).round().clamp(0, 255).byte()
    return np.ascontiguousarray(rearrange(array, "c h w -> h w c").numpy())
