"""Settings of what lies between pixels and latents: the autoencoder, and the decoder.

The text below a field is its help text on the command line. Imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from signgen.config.ranges import Count, NotNegative, Positive, Share


@dataclass(frozen=True)
class AutoencoderConfig:
    """The image autoencoder (diffusers `AutoencoderKL`) between pixels and latents."""

    pretrained: str | None = None
    """Hub id or local folder with an AutoencoderKL in `vae/`; none builds a new one from the sizes
    below."""
    block_channels: tuple[Count, ...] = (16, 32, 64)
    """Channels per resolution; every further entry halves the resolution."""
    layers_per_block: Count = 1
    """ResNet layers per resolution."""
    latent_channels: Count = 4
    """Channels of the latents."""
    norm_groups: Count = 4
    """Groups of the group normalisation."""
    scaling_factor: Positive = 1.0
    """Factor that gives latents unit variance; the `vae` stage measures it at its end."""
    decoder_trained: bool = False
    """The decoder was fine-tuned (`decoder` stage sets this), so that a model stores its
    autoencoder even where the rest of it is pretrained."""


@dataclass(frozen=True)
class DecoderConfig:
    """What turns latents into pictures."""

    kind: Literal["plain", "guided"] = "plain"
    """The autoencoder's own decoder, as FPDM, or one that also sees the drawn pose and the source
    moved to it, and copies what it can. The science is measured with the plain one: a decoder that
    sees pose and source would flatter every ablation."""
    channels: tuple[Count, ...] = (32, 64, 128, 256)
    """Channels of the guided decoder at a half, a quarter ... of the picture's size."""
    blocks: Count = 1
    """Residual blocks per resolution on the way up."""
    max_flow: NotNegative = 8.0
    """Pixels at the model's size by which the learned flow may shift the moved source."""
    drop_latents: Share = 0.1
    """Share of training examples that are decoded without latents, so that the decoder leans on
    pose and source."""
    hand_channels: tuple[Count, ...] = ()
    """Channels of the network that paints every hand once more, in a window of its own, at a half,
    a quarter ... of the window; none where it is left out. Stage `windows` trains it."""
    face_channels: tuple[Count, ...] = ()
    """The same of the face."""

    @property
    def in_windows(self) -> bool:
        """Whether anything is painted once more in windows."""
        return bool(self.hand_channels or self.face_channels)
