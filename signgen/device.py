"""Where and how precisely things are computed: the one reading of `--device` and `--precision`."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from signgen.config.model import Precision
from signgen.config.pose import Device
from signgen.errors import ExitCode, UserError

if TYPE_CHECKING:
    import torch

__all__ = ["autocast", "check_precision", "choose_device", "fastest_precision", "named_device"]


_DRIVERS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/kfd")
"""What Linux has where a driver of NVIDIA (also within Windows) or AMD is loaded."""


def choose_device(device: Device) -> str:
    """Return the torch device of a setting; `cuda` and `mps` are never replaced silently.

    Raises:
        UserError: If it is no setting, or `cuda` or `mps` and there is none.
    """
    if device not in get_args(Device):
        raise UserError(
            f"--device is {device}; expected {', '.join(get_args(Device))}.", ExitCode.USAGE
        )
    # Importing torch takes seconds, and without a driver its answer is known
    if device == "cpu" or (device == "auto" and not _may_have_cuda()):
        return "cpu"
    import torch

    # A Mac's GPU is taken where it is asked for: nothing has been run on one
    if device == "mps":
        if not torch.backends.mps.is_available():
            raise UserError(
                "--device is mps, but torch finds no GPU of Apple's here. Use --device cpu or "
                "auto, or see `signgen doctor`.",
                ExitCode.UNAVAILABLE,
            )
        return "mps"
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise UserError(
            "--device is cuda, but torch finds no CUDA device here. Use --device cpu or auto, "
            "or see `signgen doctor`.",
            ExitCode.UNAVAILABLE,
        )
    return "cuda" if available else "cpu"


def named_device(name: str | torch.device) -> torch.device:
    """Return the device of a setting, or of torch's name for one, such as `cuda:1`.

    Raises:
        UserError: If there is no such device.
    """
    import torch

    if isinstance(name, str) and name in get_args(Device):
        return torch.device(choose_device(cast(Device, name)))
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(
            f"device is {name}; expected auto, cpu, cuda, or a name of torch's such as cuda:1.",
            ExitCode.USAGE,
        ) from None
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise UserError(
            f"device is {name}, but torch finds {count} CUDA devices here. Give cpu or auto, or "
            "see `signgen doctor`.",
            ExitCode.UNAVAILABLE,
        )
    return device


def _may_have_cuda() -> bool:
    return sys.platform != "linux" or any(Path(driver).exists() for driver in _DRIVERS)


def check_precision(precision: Precision, device: torch.device) -> None:
    """Check that a device computes in a precision."""
    import torch

    if precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported(False):
        raise UserError(
            f"--precision is bf16, but {torch.cuda.get_device_name(device)} does not compute in "
            "it. Use --precision fp16 or no.",
            ExitCode.UNAVAILABLE,
        )


@cache
def fastest_precision(device: str) -> Precision:
    """Return the precision in which networks are trained fastest on a device, found once.

    A CPU without instructions for bf16 takes ten times as long with it as with 32 bits, so that it
    is measured there: one small convolution with its gradient, each the best of five.
    """
    import torch

    if device.startswith("cuda"):
        return "bf16" if torch.cuda.is_bf16_supported(False) else "fp16"
    layer = torch.nn.Conv2d(64, 64, 3, padding=1)
    image = torch.zeros(1, 64, 48, 48)

    def seconds(precision: Precision) -> float:
        taken = []
        for _ in range(5):
            started = time.thread_time()
            with autocast(precision, torch.device("cpu")):
                layer(image).float().sum().backward()
            taken.append(time.thread_time() - started)
        return min(taken)

    return "bf16" if seconds("bf16") < 0.9 * seconds("no") else "no"


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
