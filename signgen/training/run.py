"""One training run as it goes on: opening, resuming and saving its folder."""

from __future__ import annotations

import json
import logging
import math
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel
from torch import Tensor, nn

from signgen.checkpoints.finding import run_config
from signgen.checkpoints.folders import State
from signgen.checkpoints.models import load_into, read_weights
from signgen.checkpoints.runs import newest_checkpoint, read_trainer, save_best, save_checkpoint
from signgen.config.train import TrainConfig
from signgen.config.yaml import to_yaml
from signgen.data.dataset import open_dataset
from signgen.data.examples.batching import batches
from signgen.data.examples.loading import TripletDataset
from signgen.files.writing import remove_leftovers, save_text, written
from signgen.models import build_stage
from signgen.models.base import Trainable, stored_state
from signgen.structures import Batch, ExitCode, UserError
from signgen.training.compiling import compile_trained
from signgen.training.environment import check_environment, choose_precision, make_accelerator
from signgen.training.examples import as_framed, pictures_known, training_data
from signgen.training.optimizers import build_optimizer
from signgen.training.resuming import data_digest, frozen_digest, resumed
from signgen.training.schedule import check_settings
from signgen.training.sharding import as_shard, gathered, whole_state
from signgen.training.starting import started

log = logging.getLogger(__name__)


class LossModule(nn.Module):
    """A stage whose forward is its loss, so that distributed wrappers see the call."""

    def __init__(self, stage: Trainable) -> None:
        super().__init__()
        self.stage = stage

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the stage's losses."""
        return self.stage.loss(batch)


