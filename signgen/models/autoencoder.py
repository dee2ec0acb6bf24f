"""The image autoencoder, and the stage that trains a small one."""

from __future__ import annotations

import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn

from signgen.config.model import AutoencoderConfig
from signgen.models.pretrained import load_pretrained
from signgen.structures import Batch

KL_WEIGHT = 1e-4
"""Weight of the KL term per latent value: enough to keep latents bounded, too little to blur."""
EDGE_WEIGHT = 1.0
"""Weight of the L1 distance between finite differences, which keeps finger outlines sharp."""
SQUARE_WEIGHT = 2.0
"""Weight of the squared error: L1 alone first learns the median colour of the corpus."""
COLOUR_WEIGHT = 20.0
"""Weight of the squared error of mean chroma per latent cell: lightness edges outweigh colour so
far that without it clothes stay grey for the first thousand steps."""


def build_autoencoder(config: AutoencoderConfig) -> AutoencoderKL:
    """Build the autoencoder: pretrained, or new from its sizes."""
    if config.pretrained:
        model: AutoencoderKL = load_pretrained(
            AutoencoderKL, config.pretrained, "vae", use_safetensors=True
        )
        return model
    levels = len(config.block_channels)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=config.block_channels,
        layers_per_block=config.layers_per_block,
        latent_channels=config.latent_channels,
        norm_num_groups=config.norm_groups,
        scaling_factor=config.scaling_factor,
    )


class AutoencoderStage(nn.Module):
    """Train an `AutoencoderKL` to reconstruct target frames: L1, edges, colour and a small KL term.

    There is no adversarial or perceptual loss: drawn signers have flat shading and crisp outlines,
    which L1 on values and on finite differences keeps.

    Args:
        config: Settings of the autoencoder.
        hand_weight: Extra weight of the reconstruction inside the hand boxes.
    """

    prefix = ""
    external = ()

    def __init__(self, config: AutoencoderConfig, *, hand_weight: float = 0.0) -> None:
        super().__init__()
        self.autoencoder = build_autoencoder(config)
        self.hand_weight = hand_weight

    def enable_gradient_checkpointing(self) -> None:
        """Recompute the autoencoder's activations in the backward pass."""
        self.autoencoder.enable_gradient_checkpointing()

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Reconstruct the targets of a batch.

        Args:
            batch: Only `target` and `hands` are used.

        Returns:
            Scalars `loss` (optimised), `l1`, `edges`, `square`, `colour` and `kl` (nats per latent
            value).
        """
        posterior = self.autoencoder.encode(batch.target).latent_dist
        latents = posterior.sample()  # (B, C, h, w)
        decoded = self.autoencoder.decode(latents).sample  # (B, 3, H, W)
        factor = decoded.shape[-1] // latents.shape[-1]
        losses = reconstruction_loss(decoded, batch, self.hand_weight, factor)
        kl = posterior.kl().float().sum() / latents.numel()
        return losses | {"loss": losses["loss"] + KL_WEIGHT * kl, "kl": kl}


def reconstruction_loss(
    decoded: Tensor, batch: Batch, hand_weight: float, factor: int
) -> dict[str, Tensor]:
    """Compare decoded pictures with the targets of a batch: L1, edges, square and colour.

    Args:
        decoded: (B, 3, H, W) pictures, about [-1, 1], not clamped.
        batch: Only `target` and `hands` are used.
        hand_weight: Extra weight inside the hand boxes.
        factor: Side of one latent cell in pixels.

    Returns:
        Scalars `loss` (optimised), `l1`, `edges`, `square` and `colour`.
    """
    # Hands count more; the mean weight is 1
    weight = 1 + hand_weight * batch.hands  # (B, 1, H, W)
    weight = weight / weight.mean()

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
    return {"loss": loss, "l1": l1, "edges": edges, "square": square, "colour": colour}
