"""Where and how precisely things are computed: the one reading of `--device` and `--precision`."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, get_args

from signgen.config.model import Precision
from signgen.config.pose import Device
from signgen.errors import ExitCode, UserError

if TYPE_CHECKING:
    import torch

__all__ = ["autocast", "check_precision", "choose_device", "find_device"]


def choose_device(device: Device) -> str:
    """Return the torch device of a setting; `cuda` is never replaced silently."""
    import torch

    if device not in get_args(Device):
        raise _unknown(device)
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise UserError(
            "--device is cuda, but torch finds no CUDA device here. Use --device cpu or auto, "
            "or see `signgen doctor`.",
            ExitCode.UNAVAILABLE,
        )
    return "cuda" if available and device != "cpu" else "cpu"


def find_device(device: str | torch.device) -> torch.device:
    """Return a torch device by its name, such as `cuda:1`, or by what `choose_device` takes."""
    import torch

    if device == "auto":
        return torch.device(choose_device("auto"))
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError):
        raise _unknown(device) from None
    if found.type == "cuda":
        choose_device("cuda")
        if found.index is not None and found.index >= torch.cuda.device_count():
            raise UserError(
                f"--device is {device}, but torch finds {torch.cuda.device_count()} CUDA devices, "
                "counted from 0. Choose one of them.",
                ExitCode.UNAVAILABLE,
            )
    return found


def _unknown(device: object) -> UserError:
    return UserError(f"--device is {device}; expected auto, cpu or cuda.", ExitCode.USAGE)


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
