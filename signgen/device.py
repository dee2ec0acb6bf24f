"""Where and how precisely things are computed: the one reading of `--device` and `--precision`."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from signgen.config.model import Precision
from signgen.config.pose import Device
from signgen.errors import ExitCode, UserError

if TYPE_CHECKING:
    import torch

__all__ = ["autocast", "check_precision", "choose_device"]


def choose_device(device: Device) -> str:
    """Return the torch device of a setting; `cuda` is never replaced silently."""
    import torch

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise UserError(
            "--device is cuda, but torch finds no CUDA device here. Use --device cpu or auto, "
            "or see `signgen doctor`.",
            ExitCode.UNAVAILABLE,
        )
    return "cuda" if available and device != "cpu" else "cpu"


def check_precision(precision: Precision, device: torch.device) -> None:
    """Check that a device computes in a precision."""
    import torch

    if precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported(False):
        raise UserError(
            f"--precision is bf16, but {torch.cuda.get_device_name(device)} does not compute in "
            "it. Use --precision fp16 or no.",
            ExitCode.UNAVAILABLE,
        )


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which networks of 32-bit weights compute in 16 bits where that is safe.

    Args:
        precision: `no` changes nothing.
        device: Where they compute.
    """
    import torch

    if precision == "no":
        return nullcontext()
    return torch.autocast(device.type, torch.float16 if precision == "fp16" else torch.bfloat16)
