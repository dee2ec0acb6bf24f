"""What a step of training is given, as functions of its number: learning rate and draws."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate import Accelerator

from signgen.config.ranges import out_of_range
from signgen.config.train import TrainConfig
from signgen.diffusion.draws import drawing
from signgen.errors import ExitCode, UserError

__all__ = ["check_settings", "learning_rate", "seeded"]


def learning_rate(config: TrainConfig, step: int) -> float:
    """Return the learning rate of an optimiser step.

    A linear warm-up in plateaus of `warmup_hold` steps, then constant, a cosine to 0, or FPDM's
    steps: times `decay_factor` after every `decay_every` steps. FPDM counts the decays from the end
    of the warm-up: with 5 epochs of it the first one comes after 55 epochs, where the paper has 50.

    Args:
        config: Settings, checked by `open_run`.
        step: From 0.
    """
    # Warm-up
    if step < config.warmup:
        plateau = step - step % config.warmup_hold
        return config.learning_rate * (plateau + config.warmup_hold) / config.warmup

    # Afterwards
    after = step - config.warmup
    if config.schedule == "constant":
        return config.learning_rate
    if config.schedule == "step":
        return config.learning_rate * config.decay_factor ** (after // config.decay_every)
    progress = after / max(1, config.steps - config.warmup)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


@contextmanager
def seeded(seed: int, step: int, batch_size: int, accelerator: Accelerator) -> Iterator[None]:
    """Seed all random draws of one micro-batch of this process.

    What a sample is given depends on the seed and its number in the run, which is also its position
    in the data: several processes and micro-batches draw what one large batch draws.

    Args:
        seed: Seed of the run.
        step: Number of the micro-batch, from 0 over the whole run.
        batch_size: Samples of one process.
        accelerator: Device, and number of this and of all processes.
    """
    torch.manual_seed(seed * 1_000_003 + step)  # the same for all processes
    first = (step * accelerator.num_processes + accelerator.process_index) * batch_size
    with drawing(seed, range(first, first + batch_size), accelerator.device):
        yield


def check_settings(config: TrainConfig) -> None:
    """Refuse numbers that no run can have."""
    problems = list(out_of_range(config))

    # What must fit together
    if not problems and config.warmup % config.warmup_hold:
        problems.append(
            f"warmup_hold is {config.warmup_hold}; expected a divisor of warmup, {config.warmup}"
        )
    if config.data.window and config.stage != "vae":
        problems.append(
            f"data.window is {config.data.window}, which is for stage vae; expected 0, because "
            f"stage {config.stage} sees whole pictures"
        )
    if config.batch_size % config.clip:
        problems.append(
            f"batch_size is {config.batch_size}; expected a multiple of model.motion.window, "
            f"{config.clip}, so that no clip is torn"
        )
    if config.schedule == "step" and config.decay_every < 1:
        problems.append(f"decay_every is {config.decay_every}; expected at least 1")
    if problems:
        raise UserError(f"{problems[0]}.", ExitCode.USAGE)
