"""What a step of training is given, as functions of its number: learning rate and draws."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter

import torch
from accelerate import Accelerator

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
    # Counts
    counts = ["steps", "batch_size", "accumulate", "warmup_hold"]
    counts += ["log_every", "sample_every", "save_every", "keep"]
    counts += ["decay_every"] if config.schedule == "step" else []
    counts += ["validate_batches"] if config.validate_every else []
    small = [(name, 1) for name in counts]
    small += [(name, 0) for name in ("warmup", "validate_every", "validate_pictures")]
    problems = [
        f"{name} is {getattr(config, name)}; expected at least {least}"
        for name, least in small
        if getattr(config, name) < least
    ]

    # Rates
    ranges = [
        ("learning_rate", 0 < config.learning_rate < math.inf, "more than 0"),
        ("weight_decay", 0 <= config.weight_decay < math.inf, "0 or more"),
        ("clip_gradient", 0 <= config.clip_gradient < math.inf, "0 or more"),
        ("ema", 0 <= config.ema < 1, "0 or more, less than 1"),
        ("seed", 0 <= config.seed < 1 << 32, "0 to 4294967295"),
        ("stop_at", config.stop_at >= 0, "0 or more"),
        ("data.workers", config.data.workers >= 0, "0 or more"),
        ("data.pairs", config.data.pairs >= 0, "0 or more"),
        ("data.identity_rate", 0 <= config.data.identity_rate <= 1, "a probability, 0 to 1"),
    ]
    problems += [
        f"{name} is {attrgetter(name)(config)}; expected {expected}"
        for name, right, expected in ranges
        if not right
    ]

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
    if config.schedule == "step" and not 0 < config.decay_factor <= 1:
        problems.append(f"decay_factor is {config.decay_factor}; expected more than 0, at most 1")
    if problems:
        raise UserError(f"{problems[0]}.", ExitCode.USAGE)
