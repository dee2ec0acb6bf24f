"""Where a run computes: its device, precision and processes."""

from __future__ import annotations

from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from signgen.config.train import TrainConfig
from signgen.errors import ExitCode, UserError

__all__ = ["check_device", "open_accelerator"]


def check_device(config: TrainConfig) -> None:
    """Refuse a device that is not here, or that does not compute in the precision."""
    if config.device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "device cuda is not available here; use --device cpu or auto.", ExitCode.UNAVAILABLE
        )
    if config.precision == "fp16" and (
        config.device == "cpu" or not torch.accelerator.is_available()
    ):
        # accelerate would compute in 32 bits without a word.
        raise UserError(
            "precision is fp16, which needs a GPU; expected bf16 or no here.", ExitCode.UNAVAILABLE
        )


def open_accelerator(config: TrainConfig) -> Accelerator:
    """Return the device, precision and processes of a run.

    Another run of this process may have had another precision; the processes stay the same.
    """
    check_device(config)
    AcceleratorState._reset_state()
    return Accelerator(
        cpu=config.device == "cpu",
        mixed_precision=config.precision,
        log_with=list(config.track) or None,
        project_dir=Path(config.out) / "tensorboard" if config.track else None,
    )
