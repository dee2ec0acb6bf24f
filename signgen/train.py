"""One training loop for all stages: `vae`, `ipf`, `fpdm` and `decoder` (`config.Stage`).

Order, augmentation, noise and learning rate are pure functions of (seed, step), so an interrupted
run that resumes computes what an uninterrupted one computes. Several processes:
`accelerate launch -m signgen train`.
"""

from __future__ import annotations

import json
import logging
import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import torch
from torch import Tensor
from tqdm import tqdm

from signgen.config import TrainConfig
from signgen.data.loading import batches
from signgen.sample_sheet import write_sheet
from signgen.structures import Batch, UserError
from signgen.training_run import TrainingRun, averaged, measure_latents, open_run, save_run

log = logging.getLogger(__name__)
MAX_BAD_STEPS = 10


def learning_rate(config: TrainConfig, step: int) -> float:
    """Return the learning rate of a step (from 0): linear warm-up, then constant or cosine to 0."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    if config.schedule == "constant":
        return config.learning_rate
    progress = (step - config.warmup) / max(1, config.steps - config.warmup)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def step_seed(seed: int, step: int, rank: int) -> int:
    """Return the seed of all random draws of one step of one process."""
    return (seed * 1_000_003 + step * 64 + rank) % (1 << 62)


def train(config: TrainConfig, *, resume: bool = True) -> Path:
    """Train one stage and return its run folder.

    Args:
        config: All settings.
        resume: Go on from the newest intact checkpoint of the run folder if there is one.

    Returns:
        The run folder.

    Raises:
        UserError: If settings, data or checkpoints are unusable, or the loss stays not finite.
        KeyboardInterrupt: On Ctrl-C or SIGTERM, after a checkpoint was saved.
    """
    run = open_run(config, resume=resume)
    config = run.config
    last = min(config.steps, config.stop_at or config.steps)
    bar = tqdm(
        total=last,
        initial=run.step,
        unit="step",
        desc=config.stage,
        disable=not run.accelerator.is_main_process,
    )
    source = batches(
        run.dataset,
        start=run.step,
        steps=last,
        batch_size=config.batch_size,
        rank=run.accelerator.process_index,
        world=run.accelerator.num_processes,
    )
    with _deferred_signals() as stop, bar:
        for batch in source:
            started = time.perf_counter()
            losses = _step(run, batch.to(run.accelerator.device))
            run.step += 1
            bar.update()
            if run.step % config.log_every == 0 or run.step == last:
                _log(run, losses, time.perf_counter() - started)
                bar.set_postfix(loss=f"{float(losses['loss']):.4f}")
            done = run.step == last or bool(stop)
            if run.step % config.sample_every == 0 or run.step == config.steps:
                _sample(run)
            if run.step % config.save_every == 0 or done:
                if run.step == config.steps and config.stage == "vae":
                    measure_latents(run)
                save_run(run)
            if stop:
                raise KeyboardInterrupt(
                    f"stopped by signal {stop[0]} after step {run.step}; checkpoint saved"
                )
    return run.folder


def _step(run: TrainingRun, batch: Batch) -> dict[str, Tensor]:
    """Do one optimiser step; a step whose loss or gradient is not finite changes nothing."""
    config, accelerator = run.config, run.accelerator
    torch.manual_seed(step_seed(config.seed, run.step, accelerator.process_index))
    for group in run.optimizer.param_groups:
        group["lr"] = learning_rate(config, run.step)
    with accelerator.autocast():
        losses: dict[str, Tensor] = run.wrapped(batch)
    accelerator.backward(losses["loss"])
    limit = config.clip_gradient or math.inf
    norm = accelerator.clip_grad_norm_(run.parameters, limit)
    if norm is not None and not bool(torch.isfinite(norm)):
        run.bad_steps += 1
        log.warning("step %d: the gradient is not finite; step skipped", run.step)
        if run.bad_steps >= MAX_BAD_STEPS:
            raise UserError(
                f"{run.folder}: the loss was not finite {MAX_BAD_STEPS} times in a row at step "
                f"{run.step}; lower learning_rate or use precision no."
            )
    else:
        run.bad_steps = 0
        run.optimizer.step()
        if run.ema is not None:
            run.ema.step(run.parameters)
    run.optimizer.zero_grad(set_to_none=True)
    return {name: value.detach() for name, value in losses.items()}


def _log(run: TrainingRun, losses: dict[str, Tensor], seconds: float) -> None:
    if run.accelerator.is_main_process:
        line = {
            "step": run.step,
            "lr": learning_rate(run.config, run.step - 1),
            "seconds": round(seconds, 4),
        }
        line |= {name: round(float(value), 6) for name, value in losses.items()}
        with (run.folder / "log.jsonl").open("a", encoding="utf-8") as history:
            history.write(json.dumps(line) + "\n")


def _sample(run: TrainingRun) -> None:
    """Write `samples/step-NNNNNN.png`, with the averaged weights."""
    if run.accelerator.is_main_process:
        run.stage.eval()
        with averaged(run), torch.no_grad():
            write_sheet(run.stage, run.dataset, run.folder / "samples" / f"step-{run.step:06d}.png")
        run.wrapped.train()


@contextmanager
def _deferred_signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM, so that the loop can finish its step and save.

    A second signal stops at once.
    """
    caught: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number)

    try:
        previous = {
            number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)
        }
    except ValueError:  # signals belong to the main thread; elsewhere the caller handles them
        yield caught
        return
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