@dataclass
class TrainingRun:
    """What one training run holds while it goes on.

    Args:
        config: Settings, with the parts adopted from earlier runs.
        folder: Run folder.
        accelerator: Device, precision and processes.
        stage: The module that is trained.
        wrapped: The stage as `accelerate` prepared it; calling it returns the losses.
        optimizer: Over `parameters`.
        ema: Moving average of `parameters`, or None.
        dataset: Training examples by position.
        held_out: Validation examples by position, or None where the run does not validate.
        step: Optimiser steps done.
        bad_steps: Steps in a row whose gradient was not finite.
        digests: SHA-256 of the data and of the weights that no checkpoint holds.
    """

    config: TrainConfig
    folder: Path
    accelerator: Accelerator
    stage: Trainable
    wrapped: nn.Module
    optimizer: torch.optim.Optimizer
    ema: EMAModel | None
    dataset: TripletDataset
    held_out: TripletDataset | None = None
    step: int = 0
    bad_steps: int = 0
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The trained weights."""
        return [p for p in self.stage.parameters() if p.requires_grad]

    def agreed(self, number: int) -> int:
        """Return the largest number that any process calls this with; all call it."""
        numbers = torch.tensor([number], device=self.accelerator.device)
        return int(self.accelerator.gather(numbers).max())

    def history(self) -> list[dict[str, Any]]:
        """Return the lines of log.jsonl."""
        text = (self.folder / "log.jsonl").read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def log(self, line: Mapping[str, object]) -> None:
        """Append a line to log.jsonl, from the main process only."""
        if self.accelerator.is_main_process:
            path, text = self.folder / "log.jsonl", json.dumps(line, allow_nan=False) + "\n"
            with written(path), path.open("a", encoding="utf-8") as history:
                history.write(text)


def open_run(config: TrainConfig, *, resume: bool) -> TrainingRun:
    """Build everything a run needs, restore its newest checkpoint and write its settings.

    Args:
        config: All settings.
        resume: Go on from the newest intact checkpoint of the run folder if there is one.
    """
    # Settings and data
    check_settings(config)
    check_environment(config)
    folder = Path(config.out)
    splits = [config.data.split, *([config.validation_split] if config.validate_every else [])]
    opened = open_dataset(config.data.root, splits, config.data.video_reader)

    # Settings and weights of earlier runs
    latest = newest_checkpoint(folder) if resume else None
    if latest is not None:
        config = resumed(run_config(folder / "config.yaml"), config, folder)
        # No checkpoint holds a teacher
        adopted = started(config)[1] if config.stage == "distill" else {}
    else:
        model, adopted = started(config)
        config = replace(config, model=model)
        pictures = pictures_known(config, as_framed(config, opened))
        config = replace(config, model=replace(model, pictures=pictures))
    adapter = as_framed(config, opened)
    config = replace(config, precision=choose_precision(config))

    # The stage
    accelerator = make_accelerator(config)
    torch.manual_seed(config.seed)
    stage = build_stage(config.model, config.stage)
    own = {stage.prefix + name for name in stage.state_dict()}
    _load(stage, {k: v for k, v in adopted.items() if k in own}, ", ".join(config.start_from))
    if config.gradient_checkpointing:
        stage.enable_gradient_checkpointing()
    stage = stage.to(accelerator.device)
    wrapped = LossModule(stage)
    compile_trained(config, wrapped)

    # What trains it
    trained = [p for p in stage.parameters() if p.requires_grad]
    optimizer = build_optimizer(config, trained)
    dataset, held_out = training_data(config, adapter, stage)
    run = TrainingRun(
        config,
        folder,
        accelerator,
        stage,
        wrapped=wrapped,
        optimizer=optimizer,
        ema=None,
        dataset=dataset,
        held_out=held_out,
    )
    run.digests = {"data": data_digest(run.dataset), "frozen weights": frozen_digest(stage)}
    if latest is not None:
        _load(stage, read_weights(latest, "model"), latest)
    run.wrapped, run.optimizer = accelerator.prepare(run.wrapped, optimizer)
    if config.ema:
        run.ema = EMAModel(run.parameters, decay=config.ema, use_ema_warmup=True, power=0.75)
    if latest is not None:
        _restore(run, latest)
    run.wrapped.train()
    if accelerator.is_main_process:
        _write_settings(run)
    return run


def _load(stage: Trainable, state: State, where: Path | str) -> None:
    """Load weights that have their names in the whole model."""
    load_into(stage, {name.removeprefix(stage.prefix): x for name, x in state.items()}, where)


def _write_config(run: TrainingRun) -> None:
    """Keep the settings; where to stop is a matter of this call, not of the run."""
    settings = replace(run.config, stop_at=0, dry_run=False)
    save_text(run.folder / "config.yaml", to_yaml(settings))


def _write_settings(run: TrainingRun) -> None:
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
        for place in (run.folder, run.folder / "checkpoints", run.folder / "samples"):
            remove_leftovers(place, "*")
        _write_config(run)
        environment: dict[str, object] = {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "device": str(run.accelerator.device),
            "processes": run.accelerator.num_processes,
            "sharded": run.accelerator.is_fsdp2,
            "threads": torch.get_num_threads(),
            "parameters": sum(p.numel() for p in run.stage.parameters()),
            "trained": sum(p.numel() for p in run.parameters),
        }
        schedule = getattr(run.stage, "schedule", None)
        if schedule is not None:
            environment["schedule"] = schedule.facts()
        save_text(run.folder / "environment.json", json.dumps(environment, indent=1))
        history = run.folder / "log.jsonl"
        # Lines after the checkpoint are of steps that are done again
        lines = history.read_text("utf-8", "replace").splitlines() if history.exists() else []
        done = [line for line in lines if _step_of(line) <= run.step]
        save_text(history, "".join(f"{line}\n" for line in done))
    except OSError as error:
        raise UserError(
            f"{run.folder} cannot be written ({error.strerror}); choose another --out.",
            ExitCode.CANNOT_CREATE,
        ) from None


def _step_of(line: str) -> float:
    """Return the step of a line of log.jsonl; one that a kill tore is of no step that was done."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError):
        log.warning("log.jsonl: a line is torn and left out: %s", line[:60])
        return math.inf


@contextmanager
def averaged(run: TrainingRun) -> Iterator[None]:
    """Use the moving average of the weights inside the block."""
    if run.ema is None:
        yield
        return
    run.ema.store(run.parameters)
    run.ema.copy_to(run.parameters)
    try:
        yield
    finally:
        run.ema.restore(run.parameters)


