"""What a loss needs of the other processes of a training; alone, nothing happens.

Losses that are no mean over samples look at the batch of all processes, so that several compute
what one does with their batches together. All processes have batches of one size.
"""

from __future__ import annotations

import torch
import torch.distributed as processes
from torch import Tensor
from torch.distributed.nn.functional import all_gather

__all__ = ["from_all", "mean_of_all", "whole"]


def from_all(x: Tensor) -> Tensor:
    """Return x (B, ...) of all processes one after another, with their gradients.

    The gradient of a process is the sum of what all processes want of it: where all compute the
    same loss of it, the mean over processes is the gradient of that loss.
    """
    if not _several():
        return x
    gathered = all_gather(x.contiguous())  # type: ignore[no-untyped-call]
    return torch.cat(gathered)  # (processes * B, ...)


def mean_of_all(x: Tensor) -> Tensor:
    """Return the mean of x over all processes, without a gradient."""
    x = x.detach()
    if not _several():
        return x
    total = x.clone()
    processes.all_reduce(total)
    return total / processes.get_world_size()


def whole(x: Tensor) -> Tensor:
    """Return x; from shards on all processes whole on the CPU of the first, empty elsewhere."""
    if not _several():
        return x
    from torch.distributed.tensor import DTensor  # late: rendering needs none of it

    if not isinstance(x, DTensor):
        return x
    full: Tensor = x.full_tensor()
    return full.cpu() if processes.get_rank() == 0 else full.new_empty(0, device="cpu")


def _several() -> bool:
    return processes.is_available() and processes.is_initialized()
