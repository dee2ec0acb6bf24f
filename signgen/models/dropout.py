"""Dropout whose draws belong to the samples of a batch."""

from __future__ import annotations

from torch import Tensor, nn

from signgen.diffusion import draws


class Dropout(nn.Dropout):
    """`nn.Dropout` that draws per sample in training, see `diffusion.draws`."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x (B, ...), in training with values left out."""
        return draws.dropout(x, self.p) if self.training else x
