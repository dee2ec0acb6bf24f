"""The image autoencoder, and the stage that trains a small one."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn

from signgen.config.autoencoder import AutoencoderConfig
from signgen.config.model import FPDMConfig
from signgen.diffusion import draws
from signgen.diffusion.processes import mean_of_all
from signgen.models.base import sample_posterior
from signgen.models.guided.decoder import build_decoder
from signgen.models.guided.painting import Painting
from signgen.models.perceptual import perceptual_distance
from signgen.models.pretrained import load_pretrained
from signgen.structures import Batch, ExitCode, UserError

KL_WEIGHT = 1e-4
"""Weight of the KL term per latent value: enough to keep latents bounded, too little to blur."""
EDGE_WEIGHT = 1.0
"""Weight of the L1 distance between finite differences, which keeps finger outlines sharp."""
SQUARE_WEIGHT = 2.0
"""Weight of the squared error: L1 alone first learns the median colour of the corpus."""
COLOUR_WEIGHT = 20.0
"""Weight of the squared error of mean chroma per latent cell: lightness edges outweigh colour so
far that without it clothes stay grey for the first thousand steps."""
PAINTED_WEIGHT = 0.25
"""Weight of the L1 distance of what a guided decoder paints where something moved."""
SSIM_WINDOW = 11
"""Side of the Gaussian windows of SSIM, in pixels."""


def build_autoencoder(config: AutoencoderConfig) -> AutoencoderKL:
    """Build the autoencoder: pretrained, or new from its sizes."""
    if config.pretrained:
        model: AutoencoderKL = load_pretrained(
            AutoencoderKL, config.pretrained, "vae", use_safetensors=True
        )
        return model
    levels = len(config.block_channels)
    if not levels or any(width % config.norm_groups for width in config.block_channels):
        raise UserError(
            f"model: autoencoder.block_channels is {list(config.block_channels)}; expected "
            f"multiples of norm_groups, {config.norm_groups}.",
            ExitCode.USAGE,
        )
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=config.block_channels,
        layers_per_block=config.layers_per_block,
        latent_channels=config.latent_channels,
        norm_num_groups=config.norm_groups,
        scaling_factor=config.scaling_factor,
    )


def check_size(size: tuple[int, int], factor: int) -> None:
    """Refuse pictures (H, W) that latent cells of `factor` pixels do not fill."""
    if any(side < 1 or side % factor for side in size):
        raise UserError(f"model: size is {size}; expected multiples of {factor}.", ExitCode.USAGE)


class AutoencoderStage(nn.Module):
    """Train an `AutoencoderKL` to reconstruct target frames: L1, edges, colour and a small KL term.

    With the guided decoder the autoencoder's encoder is trained, and that decoder in place of its
    own, which sees the drawn poses and the guides besides the latents. No loss is adversarial.

    Args:
        config: Settings of the whole model.
    """

    prefix = ""
    external = ()

    def __init__(self, config: FPDMConfig) -> None:
        super().__init__()
        self.config = config
        self.autoencoder = build_autoencoder(config.autoencoder)
        check_size(config.size, 2 ** (len(self.autoencoder.config["block_out_channels"]) - 1))
        # The embedding of the signer comes with stage 1, after this stage, and windows come last
        without = replace(config.decoder, hand_channels=(), face_channels=())
        self.decoder = build_decoder(replace(config, decoder=without), self.autoencoder)

    def enable_gradient_checkpointing(self) -> None:
        """Recompute the autoencoder's activations in the backward pass."""
        self.autoencoder.enable_gradient_checkpointing()

    def reconstruct(self, batch: Batch, latents: Tensor) -> tuple[Tensor, Painting | None]:
        """Decode latents (B, C, h, w) of targets.

        Returns:
            (B, 3, H, W) pictures, not clamped; and what the guided decoder painted, if it did.

        Raises:
            ValueError: If the guided decoder is given a batch without guide.
        """
        if self.decoder is None:
            return self.autoencoder.decode(latents).sample, None
        guide = batch.guide
        if guide is None:
            raise ValueError("the guided decoder needs batches with a guide")
        painting: Painting = self.decoder(latents, batch.pose, guide)
        return painting.mix(guide.warped, guide.source, guide.moved), painting

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Reconstruct the targets of a batch.

        Args:
            batch: `target`, `hands` and `face`; with the guided decoder also `pose` and `guide`.

        Returns:
            Scalars `loss` (optimised), those of `reconstruction_loss`, `kl` (nats per latent value)
            and, with the guided decoder, `painted`.
        """
        # Encode, and leave the latents of some examples out
        posterior = self.autoencoder.encode(batch.target).latent_dist
        latents = sample_posterior(posterior)  # (B, C, h, w)
        kl = posterior.kl().float().sum() / latents.numel()
        if self.decoder is not None and self.training:
            kept = draws.uniform(latents[:, :1, :1, :1])  # (B, 1, 1, 1)
            latents = latents * (kept >= self.config.decoder.drop_latents)

        # Decode and compare
        decoded, painting = self.reconstruct(batch, latents)
        factor = decoded.shape[-1] // latents.shape[-1]
        losses = reconstruction_loss(decoded, batch, self.config, factor)
        loss = losses["loss"] + KL_WEIGHT * kl
        if painting is not None and batch.guide is not None:
            # What the gate leaves out is painted too, lest it never learns
            error = (painting.rgb.float() - batch.target).abs()
            painted = (batch.guide.moved * error).mean()
            losses["painted"] = painted
            loss = loss + PAINTED_WEIGHT * painted
        return losses | {"loss": loss, "kl": kl}


def reconstruction_loss(
    decoded: Tensor, batch: Batch, config: FPDMConfig, factor: int
) -> dict[str, Tensor]:
    """Compare decoded pictures with the targets of a batch.

    Args:
        decoded: (B, 3, H, W) pictures, about [-1, 1], not clamped.
        batch: Only `target`, `hands` and `face` are used.
        config: Weights of hands, face and features.
        factor: Side of one latent cell in pixels.

    Returns:
        Scalars `loss` (optimised), `l1`, `edges`, `square`, `colour` and, where they have a weight,
        `structure`, and `perceptual` if the network is there.
    """
    # Hands and face count more; the mean weight is 1
    weight = 1 + config.hand_weight * batch.hands  # (B, 1, H, W)
    if batch.face is not None:
        weight = weight + config.face_weight * batch.face
    weight = weight / mean_of_all(weight.mean())

    # Values
    error = decoded.float() - batch.target
    l1 = (weight * error.abs()).mean()
    square = (weight * error.square()).mean()

    # Mean colour of each latent cell
    chroma = error - error.mean(dim=1, keepdim=True)
    colour = F.avg_pool2d(chroma, factor).square().mean()

    # Edges: finite differences are linear, so those of the error are the error of those
    along_x = (weight[..., 1:] * error.diff(dim=-1).abs()).mean()
    along_y = (weight[..., 1:, :] * error.diff(dim=-2).abs()).mean()
    edges = (along_x + along_y) / 2

    loss = l1 + EDGE_WEIGHT * edges + SQUARE_WEIGHT * square + COLOUR_WEIGHT * colour
    losses = {"l1": l1, "edges": edges, "square": square, "colour": colour}

    # Structure (Zhao et al., IEEE TCI 2017), of pictures large enough for its windows
    if config.ssim_weight and min(decoded.shape[-2:]) >= SSIM_WINDOW:
        structure = (weight * (1 - _similarity(decoded, batch.target))).mean()
        losses["structure"] = structure
        loss = loss + config.ssim_weight * structure

    # Features
    if config.perceptual_weight:
        perceptual = perceptual_distance(decoded, batch.target)
        if perceptual is not None:
            losses["perceptual"] = perceptual
            loss = loss + config.perceptual_weight * perceptual
    return losses | {"loss": loss}


def _similarity(made: Tensor, wanted: Tensor) -> Tensor:
    """Return the SSIM (B, 1, H, W) around every pixel, in 32 bits: it subtracts large squares."""
    # Late, because rendering needs none of it, and it takes seconds
    from torchmetrics.functional.image import structural_similarity_index_measure

    with torch.autocast(made.device.type, enabled=False):
        # In [0, 1]: around a mean of 0 the smallest difference would count as a lot
        _, similarity = structural_similarity_index_measure(
            made.float() / 2 + 0.5,
            wanted.float() / 2 + 0.5,
            data_range=1.0,
            return_full_image=True,
        )
    mean: Tensor = similarity.mean(dim=1, keepdim=True)
    return mean
