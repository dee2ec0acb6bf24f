"""Image encoders: towers of stage 1, CLIP's or convolutions, and DINOv2 with its projection."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    Dinov2Model,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.models.clip.modeling_clip import CLIPVisionModelOutput
from transformers.models.dinov2.modeling_dinov2 import Dinov2Embeddings

from signgen.config.model import IPFConfig, SourceEncoderConfig
from signgen.models.dropout import Dropout
from signgen.models.inputs import square
from signgen.models.pretrained import load_pretrained
from signgen.structures import ExitCode, UserError, expect

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def preprocess(
    pixels: Tensor,
    side: int,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    *,
    crop: bool = False,
) -> Tensor:
    """Make pictures square and normalise them; see `square`.

    Args:
        pixels: (B, 3, H, W) in [-1, 1].
        side: Side of the square in pixels.
        mean: Mean per channel of pictures in [0, 1].
        std: Standard deviation per channel.
        crop: Cut the square from the centre; else squash.

    Returns:
        (B, 3, side, side) float32.
    """
    expect(pixels, "B 3 H W", "pixels")
    unit = square(pixels, side, crop=crop)  # (B, 3, side, side)
    return (unit - unit.new_tensor(mean).view(3, 1, 1)) / unit.new_tensor(std).view(3, 1, 1)


# ----- towers: stage 1, and source tokens of ablation B1 ------------------------------------------


class ConvolutionalConfig(PreTrainedConfig):
    """Sizes of a `ConvolutionalTower`, under transformers' names."""

    model_type = "convolutional_vision_model"
    image_size: int = 112
    hidden_size: int = 64
    num_hidden_layers: int = 4
    projection_dim: int = 128


class ConvolutionalTower(PreTrainedModel):
    """Strided convolutions, then one matrix over all cells of the last map.

    Differs from FPDM: a tower that begins from nothing. Every cell has weights of its own in the
    matrix, so where something lies is in the embedding from the first step on. CLIP's class token
    begins as the mean over all patches, which forgets that; trained from nothing for minutes it
    learns who signs and stays blind to the pose.
    """

    config_class = ConvolutionalConfig
    main_input_name = "pixel_values"

    def __init__(self, config: ConvolutionalConfig) -> None:
        super().__init__(config)
        layers: list[nn.Module] = []
        before = 3
        for level in range(config.num_hidden_layers):
            # Twice as many channels a level, up to the width, which the last two have
            halvings = max(config.num_hidden_layers - 2 - level, 0)
            channels = max(config.hidden_size >> halvings, 8)
            layers += [nn.Conv2d(before, channels, 3, 2, 1), nn.GroupNorm(8, channels), nn.SiLU()]
            before = channels
        self.layers = nn.Sequential(*layers)
        side = config.image_size >> config.num_hidden_layers
        self.visual_projection = nn.Linear(before * side**2, config.projection_dim)
        self.post_init()

    def forward(self, pixel_values: Tensor) -> CLIPVisionModelOutput:
        """Embed pictures (B, 3, side, side), normalised: `image_embeds` is (B, E)."""
        cells = self.layers(pixel_values).flatten(1)
        return CLIPVisionModelOutput(image_embeds=self.visual_projection(cells))


def build_tower(config: IPFConfig) -> CLIPVisionModelWithProjection | ConvolutionalTower:
    """Build the tower of stage 1: pretrained, or new from its sizes."""
    if config.kind == "clip":
        clip: CLIPVisionModelWithProjection
        clip = _clip(CLIPVisionModelWithProjection, config, config.embedding_width)
        return clip
    tower: ConvolutionalTower
    if config.pretrained:
        tower = load_pretrained(ConvolutionalTower, config.pretrained, use_safetensors=True)
        return tower
    _check_convolutions(config)
    return ConvolutionalTower(
        ConvolutionalConfig(
            image_size=config.image_size,
            hidden_size=config.width,
            num_hidden_layers=config.layers,
            projection_dim=config.embedding_width,
        )
    )


def _clip(kind: Any, config: IPFConfig | SourceEncoderConfig, projection: int) -> Any:
    if config.pretrained:
        return load_pretrained(
            kind, config.pretrained, use_safetensors=True, attn_implementation="sdpa"
        )
    _check_tower(config)
    sizes = CLIPVisionConfig(
        hidden_size=config.width,
        intermediate_size=config.mlp_ratio * config.width,
        projection_dim=projection,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        image_size=config.image_size,
        patch_size=config.patch_size,
    )
    return kind._from_config(sizes, attn_implementation="sdpa")


def _check_tower(config: IPFConfig | SourceEncoderConfig) -> None:
    """Refuse sizes of a new tower that do not fit together."""
    section = "ipf" if isinstance(config, IPFConfig) else "source_encoder"
    problem = ""
    if config.width % config.heads:
        problem = f"heads is {config.heads}; expected a divisor of width, {config.width}"
    elif config.patch_size > config.image_size:
        problem = (
            f"patch_size is {config.patch_size}; expected at most {config.image_size}, image_size"
        )
    if problem:
        raise UserError(f"model: {section}.{problem}.", ExitCode.USAGE)


