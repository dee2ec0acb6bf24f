"""Sample sheets: what a stage makes of four fixed training examples, to look at while it trains."""

from __future__ import annotations

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
from signgen.rendering.renderer import generate

ROWS = 4


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
    # Gather the examples
    device = next(stage.parameters()).device
    guided = dataset.model.guided
    examples = [dataset.whole(position, guided=guided) for position in range(ROWS)]
    batch = collate(examples).to(device)
    source, target, pose, guide = batch.source, batch.target, batch.pose, batch.guide
    given = [] if guide is None else [guide.source, pose * 2 - 1, guide.warped]

    # Let the stage make its pictures
    if isinstance(stage, AutoencoderStage):
        latents = stage.autoencoder.encode(target).latent_dist.sample()
        columns = [*given, stage.reconstruct(batch, latents)[0].clamp(-1, 1), target]
    elif isinstance(stage, PoseGuidedModel):
        sampling, own = Sampling().resolve(stage.config.sampling), batch.tower_pose
        generated = generate(
            stage,
            stage.encode_source(source, batch.source_parts),
            pose,
            frames=range(ROWS),
            sampling=sampling,
            guide=guide,
            clip=None if own is None else clip_pixels(own, stage.config.ipf.image_size),
        )
        columns = [*(given or [source, pose * 2 - 1]), generated, target]
    else:
        return

    # Lay them out; sources may have another size, and are shown at that of the targets
    path.parent.mkdir(parents=True, exist_ok=True)
    size = (int(target.shape[-2]), int(target.shape[-1]))
    rows = [
        [resize_image(_to_uint8(cell), size, "area") for cell in row]
        for row in zip(*columns, strict=True)
    ]
    save_image(path, np.concatenate([np.concatenate(row, axis=1) for row in rows]))


def _to_uint8(pixels: Tensor) -> NDArray[np.uint8]:
    """Turn (3, H, W) in [-1, 1] into (H, W, 3) uint8."""
    array = ((pixels.float().cpu() + 1) * 127.5).round().clamp(0, 255).byte()
    return np.ascontiguousarray(rearrange(array, "c h w -> h w c").numpy())
