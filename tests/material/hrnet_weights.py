"""Weights of HRNet that nobody trained: the points mean nothing, the way to them is real."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from signgen.pose.estimators.hrnet.network import HeatmapNetwork, HRNetSize


def draw_weights(network: nn.Module, seed: int) -> dict[str, Tensor]:
    """Draw a state dict that carries signals through; the same for the same seed and names."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(shape: torch.Size, low: float, high: float) -> Tensor:
        return torch.rand(shape, generator=generator) * (high - low) + low

    state = {}
    # Sorted, so that the order in which modules were made does not matter.
    for name, value in sorted(network.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            state[name] = torch.zeros((), dtype=value.dtype)
        elif value.ndim == 4:
            fan_in = value[0].numel()
            state[name] = torch.randn(value.shape, generator=generator) * (2 / fan_in) ** 0.5
        elif name.endswith("running_var"):
            state[name] = uniform(value.shape, 0.8, 1.5)
        elif name.endswith("weight"):  # of a batch norm; below 1, as residual blocks add up
            state[name] = uniform(value.shape, 0.2, 0.6)
        else:
            state[name] = uniform(value.shape, -0.1, 0.1)
    return state


def drawn_file(size: HRNetSize, folder: Path, seed: int = 0) -> Path:
    """Write drawn weights of a network as a file, as MMPose publishes them."""
    with torch.device("meta"):
        network = HeatmapNetwork(size)
    path = folder / f"drawn{seed}.pth"
    torch.save({"state_dict": draw_weights(network, seed)}, path)
    return path
