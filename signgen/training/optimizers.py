"""The optimiser of a run."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from signgen.config.train import TrainConfig
from signgen.errors import ExitCode, UserError

__all__ = ["build_optimizer", "check_optimizer"]


def check_optimizer(config: TrainConfig) -> None:
    """Refuse an optimiser that is not installed or does not work here."""
    if config.optimizer != "adamw-8bit":
        return
    if find_spec("bitsandbytes") is None:
        raise UserError(
            "optimizer is adamw-8bit, which needs bitsandbytes; install it with "
            "`pip install bitsandbytes`, or use adamw.",
            ExitCode.UNAVAILABLE,
        )
    if config.device == "cpu" or not torch.cuda.is_available():
        raise UserError(
            "optimizer is adamw-8bit, which needs a GPU; expected adamw or adamw-fused here.",
            ExitCode.UNAVAILABLE,
        )


def build_optimizer(config: TrainConfig, trained: list[nn.Parameter]) -> torch.optim.Optimizer:
    """Return the optimiser of the weights that are trained.

    Args:
        config: Settings of the run.
        trained: The weights, on their device.
    """
    check_optimizer(config)
    settings: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    if config.optimizer == "adamw-8bit":
        from bitsandbytes.optim import AdamW8bit

        optimizer: torch.optim.Optimizer = AdamW8bit(trained, **settings)
        return optimizer
    return torch.optim.AdamW(trained, **settings, fused=config.optimizer == "adamw-fused")
