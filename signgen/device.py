"""Where things are computed: the one reading of every `--device`."""

from __future__ import annotations

from signgen.errors import ExitCode, UserError
from signgen.pose_config import Device

__all__ = ["choose_device"]


def choose_device(device: Device) -> str:
    """Return the torch device of a setting; `cuda` is never replaced silently.

    Raises:
        UserError: If `cuda` is asked for and absent (69).
    """
    import torch

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise UserError(
            "--device is cuda, but torch finds no CUDA device here. Use --device cpu or auto, "
            "or see `signgen doctor`.",
            ExitCode.UNAVAILABLE,
        )
    return "cuda" if available and device != "cpu" else "cpu"
