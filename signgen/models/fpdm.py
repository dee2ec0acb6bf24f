"""FPDM (arXiv 2412.07333), stage 2: latent diffusion given source, pose and their fusion."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from signgen.config.model import FPDMConfig
from signgen.diffusion import draws
from signgen.diffusion.noise import training_noise
from signgen.diffusion.schedule import NoiseSchedule
from signgen.models.attention import SourceMemory
from signgen.models.autoencoder import build_autoencoder
from signgen.models.backbone import FusionMLP, build_pose_encoder, build_unet, predict, together
from signgen.models.base import LatentSpace
from signgen.models.cell_losses import hand_losses
from signgen.models.dropout import drop_conditions
from signgen.models.encoders import (
    SourceProjection,
    build_source_encoder,
    clip_pixels,
    source_pixels,
)
from signgen.models.features import source_features, target_latents
from signgen.models.guided.decoder import build_decoder, fitting
from signgen.models.guided.painting import GUIDE_CHANNELS, guide_planes
from signgen.models.ipf import IPF, tower_pixels
from signgen.models.motion import add_motion, motion_layers
from signgen.models.settings import check_settings
from signgen.structures import Batch, Conditioning, Guide, SourceFeatures, expect

if TYPE_CHECKING:
    from signgen.diffusion.samplers import Denoiser


class FPDM(nn.Module):
    """A latent diffusion model of a signer, conditioned on source tokens, pose and their fusion.

    Trained: U-Net, pose encoder, source projection, fusion MLP, and the source encoder where the
    settings say so. Frozen, and always in eval mode: autoencoder, stage 1, else the source encoder;
    and motion layers, which stage `motion` trains.

    Args:
        config: All settings.

    Raises:
        UserError: If a pretrained part is missing, or the settings do not fit together.
    """

    prefix = ""

    def __init__(self, config: FPDMConfig) -> None:
        super().__init__()
        self.config = config
        self.schedule = NoiseSchedule.from_config(config.scheduler)
        fused = config.fusion != "none"
        self.autoencoder = build_autoencoder(config.autoencoder)
        self.ipf = IPF(config.ipf) if fused else None
        width = 0 if self.ipf is None else self.ipf.width
        self.decoder = build_decoder(config, self.autoencoder, width)
        self.unet = build_unet(config.unet, self.autoencoder.config["latent_channels"], fused=fused)
        first = self.unet.config["block_out_channels"][0]
        # Differs from FPDM: a guided model's U-Net sees the moved source beside the pose and
        # predicts what differs from its latents, because little is then left to learn.
        planes = 3 + GUIDE_CHANNELS if config.guided else 3
        self.pose_encoder = build_pose_encoder(config.pose_channels, first, planes)
        self.departs = config.guided and self.schedule.prediction_type == "sample"
        if self.departs and not config.unet.pretrained:
            for weight in self.unet.conv_out.parameters():
                nn.init.zeros_(weight)
        self.source_encoder = build_source_encoder(config.source_encoder)
        self.source_projection = SourceProjection(
            self.source_encoder.config.hidden_size,
            config.source_encoder.projection_width,
            self.unet.config["cross_attention_dim"],
            config.source_encoder.projection_dropout,
        )
        self.fusion_mlp: FusionMLP | None = None
        if self.ipf is not None:
            self.fusion_mlp = FusionMLP(self.ipf.width, 4 * first, config.class_mlp_dropout)
        check_settings(config, self.latents.factor)
        if config.motion.window:
            add_motion(self.unet, config.motion.heads)
        self._freeze()

    def _freeze(self) -> None:
        for part in self._frozen_parts():
            part.requires_grad_(False)
        # Weights that tokens do not depend on: DINOv2's for its own pretraining, CLIP's last norm.
        encoder = self.source_encoder
        for owner, name in ((encoder.embeddings, "mask_token"), (encoder, "post_layernorm")):
            if getattr(owner, name, None) is not None:
                getattr(owner, name).requires_grad_(False)
        self.train(self.training)

    def _frozen_parts(self) -> list[nn.Module]:
        parts: list[nn.Module] = [self.autoencoder, *motion_layers(self.unet)]
        parts += [part for part in (self.decoder, self.ipf) if part is not None]
        return parts if self.config.source_encoder.trained else [*parts, self.source_encoder]

    def train(self, mode: bool = True) -> Self:
        """Switch trained parts between training and evaluation; frozen parts stay in eval mode."""
        super().train(mode)
        for part in self._frozen_parts():
            part.eval()
        # The published training kept the frozen Combiner's dropout active.
        if self.ipf is not None:
            self.ipf.combiner.train(mode and self.config.stage2_combiner_dropout)
        return self

    @property
    def external(self) -> tuple[str, ...]:
        """Frozen pretrained parts, by the beginning of their weights' names."""
        autoencoder, encoder = self.config.autoencoder, self.config.source_encoder
        parts = {
            "autoencoder.": autoencoder.pretrained and not autoencoder.decoder_trained,
            "source_encoder.": encoder.pretrained and not encoder.trained,
        }
        return tuple(name for name, elsewhere in parts.items() if elsewhere)

    def enable_gradient_checkpointing(self) -> None:
        """Recompute activations of the trained networks in the backward pass."""
        self.unet.enable_gradient_checkpointing()
        if self.config.source_encoder.trained:
            self.source_encoder.gradient_checkpointing_enable()

    @property
    def latents(self) -> LatentSpace:
        """Pixels <-> latents."""
        return LatentSpace(self.autoencoder, self.autoencoder.config["scaling_factor"])

    def encode_source(
        self, source: Tensor, parts: Tensor | None = None, clip: Tensor | None = None
    ) -> SourceFeatures:
        """Encode the signer, once per signer.

        Args:
            source: (B, 3, H, W) in [-1, 1].
            parts: Not used by FPDM.
            clip: (B, 3, S, S) as of `encode_source_pixels`, if it is not to be made from `source`.

        Returns:
            Projected source tokens (B, N, D), and the CLIP embedding (B, E) of stage 1, or None
            without fusion.
        """
        expect(source, "B 3 H W", "source")
        if self.ipf is not None and clip is None:
            clip = clip_pixels(source, self.ipf.side)
        return self.encode_source_pixels(source_pixels(self.config.source_encoder, source), clip)

    def encode_source_pixels(self, pixels: Tensor, clip: Tensor | None) -> SourceFeatures:
        """Encode sources that are already squares, normalised as each encoder wants them.

        Args:
            pixels: (B, 3, S, S) for the source encoder, S its `image_size`; FPDM: 512, ImageNet's
                mean and standard deviation.
            clip: (B, 3, S, S) for the tower of stage 1; FPDM: 224, CLIP's mean and standard
                deviation. None without fusion.

        Returns:
            As `encode_source`.
        """
        trained = self.config.source_encoder.trained
        with nullcontext() if trained else torch.no_grad():
            tokens = self.source_encoder(
                pixel_values=pixels.to(self.source_encoder.dtype)
            ).last_hidden_state  # (B, 1 + patches, width)
        pooled = None
        if self.ipf is not None and clip is not None:
            with torch.no_grad():
                pooled = self.ipf.embed_pixels(clip)  # (B, E)
        return SourceFeatures(self.source_projection(tokens), pooled)  # tokens (B, N, D)

    def condition(
        self,
        source: SourceFeatures,
        pose: Tensor,
        clip: Tensor | None = None,
        *,
        guide: Guide | None = None,
    ) -> Conditioning:
        """Combine signer and poses, once per frame.

        Args:
            source: Features of B sources, or of one that all poses share.
            pose: (B, 3, H, W) drawn poses in [0, 1].
            clip: (B, 3, S, S) the same poses for the tower of stage 1, if they are not to be made
                from `pose`: squares of its size with CLIP's mean and standard deviation.
            guide: The source moved to the poses, where the settings say `guided`; others ignore it.

        Returns:
            Pose feature, source tokens and, with fusion, an embedding of unit length.

        Raises:
            ValueError: If the features hold no embedding, or a guided model is given no guide.
        """
        expect(pose, "B 3 H W", "pose")
        if len(source.tokens) == 1:
            source = source.expand(len(pose))
        embedding = self._embedding(source, pose, clip)
        if not self.config.guided:
            feature = self.pose_encoder(pose.to(self.unet.dtype))  # (B, C, h, w)
            return Conditioning(feature, source.tokens, embedding)

        # The pose beside the source moved to it, and the latents of that
        small = fitting(guide, pose)
        planes = torch.cat([pose, guide_planes(small)], dim=1)  # (B, 13, H, W)
        feature = self.pose_encoder(planes.to(self.unet.dtype))
        with torch.no_grad():
            moved = self.latents.encode(small.warped.to(self.unet.dtype), sample=False)
        return Conditioning(feature, source.tokens, embedding, drawing=pose, moved=moved)

    def condition_batch(self, batch: Batch) -> Conditioning:
        """Combine the signers and poses of a batch: `encode_source` and `condition`."""
        features = source_features(self, batch)
        clip = tower_pixels(self.ipf, batch.tower_pose)
        return self.condition(features, batch.pose, clip, guide=batch.guide)

    def _embedding(
        self, source: SourceFeatures, pose: Tensor, clip: Tensor | None
    ) -> Tensor | None:
        """Return (B, E), the fusion of source and pose or the source's own; None without fusion."""
        if self.ipf is None:
            return None
        if source.pooled is None:
            raise ValueError("FPDM needs SourceFeatures.pooled; use its own encode_source")
        if self.config.fusion == "source":
            # The paper's ablation B4, without published code: at unit length, as fusions are.
            return F.normalize(source.pooled, dim=-1)
        with torch.no_grad():
            embed = self.ipf.embed_pose(pose) if clip is None else self.ipf.embed_pixels(clip)
            return self.ipf.fuse(source.pooled, embed)

    def branches(self, conditioning: Conditioning) -> list[Conditioning]:
        """Return FPDM's branches of guidance (Eq. 12): nothing; source and pose; also fusion.

        Without fusion there are the first two, plain classifier-free guidance.
        """
        nothing = conditioning.null("pose", "tokens", "embedding")
        if conditioning.embedding is None:
            return [nothing, conditioning]
        return [nothing, conditioning.null("embedding"), conditioning]

    def denoise(self, z: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        """Predict noise, velocity or clean latents, as `schedule.prediction_type` says.

        Args:
            z: (B, C, h, w) noisy latents.
            t: (B,) int64 timesteps.
            conditioning: From `condition`.

        Returns:
            (B, C, h, w).
        """
        # (B, E) -> (B, time width), added to the time embedding
        added = None if self.fusion_mlp is None else self.fusion_mlp(conditioning.embedding)
        pose, tokens, frames = conditioning.pose, conditioning.tokens, conditioning.frames
        output = predict(self.unet, z, t, pose, tokens, added, frames=frames)
        return self._depart(output, conditioning.moved)

    def _depart(self, output: Tensor, moved: Tensor | None) -> Tensor:
        return output + moved if self.departs and moved is not None else output

    def denoiser(
        self, branches: Sequence[Conditioning], memory: SourceMemory, reference: object = None
    ) -> Denoiser:
        """Return `denoise` for several branches of one batch; see `RemembersSource.denoiser`."""
        predicted = together(self.unet, self.fusion_mlp, branches, memory, reference)
        moved = Conditioning.cat(branches).moved
        return lambda z, t: self._depart(predicted(z, t), moved)

    def decode(
        self,
        latents: Tensor,
        conditioning: Conditioning,
        guide: Guide | None = None,
        *,
        clamp: bool = True,
    ) -> Tensor:
        """Turn latents into pictures, once per frame; see `PoseGuidedModel.decode`."""
        if self.decoder is None:
            return self.latents.decode(latents, clamp=clamp)
        unscaled = latents / self.latents.scaling
        picture = self.decoder.picture(unscaled, conditioning, guide)
        return picture.clamp(-1, 1) if clamp else picture

    def loss(
        self,
        batch: Batch,
        *,
        latents: Tensor | None = None,
        conditioning: Conditioning | None = None,
        noise: Tensor | None = None,
        timesteps: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Denoise noised targets (FPDM Eq. 11, with v for epsilon where the schedule says so).

        What is not given is computed from the batch, or drawn (`diffusion.draws`).

        Args:
            batch: Sources, targets, poses and hand boxes.
            latents: (B, C, h, w) scaled latents of the targets.
            conditioning: From `condition`, nothing dropped yet.
            noise: (B, C, h, w), offset noise included.
            timesteps: (B,) int64.

        Returns:
            Scalars `loss` (optimised), `mse` (all cells alike) and `mse_hands`.
        """
        # Encode the targets
        if latents is None:
            with torch.no_grad():
                latents = target_latents(self, batch)
        z0 = latents.float()  # (B, C, h, w)

        # Draw noise and timesteps
        noise = training_noise(z0, self.config.offset_noise) if noise is None else noise
        if timesteps is None:
            # Differs from FPDM: noisy timesteps may come more often, because what a short training
            # has to learn, signer and pose, is decided there; a shift of 1 is FPDM.
            drawn = self.schedule.draw_timesteps(len(z0), self.config.timestep_shift, z0.device)
        conditioning = self.condition_batch(batch) if conditioning is None else conditioning
        if timesteps is None:
            timesteps = draws.of_clips(drawn, conditioning.frames)
        if self.training or self.config.drop_pose_in_evaluation:
            conditioning = drop_conditions(conditioning, self.config, training=self.training)

        # Denoise, and compare cell by cell
        noisy = self.schedule.add_noise(z0, noise, timesteps)
        output = self.denoise(noisy, timesteps, conditioning).float()
        wanted = self.schedule.training_target(z0, noise, timesteps)
        error = F.mse_loss(output, wanted, reduction="none")
        cells = error.mean(dim=1, keepdim=True)  # (B, 1, h, w)
        return hand_losses(cells, batch.hands, self.config.hand_weight)
