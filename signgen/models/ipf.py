"""FPDM (arXiv 2412.07333), stage 1: image-pose fusion (IPF).

It predicts the CLIP embedding of the target from those of source and pose. The Combiner follows
CLIP4Cir (Baldrati et al., CVPR 2022 workshops).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from signgen.config.model import IPFConfig
from signgen.diffusion.processes import from_all
from signgen.models.dropout import Dropout
from signgen.models.encoders import build_tower, clip_pixels
from signgen.structures import Batch, ExitCode, UserError, expect


class Combiner(nn.Module):
    """Fuse a source and a pose embedding (CLIP4Cir's Combiner; the pose plays the text's role).

    Names in the published checkpoint: `kpt_projection_layer` is `pose_projection`,
    `image_projection_layer` is `source_projection`, `combiner_layer` is `hidden`,
    `output_layer` is `output`, `dynamic_scalar.{0,3}` is `gate.{0,3}`.

    Args:
        width: Width E of embeddings and hidden layers; 768 in FPDM.
        dropout: Dropout probability; 0.5 in FPDM.
    """

    def __init__(self, width: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.pose_projection = nn.Linear(width, width)
        self.source_projection = nn.Linear(width, width)
        self.hidden = nn.Linear(2 * width, width)
        self.output = nn.Linear(width, width)
        self.gate = nn.Sequential(
            nn.Linear(2 * width, width),
            nn.ReLU(),
            Dropout(dropout),
            nn.Linear(width, 1),
            nn.Sigmoid(),
        )
        self.dropout = Dropout(dropout)

    def forward(self, source: Tensor, pose: Tensor) -> Tensor:
        """Fuse embeddings.

        Args:
            source: (B, E) source embeddings, not normalised.
            pose: (B, E) pose embeddings, not normalised.

        Returns:
            (B, E), not normalised.
        """
        # Project each, and mix them
        pose_part = self.dropout(F.relu(self.pose_projection(pose)))
        source_part = self.dropout(F.relu(self.source_projection(source)))
        both = torch.cat([pose_part, source_part], dim=-1)  # (B, 2E)
        mixed = self.dropout(F.relu(self.hidden(both)))  # (B, E)

        # Add what was given, weighted by a learned gate
        gate = self.gate(both)  # (B, 1)
        fused: Tensor = self.output(mixed) + gate * pose + (1 - gate) * source
        return fused


def similarities(rows: Tensor, columns: Tensor) -> Tensor:
    """Return the cosine similarities (R, C) of rows (R, E) and columns (C, E)."""
    return F.normalize(rows, dim=-1) @ F.normalize(columns, dim=-1).T


def info_nce(
    target: Tensor, fused: Tensor, temperature: float = 0.07, *, symmetric: bool = False
) -> Tensor:
    """Return the baseline InfoNCE loss (FPDM Eq. 3).

    Rows are targets and the softmax runs over fused embeddings: the published code's direction.

    Args:
        target: (B, E) embeddings of the targets.
        fused: (B, E) fused embeddings; row i belongs to target i.
        temperature: Divides the cosine similarities.
        symmetric: Average with the other direction, whose softmax runs over targets.

    Returns:
        Scalar.
    """
    logits = similarities(target, fused) / temperature  # (B, B)
    own = torch.arange(len(logits), device=logits.device)
    loss = F.cross_entropy(logits, own)
    return (loss + F.cross_entropy(logits.T, own)) / 2 if symmetric else loss


def with_sources(target: Tensor, fused: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows and columns of the source-enhanced InfoNCE loss (FPDM Eq. 4-6).

    Sources are appended to both sides, so every target sees all sources, its own included, as
    negatives: fused embeddings are pushed away from their sources.

    Args:
        target: (B, E) embeddings of the targets.
        fused: (B, E) fused embeddings.
        source: (B, E) embeddings of the sources.

    Returns:
        (2B, E) each, for `info_nce`.
    """
    return torch.cat([target, source]), torch.cat([fused, source])


def tower_pixels(ipf: IPF | None, picture: Tensor | None) -> Tensor | None:
    """Normalise (B, 3, S, S) in [-1, 1], as of `Batch.tower_source`; nothing of nothing."""
    return None if ipf is None or picture is None else clip_pixels(picture, ipf.side)


@torch.no_grad()
def embedding_of(ipf: IPF | None, source: Tensor, clip: Tensor | None) -> Tensor | None:
    """Embed sources (B, 3, H, W) in [-1, 1], or their squares `clip` where they are given."""
    if ipf is None:
        return None
    return ipf.embed_pixels(clip_pixels(source, ipf.side) if clip is None else clip)


