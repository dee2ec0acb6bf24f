"""The Siamese pair: which layers of a U-Net look at the source, and SourceNet's way to its tokens.

SourceNet runs once per picture of a signer, without noise, at time step 0 (MCLD, AnimateAnyone).
"""

from __future__ import annotations

import torch.nn.functional as F
from diffusers.models.attention_processor import Attention
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from einops import rearrange
from torch import Tensor, nn

from signgen.config.parsing_guided import ReferenceConfig
from signgen.errors import ExitCode, UserError
from signgen.models.parsing_guided.attention import CollectingAttention, ReferenceAttention
from signgen.models.source_maps import SourceMaps

__all__ = [
    "check_regions",
    "collect_from",
    "cross_attention_weights",
    "freeze_tail",
    "look_at_source",
    "one_hot",
    "region_encoder",
    "site_grid",
    "source_maps",
]


def self_attentions(unet: UNet2DConditionModel) -> list[tuple[str, Attention]]:
    """Return the self-attention layers of a U-Net in the order in which they run, with names."""
    layers = [
        (name, layer)
        for name, layer in unet.named_modules()
        if isinstance(layer, Attention) and not layer.is_cross_attention
    ]
    order = {"down_blocks": 0, "mid_block": 1, "up_blocks": 2}
    # Modules are listed as they were made, the middle last; sorting keeps what is equal in order
    return sorted(layers, key=lambda one: order[one[0].partition(".")[0]])


def _sites(unet: UNet2DConditionModel, config: ReferenceConfig) -> list[tuple[Attention, bool]]:
    """Return all self-attention layers, each with whether it looks at the source."""
    everywhere = config.sites == "full"
    return [
        (layer, everywhere or not name.startswith("down_blocks"))
        for name, layer in self_attentions(unet)
    ]


def look_at_source(unet: UNet2DConditionModel, config: ReferenceConfig) -> None:
    """Make a U-Net the TargetNet: its sites take a `Reference`."""
    number = 0
    for layer, looks in _sites(unet, config):
        if looks:
            layer.set_processor(ReferenceAttention(layer, number, config))  # type: ignore[arg-type]
        else:
            layer.set_processor(CollectingAttention(False))  # type: ignore[arg-type]
        number += looks


def collect_from(unet: UNet2DConditionModel, config: ReferenceConfig) -> None:
    """Make a U-Net the SourceNet: its sites note their tokens in a `Collected`."""
    for layer, looks in _sites(unet, config):
        layer.set_processor(CollectingAttention(looks))  # type: ignore[arg-type]


def freeze_tail(unet: UNet2DConditionModel) -> list[str]:
    """Freeze what comes after SourceNet's last site, which nothing depends on; return its names."""
    # Such as up_blocks.3.attentions.2.transformer_blocks.0.attn1
    last = self_attentions(unet)[-1][0]
    _, block, _, layer, *_ = last.split(".")
    transformer = last.partition(".transformer_blocks")[0] + "."
    frozen = []
    for name, weight in unet.named_parameters():
        match name.split("."):
            case ["conv_norm_out" | "conv_out", *_]:
                tail = True
            case ["up_blocks", number, *_] if int(number) != int(block):
                tail = int(number) > int(block)
            case ["up_blocks", _, "upsamplers", *_]:
                tail = True
            case ["up_blocks", _, _, number, *_] if int(number) != int(layer):
                tail = int(number) > int(layer)
            case _:
                inside = name.startswith(transformer)
                before = (".norm1.", f"{transformer}norm.", f"{transformer}proj_in.")
                tail = inside and not any(part in name for part in before)
        if tail:
            weight.requires_grad_(False)
            frozen.append(name)
    return frozen


def cross_attention_weights(unet: UNet2DConditionModel) -> list[nn.Parameter]:
    """Return the weights of cross-attention that do not matter where all tokens are zero."""
    without = (".attn2.to_q.", ".attn2.to_k.", ".attn2.to_v.", ".norm2.")
    return [
        weight
        for name, weight in unet.named_parameters()
        if ".transformer_blocks." in name and any(part in name for part in without)
    ]


def region_encoder(regions: int, features: int) -> nn.Conv2d:
    """Build what tells SourceNet of the regions: one-hot planes, added after its first convolution.

    It is the rows of that convolution for more input channels, zero at first.

    Args:
        regions: Planes, the background among them.
        features: Channels of the U-Net's first convolution.
    """
    convolution = nn.Conv2d(regions, features, 3, padding=1, bias=False)
    nn.init.zeros_(convolution.weight)
    return convolution


def one_hot(parts: Tensor, count: int) -> Tensor:
    """Turn regions (B, H, W) int64 into planes (B, count, H, W), the background first."""
    return rearrange(F.one_hot(parts, count), "b h w k -> b k h w").float()


def source_maps(tokens: list[Tensor], planes: Tensor, size: tuple[int, int]) -> SourceMaps:
    """Give the tokens of the sites the regions that they show.

    Args:
        tokens: (B, N, C) of each site.
        planes: (B, R, H, W) in [0, 1], of the regions that have an attention of their own.
        size: (h, w) of the latents that the tokens are of.
    """
    seen = F.pad(planes, (0, 0, 0, 0, 1, 0), value=1.0)  # (B, 1 + R, H, W)
    grids = [site_grid(one.shape[1], size) for one in tokens]
    shares = tuple(F.adaptive_avg_pool2d(seen, grid).flatten(2) for grid in grids)
    return SourceMaps(tuple(tokens), shares)


def site_grid(tokens: int, size: tuple[int, int]) -> tuple[int, int]:
    """Return rows and columns of a site's tokens, of latents (h, w) halved until they are so few.

    Raises:
        ValueError: If no number of halvings gives so many.
    """
    height, width = size
    while height * width > tokens:
        height, width = -(-height // 2), -(-width // 2)
    if height * width != tokens:
        raise ValueError(f"{tokens} tokens are none of latents of size {size}")
    return height, width


def check_regions(reference: ReferenceConfig) -> None:
    """Refuse settings of regions that do not fit together."""
    needed = {"face", "cloth", *reference.fused}
    missing = [region for region in sorted(needed) if region not in reference.regions]
    if missing or len(set(reference.regions)) < len(reference.regions):
        problem = f"lacks {missing[0]}" if missing else "names a region twice"
        raise UserError(
            f"model: reference.regions is {list(reference.regions)}, which {problem}; expected "
            "face, cloth and those of reference.fused, each once.",
            ExitCode.USAGE,
        )
    if reference.fusion != "off" and not reference.fused:
        raise UserError(
            "model: reference.fused is empty; expected regions, or reference.fusion off.",
            ExitCode.USAGE,
        )
