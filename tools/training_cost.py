"""Print what a training run costs, computed from its settings: no weights, data or GPU needed.

python tools/training_cost.py configs/train-fpdm-deepfashion-512.yaml [--share 0.28]

What is counted and what is assumed: `signgen.training.cost`. `signgen train --dry-run` prints the
same beside what a run lacks. `--parts` lists the weights of each part, trained and frozen.
"""

from __future__ import annotations

import argparse

import torch

from signgen.config.train import TrainConfig
from signgen.config.yaml import load_config
from signgen.models import build_stage
from signgen.structures import UserError
from signgen.training.cost import SHARE, Cost, cost, hours, memory, operations, without_weights


def table(config: TrainConfig, one: Cost, share: float) -> str:
    """Return the costs of a run in words.

    Args:
        config: Settings of the run.
        one: The cost of one of its examples.
        share: Share of a GPU's peak that is reached.
    """
    per_step = config.batch_size * config.accumulate
    samples = config.steps * per_step
    held = memory(config, one)
    rows = [
        ("weights, of them trained", f"{one.parameters:,} / {one.trained:,}"),
        ("examples per step", f"{config.batch_size} x {config.accumulate} = {per_step}"),
        ("steps, examples in all", f"{config.steps:,} / {samples:,}"),
        ("TFLOP per example", f"{one.forward / 1e12:.3g} forward + {one.backward / 1e12:.3g} back"),
        ("PFLOP in all", f"{operations(config, one) / 1e15:,.4g}"),
        *(
            (f"hours on one {name}", f"{value:,.1f}")
            for name, value in hours(config, one, share).items()
        ),
        *((f"GiB of {name}", f"{value / 2**30:.1f}") for name, value in held.items()),
        ("GiB in all, at least", f"{sum(held.values()) / 2**30:.1f}"),
    ]
    return "\n".join(f"{name:<32}{value}" for name, value in rows)


def parts(config: TrainConfig) -> str:
    """Return how many weights of each part of a run's stage are trained and frozen."""
    with torch.device("meta"):
        stage = build_stage(without_weights(config.model), config.stage)
    lines = [f"{'part':<24}{'trained':>16}{'frozen':>16}"]
    for name, part in stage.named_children():
        weights = list(part.parameters())
        trained = sum(weight.numel() for weight in weights if weight.requires_grad)
        frozen = sum(weight.numel() for weight in weights) - trained
        lines += [f"{name:<24}{trained:>16,}{frozen:>16,}"] * bool(weights)
    return "\n".join(lines)


def main() -> None:
    """Print the table of one YAML file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config")
    parser.add_argument("--share", type=float, default=SHARE, help="share of the peak, 0 to 1")
    parser.add_argument("--parts", action="store_true", help="list the weights of each part too")
    options = parser.parse_args()
    if not 0 < options.share <= 1:
        parser.error(f"--share is {options.share}; expected more than 0, at most 1.")
    try:
        config = load_config(options.config, TrainConfig)
        print(table(config, cost(config), options.share))
        if options.parts:
            print(f"\n{parts(config)}")
    except UserError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
