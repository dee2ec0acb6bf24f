"""Image encoders: stage 1's CLIP vision tower, and DINOv2 with its projection for source tokens."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    Dinov2Model,
)

from signgen.config import IPFConfig, SourceEncoderConfig
from signgen.models.pretrained import load_pretrained
from signgen.structures import expect

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def preprocess(
    pixels: Tensor, side: int, mean: tuple[float, float, float], std: tuple[float, float, float]
) -> Tensor:
    """Squash pictures to a square and normalise them, as an image processor does on 8-bit pictures.

    Args:
        pixels: (B, 3, H, W) in [-1, 1].
        side: Side of the square in pixels; the aspect ratio is not kept and nothing is cut off.
        mean: Mean per channel of pictures in [0, 1].
        std: Standard deviation per channel.

    Returns:
        (B, 3, side, side) float32.
    """
    expect(pixels, "B 3 H W", "pixels")
    unit = pixels.float() / 2 + 0.5
    if unit.shape[-2:] != (side, side):
        unit = F.interpolate(unit, size=(side, side), mode="bicubic", antialias=True)
        unit = unit.clamp(0, 1)  # bicubic overshoots; 8-bit pictures are clipped too
    return (unit - unit.new_tensor(mean).view(3, 1, 1)) / unit.new_tensor(std).view(3, 1, 1)


def build_clip(config: IPFConfig) -> CLIPVisionModelWithProjection:
    """Build the CLIP vision tower: pretrained, or new from its sizes.

    Args:
        config: Settings of stage 1.

    Raises:
        UserError: If the pretrained tower is missing or unreadable.
    """
    model: CLIPVisionModelWithProjection
    if config.pretrained:
        model = load_pretrained(
            CLIPVisionModelWithProjection,
            config.pretrained,
            use_safetensors=True,
            attn_implementation="sdpa",
        )
        return model
    settings = CLIPVisionConfig(
        hidden_size=config.width,
        intermediate_size=4 * config.width,
        projection_dim=config.embedding_width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        image_size=config.image_size,
        patch_size=config.patch_size,
    )
    model = CLIPVisionModelWithProjection._from_config(settings, attn_implementation="sdpa")
    return model


def build_dinov2(config: SourceEncoderConfig) -> Dinov2Model:
    """Build the source encoder: pretrained, or new from its sizes.

    Args:
        config: Settings of the source encoder.

    Raises:
        UserError: If the pretrained encoder is missing or unreadable.
    """
    model: Dinov2Model
    if config.pretrained:
        model = load_pretrained(
            Dinov2Model, config.pretrained, use_safetensors=True, attn_implementation="sdpa"
        )
        return model
    settings = Dinov2Config(
        hidden_size=config.width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        image_size=config.image_size,
        patch_size=config.patch_size,
        drop_path_rate=0.0,
        use_mask_token=False,
    )
    model = Dinov2Model._from_config(settings, attn_implementation="sdpa")
    return model


def source_tokens(encoder: Dinov2Model, source: Tensor, side: int) -> Tensor:
    """Encode source pictures into patch tokens, class token first.

    FPDM gives 512 x 512 pictures to DINOv2-L: 1 + 36 * 36 tokens.

    Args:
        encoder: DINOv2.
        source: (B, 3, H, W) in [-1, 1].
        side: Side of the square that the source is squashed to, in pixels.

    Returns:
        (B, N, D), the last hidden state after the final LayerNorm.
    """
    pixels = preprocess(source, side, IMAGENET_MEAN, IMAGENET_STD).to(encoder.dtype)
    tokens: Tensor = encoder(pixel_values=pixels).last_hidden_state
    return tokens


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
            nn.Dropout(dropout),
            nn.LayerNorm(hidden),
            nn.Linear(hidden, context),
            nn.Dropout(dropout),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Project (B, N, width) to (B, N, context)."""
        projected: Tensor = self.net(tokens)
        return projected


def clip_embedding(tower: CLIPVisionModelWithProjection, image: Tensor, side: int) -> Tensor:
    """Embed pictures with the CLIP tower.

    Args:
        tower: CLIP vision tower with projection.
        image: (B, 3, H, W) in [-1, 1].
        side: Side of the square that pictures are squashed to, in pixels.

    Returns:
        (B, E), not normalised.
    """
    # Differs from FPDM: stage 1 squashes photos as it squashes poses, because its centre crop cuts
    # off a third of a person, and because stage 2 and inference squash.
    pixels = preprocess(image, side, CLIP_MEAN, CLIP_STD).to(tower.dtype)
    embedding: Tensor = tower(pixel_values=pixels).image_embeds
    return embedding
