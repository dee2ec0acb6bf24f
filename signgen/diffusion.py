"""Diffusion: noising, training targets, guidance, sampling, and randomness per frame.

Knows tensors and `Conditioning`, not models, so that the sampler can be tested on a Gaussian whose
denoiser is known in closed form. `abar` below is the cumulative product of the alphas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor

from signgen.config import SchedulerConfig
from signgen.hub import local_folder
from signgen.structures import Conditioning, ExitCode, UserError

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""(z, t) -> prediction: z (B, C, h, w), t (B,) int64."""
ConditionalDenoiser = Callable[[Tensor, Tensor, Conditioning], Tensor]
"""(z, t, conditioning) -> prediction."""
PredictionType = Literal["v_prediction", "epsilon"]


@dataclass(frozen=True)
class NoiseSchedule:
    """How much noise each timestep holds and what a denoiser predicts; wraps a diffusers scheduler.

    Args:
        alphas_cumprod: (T,) float32, abar of each training timestep.
        prediction_type: `v_prediction` or `epsilon`.
        scheduler: The library's scheduler, asked only for the timesteps to sample at.
    """

    alphas_cumprod: Tensor
    prediction_type: PredictionType
    scheduler: DDPMScheduler = field(repr=False, compare=False)

    @staticmethod
    def from_config(config: SchedulerConfig) -> NoiseSchedule:
        """Build a schedule from settings, or from a pretrained model's scheduler.

        Args:
            config: Settings; with `pretrained`, that scheduler's own values replace all others.

        Raises:
            UserError: If the scheduler is missing, or predicts something that cannot be used.
        """
        if config.pretrained:
            return NoiseSchedule.from_scheduler(_load_scheduler(config.pretrained))
        return NoiseSchedule.from_scheduler(
            DDPMScheduler(
                num_train_timesteps=config.train_steps,
                beta_start=config.beta_start,
                beta_end=config.beta_end,
                beta_schedule="scaled_linear",
                prediction_type=config.prediction_type,
                rescale_betas_zero_snr=config.zero_terminal_snr,
                timestep_spacing=config.spacing,
                steps_offset=1,  # of "leading" only; Stable Diffusion's
                clip_sample=False,
            )
        )

    @staticmethod
    def from_scheduler(scheduler: DDPMScheduler) -> NoiseSchedule:
        """Wrap a diffusers scheduler.

        Raises:
            UserError: If its prediction type is neither v nor epsilon, or epsilon with zero
                terminal SNR, where pure noise tells nothing about the picture.
        """
        kind = scheduler.config["prediction_type"]
        if kind not in {"v_prediction", "epsilon"}:
            raise UserError(
                f"scheduler: prediction_type is {kind}; expected v_prediction or epsilon.",
            )
        if kind == "epsilon" and scheduler.config["rescale_betas_zero_snr"]:
            raise UserError(
                "scheduler: zero_terminal_snr does not go with prediction_type epsilon; "
                "use v_prediction or set zero_terminal_snr to false.",
                ExitCode.USAGE,
            )
        return NoiseSchedule(scheduler.alphas_cumprod, kind, scheduler)

    @property
    def train_steps(self) -> int:
        """Number T of training timesteps."""
        return len(self.alphas_cumprod)

    def timesteps(self, steps: int) -> list[int]:
        """Return the timesteps to sample at, noisiest first, spread as the library spreads them.

        Args:
            steps: Number of denoising steps, 1 to T.

        Raises:
            ValueError: If the number of steps is out of range.
        """
        if not 1 <= steps <= self.train_steps:
            raise ValueError(f"steps is {steps}; expected 1 to {self.train_steps}")
        scheduler = DDPMScheduler.from_config(self.scheduler.config)
        scheduler.set_timesteps(steps)
        return [int(t) for t in scheduler.timesteps]

    def draw_timesteps(self, count: int, shift: float, device: torch.device) -> Tensor:
        """Draw timesteps to train at, from torch's global generator.

        Args:
            count: How many.
            shift: 1 draws all alike. A larger shift s draws noisier ones more often: s u / (1 + (s
                - 1) u) of a uniform u (Esser et al., ICML 2024, Eq. 23).
            device: Where to put them.

        Returns:
            (count,) int64 from 0 to T - 1.
        """
        uniform = torch.rand(count, device=device)
        shifted = shift * uniform / (1 + (shift - 1) * uniform)
        return (shifted * self.train_steps).long().clamp(max=self.train_steps - 1)

    def add_noise(self, z0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Return sqrt(abar_t) z0 + sqrt(1 - abar_t) noise (FPDM Eq. 1).

        Args:
            z0: (B, C, h, w) clean latents.
            noise: The same shape.
            t: (B,) int64 timesteps.
        """
        signal, spread = self._scales(t, z0)
        return signal * z0 + spread * noise

    def training_target(self, z0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Return what the denoiser should predict for given latents, noise and timesteps.

        Either the noise, or v = sqrt(abar) noise - sqrt(1 - abar) z0 (Salimans and Ho, ICLR 2022,
        section 4). FPDM's equations show epsilon; its published weights predict v.

        Args:
            z0: (B, C, h, w) clean latents.
            noise: The same shape.
            t: (B,) int64 timesteps.
        """
        if self.prediction_type == "epsilon":
            return noise
        signal, spread = self._scales(t, z0)
        return signal * noise - spread * z0

    def predict_clean_and_noise(
        self, z: Tensor, output: Tensor, t: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Turn a denoiser's output into its estimates of clean latents and noise.

        Args:
            z: (B, C, h, w) noisy latents.
            output: The denoiser's output, the same shape.
            t: (B,) int64 timesteps.

        Returns:
            Clean latents and noise, the same shape.
        """
        signal, spread = self._scales(t, z)
        if self.prediction_type == "epsilon":
            return (z - spread * output) / signal, output
        return signal * z - spread * output, signal * output + spread * z

    def _scales(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return sqrt(abar_t) and sqrt(1 - abar_t), each (B, 1, 1, 1)."""
        abar = (
            self.alphas_cumprod.to(like.device)[t].to(like.dtype).view(-1, *[1] * (like.ndim - 1))
        )
        return abar.sqrt(), (1 - abar).sqrt()


def _load_scheduler(name: str) -> DDPMScheduler:
    """Load a scheduler from a hub id or local folder, from its `scheduler/` where there is one."""
    folder = local_folder(name, ("scheduler/scheduler_config.json",))
    inside = folder / "scheduler"
    try:
        scheduler: DDPMScheduler = DDPMScheduler.from_pretrained(
            str(inside if inside.is_dir() else folder)
        )
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{name}: no scheduler could be loaded ({reason}); expected a hub id that can be "
            "reached or a local folder with scheduler/scheduler_config.json.",
            ExitCode.NO_INPUT,
        ) from error
    return scheduler


# ----- guidance -----------------------------------------------------------------------------------


def guidance_coefficients(weights: Sequence[float]) -> list[float]:
    """Return the factor of each branch in `e_0 + sum_i w_i (e_i - e_{i-1})` (FPDM Eq. 12).

    Args:
        weights: w_1 .. w_n for n + 1 branches.

    Returns:
        n + 1 factors that add up to 1: 1 - w_1, w_1 - w_2, .., w_n. Equal neighbouring weights give
        a zero, so that branch need not be computed.
    """
    bounds = [1.0, *weights, 0.0]
    return [before - after for before, after in pairwise(bounds)]


def guided(
    denoise: ConditionalDenoiser, branches: Sequence[Conditioning], weights: Sequence[float]
) -> Denoiser:
    """Combine the branches of cumulative classifier-free guidance into one denoiser.

    The branches that count run as one batch.

    Args:
        denoise: The model.
        branches: From nothing given to everything given, each for the same B samples.
        weights: One weight per branch after the first.

    Raises:
        ValueError: If the numbers of branches and weights do not fit.
    """
    if len(weights) != len(branches) - 1:
        raise ValueError(
            f"{len(branches)} branches need {len(branches) - 1} weights, got {len(weights)}"
        )
    factors = guidance_coefficients(weights)
    needed = [index for index, factor in enumerate(factors) if factor != 0]
    together = Conditioning.cat([branches[index] for index in needed])

    def run(z: Tensor, t: Tensor) -> Tensor:
        count = len(needed)
        outputs = denoise(z.repeat(count, 1, 1, 1), t.repeat(count), together).float().chunk(count)
        return sum(
            (factors[i] * output for i, output in zip(needed, outputs, strict=True)),
            torch.zeros_like(outputs[0]),
        )

    return run


# ----- sampling -----------------------------------------------------------------------------------


def sample(
    denoise: Denoiser,
    schedule: NoiseSchedule,
    *,
    steps: int,
    noise: Tensor,
    eta: float,
    step_noise: Callable[[int], Tensor],
) -> Tensor:
    """Denoise latents step by step (Song et al., DDIM, ICLR 2021, Eq. 12 and 16).

    With eta 1 this is ancestral DDPM sampling with the small fixed variance, FPDM's sampler; with
    eta 0 it is deterministic. The step after the last one is clean (abar = 1): diffusers' DDIM does
    the same with `set_alpha_to_one`.

    Args:
        denoise: The model, guidance included.
        schedule: Its noise schedule.
        steps: Number of denoising steps.
        noise: (B, C, h, w) standard normal latents to start from.
        eta: Share of fresh noise, 0 to 1.
        step_noise: Index of a step -> (B, C, h, w) standard normal noise; not called where none is
            added.

    Returns:
        (B, C, h, w) float32 clean latents.

    Raises:
        ValueError: If eta or steps is out of range.
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"eta is {eta}; expected 0 to 1")
    timesteps = schedule.timesteps(steps)
    abars = [float(schedule.alphas_cumprod[t]) for t in timesteps] + [1.0]
    z = noise.float()
    for index, timestep in enumerate(timesteps):
        t = torch.full((len(z),), timestep, dtype=torch.int64, device=z.device)
        clean, direction = schedule.predict_clean_and_noise(z, denoise(z, t).float(), t)
        after = abars[index + 1]
        sigma = step_sigma(abars[index], after, eta)
        z = math.sqrt(after) * clean + math.sqrt(max(0.0, 1 - after - sigma**2)) * direction
        if sigma > 0:
            z = z + sigma * step_noise(index).to(z)
    return z


def step_sigma(abar: float, abar_after: float, eta: float) -> float:
    """Return the standard deviation of the noise that one step adds (DDIM Eq. 16).

    Args:
        abar: Cumulative alpha before the step.
        abar_after: Cumulative alpha after it, larger.
        eta: 1 is DDPM's small fixed variance, 0 adds no noise.
    """
    return eta * math.sqrt((1 - abar_after) / (1 - abar) * (1 - abar / abar_after))


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
        draws = []
        for frame in frames:
            key = np.array([self.seed, frame], dtype=np.uint64)
            counter = np.array([0, 0, 0, stream], dtype=np.uint64)
            generator = np.random.Generator(np.random.Philox(key=key, counter=counter))
            draws.append(generator.standard_normal(shape, dtype=np.float32))
        return torch.from_numpy(np.stack(draws))
