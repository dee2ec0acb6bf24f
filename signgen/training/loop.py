"""One training loop for all stages.

Order, augmentation and learning rate are pure functions of (seed, step), and what a sample draws is
one of (seed, position), so an interrupted run that resumes computes what an uninterrupted one
computes, and several processes compute what one does with their batches together. They are started
by `accelerate launch -m signgen train` or `torchrun -m signgen train`.

The result of a run is its last checkpoint. FPDM's programs do the same: they also keep the one of
the best loss on test pairs, but stage 2 and the published scores use the last.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import torch
from torch import Tensor
from torch._dynamo.exc import TorchDynamoException
from tqdm import tqdm

from signgen.config.train import TrainConfig
from signgen.data.examples.batching import batches
from signgen.errors import Stopped, deferred_signals
from signgen.files.locking import locked
from signgen.files.paths import one_line
from signgen.structures import Batch, ExitCode, UserError
from signgen.training.reporting import Reporter, check_trackers
from signgen.training.run import TrainingRun, measure_latents, open_run, save_run
from signgen.training.schedule import check_settings, learning_rate, seeded
from signgen.training.validation import due

log = logging.getLogger(__name__)
MAX_BAD_STEPS = 10


def train(config: TrainConfig, *, resume: bool = True) -> Path:
    """Train one stage and return its run folder.

    Args:
        config: All settings.
        resume: Go on from the newest intact checkpoint of the run folder if there is one.

    Raises:
        UserError: If settings, data or checkpoints are unusable, or the loss stays not finite.
        Stopped: On Ctrl-C, SIGTERM, SIGHUP or SIGUSR1, after a checkpoint was saved.
    """
    check_settings(config)
    check_trackers(config)
    # One training at a time writes to a folder; of several processes the first one does
    first = os.environ.get("RANK", "0") == "0"
    with locked(Path(config.out), "a training") if first else nullcontext():
        return _train(config, resume=resume)


def _train(config: TrainConfig, *, resume: bool) -> Path:
    # Open the run, resumed or new
    run = open_run(config, resume=resume)
    config = run.config
    last = min(config.steps, config.stop_at or config.steps)
    if config.compile and run.step < last:
        _check_compiled(run)

    # Micro-batches from where the run is
    bar = tqdm(
        total=last,
        initial=run.step,
        unit="step",
        desc=config.stage,
        disable=not run.accelerator.is_main_process,
    )
    source = batches(
        run.dataset,
        start=run.step * config.accumulate,
        steps=last * config.accumulate,
        batch_size=config.batch_size,
        rank=run.accelerator.process_index,
        world=run.accelerator.num_processes,
        pin=run.accelerator.device.type == "cuda",
    )
    with deferred_signals() as stop, bar, closing(Reporter(run)) as report:
        if run.step == 0:
            report.sheet()
        while run.step < last:
            # One optimiser step
            started = time.perf_counter()
            losses = take_step(run, source)
            run.step += 1
            bar.update()

            # Report
            if run.step % config.log_every == 0 or run.step == last:
                line = report.losses(losses, time.perf_counter() - started)
                bar.set_postfix({name: line[name] for name in ("loss", "samples_per_second")})
            if due(config, run.step):
                report.validation()
            if run.step % config.sample_every == 0 or run.step == config.steps:
                report.sheet()

            # Save, and stop if asked to: a signal from here on waits for the next step
            stopped = run.agreed(stop[0] if stop else 0)
            if run.step % config.save_every == 0 or run.step == last or stopped:
                if run.step == config.steps and config.stage == "vae":
                    measure_latents(run)
                save_run(run)
                report.curves()
            if stopped:
                raise Stopped(stopped, f"after step {run.step}; checkpoint saved")
    return run.folder


def take_step(run: TrainingRun, source: Iterator[Batch]) -> dict[str, Tensor]:
    """Do one optimiser step on the next `accumulate` micro-batches and return their mean losses.

    A step whose loss or gradient is not finite changes nothing.

    The number of the step is left to the caller.
    """
    config = run.config
    # Set the rate of this step
    for group in run.optimizer.param_groups:
        group["lr"] = learning_rate(config, run.step)

    # Sum and clip gradients
    losses = _accumulate(run, source)
    norm = run.accelerator.clip_grad_norm_(run.parameters, config.clip_gradient or math.inf)

    # Step, unless the gradient is not finite
    if norm is not None and not bool(torch.isfinite(norm)):
        _skip(run)
    else:
        run.bad_steps = 0
        run.optimizer.step()
        if run.ema is not None:
            run.ema.step(run.parameters)
    run.optimizer.zero_grad(set_to_none=True)
    return losses


def _check_compiled(run: TrainingRun) -> None:
    """Compile, and compare gradients of the next micro-batch with those that are not compiled.

    Raises:
        UserError: If they differ, as torch 2.13 made them without a word, or it cannot be compiled.
    """
    config, accelerator = run.config, run.accelerator
    number = run.step * config.accumulate
    source = batches(
        run.dataset,
        start=number,
        steps=number + 1,
        batch_size=config.batch_size,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
    )
    batch = next(source).to(accelerator.device)
    found: list[list[Tensor]] = []
    begun = time.perf_counter()
    for stance in ("force_eager", "default"):
        draws = seeded(config.seed, number, config.batch_size, accelerator)
        with draws, torch.compiler.set_stance(stance), _said(run):
            with accelerator.autocast():
                losses: dict[str, Tensor] = run.wrapped(batch)
            accelerator.backward(losses["loss"])
        found.append([p.new_zeros(()) if p.grad is None else p.grad for p in run.parameters])
        run.optimizer.zero_grad(set_to_none=True)
    log.info("compiled in %.0f seconds", time.perf_counter() - begun)
    least = 1e-3 * float(torch.stack([plain.norm() for plain in found[0]]).norm())
    for plain, compiled in zip(*found, strict=True):
        if float((compiled - plain).norm()) > 0.1 * float(plain.norm()) + least:
            raise _uncompiled(run, "compiles this to other gradients than without it")


@contextmanager
def _said(run: TrainingRun) -> Iterator[None]:
    try:
        yield
    except TorchDynamoException as error:
        raise _uncompiled(run, f"cannot compile this: {one_line(error)}") from error


def _uncompiled(run: TrainingRun, problem: str) -> UserError:
    return UserError(
        f"{run.folder}: compile is true, but torch {torch.__version__} {problem}. Use compile "
        "false.",
        ExitCode.UNAVAILABLE,
    )


def _accumulate(run: TrainingRun, source: Iterator[Batch]) -> dict[str, Tensor]:
    """Sum the gradients of the step's micro-batches, each divided by their number.

    That is the gradient of one large batch where the loss is a mean over samples. InfoNCE is not:
    its negatives are those of the micro-batch, of all processes; nor is a loss with weights for
    hands, which are divided by their mean in the micro-batch.
    """
    accelerator, count = run.accelerator, run.config.accumulate
    sums: dict[str, Tensor] = {}
    for micro in range(count):
        batch = next(source).to(accelerator.device)
        number = run.step * count + micro
        # Processes exchange gradients once a step, in the backward pass of the last micro-batch.
        last = micro == count - 1
        draws = seeded(run.config.seed, number, run.config.batch_size, accelerator)
        with draws, nullcontext() if last else accelerator.no_sync(run.wrapped):
            with accelerator.autocast():
                losses: dict[str, Tensor] = run.wrapped(batch)
            accelerator.backward(losses["loss"] / count)
        for name, value in losses.items():
            sums[name] = sums.get(name, 0) + value.detach() / count
    return sums


def _skip(run: TrainingRun) -> None:
    """Leave out a step whose gradient is not finite; give up after too many in a row."""
    run.bad_steps += 1
    log.warning("step %d: the gradient is not finite; step skipped", run.step)
    if run.bad_steps >= MAX_BAD_STEPS:
        raise UserError(
            f"{run.folder}: the loss was not finite {MAX_BAD_STEPS} times in a row at step "
            f"{run.step}; lower learning_rate or use precision no."
        )
    if run.accelerator.scaler is not None:
        # With fp16 the optimiser sees the overflow, skips the step and lowers the loss scale.
        run.optimizer.step()
