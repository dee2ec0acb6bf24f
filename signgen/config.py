"""Every setting of signgen as frozen dataclasses. Imports no torch, so that `--help` is instant.

Precedence: defaults < YAML < flags. The text below a field is its help text on the command line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from signgen.eval_config import EvalConfig
from signgen.import_config import ImportFPDMConfig
from signgen.model_config import (
    REMOVED_SETTINGS,
    AutoencoderConfig,
    FPDMConfig,
    IPFConfig,
    Precision,
    Sampler,
    SamplingConfig,
    SchedulerConfig,
    SourceEncoderConfig,
    UNetConfig,
    full_fpdm,
    tiny_fpdm,
)
from signgen.pose_config import (
    Align,
    Device,
    EstimatorName,
    PoseAlignConfig,
    PoseConvertConfig,
    PoseExtractConfig,
    PoseInfoConfig,
    PoseViewConfig,
)
from signgen.prepare_config import (
    PrepareCacheConfig,
    PrepareDeepFashionConfig,
    PrepareFolderConfig,
    PreparePhoenixConfig,
    PrepareSyntheticConfig,
)

__all__ = [
    "REMOVED_SETTINGS",
    "Align",
    "AutoencoderConfig",
    "DataConfig",
    "Device",
    "DoctorConfig",
    "EstimatorName",
    "EvalConfig",
    "ExportConfig",
    "FPDMConfig",
    "IPFConfig",
    "ImportFPDMConfig",
    "PoseAlignConfig",
    "PoseConvertConfig",
    "PoseExtractConfig",
    "PoseInfoConfig",
    "PoseViewConfig",
    "Precision",
    "PrepareCacheConfig",
    "PrepareDeepFashionConfig",
    "PrepareFolderConfig",
    "PreparePhoenixConfig",
    "PrepareSyntheticConfig",
    "RenderConfig",
    "Sampler",
    "SamplingConfig",
    "SchedulerConfig",
    "SourceEncoderConfig",
    "Stage",
    "TrainConfig",
    "UNetConfig",
    "full_fpdm",
    "tiny_fpdm",
]

Stage = Literal["vae", "ipf", "fpdm", "decoder"]


# ----- training -----------------------------------------------------------------------------


@dataclass(frozen=True)
class DataConfig:
    """Where training frames come from."""

    root: str = "sample"
    """Folder that `signgen prepare` wrote or that is in the PHOENIX-2014T layout, or `sample` for
    the bundled sample."""
    split: Literal["train", "dev", "test"] = "train"
    """Split to draw triplets from."""
    identity_rate: float = 0.05
    """Share of triplets whose source is the target itself."""
    pairs: int = 100_000
    """Pairs drawn from videos, each shown once per epoch; 0 never repeats one. Datasets that list
    their pairs show those."""
    min_distance: int = 1
    """Least number of frames between source and target where pairs are drawn."""
    flip_rate: float = 0.0
    """Share of examples that are mirrored, with left and right joints swapped; FPDM has 0.5 for
    DeepFashion. Signing changes its hand: keep 0."""
    jitter: float = 0.0
    """Standard deviation of the noise on key points, in pixels of a picture of 550 x 375 (height x
    width); FPDM has 1 for DeepFashion. Points that it moves out on the left or top go missing."""
    source_sides: tuple[int, ...] = ()
    """Sides of squares, one of which every source is squashed to before it gets the model's size of
    sources, to train on coarse ones too; FPDM has 256 512. None leaves sources as they are."""
    workers: int = 1
    """Loader processes; the result does not depend on it."""
    cache: bool = False
    """Keep frames at the model's sizes in the memory of each loader process."""
    frame_cache: str = ""
    """Folder that `signgen prepare cache` wrote from these data, to read frames from; none if
    empty."""


@dataclass(frozen=True)
class TrainConfig:
    """One training run of one stage."""

    stage: Stage = "fpdm"
    """Part to train: `vae` (autoencoder), `ipf` (stage 1), `fpdm` (stage 2), or `decoder` (the
    autoencoder's decoder on samples of a trained stage 2)."""
    out: str = "runs/smoke"
    """Run folder."""
    model: FPDMConfig = field(default_factory=tiny_fpdm)
    data: DataConfig = field(default_factory=DataConfig)
    start_from: tuple[str, ...] = ()
    """Run folders or models whose trained parts this run starts from, later ones winning."""
    steps: int = 4
    """Optimiser steps in all."""
    batch_size: int = 2
    """Triplets per micro-batch and process."""
    accumulate: int = 1
    """Micro-batches per optimiser step, whose gradients are averaged; FPDM has 3 of 42 triplets in
    stage 2."""
    learning_rate: float = 1e-4
    """Peak learning rate of AdamW."""
    warmup: int = 0
    """Steps of linear warm-up."""
    warmup_hold: int = 1
    """Steps that each rate of the warm-up is held for, a divisor of `warmup`; FPDM raises it once
    an epoch."""
    schedule: Literal["constant", "cosine", "step"] = "constant"
    """Learning rate after the warm-up: constant, a cosine to 0, or times `decay_factor` after every
    `decay_every` steps."""
    decay_every: int = 0
    """Steps between decays of the rate, counted from the end of the warm-up, for schedule `step`;
    FPDM has 50 epochs."""
    decay_factor: float = 0.1
    """Factor of one decay, for schedule `step`."""
    weight_decay: float = 0.0
    """Weight decay of AdamW."""
    clip_gradient: float = 1.0
    """Largest gradient norm; 0 does not clip."""
    ema: float = 0.0
    """Decay of the exponential moving average of the weights; 0 keeps none."""
    precision: Precision = "no"
    """Mixed precision."""
    device: Device = "auto"
    """Where to train."""
    seed: int = 7
    """Seed of weights, order, augmentation and noise."""
    save_every: int = 500
    """Steps between checkpoints."""
    sample_every: int = 500
    """Steps between sample sheets."""
    log_every: int = 10
    """Steps between lines of log.jsonl."""
    validate_every: int = 0
    """Steps between validations, and one at the end; 0 never validates."""
    validate_batches: int = 8
    """Batches per process in one validation, the same ones every time."""
    validation_split: Literal["train", "dev", "test"] = "dev"
    """Split that validations draw from. They choose nothing: the last checkpoint is the result."""
    keep: int = 2
    """Checkpoints kept."""
    stop_at: int = 0
    """Stop after this step although `steps` is larger (to train in slices); 0 trains to the end."""


