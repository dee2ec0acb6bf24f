"""Motion layers of AnimateDiff in the U-Net: the frames of a clip see each other, pixel by pixel.

Guo et al., AnimateDiff, ICLR 2024. The layers and the blocks that hold them are those of diffusers,
with its names for their weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diffusers.models.unets.unet_2d_blocks import (
    CrossAttnDownBlock2D,
    CrossAttnUpBlock2D,
    DownBlock2D,
    UNetMidBlock2DCrossAttn,
    UpBlock2D,
)
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.models.unets.unet_motion_model import (
    AnimateDiffTransformer3D,
    CrossAttnDownBlockMotion,
    CrossAttnUpBlockMotion,
    DownBlockMotion,
    UpBlockMotion,
)
from torch import nn

__all__ = ["MOST_FRAMES", "add_motion", "motion_layers"]

MOST_FRAMES = 32
"""Frames that positions are known for."""


class _ToldOfClips(nn.Module):
    """A block that takes the number of frames of a clip out of the attention arguments.

    The stock U-Net hands those, and nothing else of ours, to blocks that say they have attention.
    """

    has_cross_attention = True
    moves = True

    def forward(
        self, *args: Any, cross_attention_kwargs: Mapping[str, Any] | None = None, **given: Any
    ) -> Any:
        """Run the block; `num_frames` among the attention arguments is 1 if not given."""
        told = dict(cross_attention_kwargs or {})
        frames = told.pop("num_frames", 1)
        if self.moves:
            given["num_frames"] = frames
        return super().forward(*args, cross_attention_kwargs=told or None, **given)


class _CrossAttnDown(_ToldOfClips, CrossAttnDownBlockMotion):
    pass


class _Down(_ToldOfClips, DownBlockMotion):
    pass


class _CrossAttnUp(_ToldOfClips, CrossAttnUpBlockMotion):
    pass


class _Up(_ToldOfClips, UpBlockMotion):
    pass


class _Mid(_ToldOfClips, UNetMidBlock2DCrossAttn):
    moves = False


KINDS: dict[type[nn.Module], type[nn.Module]] = {
    CrossAttnDownBlock2D: _CrossAttnDown,
    DownBlock2D: _Down,
    UNetMidBlock2DCrossAttn: _Mid,
    CrossAttnUpBlock2D: _CrossAttnUp,
    UpBlock2D: _Up,
}


def add_motion(unet: UNet2DConditionModel, heads: int) -> None:
    """Put a motion layer behind every ResNet layer, and its attention, on the way down and up.

    What a layer adds is zero at first, so that the U-Net predicts what it did. The other weights
    keep their names.

    Args:
        unet: Of `build_unet`; it is changed.
        heads: Attention heads of each layer, which divide its channels.
    """
    groups = int(unet.config["norm_num_groups"])
    for block in (*unet.down_blocks, *unet.up_blocks):
        channels = [int(resnet.out_channels) for resnet in block.resnets]
        block.motion_modules = nn.ModuleList(_layer(count, heads, groups) for count in channels)
    for block in (*unet.down_blocks, unet.mid_block, *unet.up_blocks):
        # The same block, whose forward also runs its motion layers
        block.__class__ = KINDS[type(block)]


def _layer(channels: int, heads: int, groups: int) -> AnimateDiffTransformer3D:
    layer = AnimateDiffTransformer3D(
        heads,
        channels // heads,
        channels,
        norm_num_groups=groups,
        positional_embeddings="sinusoidal",
        num_positional_embeddings=MOST_FRAMES,
    )
    for weight in layer.proj_out.parameters():
        nn.init.zeros_(weight)
    return layer


def motion_layers(unet: nn.Module) -> list[nn.Module]:
    """Return the motion layers of a U-Net."""
    return [part for part in unet.modules() if isinstance(part, AnimateDiffTransformer3D)]
