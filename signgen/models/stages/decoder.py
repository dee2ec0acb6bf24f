"""Training of what follows stage 2 on what that makes: the decoder, the windows, or both."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from signgen.config.model import FPDMConfig
from signgen.diffusion import draws
from signgen.diffusion.guidance import guided
from signgen.diffusion.samplers import sample
from signgen.models.autoencoder import reconstruction_loss
from signgen.models.fpdm import FPDM
from signgen.models.guided.windows import random_turns, read_turned
from signgen.models.parsing_guided.model import ParsingGuided
from signgen.structures import Batch, Conditioning, ExitCode, Guide, UserError


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
            parts = [part for part in self.children() if part is not self.decoder]
            return [*parts, *self.decoder.painters.values()]
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
        guide = None if batch.guide is None else replace(batch.guide, windows=None)
        decoded = self.decode(latents, conditioning, guide, clamp=False)
        return reconstruction_loss(decoded, batch, self.config, self.latents.factor)

    @torch.no_grad()
    def sample(self, conditioning: Conditioning, size: tuple[int, int]) -> Tensor:
        """Sample latents (B, C, h, w) of pictures of a size (H, W)."""
        settings = self.config.sampling
        shape = self.latents.shape(size)
        tokens = conditioning.tokens
        noise = draws.normal(tokens.new_empty(len(tokens), *shape, dtype=torch.float32))
        return sample(
            guided(self.denoise, self.branches(conditioning), settings.guidance),
            self.schedule,
            sampler=settings.sampler,
            steps=settings.steps,
            noise=noise,
            step_noise=lambda _: draws.normal(noise),
        )


class WindowsStage(DecoderStage):
    """A whole FPDM of which only what paints in windows is trained, on pictures that it makes.

    Raises:
        UserError: If the settings leave that out.
    """

    def __init__(self, config: FPDMConfig) -> None:
        if not config.guided or not config.decoder.in_windows:
            raise UserError(
                f"model: decoder.kind is {config.decoder.kind} and decoder.hand_channels is "
                f"{list(config.decoder.hand_channels)}; stages windows and signer need guided, and "
                "channels such as 32 64 128 160 there or in decoder.face_channels.",
                ExitCode.USAGE,
            )
        super().__init__(config)

    def enable_gradient_checkpointing(self) -> None:
        """Windows are small: there is nothing to recompute."""

    def _frozen_parts(self) -> list[nn.Module]:
        assert self.decoder is not None
        parts = [part for part in self.children() if part is not self.decoder]
        trained = self.decoder.painters.values()
        return parts + [part for part in self.decoder.children() if part not in trained]

    def loss(  # type: ignore[override]  # as above
        self, batch: Batch, *, latents: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Paint on pictures made for a batch, and compare windows with its targets.

        Args:
            batch: As of `DecoderStage`; the guides have windows.
            latents: (B, C, h, w) scaled samples, if they are known already.

        Returns:
            Scalars `loss` (optimised), and those of `reconstruction_loss` of every painter, such as
            `hands_l1`.

        Raises:
            ValueError: If there are no guides with windows.
        """
        guide, conditioning, latents = self.sampled(batch, latents)
        with torch.no_grad():
            picture = self.decode(latents, conditioning, replace(guide, windows=None))
        return self.in_windows(picture, batch, guide)

    @torch.no_grad()
    def sampled(self, batch: Batch, latents: Tensor | None) -> tuple[Guide, Conditioning, Tensor]:
        """Return the guide of a batch, what its pictures are conditioned on, and their latents."""
        guide = batch.guide
        if guide is None or guide.windows is None:
            raise ValueError("this stage needs guides with windows")
        conditioning = self.condition_batch(batch)
        if latents is None:
            latents = self.sample(conditioning, guide.size)
        return guide, conditioning, latents

    def in_windows(self, picture: Tensor, batch: Batch, guide: Guide) -> dict[str, Tensor]:
        """Paint in the windows of pictures (B, 3, H, W), and compare; see `loss`."""
        decoder = self.decoder
        assert decoder is not None
        assert guide.windows is not None
        # Turned, scaled and shifted at random, because hands of one signer are few
        turns = random_turns(guide.windows)  # (B, P, 2, 3)
        # Each painter on its windows
        losses: dict[str, Tensor] = {}
        total = picture.new_zeros(())
        for name, painter in decoder.painters.items():
            found = painter.found(guide)
            if not found:
                total = total + sum(0 * weight.sum() for weight in painter.parameters())
                continue
            drawn, seen = painter.seen(picture, guide, found)
            _, wanted = painter.seen(batch.target, guide, found)
            if self.training:
                turned = partial(read_turned, turns=torch.stack([turns[at] for at in found]))
                drawn, seen, wanted = turned(drawn), seen.mapped(turned), wanted.mapped(turned)
            painting = painter.network(None, drawn, seen)
            mixed = painting.mix(seen.warped, seen.source, seen.moved)
            windows = replace(batch, target=wanted.source, hands=seen.moved, face=None)
            own = reconstruction_loss(mixed, windows, self.config, self.latents.factor)
            total = total + own.pop("loss")
            losses |= {f"{name}_{key}": value for key, value in own.items()}
        return losses | {"loss": total}


class SignerStage(WindowsStage):
    """A whole FPDM whose decoder learns one signer, and what paints in windows with it."""

    def _frozen_parts(self) -> list[nn.Module]:
        return [part for part in self.children() if part is not self.decoder]

    def loss(  # type: ignore[override]  # as above
        self, batch: Batch, *, latents: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Decode samples for the poses of a batch, paint windows on them, and compare.

        Args:
            batch: As of `WindowsStage`.
            latents: (B, C, h, w) scaled samples, if they are known already.

        Returns:
            Scalars `loss` (optimised), and those of both other stages.
        """
        guide, conditioning, latents = self.sampled(batch, latents)
        picture = self.decode(latents, conditioning, replace(guide, windows=None), clamp=False)
        losses = reconstruction_loss(picture, batch, self.config, self.latents.factor)
        painted = self.in_windows(picture.detach().clamp(-1, 1), batch, guide)
        return losses | painted | {"loss": losses["loss"] + painted["loss"]}


class ParsingGuidedDecoderStage(DecoderStage, ParsingGuided):
    """`DecoderStage` of a parsing-guided model."""


class ParsingGuidedWindowsStage(WindowsStage, ParsingGuided):
    """`WindowsStage` of a parsing-guided model."""


class ParsingGuidedSignerStage(SignerStage, ParsingGuided):
    """`SignerStage` of a parsing-guided model."""
