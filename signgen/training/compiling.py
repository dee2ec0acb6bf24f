"""Compiling what a run trains, with torch.compile."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.vae import Decoder, Encoder
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import nn
from transformers import PreTrainedModel

from signgen.config.train import TrainConfig
from signgen.errors import ExitCode, UserError
from signgen.models.guided.painting import Painter

__all__ = ["check_compiler", "compile_trained"]

NETWORKS = (UNet2DConditionModel, Encoder, Decoder, PreTrainedModel, Painter)
"""What takes nearly all of a step's time; each is called as a module."""


def check_compiler(config: TrainConfig) -> None:
    """Compile next to nothing where the settings ask for it, to see that it can be done here.

    Raises:
        UserError: If it cannot: torch needs a C++ compiler for a CPU, Triton for a GPU.
    """
    if not config.compile:
        return
    gpu = torch.accelerator.is_available() and config.device != "cpu"
    device = torch.accelerator.current_accelerator() if gpu else "cpu"
    try:
        torch.compile(torch.sin)(torch.zeros(2, device=device))
    except Exception as error:  # every backend has its own
        raise UserError(
            f"compile is true, but nothing can be compiled here ({type(error).__name__}); expected "
            "a C++ compiler, and on a GPU Triton. Install them, or use compile false.",
            ExitCode.UNAVAILABLE,
        ) from None


def compile_trained(config: TrainConfig, module: nn.Module) -> None:
    """Compile what is trained of a stage, where settings say so; weights keep their names."""
    if not config.compile:
        return
    check_compiler(config)
    # torch 2.13 on a CPU reads the gradient of a plane that was enlarged before it is computed, so
    # that what comes before gets gradients of zero; and it compiles no sizes that vary
    torch._dynamo.disallow_in_graph(F.interpolate)
    for part in module.modules():
        if isinstance(part, NETWORKS) and any(p.requires_grad for p in part.parameters()):
            part.compile(dynamic=False)
