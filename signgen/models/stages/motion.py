"""Training of motion layers: the rest of the model is frozen, and batches are clips."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from signgen.config.model import FPDMConfig
from signgen.models.fpdm import FPDM
from signgen.models.motion import motion_layers
from signgen.structures import Batch, Conditioning, ExitCode, UserError

__all__ = ["MotionStage"]


class MotionStage(FPDM):
    """A whole FPDM of which the motion layers alone are trained, with the loss of stage 2.

    A batch is clips of `motion.window` consecutive frames, or one shorter clip. As in AnimateDiff
    the frames of a clip have one timestep and noise of their own; what is dropped for guidance is
    dropped of a whole clip.

    Raises:
        UserError: If the model has no motion layers.
    """

    def __init__(self, config: FPDMConfig) -> None:
        if not config.motion.window:
            raise UserError(
                "model: motion.window is 0, so that there are no motion layers to train; expected "
                "the frames of a clip, such as 16.",
                ExitCode.USAGE,
            )
        super().__init__(config)
        for layer in motion_layers(self.unet):
            layer.requires_grad_(True)

    def _freeze(self) -> None:
        self.requires_grad_(False)
        self.train(self.training)

    def _frozen_parts(self) -> list[nn.Module]:
        return [part for part in self.children() if part is not self.unet]

    def enable_gradient_checkpointing(self) -> None:
        """Recompute the U-Net's activations in the backward pass, but those of motion layers."""
        self.unet.enable_gradient_checkpointing()

    @torch.no_grad()
    def condition_batch(self, batch: Batch) -> Conditioning:
        """Combine the signers and poses of clips; see `FPDM.condition_batch`."""
        frames = self.config.motion.frames(len(batch.pose))
        return replace(super().condition_batch(batch), frames=frames)
