"""Losses and scores on held-out examples while a stage trains, for log.jsonl."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from signgen.config.train import TrainConfig
from signgen.data.examples.batching import batches
from signgen.data.examples.loading import TripletDataset
from signgen.evaluation.metrics.pixels.image import psnr
from signgen.evaluation.metrics.pixels.ssim import GAUSSIAN, ssim
from signgen.evaluation.metrics.regions import HAND, SKELETON, cut, find_patches
from signgen.pose.transforms import resize
from signgen.training.run import TrainingRun, evaluating
from signgen.training.sample_sheet import make_pictures, to_uint8
from signgen.training.schedule import seeded

__all__ = ["due", "is_best", "validate"]


def due(config: TrainConfig, step: int) -> bool:
    """Tell whether a run validates after `step` optimiser steps."""
    every = config.validate_every
    return every > 0 and (step % every == 0 or step == config.steps)


def validate(run: TrainingRun) -> dict[str, float | None]:
    """Compute losses and scores of pictures on held-out examples, the same ones every time.

    In eval mode, with the averaged weights where the run keeps them, and with noise that depends on
    the seed of the run alone, so that validations of one run compare. Training goes on as if there
    had been none: every micro-batch seeds its own draws.

    The best checkpoint is kept beside the last (`is_best`). The result of a run is its last one,
    which is what FPDM reports too.

    Args:
        run: The run, with `held_out`.

    Returns:
        The mean losses by name, and `ssim`, `psnr` and, where hands are seen, `hand_ssim` of
        pictures where the stage makes some; of all processes together, rounded to 6 digits, None
        where one is not finite.
    """
    # Differs from FPDM: examples come from a split of their own, because its validation pairs are
    # the test pairs.
    if run.held_out is None:
        raise ValueError("the run has no held-out examples; set validate_every before it is opened")
    with evaluating(run):
        found = _losses(run, run.held_out) | _scores(run, run.held_out)
    return {
        name: round(value, 6) if math.isfinite(value) else None for name, value in found.items()
    }


def is_best(history: Sequence[Mapping[str, object]]) -> bool:
    """Tell whether the last line with a validation has the best of a run's history.

    The best is that of the highest SSIM, or of the lowest loss where a stage makes no pictures.

    Args:
        history: Lines of log.jsonl, the newest one last.
    """
    found = [line["validation"] for line in history if "validation" in line]
    values = [_goodness(one) for one in found if isinstance(one, Mapping)]
    return (
        bool(values)
        and math.isfinite(values[-1])
        and values[-1] > max(values[:-1], default=-math.inf)
    )


def _goodness(validation: Mapping[str, float | None]) -> float:
    score, loss = validation.get("ssim"), validation.get("loss")
    if "ssim" in validation:
        return -math.inf if score is None else score
    return -math.inf if loss is None else -loss


def _losses(run: TrainingRun, held_out: TripletDataset) -> dict[str, float]:
    config, accelerator = run.config, run.accelerator
    source = batches(
        held_out,
        start=0,
        steps=config.validate_batches,
        batch_size=config.batch_size,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
    )
    sums: dict[str, torch.Tensor] = {}
    for number, batch in enumerate(source):
        with seeded(config.seed, number, config.batch_size, accelerator), accelerator.autocast():
            losses = run.stage.loss(batch.to(accelerator.device))
        for name, value in losses.items():
            sums[name] = sums.get(name, torch.zeros_like(value)) + value
    means = accelerator.reduce(sums, "mean")
    return {name: float(value) / config.validate_batches for name, value in means.items()}


def _scores(run: TrainingRun, held_out: TripletDataset) -> dict[str, float]:
    """Score the pictures that the stage makes of the first held-out examples."""
    config, accelerator = run.config, run.accelerator
    if config.stage == "ipf" or not config.validate_pictures:
        return {}
    # Each process makes its share, a few at a time
    sums = torch.zeros(5, device=accelerator.device)
    share = _share(config, accelerator.process_index, accelerator.num_processes)
    for first in range(0, len(share), config.batch_size):
        positions = share[first : first + config.batch_size]
        with accelerator.autocast():
            made = make_pictures(run.stage, held_out, positions)
        if made is None:
            return {}
        pictures, truth = (
            np.stack([to_uint8(one) for one in side]) for side in (made[1], made[0].target)
        )
        hands = _hand_ssim(pictures, truth, held_out, positions)
        scores = [ssim(pictures, truth).sum(), psnr(pictures, truth).sum(), len(truth)]
        scores += [hands.sum(), len(hands)]
        sums += torch.tensor(scores, dtype=sums.dtype, device=sums.device)
    total = accelerator.reduce(sums, "sum")
    found = {"ssim": float(total[0] / total[2]), "psnr": float(total[1] / total[2])}
    return found | ({"hand_ssim": float(total[3] / total[4])} if total[4] else {})


def _share(config: TrainConfig, rank: int, world: int) -> list[int]:
    """Return the held-out examples whose pictures one process makes: whole clips, if of clips."""
    clips = -(-config.validate_pictures // config.clip)
    return [
        clip * config.clip + frame
        for clip in range(rank, clips, world)
        for frame in range(config.clip)
    ]


def _hand_ssim(
    pictures: NDArray[np.uint8],
    truth: NDArray[np.uint8],
    held_out: TripletDataset,
    positions: Sequence[int],
) -> NDArray[np.floating]:
    """Return the SSIM of every hand that counts, (n,), as `signgen eval --hand-metrics` cuts it.

    Args:
        pictures: (B, H, W, 3) uint8 RGB.
        truth: The same shape.
        held_out: Where the examples come from.
        positions: Which they are.
    """
    size = (int(truth.shape[1]), int(truth.shape[2]))
    values = [np.zeros(0)]
    for index, position in enumerate(positions):
        pose = resize(held_out.pose(held_out.triplet(position).target), size)
        if pose.skeleton != SKELETON or HAND.too_small(size, GAUSSIAN.window):
            break
        for patches in find_patches(HAND, pose, size).values():
            if len(patches.frames):
                ours, true = (cut(side[index : index + 1], patches) for side in (pictures, truth))
                values.append(ssim(ours, true))
    return np.concatenate(values)