class IPF(nn.Module):
    """Image-pose fusion: one tower for source, pose and target, and the Combiner.

    Args:
        config: Settings of stage 1.

    Raises:
        UserError: If the pretrained tower is missing or unreadable.
    """

    prefix = "ipf."
    external = ()

    def __init__(self, config: IPFConfig) -> None:
        super().__init__()
        self.config = config
        self.image_encoder = build_tower(config)
        self.width: int = self.image_encoder.config.projection_dim
        self.side = int(self.image_encoder.config.image_size)
        self.combiner = Combiner(self.width, config.combiner_dropout)

    def enable_gradient_checkpointing(self) -> None:
        """Recompute the tower's activations in the backward pass.

        Raises:
            UserError: If the tower is convolutional.
        """
        if self.config.kind == "convolutional":
            raise UserError(
                "gradient_checkpointing is true, which the convolutional tower of stage 1 does not "
                "have (it is small); expected false, or model.ipf.kind clip.",
                ExitCode.USAGE,
            )
        self.image_encoder.gradient_checkpointing_enable()

    def embed_pixels(self, pixels: Tensor) -> Tensor:
        """Embed pictures that are squares of the tower's size, normalised with CLIP's mean and std.

        Args:
            pixels: (B, 3, side, side).

        Returns:
            (B, E), not normalised.
        """
        embedding: Tensor = self.image_encoder(
            pixel_values=pixels.to(self.image_encoder.dtype)
        ).image_embeds
        return embedding

    def embed(self, image: Tensor) -> Tensor:
        """Embed pictures, squashed to the tower's square as stage 2 and inference do.

        Args:
            image: (B, 3, H, W) in [-1, 1].

        Returns:
            (B, E), not normalised.
        """
        return self.embed_pixels(clip_pixels(image, self.side))

    def embed_photo(self, photo: Tensor) -> Tensor:
        """Embed photos as stage 1 is trained on them; see `photo_pixels`."""
        return self.embed_pixels(self.photo_pixels(photo))

    def embed_pose(self, pose: Tensor) -> Tensor:
        """Embed drawn poses, (B, 3, H, W) in [0, 1], like pictures; always squashed."""
        return self.embed(pose * 2 - 1)

    def photo_pixels(self, photo: Tensor) -> Tensor:
        """Return photos (B, 3, H, W) in [-1, 1] as stage 1 sees them, (B, 3, side, side)."""
        # Differs from FPDM: photos are squashed as poses are, because the published centre crop
        # cuts a third off a person, and because stage 2 and inference squash;
        # `preprocessing: official` crops.
        crop = self.config.preprocessing == "official"
        return clip_pixels(photo, self.side, crop=crop)

    def fuse(self, source_embedding: Tensor, pose_embedding: Tensor) -> Tensor:
        """Predict the target's embedding.

        Args:
            source_embedding: (B, E) from `embed`.
            pose_embedding: (B, E) from `embed_pose`.

        Returns:
            (B, E) of unit length.
        """
        expect(source_embedding, f"B {self.width}", "source_embedding")
        expect(pose_embedding, f"B {self.width}", "pose_embedding")
        return F.normalize(self.combiner(source_embedding, pose_embedding), dim=-1)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Compare fused embeddings with those of the targets; see `contrast`.

        Raises:
            UserError: If the settings leave nothing to train.
        """
        if self.config.loss == "none":
            raise UserError(
                "ipf: loss is none, which leaves nothing to train; expected source-enhanced or "
                "baseline. Score such a tower with `signgen eval --retrieval`.",
                ExitCode.USAGE,
            )
        # Embed sources, targets and poses in one pass of the tower
        source = batch.source if batch.tower_source is None else batch.tower_source
        target = batch.target if batch.tower_target is None else batch.tower_target
        drawn = batch.pose * 2 - 1 if batch.tower_pose is None else batch.tower_pose
        photos = [self.photo_pixels(photo) for photo in (source, target)]
        pixels = torch.cat([*photos, clip_pixels(drawn, self.side)])
        embeddings = self.embed_pixels(pixels)  # (3B, E)
        source, target, pose = embeddings.chunk(3)
        return self.contrast(source, target, self.fuse(source, pose))

    def contrast(self, source: Tensor, target: Tensor, fused: Tensor) -> dict[str, Tensor]:
        """Compute the loss of stage 1 from embeddings.

        The L1 term is in the published code only: it compares unit vectors with raw source
        embeddings, and its weight makes it negligible.

        Args:
            source: (B, E), not normalised.
            target: (B, E), not normalised.
            fused: (B, E) of unit length.

        Returns:
            Scalars: `loss`; `info_nce`; `l1`; `top1`, the share of rows whose own column is most
            similar (rows of sources included, as published); `mean_rank` of that column, from 1.
        """
        # Negatives are the pictures of all processes
        source, target, fused = (from_all(part.float()) for part in (source, target, fused))
        rows, columns, compared = target, fused, source
        if self.config.loss == "source-enhanced":
            rows, columns = with_sources(target, fused, source)  # (2B, E)
            compared = torch.cat([source, source])
        l1 = F.l1_loss(compared, columns)

        # Differs from FPDM: CLIP's other direction may count too; off by default.
        symmetric = self.config.symmetric
        with torch.autocast(rows.device.type, enabled=False):
            nce = info_nce(rows, columns, self.config.temperature, symmetric=symmetric)
            likeness = similarities(rows, columns).detach()

        # The place of every row's own column, 1 where no other is more similar
        ranks = 1 + (likeness > likeness.diagonal().unsqueeze(1)).sum(dim=1)
        return {
            "loss": nce + self.config.l1_weight * l1,
            "info_nce": nce,
            "l1": l1,
            "top1": (ranks == 1).float().mean(),
            "mean_rank": ranks.float().mean(),
        }
