"""Two U-Nets of one kind: SourceNet reads the signer, TargetNet denoises and looks at its tokens.

After TruePose (arXiv 2502.03426), reconstructed from its abstract: no equation of it is public.
What is shared with FPDM (autoencoder, pose encoder, decoder, schedule) is FPDM's.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from signgen.config.parsing_guided import ParsingGuidedConfig
from signgen.config.regions import Region
from signgen.diffusion import draws
from signgen.diffusion.noise import training_noise
from signgen.diffusion.processes import mean_of_all
from signgen.models.attention import SourceMemory
from signgen.models.backbone import build_unet, predict
from signgen.models.cell_losses import hand_losses, mean_inside
from signgen.models.encoders import source_pixels
from signgen.models.fpdm import FPDM
from signgen.models.ipf import embedding_of
from signgen.models.parsing_guided.alignment import alignment_loss
from signgen.models.parsing_guided.attention import Collected, Reference
from signgen.models.parsing_guided.borrowing import borrowed
from signgen.models.parsing_guided.source_net import (
    check_regions,
    collect_from,
    cross_attention_weights,
    freeze_tail,
    look_at_source,
    one_hot,
    region_encoder,
    source_maps,
)
from signgen.models.parsing_guided.views import Resampler, region_view
from signgen.structures import Batch, Conditioning, Guide, SourceFeatures, expect

if TYPE_CHECKING:
    from signgen.diffusion.samplers import Denoiser

__all__ = ["ParsingGuided"]

VIEWED: tuple[Region, Region] = ("face", "cloth")
"""Regions that cross-attention has views of."""


class ParsingGuided(FPDM):
    """A latent diffusion model of a signer that looks at the source region by region.

    Trained: both U-Nets, pose encoder, resampler and region encoder. Frozen: autoencoder, stage 1,
    the encoder of views where the settings say so, and what of SourceNet comes after its last site.

    Args:
        config: All settings.

    Raises:
        UserError: If a pretrained part is missing, or the settings do not fit together.
    """

    config: ParsingGuidedConfig

    def __init__(self, config: ParsingGuidedConfig) -> None:
        check_regions(config.reference)
        super().__init__(config)
        del self.source_projection
        reference, alignment = config.reference, config.alignment
        context = int(self.unet.config["cross_attention_dim"])

        # The Siamese pair
        look_at_source(self.unet, reference)
        self.source_net = None
        if not reference.tied:
            channels = self.autoencoder.config["latent_channels"]
            self.source_net = build_unet(config.unet, channels, fused=False)
            if not config.unet.pretrained:
                self.source_net.load_state_dict(self.unet.state_dict(), strict=False)
            collect_from(self.source_net, reference)
            freeze_tail(self.source_net)
        first = self.unet.config["block_out_channels"][0]
        self.region_encoder = region_encoder(1 + len(config.regions), first)

        # Views of the source, for cross-attention
        self.resampler = None
        if alignment.context:
            self.resampler = Resampler(
                self.source_encoder.config.hidden_size,
                context,
                alignment.queries,
                alignment.layers,
                context // config.unet.head_width,
            )
        elif not config.encodes_views:
            del self.source_encoder
        self._freeze_unused()

    def _freeze_unused(self) -> None:
        """Freeze what nothing trains: frozen parts, and cross-attention without a context."""
        for part in self._frozen_parts():
            part.requires_grad_(False)
        if self.resampler is None:
            for unet in (self.unet, self.source_net):
                for weight in [] if unet is None else cross_attention_weights(unet):
                    weight.requires_grad_(False)
        self.train(self.training)

    def _frozen_parts(self) -> list[nn.Module]:
        parts: list[nn.Module] = [self.autoencoder]
        parts += [part for part in (self.decoder, self.ipf) if part is not None]
        trained = self.config.alignment.context and self.config.source_encoder.trained
        if self.config.encodes_views and not trained:
            parts.append(self.source_encoder)
        return parts

    def enable_gradient_checkpointing(self) -> None:
        """Recompute activations of the trained networks in the backward pass."""
        self.unet.enable_gradient_checkpointing()
        if self.source_net is not None:
            self.source_net.enable_gradient_checkpointing()
        if self.config.alignment.context and self.config.source_encoder.trained:
            self.source_encoder.gradient_checkpointing_enable()

    # ----- the signer -----------------------------------------------------------------------------

    def encode_source(
        self, source: Tensor, parts: Tensor | None = None, clip: Tensor | None = None
    ) -> SourceFeatures:
        """Encode the signer, once per signer: one forward of SourceNet at time step 0.

        Args:
            source: (B, 3, H, W) in [-1, 1].
            parts: (B, H, W) int64 regions of the source: 0 elsewhere, then those of the settings.
            clip: As of `FPDM.encode_source`.

        Returns:
            Tokens of views (B, N, D), zeros without context; the embedding of stage 1, where there
            is fusion; and what each attention site looks at.

        Raises:
            ValueError: If there are no regions.
        """
        expect(source, "B 3 H W", "source")
        if parts is None:
            raise ValueError("parsing-guided attention needs the regions of the source")
        config = self.config
        tokens = self._views(source, parts)  # (B, N, D)
        pooled = embedding_of(self.ipf, source, clip)  # (B, E)

        # SourceNet, told of the regions; nothing is noised
        with torch.no_grad():
            z = self.latents.encode(source, sample=False)  # (B, C, h, w)
        size = (int(z.shape[-2]), int(z.shape[-1]))
        planes = one_hot(parts, 1 + len(config.regions))  # (B, 1 + R, H, W)
        feature = self.region_encoder(F.adaptive_avg_pool2d(planes, size).to(z.dtype))
        collected = Collected()
        start = torch.zeros(len(z), dtype=torch.int64, device=z.device)
        added = None
        if self.source_net is None and self.fusion_mlp is not None and self.ipf is not None:
            added = self.fusion_mlp(z.new_zeros(len(z), self.ipf.width))
        net = self.unet if self.source_net is None else self.source_net
        predict(net, z, start, feature, tokens, added, collected)

        # The regions that have an attention of their own
        fused = [1 + config.regions.index(region) for region in config.reference.fused]
        maps = source_maps(list(collected.tokens), planes[:, fused], size)
        return SourceFeatures(tokens, pooled, maps)

    def _views(self, source: Tensor, parts: Tensor) -> Tensor:
        """Return (B, N, D) tokens of the whole source, its face and its clothes."""
        if self.resampler is None:
            return source.new_zeros(len(source), 1, self.unet.config["cross_attention_dim"])
        face, cloth = (1 + self.config.regions.index(region) for region in VIEWED)
        views = [source, *(region_view(source, parts == region) for region in (face, cloth))]
        encoded = self._encoded(torch.cat(views)).chunk(len(views))
        kept = None
        if self.training:
            drop = self.config.alignment.drop_view
            kept = draws.uniform(source.new_empty(len(source), len(views))) >= drop
        tokens: Tensor = self.resampler(list(encoded), kept)
        return tokens

    def _encoded(self, pictures: Tensor) -> Tensor:
        """Return the tokens (B, 1 + patches, width) of pictures (B, 3, H, W)."""
        pixels = source_pixels(self.config.source_encoder, pictures)
        trained = self.config.alignment.context and self.config.source_encoder.trained
        with nullcontext() if trained else torch.no_grad():
            tokens: Tensor = self.source_encoder(
                pixel_values=pixels.to(self.source_encoder.dtype)
            ).last_hidden_state
        return tokens

    def borrow(
        self, source: SourceFeatures, donor: SourceFeatures, region: Region
    ) -> SourceFeatures:
        """Return features of a signer with a region of a donor; see `BorrowsRegions.borrow`."""
        return borrowed(self.config, source, donor, region)

    # ----- frames ---------------------------------------------------------------------------------

    def condition(
        self,
        source: SourceFeatures,
        pose: Tensor,
        clip: Tensor | None = None,
        *,
        guide: Guide | None = None,
    ) -> Conditioning:
        """Combine signer and poses, once per frame; arguments as `FPDM.condition`."""
        if source.maps is None:
            raise ValueError("parsing-guided attention needs SourceFeatures.maps; use its own")
        if len(source.tokens) == 1:
            source = source.expand(len(pose))
        return replace(super().condition(source, pose, clip, guide=guide), maps=source.maps)

    def branches(self, conditioning: Conditioning) -> list[Conditioning]:
        """Return the branches of guidance: nothing; pose; pose and source (CFLD)."""
        nothing = conditioning.null("pose", "tokens", "embedding", "maps")
        return [nothing, conditioning.null("tokens", "embedding", "maps"), conditioning]

    def denoise(self, z: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        """Predict noise, velocity or clean latents; see `FPDM.denoise`."""
        return self._denoise(z, t, conditioning)

    def _denoise(
        self,
        z: Tensor,
        t: Tensor,
        conditioning: Conditioning,
        compared: MutableSequence[Tensor] | None = None,
    ) -> Tensor:
        """Denoise, and note the attention of the sites that the alignment loss compares."""
        assert conditioning.maps is not None
        added = None if self.fusion_mlp is None else self.fusion_mlp(conditioning.embedding)
        cell = max(1, self.config.alignment.cell // self.latents.factor)
        most = -(-z.shape[-2] // cell) * -(-z.shape[-1] // cell)
        temperature = self.config.alignment.attention_temperature
        maps = conditioning.maps
        reference = Reference(maps, compared=compared, most=most, temperature=temperature)
        output = predict(self.unet, z, t, conditioning.pose, conditioning.tokens, added, reference)
        return self._depart(output, conditioning.moved)

    def denoiser(
        self, branches: Sequence[Conditioning], memory: SourceMemory, reference: object = None
    ) -> Denoiser:
        """Return `denoise` for several branches of one batch; see `RemembersSource.denoiser`."""
        if memory.maps is None:
            raise ValueError("the memory is of no source of this model")
        absent = sum("maps" in branch.nulled for branch in branches) * len(branches[0].pose)
        reference = reference or Reference(memory.maps, absent, memory.sites)
        return super().denoiser(branches, memory, reference)

    # ----- training -------------------------------------------------------------------------------

    def loss(  # type: ignore[override]  # what FPDM's may be given is for parity with its code
        self, batch: Batch
    ) -> dict[str, Tensor]:
        """Denoise noised targets; face and clothes count again.

        Args:
            batch: Sources, targets, poses, hand boxes, and the regions of source and target.

        Returns:
            Scalars `loss` (optimised), `mse` (all cells alike), `mse_hands`, `mse_face`,
            `mse_cloth` and, where it has a weight, `alignment`.

        Raises:
            ValueError: If the batch has no regions.
        """
        if batch.target_parts is None or batch.source_parts is None:
            raise ValueError("parsing-guided attention needs batches with regions")
        config = self.config

        # Encode and noise the targets
        with torch.no_grad():
            z0 = self.latents.encode(batch.target).float()  # (B, C, h, w)
        noise = training_noise(z0, config.offset_noise)
        timesteps = self.schedule.draw_timesteps(len(z0), config.timestep_shift, z0.device)
        noisy = self.schedule.add_noise(z0, noise, timesteps)

        # Denoise
        conditioning = self.condition_batch(batch)
        if self.training:
            conditioning = self.drop(conditioning)
        compared: list[Tensor] | None = [] if config.alignment.weight else None
        output = self._denoise(noisy, timesteps, conditioning, compared).float()

        # Compare, cell by cell
        wanted = self.schedule.training_target(z0, noise, timesteps)
        error = F.mse_loss(output, wanted, reduction="none").mean(dim=1, keepdim=True)
        weighted = error * self.schedule.min_snr_weight(timesteps, config.min_snr)
        size = (int(z0.shape[-2]), int(z0.shape[-1]))
        planes = one_hot(batch.target_parts, 1 + len(config.regions))
        inside = F.adaptive_avg_pool2d(planes, size)  # (B, 1 + R, h, w)
        losses = hand_losses(error, batch.hands, config.hand_weight, weighted)
        loss = losses["loss"]
        factors: dict[Region, float] = {
            "face": config.face_region_weight,
            "cloth": config.cloth_region_weight,
        }
        for region, factor in factors.items():
            mask = inside[:, 1 + config.regions.index(region), None]  # (B, 1, h, w)
            losses[f"mse_{region}"] = mean_inside(error, mask)
            loss = loss + factor * mean_inside(weighted, mask)

        # Align attention
        if compared is not None:
            losses["alignment"] = self._alignment(batch, compared, timesteps, size)
            loss = loss + config.alignment.weight * losses["alignment"]
        return {**losses, "loss": loss}

    def _alignment(
        self, batch: Batch, attention: list[Tensor], t: Tensor, size: tuple[int, int]
    ) -> Tensor:
        """Return the mean alignment loss of the samples that are not too noisy."""
        assert batch.source_parts is not None
        assert batch.target_parts is not None
        settings = self.config.alignment
        if not attention:
            return t.new_zeros((), dtype=torch.float32)
        with torch.no_grad():
            patches = self._encoded(torch.cat([batch.target, batch.source]))[:, 1:]
            side = round(patches.shape[1] ** 0.5)
            maps = rearrange(patches.float(), "b (h w) d -> b d h w", h=side)
        target, source = maps.chunk(2)
        each = alignment_loss(
            attention,
            (target, source),
            (batch.target_parts, batch.source_parts),
            size,
            settings.temperature,
            1 + len(self.config.regions),
        )
        near = (t < settings.before * self.schedule.train_steps).to(each.dtype)
        return (each * near).sum() / mean_of_all(near.sum()).clamp(min=1e-6)

    def drop(self, conditioning: Conditioning) -> Conditioning:
        """Take away the pose, the source, or both, at random, as training for guidance needs."""
        drawn = draws.uniform(conditioning.tokens[:, 0, 0].float())  # (B,)
        # From 0: both, the source alone, the pose alone, neither
        both, source = self.config.drop_both, self.config.drop_both + self.config.drop_source
        kept = drawn >= source
        pose = (drawn >= both) & ~(kept & (drawn < source + self.config.drop_pose))
        return conditioning.keep(pose=pose, tokens=kept, embedding=kept, maps=kept)
