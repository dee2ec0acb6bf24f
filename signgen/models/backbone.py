"""The denoiser: the stock diffusers U-Net with FPDM's pose feature and fusion embedding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from diffusers.models.controlnets.controlnet import ControlNetConditioningEmbedding
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from signgen.config.model import UNetConfig
from signgen.models.attention import SourceContext, SourceMemory, share_source
from signgen.models.dropout import Dropout
from signgen.models.pretrained import load_pretrained
from signgen.structures import Conditioning, ExitCode, UserError

if TYPE_CHECKING:
    from signgen.diffusion.samplers import Denoiser


class PoseInputConv2d(nn.Conv2d):
    """A convolution of the first input channels whose output the remaining channels are added to.

    FPDM adds the pose feature to the output of the U-Net's first convolution. Channels appended to
    the noisy latents carry it there, so the stock U-Net needs neither hook nor changed `forward`,
    and its weights keep their names and shapes.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Convolve and add.

        Args:
            input: (B, in_channels + out_channels, h, w), or (B, in_channels, h, w) to add nothing.
        """
        # `input` is the name of the overridden method.
        latents, pose = input[:, : self.in_channels], input[:, self.in_channels :]
        features = super().forward(latents)  # (B, out_channels, h, w)
        return features + pose.to(features.dtype) if pose.shape[1] else features

    @staticmethod
    def like(conv: nn.Conv2d) -> PoseInputConv2d:
        """Return a copy of a plain 3 x 3 convolution of stride 1, sharing its weights."""
        with torch.device("meta"):
            new = PoseInputConv2d(conv.in_channels, conv.out_channels, 3, padding=1)
        new.weight, new.bias = conv.weight, conv.bias
        return new


class FusionMLP(nn.Module):
    """Map the fusion embedding to the width of the time embedding, to which it is added.

    `unet.class_embedding.net` in the published checkpoint. A zero embedding, "nothing given", still
    adds the response of the biases, as there.

    Args:
        width: Width E of the embedding; 768 in FPDM.
        time_width: Width of the time embedding; 1280 in FPDM.
        dropout: Dropout probability; 0.2 configured but inactive in FPDM.
    """

    def __init__(self, width: int, time_width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(width, width),
            nn.GELU(),
            Dropout(dropout),
            nn.Linear(width, time_width),
            Dropout(dropout),
        )

    def forward(self, embedding: Tensor) -> Tensor:
        """Map (B, E) to (B, time_width)."""
        added: Tensor = self.net(embedding)
        return added


def build_unet(
    config: UNetConfig, latent_channels: int = 4, *, fused: bool = True
) -> UNet2DConditionModel:
    """Build the denoiser: pretrained, or new from its sizes.

    It takes (B, C + first channels, h, w), latents with the pose feature appended, and the output
    of `FusionMLP` as `class_labels`.

    Args:
        config: Settings of the U-Net.
        latent_channels: Channels C of the latents.
        fused: Whether it takes `class_labels`.
    """
    unet: UNet2DConditionModel
    if config.pretrained:
        unet = load_pretrained(
            UNet2DConditionModel,
            config.pretrained,
            "unet",
            use_safetensors=True,
            class_embed_type="identity" if fused else None,
        )
        channels = unet.config["in_channels"]
        if channels != latent_channels:
            raise UserError(
                f"{config.pretrained}: the U-Net takes {channels} latent channels; "
                f"expected {latent_channels} as the autoencoder makes. Use parts of one model."
            )
    else:
        unet = _new_unet(config, latent_channels, fused)
    unet.conv_in = PoseInputConv2d.like(unet.conv_in)
    share_source(unet)
    return unet


def predict(
    unet: UNet2DConditionModel,
    z: Tensor,
    t: Tensor,
    pose: Tensor,
    tokens: Tensor | SourceContext,
    added: Tensor | None,
    source: object = None,
    *,
    frames: int = 1,
) -> Tensor:
    """Run a U-Net of `build_unet`.

    Args:
        unet: The denoiser.
        z: (B, C, h, w) noisy latents.
        t: (B,) int64 timesteps.
        pose: (B, first channels, h, w) pose feature.
        tokens: (B, N, D) source tokens, or what stands for them.
        added: (B, time width) output of `FusionMLP`, or None.
        source: What self-attention is given besides; see `parsing_guided.attention`.
        frames: Rows that are frames of one clip, which a U-Net with motion layers is told.

    Returns:
        (B, C, h, w).
    """
    given = {} if source is None else {"source": source}
    told = given if frames == 1 else {**given, "num_frames": frames}
    # The first convolution takes the pose feature from the channels behind the latents.
    widened = torch.cat([z.to(pose.dtype), pose], dim=1)
    output: Tensor = unet(
        widened,
        t,
        encoder_hidden_states=tokens,
        class_labels=added,
        cross_attention_kwargs=told or None,
    ).sample
    return output


def _new_unet(config: UNetConfig, latent_channels: int, fused: bool) -> UNet2DConditionModel:
    # Check that the sizes fit together
    channels = config.block_channels
    if any(c % config.head_width for c in channels) or any(
        c % config.norm_groups for c in channels
    ):
        raise UserError(
            f"unet: block_channels is {channels}; expected multiples of head_width "
            f"{config.head_width} and norm_groups {config.norm_groups}.",
            ExitCode.USAGE,
        )
    levels = len(channels)
    if config.attention and len(config.attention) != levels:
        raise UserError(
            f"unet: attention is {list(config.attention)}; expected one of true and false for each "
            f"of the {levels} entries of block_channels.",
            ExitCode.USAGE,
        )

    # Choose blocks; Stable Diffusion attends everywhere but at the lowest of four resolutions
    attention = config.attention or [levels < 4 or level < levels - 1 for level in range(levels)]
    down = ["CrossAttnDownBlock2D" if used else "DownBlock2D" for used in attention]
    up = ["CrossAttnUpBlock2D" if used else "UpBlock2D" for used in reversed(attention)]
    return UNet2DConditionModel(
        in_channels=latent_channels,
        out_channels=latent_channels,
        block_out_channels=channels,
        down_block_types=tuple(down),
        up_block_types=tuple(up),
        layers_per_block=config.layers_per_block,
        cross_attention_dim=config.cross_attention_width,
        # The library's name misleads: it takes the number of heads per level.
        attention_head_dim=tuple(c // config.head_width for c in channels),
        norm_num_groups=config.norm_groups,
        use_linear_projection=True,
        upcast_attention=config.upcast_attention,
        class_embed_type="identity" if fused else None,
    )


def together(
    unet: UNet2DConditionModel,
    fusion_mlp: FusionMLP | None,
    branches: Sequence[Conditioning],
    memory: SourceMemory,
    source: object = None,
) -> Denoiser:
    """Return a denoiser of several branches in one batch; see `RemembersSource.denoiser`."""
    # Once for all steps
    pose = torch.cat([branch.pose for branch in branches])
    added = None
    if fusion_mlp is not None:
        embeddings = [b.embedding for b in branches if b.embedding is not None]
        added = fusion_mlp(torch.cat(embeddings))  # (branches B, time width)
    absent = sum("tokens" in branch.nulled for branch in branches)
    context = SourceContext(memory, absent, len(branches) - absent)

    # At every step
    frames = branches[0].frames
    return lambda z, t: predict(unet, z, t, pose, context, added, source, frames=frames)


def build_pose_encoder(
    channels: tuple[int, ...], features: int, planes: int = 3
) -> ControlNetConditioningEmbedding:
    """Build the pose encoder: convolutions from drawn pose to a feature at latent resolution.

    The last convolution starts at zero, so the pose fades in while training (Zhang et al.,
    ControlNet, ICCV 2023). FPDM calls it a four-layer CNN; its code has eight convolutions.

    Args:
        channels: Channels per resolution; every further entry halves the resolution.
        features: Channels of the feature, those of the U-Net's first convolution.
        planes: Channels of what is encoded; more than 3 where the pose does not come alone.
    """
    return ControlNetConditioningEmbedding(
        conditioning_embedding_channels=features,
        conditioning_channels=planes,
        block_out_channels=channels,
    )
