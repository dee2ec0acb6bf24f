"""Losses on held-out examples while a stage trains, for log.jsonl."""

from __future__ import annotations

import torch

from signgen.config.train import TrainConfig
from signgen.data.examples.loading import batches
from signgen.training.run import TrainingRun, averaged
from signgen.training.schedule import seeded

__all__ = ["due", "validate"]


def due(config: TrainConfig, step: int) -> bool:
    """Tell whether a run validates after `step` optimiser steps."""
    every = config.validate_every
    return every > 0 and (step % every == 0 or step == config.steps)


def validate(run: TrainingRun) -> dict[str, float]:
    """Compute the mean losses of a stage on held-out examples, the same ones every time.

    In eval mode, with the averaged weights where the run keeps them, and with noise that depends on
    the seed of the run alone, so that validations of one run compare. Training goes on as if there
    had been none: every micro-batch seeds its own draws.

    Nothing is chosen by them: the result of a run is its last checkpoint, which is the one that
    FPDM reports too.

    Args:
        run: The run, with `held_out`.

    Returns:
        The losses by name, rounded to 6 digits; of all processes together.
    """
    # Differs from FPDM: examples come from a split of their own, because its validation pairs are
    # the test pairs.
    config, accelerator = run.config, run.accelerator
    if run.held_out is None:
        raise ValueError("the run has no held-out examples; set validate_every before it is opened")
    source = batches(
        run.held_out,
        start=0,
        steps=config.validate_batches,
        batch_size=config.batch_size,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
    )
    sums: dict[str, torch.Tensor] = {}
    run.stage.eval()
    with averaged(run), torch.no_grad(), accelerator.autocast():
        for number, batch in enumerate(source):
            with seeded(config.seed, number, config.batch_size, accelerator):
                losses = run.stage.loss(batch.to(accelerator.device))
            for name, value in losses.items():
                sums[name] = sums.get(name, torch.zeros_like(value)) + value
    run.wrapped.train()
    means = accelerator.reduce(sums, "mean")
    return {name: round(float(value) / config.validate_batches, 6) for name, value in means.items()}
