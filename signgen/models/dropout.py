"""What training leaves out at random, drawn per sample: values, and whole conditions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from signgen.config.model import FPDMConfig
from signgen.diffusion import draws
from signgen.structures import Conditioning

__all__ = ["Dropout", "drop_conditions"]


class Dropout(nn.Dropout):
    """`nn.Dropout` that draws per sample in training, see `diffusion.draws`."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x (B, ...), in training with values left out."""
        return draws.dropout(x, self.p) if self.training else x


def drop_conditions(
    conditioning: Conditioning, config: FPDMConfig, *, training: bool
) -> Conditioning:
    """Zero pose, source and fusion independently at random, as training for guidance needs.

    In evaluation only the pose, where the settings ask for that published oddity.

    Args:
        conditioning: Of B samples.
        config: Probabilities, and how to draw.
        training: Whether the model trains.
    """
    # Differs from FPDM: drawn per sample, not per batch, because a batch without any condition
    # makes a noisy step (`drop_per_batch` gives the published draws), and never in evaluation.
    samples = conditioning.tokens[:, 0, 0].detach().float()  # (B,)

    def keep(probability: float) -> Tensor:
        if config.drop_per_batch:
            # On the CPU, whose generator is seeded alike on all processes
            return (torch.rand(1) >= probability).to(samples.device).expand(len(samples))
        return draws.of_clips(draws.uniform(samples), conditioning.frames) >= probability

    if not training:
        return conditioning.keep(pose=keep(config.drop_pose))
    return conditioning.keep(
        pose=keep(config.drop_pose),
        tokens=keep(config.drop_source),
        embedding=keep(config.drop_fusion),
    )
