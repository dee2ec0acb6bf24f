"""Settings of `signgen train`. Imports no torch.

Precedence: defaults < YAML < flags. The text below a field is its help text on the command line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from signgen.config.data import DataConfig
from signgen.config.model import ModelConfig, tiny_fpdm
from signgen.config.pose import Device
from signgen.config.ranges import Count, Decay, Factor, Natural, NotNegative, Positive, Seed

__all__ = ["AFTER_STAGE_2", "Stage", "Tracker", "TrainConfig"]

Stage = Literal["vae", "ipf", "fpdm", "decoder", "windows", "signer", "distill", "motion"]
AFTER_STAGE_2: tuple[Stage, ...] = ("decoder", "windows", "signer", "distill", "motion")
"""Stages that train on what a trained stage 2 makes. They take the settings of the model that they
start from, whatever their own say, but for those of the stage."""
Tracker = Literal["tensorboard", "wandb"]


@dataclass(frozen=True)
class TrainConfig:
    """One training run of one stage."""

    @property
    def clip(self) -> int:
        """Consecutive examples that are frames of one clip; 1 where each stands alone."""
        return max(1, self.model.motion.window) if self.stage == "motion" else 1

    stage: Stage = "fpdm"
    """Part to train: `vae` (autoencoder), `ipf` (stage 1), `fpdm` (stage 2), `decoder` (the
    autoencoder's decoder on samples of a trained stage 2), `windows` (what paints hands and face
    once more on pictures of a trained model), `signer` (both together, on few recordings),
    `distill` (the U-Net, to take few steps without guidance for the many of a trained one), or
    `motion` (layers of the U-Net through which the frames of a clip see each other)."""
    out: str = "runs/smoke"
    """Run folder."""
    model: ModelConfig = field(default_factory=tiny_fpdm)
    data: DataConfig = field(default_factory=DataConfig)
    start_from: tuple[str, ...] = ()
    """Run folders or models whose trained parts this run starts from, later ones winning."""
    steps: Count = 4
    """Optimiser steps in all."""
    batch_size: Count = 2
    """Triplets per micro-batch and process; in stage `motion` a multiple of `motion.window`."""
    accumulate: Count = 1
    """Micro-batches per optimiser step, whose gradients are averaged; FPDM has 3 of 42 triplets in
    stage 2."""
    optimizer: Literal["adamw", "adamw-fused", "adamw-8bit"] = "adamw"
    """AdamW; `adamw-fused` takes a step in one kernel; `adamw-8bit` keeps its moments in 8 bits,
    which saves 6 bytes a trained weight and needs bitsandbytes and a GPU."""
    learning_rate: Positive = 1e-4
    """Peak learning rate of AdamW."""
    warmup: Natural = 0
    """Steps of linear warm-up."""
    warmup_hold: Count = 1
    """Steps that each rate of the warm-up is held for, a divisor of `warmup`; FPDM raises it once
    an epoch."""
    schedule: Literal["constant", "cosine", "step"] = "constant"
    """Learning rate after the warm-up: constant, a cosine to 0, or times `decay_factor` after every
    `decay_every` steps."""
    decay_every: Natural = 0
    """Steps between decays of the rate, counted from the end of the warm-up, for schedule `step`;
    FPDM has 50 epochs."""
    decay_factor: Factor = 0.1
    """Factor of one decay, for schedule `step`."""
    weight_decay: NotNegative = 0.0
    """Weight decay of AdamW."""
    clip_gradient: NotNegative = 1.0
    """Largest gradient norm; 0 does not clip."""
    ema: Decay = 0.0
    """Decay of the exponential moving average of the weights; 0 keeps none."""
    precision: Literal["auto", "no", "fp16", "bf16"] = "no"
    """Mixed precision. `auto` is what is fastest here: 16 bits on a GPU; on a CPU bf16 where a
    short measurement finds it faster. config.yaml of the run says what was chosen."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, a third more time."""
    compile: bool = False
    """Compile what is trained with torch.compile: minutes whenever the run begins or goes on, for
    faster steps."""
    device: Device = "auto"
    """Where to train."""
    seed: Seed = 7
    """Seed of weights, order, augmentation and noise."""
    save_every: Count = 500
    """Steps between checkpoints."""
    sample_every: Count = 500
    """Steps between sample sheets; one is made before the first step."""
    log_every: Count = 10
    """Steps between lines of log.jsonl."""
    track: tuple[Tracker, ...] = ()
    """Where losses, scores and sample sheets go besides the run folder: `tensorboard`, into
    `tensorboard/` of it, or `wandb`."""
    validate_every: Natural = 0
    """Steps between validations, and one at the end; 0 never validates."""
    validate_batches: Count = 8
    """Batches per process in one validation, the same ones every time."""
    validate_pictures: Natural = 8
    """Held-out examples whose pictures are made and scored in one validation, whole clips in stage
    `motion`; 0 makes none."""
    validation_split: Literal["train", "dev", "test"] = "dev"
    """Split that validations draw from. The checkpoint that is best on it is kept as
    `checkpoints/best`, but the last one is the result."""
    keep: Count = 2
    """Checkpoints kept."""
    dry_run: bool = False
    """Train nothing: print what the run costs, and all that it lacks at once."""
    stop_at: Natural = 0
    """Stop after this step although `steps` is larger (to train in slices); 0 trains to the end."""
