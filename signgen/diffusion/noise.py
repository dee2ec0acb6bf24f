"""Noise: for sampling, of one frame whatever its batch, or of one batch as FPDM; for training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def training_noise(latents: Tensor, offset: float) -> Tensor:
    """Draw the noise of a loss from torch's global generator: normal, with an offset per channel.

    It is drawn by shape: what lies where in memory (channels last) decides nothing.

    Args:
        latents: (B, C, h, w) float32, of which only shape and device are used.
        offset: Scale of Guttenberg's offset noise, which lets a model change the mean colour of a
            picture; FPDM has 0.1.
    """
    batch, channels = latents.shape[:2]
    noise = torch.randn(latents.shape, device=latents.device)  # (B, C, h, w)
    return noise + offset * torch.randn((batch, channels, 1, 1), device=latents.device)


class FrameNoise:
    """Noise that depends on seed, frame and step only, so that chunk size changes no result.

    Counter-based (Philox): frames and steps are addressed, not drawn in order.

    Args:
        seed: Seed of the video, taken modulo 2**64.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed % 2**64

    def initial(self, frames: Sequence[int], shape: tuple[int, ...]) -> Tensor:
        """Return the noise to start from.

        Args:
            frames: Indices of the frames in the video, at least 0.
            shape: Shape of one frame's latents.

        Returns:
            (len(frames), *shape) standard normal float32, on the CPU.
        """
        return self._draw(frames, 0, shape)

    def step(self, frames: Sequence[int], step: int, shape: tuple[int, ...]) -> Tensor:
        """Return the noise that one sampling step adds; arguments as for `initial`, step from 0."""
        return self._draw(frames, step + 1, shape)

    def _draw(self, frames: Sequence[int], stream: int, shape: tuple[int, ...]) -> Tensor:
        # One generator per frame and step
        draws = []
        for frame in frames:
            key = np.array([self.seed, frame], dtype=np.uint64)
            counter = np.array([0, 0, 0, stream], dtype=np.uint64)
            generator = np.random.Generator(np.random.Philox(key=key, counter=counter))
            draws.append(generator.standard_normal(shape, dtype=np.float32))
        return torch.from_numpy(np.stack(draws))  # (B, C, h, w)


class BatchNoise:
    """Noise of one batch as FPDM's published code draws it: one CPU generator, everything in order.

    Make a new one for every batch, as that code does, and draw `initial`, then every `step` in
    turn: a picture then depends on its place in the batch and on the size of the batch.

    Args:
        seed: Seed of the generator; the published code has 7.
    """

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def initial(self, frames: Sequence[int], shape: tuple[int, ...]) -> Tensor:
        """Return the noise to start from.

        Args:
            frames: The frames of the batch; only their number matters.
            shape: Shape of one frame's latents.

        Returns:
            (len(frames), *shape) standard normal float32, on the CPU.
        """
        return torch.randn((len(frames), *shape), generator=self._generator)  # (B, C, h, w)

    def step(self, frames: Sequence[int], step: int, shape: tuple[int, ...]) -> Tensor:
        """Return the noise that the next sampling step adds; arguments as for `FrameNoise.step`."""
        return self.initial(frames, shape)
