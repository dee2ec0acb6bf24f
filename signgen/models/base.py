"""What every model offers, and the seam between pixels and latents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from torch import Tensor, nn

from signgen.diffusion import draws
from signgen.diffusion.processes import whole
from signgen.structures import Batch, Conditioning, Guide, SourceFeatures, expect

if TYPE_CHECKING:
    import torch

    from signgen.config.model import ModelConfig
    from signgen.config.regions import Region
    from signgen.diffusion.samplers import Denoiser
    from signgen.diffusion.schedule import NoiseSchedule
    from signgen.models.attention import SourceMemory

__all__ = [
    "BorrowsRegions",
    "LatentSpace",
    "PoseGuidedModel",
    "RemembersSource",
    "Trainable",
    "sample_posterior",
    "stored_state",
]


class Trainable(Protocol):
    """What the training loop trains: an `nn.Module` with a loss."""

    @property
    def prefix(self) -> str:
        """Where its weights lie in the whole model: `ipf.` of stage 1, empty of the model."""
        ...

    @property
    def external(self) -> tuple[str, ...]:
        """Beginnings of the names of frozen weights that are loaded from elsewhere again."""
        ...

    def enable_gradient_checkpointing(self) -> None:
        """Recompute activations in the backward pass: less memory, more time."""
        ...

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return scalars; `loss` is optimised, the others are logged.

        Draws for samples come from `diffusion.draws`, so that several processes and any number of
        micro-batches draw what one batch does; draws for a whole micro-batch come from torch's
        global generator, which the training loop seeds alike on all processes. A loss that is no
        mean over samples looks at all processes (`diffusion.processes`).
        """
        ...

    # What follows is `nn.Module`'s.

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """All weights."""
        ...

    def named_children(self) -> Iterator[tuple[str, nn.Module]]:
        """Its parts by name."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Weights and buffers by name."""
        ...

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> object:
        """Copy weights by name."""
        ...

    def train(self, mode: bool = True) -> Self:
        """Switch to training."""
        ...

    def eval(self) -> Self:
        """Switch to evaluation."""
        ...

    def to(self, device: torch.device | str, /) -> Self:
        """Move to a device."""
        ...


def stored_state(stage: Trainable) -> dict[str, Tensor]:
    """Return the weights that a checkpoint keeps, on the CPU, by their names in the whole model.

    Frozen parts that come from a pretrained source are left out: they are loaded from there again.
    Weights in shards are whole on the first process; all call this.
    """
    state = {stage.prefix + name: value for name, value in stage.state_dict().items()}
    return {
        name: whole(value.detach()).cpu()
        for name, value in state.items()
        if not name.startswith(stage.external)
    }


def sample_posterior(posterior: Any) -> Tensor:
    """Draw latents (B, C, h, w) from a diffusers `DiagonalGaussianDistribution`."""
    mean: Tensor = posterior.mean
    return mean + posterior.std * draws.normal(mean)


class LatentSpace:
    """Pixels to latents and back through an `AutoencoderKL`.

    It refers to the autoencoder without owning it: a model registers it once, as a part.

    Args:
        autoencoder: A diffusers `AutoencoderKL`.
        scaling: Factor that gives latents about unit variance.
    """

    def __init__(self, autoencoder: Any, scaling: float) -> None:
        self._autoencoder = autoencoder
        self.scaling = scaling
        self.factor = 2 ** (len(autoencoder.config.block_out_channels) - 1)
        self.channels = int(autoencoder.config.latent_channels)
        self.upcast = bool(
            autoencoder.config.force_upcast
        )  # Stable Diffusion's overflows in 16 bits

    def shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """Return the shape (C, h, w) of the latents of one picture.

        Args:
            size: (H, W) in pixels, multiples of `factor`.

        Raises:
            ValueError: If the size is not a multiple of `factor`.
        """
        height, width = size
        if height % self.factor or width % self.factor:
            raise ValueError(f"size {size} is not a multiple of {self.factor}")
        return self.channels, height // self.factor, width // self.factor

    def encode(self, pixels: Tensor, *, sample: bool = True) -> Tensor:
        """Turn pixels into latents.

        Args:
            pixels: (B, 3, H, W) in [-1, 1]; H and W multiples of `factor`.
            sample: Draw from the posterior, as FPDM does; else its mean.

        Returns:
            (B, C, H / factor, W / factor), about unit variance.
        """
        expect(pixels, "B 3 H W", "pixels")
        posterior = self._autoencoder.encode(pixels).latent_dist
        return (sample_posterior(posterior) if sample else posterior.mode()) * self.scaling

    def decode(self, latents: Tensor, *, clamp: bool = True) -> Tensor:
        """Turn latents into pixels.

        Args:
            latents: (B, C, h, w), scaled as `encode` returns them.
            clamp: Cut what is out of range; training wants its gradient instead.

        Returns:
            (B, 3, h * factor, w * factor) in [-1, 1].
        """
        pixels: Tensor = self._autoencoder.decode(latents / self.scaling).sample
        return pixels.clamp(-1, 1) if clamp else pixels