def _check_convolutions(config: IPFConfig) -> None:
    """Refuse sizes of a new convolutional tower that do not fit together."""
    problem = ""
    if config.width % 8:
        problem = f"width is {config.width}; expected a multiple of 8"
    elif config.image_size % 2**config.layers:
        problem = (
            f"image_size is {config.image_size}; expected a multiple of {2**config.layers}, "
            f"because {config.layers} layers halve it"
        )
    if problem:
        raise UserError(f"model: ipf.{problem}.", ExitCode.USAGE)


def clip_pixels(image: Tensor, side: int, *, crop: bool = False) -> Tensor:
    """Return pictures (B, 3, H, W) in [-1, 1] as a CLIP tower takes them; see `preprocess`."""
    return preprocess(image, side, CLIP_MEAN, CLIP_STD, crop=crop)


# ----- source tokens ------------------------------------------------------------------------------


class ScaledPositionEmbeddings(Dinov2Embeddings):
    """DINOv2's embeddings with the position interpolation of transformers up to 4.40.

    There the table is stretched by the factor (n + 0.1) / m for n patches and a table of m, here to
    exactly n. The published FPDM was trained on the former, and the two differ by far more than
    rounding: sampling points lie n / (n + 0.1) as far apart.
    """

    def interpolate_pos_encoding(self, embeddings: Tensor, height: int, width: int) -> Tensor:
        """Return the positions of a picture.

        Args:
            embeddings: (B, 1 + patches, D); only the number of patches is used.
            height: Height of the picture in pixels.
            width: Its width.

        Returns:
            (1, 1 + patches, D).
        """
        table: Tensor = self.position_embeddings
        count = table.shape[1] - 1
        if embeddings.shape[1] - 1 == count and height == width:
            return table
        root = math.sqrt(count)
        sides = zip((height, width), self.patch_embeddings.patch_size, strict=True)
        scale = [(side // patch + 0.1) / root for side, patch in sides]
        grid = rearrange(table[:, 1:], "one (h w) d -> one d h w", h=int(root))
        stretched = F.interpolate(
            grid.float(), scale_factor=scale, mode="bicubic", align_corners=False
        )
        patches = rearrange(stretched, "one d h w -> one (h w) d").to(table.dtype)
        return torch.cat([table[:, :1], patches], dim=1)  # the class token keeps its position

    @staticmethod
    def like(embeddings: Dinov2Embeddings) -> ScaledPositionEmbeddings:
        """Return embeddings that share the weights of others."""
        with torch.device("meta"):
            new = ScaledPositionEmbeddings(embeddings.config)
        new.cls_token, new.mask_token = embeddings.cls_token, embeddings.mask_token
        new.position_embeddings = embeddings.position_embeddings
        new.patch_embeddings = embeddings.patch_embeddings
        return new


def build_source_encoder(config: SourceEncoderConfig) -> Dinov2Model | CLIPVisionModel:
    """Build the encoder of source tokens: pretrained, or new from its sizes."""
    if config.kind == "clip":
        tower: CLIPVisionModel = _clip(CLIPVisionModel, config, config.width)
        return tower
    model: Dinov2Model
    if config.pretrained:
        model = load_pretrained(
            Dinov2Model, config.pretrained, use_safetensors=True, attn_implementation="sdpa"
        )
    else:
        _check_tower(config)
        settings = Dinov2Config(
            hidden_size=config.width,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            mlp_ratio=config.mlp_ratio,
            image_size=config.table_size or config.image_size,
            patch_size=config.patch_size,
            drop_path_rate=0.0,
            use_mask_token=False,
        )
        model = Dinov2Model._from_config(settings, attn_implementation="sdpa")
    if config.position_interpolation == "scale":
        model.embeddings = ScaledPositionEmbeddings.like(model.embeddings)
    return model


def source_pixels(config: SourceEncoderConfig, source: Tensor) -> Tensor:
    """Return sources (B, 3, H, W) in [-1, 1] as the source encoder takes them, squashed."""
    if config.kind == "clip":
        return clip_pixels(source, config.image_size)
    return preprocess(source, config.image_size, IMAGENET_MEAN, IMAGENET_STD)


class SourceProjection(nn.Module):
    """Project source tokens to the context width of the U-Net's cross-attention (FPDM code, H_s).

    Args:
        width: Width of the encoder's tokens.
        hidden: Hidden width; 768 in FPDM.
        context: Width of the cross-attention context.
        dropout: Dropout probability; 0.2 in FPDM.
    """

    def __init__(self, width: int, hidden: int, context: int, dropout: float) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(width, hidden),
            nn.GELU(),
            Dropout(dropout),
            nn.LayerNorm(hidden),
            nn.Linear(hidden, context),
            Dropout(dropout),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Project (B, N, width) to (B, N, context)."""
        projected: Tensor = self.net(tokens)
        return projected