# ----- other commands -----------------------------------------------------------------------


@dataclass(frozen=True)
class RenderConfig:
    """Render a signer: one source frame and a pose sequence become a video."""

    source: str = ""
    """Picture of the signer (PNG, JPEG, WebP)."""
    poses: str = ""
    """Poses to sign: a file or folder in any format that `signgen pose info` reads, or a video to
    extract them from; recognised by content."""
    out: str = "out.mp4"
    """Video to write."""
    model: str = "mini"
    """`mini` (bundled), a run folder, or a hub id: owner/name or owner/name@revision."""
    clip: str | None = None
    """Clip to sign, of files of poses that hold many."""
    pose_size: tuple[int, int] | None = None
    """Height and width of the pictures that the poses are of, for formats that do not say; the
    source's if not given."""
    pose_fps: float | None = None
    """Frames per second, for formats of poses that do not say; 25 if not given."""
    align: Align = "none"
    """How poses are brought into the source's frame: `none` fits the frame, `affine` also moves and
    scales by the shoulders, `limb` gives every part the source signer's proportions."""
    source_poses: str | None = None
    """Poses of the source picture, for --align affine and limb, the first frame is taken; estimated
    from the picture if not given."""
    size: tuple[int, int] | None = None
    """Height and width of the video; the source's size if not given."""
    steps: int | None = None
    """Denoising steps; the model's own number if not given."""
    guidance: tuple[float, float] | None = None
    """Guidance weights w1 w2; the model's own if not given."""
    sampler: Sampler | None = None
    """How to denoise: `ddpm` (ancestral), `ddim` (deterministic), or a solver for few steps; the
    model's own if not given."""
    official_noise: bool | None = None
    """Draw the noise of each chunk from one generator, as FPDM's published code does of a batch:
    frames then depend on --chunk and on their place in it. --no-official-noise draws it by frame;
    as the model's settings say if not given."""
    precision: Precision = "no"
    """Compute the networks in 16 bits: `fp16` (slow on a CPU) or `bf16`. `no` is 32, as published;
    the sampler and, where the autoencoder asks for it, decoding stay there."""
    seed: int = 0
    """Seed of the noise."""
    device: Device = "auto"
    """Where to compute."""
    chunk: int = 8
    """Frames computed at a time; does not change the result, but for --official-noise."""
    estimator: EstimatorName = "auto"
    """Estimator of key points, for a video as `poses` and for --align without `source_poses`:
    `auto` is HRNet where its checkpoint is found, else MediaPipe."""
    weights: str | None = None
    """Checkpoint of the estimator."""
    compare: bool = True
    """Also write OUT.compare.mp4 (source, pose, result) and a contact sheet OUT.sheet.png."""
    dry_run: bool = False
    """Check everything, print the plan, write nothing."""
    json: bool = False
    """Print one JSON object on stdout."""


@dataclass(frozen=True)
class ExportConfig:
    """Write a model as a folder to upload to the hub, with a model card."""

    model: str = ""
    """`mini`, a run folder, a model folder, or a hub id."""
    to_hub_folder: str = ""
    """Folder to write to; an older model there is replaced."""
    repo: str = ""
    """Name it will have on the hub, owner/name."""
    license: str = ""
    """Licence of the weights, such as cc-by-nc-sa-4.0; that of the model's card if it has one."""
    data: tuple[str, ...] = ()
    """What it was trained on: synthetic, phoenix14t, deepfashion or your own names; where a run's
    data or the model's card say it, that is taken."""
    data_license: str = ""
    """Terms of the training data, needed for names of your own."""
    report: str | None = None
    """Report of the model's scores, as `signgen eval --out` writes it."""
    human_evaluation: str = "none done"
    """What people found who judged the videos, in a few words."""
    notes: str | None = None
    """Markdown file to append to the card; the notes of the model's card if it has one."""
    half: bool = True
    """Store fp16, half the size, instead of fp32."""
    json: bool = False
    """Print one JSON object on stdout."""


@dataclass(frozen=True)
class DoctorConfig:
    """Say what works on this machine."""

    json: bool = False
    """Print one JSON object on stdout."""