@runtime_checkable
class PoseGuidedModel(Trainable, Protocol):
    """A latent diffusion model of a signer, guided by a drawn pose; grouped by rate of use."""

    @property
    def config(self) -> ModelConfig:
        """Its settings."""
        ...

    @property
    def latents(self) -> LatentSpace:
        """Pixels <-> latents."""
        ...

    @property
    def schedule(self) -> NoiseSchedule:
        """The noise schedule that the model was trained with."""
        ...

    def encode_source(self, source: Tensor, parts: Tensor | None = None) -> SourceFeatures:
        """Encode the signer, once per signer.

        Args:
            source: (B, 3, H, W) in [-1, 1].
            parts: (B, H, W) human-parsing labels, for models that use them.
        """
        ...

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
            source: Features of B sources.
            pose: (B, 3, H, W) drawn poses in [0, 1].
            clip: The same for stage 1's tower, where `PoseDrawing.apart` says so; see
                `FPDM.condition`.
            guide: As `decode`.
        """
        ...

    def branches(self, conditioning: Conditioning) -> list[Conditioning]:
        """Return what guidance compares, from nothing given to everything given."""
        ...

    def denoise(self, z: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        """Predict noise, velocity or clean latents, once per step.

        Args:
            z: (B, C, h, w) noisy latents.
            t: (B,) int64 timesteps.
            conditioning: Everything else the denoiser sees.
        """
        ...

    def decode(
        self,
        latents: Tensor,
        conditioning: Conditioning,
        guide: Guide | None = None,
        *,
        clamp: bool = True,
    ) -> Tensor:
        """Turn latents into pictures, once per frame.

        Args:
            latents: (B, C, h, w), scaled as `latents.encode` returns them.
            conditioning: From `condition`.
            guide: The source moved to the poses, where the settings say `guided`; others ignore it.
                It may have any size, which the pictures then have.
            clamp: Cut what is out of range; training wants its gradient instead.

        Returns:
            (B, 3, H, W) in [-1, 1].
        """
        ...


@runtime_checkable
class BorrowsRegions(Protocol):
    """A model that can show a region of another picture on a signer, without retraining."""

    def borrow(
        self, source: SourceFeatures, donor: SourceFeatures, region: Region
    ) -> SourceFeatures:
        """Return features of a signer with a region of a donor in place of its own."""
        ...


@runtime_checkable
class RemembersSource(Protocol):
    """A model that need not look at the source again at every frame and step."""

    def denoiser(self, branches: Sequence[Conditioning], memory: SourceMemory) -> Denoiser:
        """Return what `denoise` predicts for the branches in one batch, up to rounding.

        What does not depend on the step is computed here.

        Args:
            branches: From `branches`, those without a source (`Conditioning.nulled`) first, each
                for the same B samples.
            memory: Of the tokens that the branches have, (1, N, D) or (B, N, D).

        Returns:
            (z, t) -> prediction, all for the branches one after the other.
        """
        ...
