"""Fine-tuning of the decoder on what stage 2 makes, so that it forgives stage 2's errors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from signgen.diffusion.guidance import guided
from signgen.diffusion.samplers import sample
from signgen.models.autoencoder import reconstruction_loss
from signgen.models.fpdm import FPDM
from signgen.models.parsing_guided.model import ParsingGuided
from signgen.structures import Batch, Conditioning


class DecoderStage(FPDM):
    """A whole FPDM of which only the decoder is trained, on sampled latents.

    An autoencoder learns to decode the latents of true frames. A small denoiser's samples differ
    from those, and its decoder paints the difference as texture. Here the decoder sees samples,
    made with the model's own `sampling` settings, beside the true frames.
    """

    # Differs from FPDM: the decoder is tuned, because one trained from nothing paints the errors of
    # a short training as texture; FPDM keeps Stable Diffusion's as it is.

    def enable_gradient_checkpointing(self) -> None:
        """Recompute the decoder's activations in the backward pass."""
        self.autoencoder.enable_gradient_checkpointing()

    def _frozen_parts(self) -> list[nn.Module]:
        if self.decoder is not None:
            return [part for part in self.children() if part is not self.decoder]
        autoencoder = self.autoencoder
        trained = (autoencoder.decoder, autoencoder.post_quant_conv)
        parts = [part for part in self.children() if part is not autoencoder]
        return parts + [part for part in autoencoder.children() if part not in trained]

    def loss(  # type: ignore[override]  # no noise, no timesteps: nothing is denoised in training
        self, batch: Batch, *, latents: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Decode samples for the poses of a batch and compare them with its targets.

        Args:
            batch: Sources, targets, poses and hand boxes; guides for a guided decoder.
            latents: (B, C, h, w) scaled samples, if they are known already.

        Returns:
            Scalars `loss` (optimised) and those of `reconstruction_loss`.
        """
        with torch.no_grad():
            conditioning = self.condition_batch(batch)
        if latents is None:
            latents = self.sample(conditioning, (batch.pose.shape[-2], batch.pose.shape[-1]))
        decoded = self.decode(latents, conditioning, batch.guide, clamp=False)
        return reconstruction_loss(decoded, batch, self.config, self.latents.factor)

    @torch.no_grad()
    def sample(self, conditioning: Conditioning, size: tuple[int, int]) -> Tensor:
        """Sample latents (B, C, h, w) of pictures of a size (H, W), with global noise."""
        settings = self.config.sampling
        shape = self.latents.shape(size)
        tokens = conditioning.tokens
        noise = torch.randn(len(tokens), *shape, device=tokens.device)
        return sample(
            guided(self.denoise, self.branches(conditioning), settings.guidance),
            self.schedule,
            sampler=settings.sampler,
            steps=settings.steps,
            noise=noise,
            step_noise=lambda _: torch.randn(noise.shape, device=noise.device),
        )


class ParsingGuidedDecoderStage(DecoderStage, ParsingGuided):
    """The same of a parsing-guided model."""