@contextmanager
def evaluating(run: TrainingRun) -> Iterator[None]:
    """Use the stage in eval mode inside the block, averaged, and not compiled for a few batches."""
    run.stage.eval()
    plain = torch.compiler.set_stance("force_eager")
    with averaged(run), gathered(run.wrapped), torch.no_grad(), plain:
        yield
    run.wrapped.train()


def measure_latents(run: TrainingRun) -> None:
    """Set the autoencoder's scaling factor to 1 / (standard deviation of its latents).

    The factor goes into config.yaml, from where stage 2 takes it.
    """
    # Encode the first 64 examples
    stage: Any = run.stage
    device = run.accelerator.device
    with evaluating(run):
        torch.manual_seed(run.config.seed)
        latents = [
            stage.autoencoder.encode(batch.target.to(device)).latent_dist.sample()
            for batch in batches(run.dataset, start=0, steps=16, batch_size=4)
        ]

    # Keep the factor
    factor = 1 / float(torch.cat(latents).std())
    section = replace(run.config.model.autoencoder, scaling_factor=round(factor, 5))
    run.config = replace(run.config, model=replace(run.config.model, autoencoder=section))
    if run.accelerator.is_main_process:
        _write_config(run)


def save_run(run: TrainingRun) -> None:
    """Write a checkpoint from the main process; the others wait until it is there."""
    accelerator = run.accelerator
    if accelerator.is_main_process or accelerator.is_fsdp2:
        weights, ema, trainer = _states(run)
        if accelerator.is_main_process:
            save_checkpoint(run.folder, run.step, weights, ema, trainer, run.config.keep)
    accelerator.wait_for_everyone()


def save_as_best(run: TrainingRun) -> None:
    """Keep the weights as the best ones, averaged where the run averages them; as `save_run`."""
    with averaged(run):
        weights = stored_state(run.stage)
        if run.accelerator.is_main_process:
            save_best(run.folder, run.step, weights)


def _states(run: TrainingRun) -> tuple[State, State | None, dict[str, Any]]:
    """Return weights, their moving average, and what exact resume needs."""
    trainer: dict[str, Any] = {"step": run.step, "world": run.accelerator.num_processes}
    trainer["optimizer"] = whole_state(run.optimizer.state_dict())
    trainer["digests"] = run.digests
    if run.accelerator.scaler is not None:
        trainer["scaler"] = run.accelerator.scaler.state_dict()

    # Weights, and their moving average
    weights, ema = stored_state(run.stage), None
    if run.ema is not None:
        with averaged(run):
            ema = {name: value.clone() for name, value in stored_state(run.stage).items()}
        trainer["ema"] = {
            "optimization_step": run.ema.optimization_step,
            "shadow": whole_state(run.ema.shadow_params),
        }
    return weights, ema, trainer


def _restore(run: TrainingRun, folder: Path) -> None:
    """Restore what a checkpoint holds besides the weights."""
    trainer = read_trainer(folder)
    if trainer["world"] != run.accelerator.num_processes:
        raise UserError(
            f"{folder}: saved by {trainer['world']} processes, resumed with "
            f"{run.accelerator.num_processes}; the data order would change. "
            "Use as many processes as before.",
            ExitCode.USAGE,
        )

    # Checkpoints of earlier versions have no digests
    for what, digest in dict(trainer.get("digests", {})).items():
        if run.digests.get(what, digest) != digest:
            raise UserError(
                f"{folder}: the {what} of this run are others than when it was saved; expected "
                "the same. Put them back, or choose another --out."
            )

    # Optimiser, loss scale, step and moving average
    weights = run.parameters
    states = trainer["optimizer"]["state"]
    for number, state in states.items():
        states[number] = {k: as_shard(value, weights[number]) for k, value in state.items()}
    run.optimizer.load_state_dict(trainer["optimizer"])
    if run.accelerator.scaler is not None and "scaler" in trainer:
        run.accelerator.scaler.load_state_dict(trainer["scaler"])
    run.step = int(trainer["step"])
    if run.ema is not None:
        run.ema.optimization_step = trainer["ema"]["optimization_step"]
        shadow = [x.to(run.accelerator.device) for x in trainer["ema"]["shadow"]]
        run.ema.shadow_params = list(map(as_shard, shadow, weights))
    log.info("resumed from %s", folder)
