"""Where a network of an estimator is computed."""

from __future__ import annotations

from typing import Literal

import torch

from signgen.errors import ExitCode, UserError

__all__ = ["Device", "choose_device"]

Device = Literal["auto", "cpu", "cuda"]


def choose_device(device: Device) -> torch.device:
    """Return the torch device of a setting; `cuda` is never replaced silently.

    Raises:
        UserError: If CUDA is asked for and not there (69).
    """
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise UserError(
            "--device is cuda, but torch finds no CUDA device here. Use --device cpu or auto.",
            ExitCode.UNAVAILABLE,
        )
    return torch.device("cuda" if available and device != "cpu" else "cpu")
