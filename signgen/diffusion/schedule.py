"""The noise schedule: how much noise each timestep holds, noising, and training targets.

`abar` below is the cumulative product of the alphas.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, get_args

import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from einops import rearrange
from torch import Tensor

from signgen.config.scheduler import SETTINGS, SchedulerConfig
from signgen.diffusion import draws
from signgen.errors import ExitCode, UserError
from signgen.files.hub import local_folder

log = logging.getLogger(__name__)
PredictionType = Literal["v_prediction", "epsilon", "sample"]


@dataclass(frozen=True)
class NoiseSchedule:
    """How much noise each timestep holds and what a denoiser predicts; wraps a diffusers scheduler.

    Args:
        alphas_cumprod: (T,) float32, abar of each training timestep.
        prediction_type: `v_prediction`, `epsilon` or `sample` (the clean latents).
        scheduler: The library's scheduler, which spreads the timesteps to sample at.
        set_alpha_to_one: Whether DDIM's last step ends at pure signal, else at timestep 0.
    """

    alphas_cumprod: Tensor
    prediction_type: PredictionType
    scheduler: DDPMScheduler = field(repr=False, compare=False)
    set_alpha_to_one: bool = True

    @staticmethod
    def from_config(config: SchedulerConfig) -> NoiseSchedule:
        """Build a schedule from settings, or from a pretrained model's scheduler.

        Args:
            config: Settings; with `pretrained`, that scheduler's own values go before all others.
                Whoever builds a model refuses those that differ (`require_parts`).

        Raises:
            UserError: If the scheduler is missing, or predicts something that cannot be used.
        """
        # A pretrained model's own
        if config.pretrained:
            return NoiseSchedule.from_scheduler(_load_scheduler(config.pretrained, config))

        # One from settings
        if config.beta_start > config.beta_end:
            raise UserError(
                f"model: scheduler.beta_start is {config.beta_start}, more than beta_end, "
                f"{config.beta_end}; expected noise that grows. Exchange them.",
                ExitCode.USAGE,
            )
        scheduler = DDPMScheduler(
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
        scheduler.register_to_config(set_alpha_to_one=config.set_alpha_to_one)
        return NoiseSchedule.from_scheduler(scheduler)

    @staticmethod
    def from_scheduler(scheduler: DDPMScheduler) -> NoiseSchedule:
        """Wrap a diffusers scheduler; its clipping of samples is left out, latents have no range.

        Raises:
            UserError: If its prediction type is none of v, epsilon and sample, or epsilon with zero
                terminal SNR, where pure noise tells nothing about the picture.
        """
        # What it predicts
        kind = scheduler.config["prediction_type"]
        if kind not in get_args(PredictionType):
            raise UserError(
                f"scheduler: prediction_type is {kind}; expected v_prediction, epsilon or sample.",
            )
        if kind == "epsilon" and scheduler.config["rescale_betas_zero_snr"]:
            raise UserError(
                "scheduler: zero_terminal_snr does not go with prediction_type epsilon; "
                "use v_prediction or set zero_terminal_snr to false.",
                ExitCode.USAGE,
            )

        if (
            scheduler.config["rescale_betas_zero_snr"]
            and scheduler.config["timestep_spacing"] == "leading"
        ):
            log.warning(
                "scheduler: spacing leading never begins at the last timestep, which "
                "zero_terminal_snr makes pure noise; use trailing"
            )

        # A setting of DDIM, which DDPM keeps from the file it was read from; absent is DDIM's true.
        ends_at_one = bool(scheduler.config.get("set_alpha_to_one", True))
        return NoiseSchedule(scheduler.alphas_cumprod, kind, scheduler, ends_at_one)

    def facts(self) -> dict[str, object]:
        """Return what the schedule is, whoever said it, as JSON."""
        known = dict(self.scheduler.config)
        return {
            **{ours: known[theirs] for theirs, ours in SETTINGS.items() if theirs in known},
            "beta_schedule": known["beta_schedule"],
            "set_alpha_to_one": self.set_alpha_to_one,
            "last_abar": float(self.alphas_cumprod[-1]),
        }

    @property
    def train_steps(self) -> int:
        """Number T of training timesteps."""
        return len(self.alphas_cumprod)

    @property
    def ddim_end(self) -> float:
        """The abar at which DDIM's last step ends."""
        return 1.0 if self.set_alpha_to_one else float(self.alphas_cumprod[0])

    def timesteps(self, steps: int, scheduler: SchedulerMixin | None = None) -> list[int]:
        """Return the timesteps to sample at, noisiest first, spread as the library spreads them.

        Args:
            steps: Number of denoising steps, 1 to T.
            scheduler: The library's scheduler that spreads them, which it is then set to; DDPM's if
                not given.

        Raises:
            ValueError: If the schedule has no such number of different timesteps.
        """
        # Let the library spread them
        if not 1 <= steps <= self.train_steps:
            raise ValueError(f"steps is {steps}; expected 1 to {self.train_steps}")
        spreading: Any = scheduler or DDPMScheduler.from_config(self.scheduler.config)
        spreading.set_timesteps(steps)
        timesteps = [int(t) for t in spreading.timesteps]

        # Refuse what would repeat a timestep
        falling = all(before > after for before, after in pairwise(timesteps))
        if not falling or timesteps[0] >= self.train_steps:
            raise ValueError(
                f"steps is {steps}; expected fewer: {type(spreading).__name__} with spacing "
                f"{spreading.config['timestep_spacing']} finds no such number of different "
                "timesteps"
            )
        return timesteps

    def draw_timesteps(self, count: int, shift: float, device: torch.device) -> Tensor:
        """Draw timesteps to train at, see `draws`.

        Args:
            count: How many.
            shift: 1 draws all alike. A larger shift s draws noisier ones more often: s u / (1 + (s
                - 1) u) of a uniform u (Esser et al., ICML 2024, Eq. 23).
            device: Where to put them.

        Returns:
            (count,) int64 from 0 to T - 1.
        """
        uniform = draws.uniform(torch.empty(count, device=device))  # (count,)
        shifted = shift * uniform / (1 + (shift - 1) * uniform)  # Eq. 23 of Esser et al.
        return (shifted * self.train_steps).long().clamp(max=self.train_steps - 1)

    def add_noise(self, z0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Return sqrt(abar_t) z0 + sqrt(1 - abar_t) noise (FPDM Eq. 1).

        Args:
            z0: (B, C, h, w) clean latents.
            noise: The same shape.
            t: (B,) int64 timesteps.
        """
        signal, spread = self._scales(t, z0)
        return signal * z0 + spread * noise  # (B, C, h, w)

    def training_target(self, z0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Return what the denoiser should predict for given latents, noise and timesteps.

        The noise, the clean latents, or v = sqrt(abar) noise - sqrt(1 - abar) z0 (Salimans and Ho,
        ICLR 2022, section 4). FPDM's equations show epsilon; its published weights predict v. Small
        networks do best on clean latents (Li and He, arXiv 2511.13720).

        Args:
            z0: (B, C, h, w) clean latents.
            noise: The same shape.
            t: (B,) int64 timesteps.
        """
        if self.prediction_type == "epsilon":
            return noise
        if self.prediction_type == "sample":
            return z0
        signal, spread = self._scales(t, z0)
        return signal * noise - spread * z0  # v

    def step_target(self, z: Tensor, after: Tensor, t: Tensor, abar_after: Tensor) -> Tensor:
        """Return what a denoiser should predict at `t` for one step of DDIM to end at `after`.

        The clean latents for that are x = (after - (sigma''/sigma) z) / (alpha'' - (sigma''/sigma)
        alpha) (Salimans and Ho, ICLR 2022, Algorithm 2), with alpha = sqrt(abar) and sigma =
        sqrt(1 - abar), '' after the step. At pure noise alpha is 0 and nothing is special.

        Args:
            z: (B, C, h, w) noisy latents.
            after: The same shape, less noisy.
            t: (B,) int64 timesteps of `z`.
            abar_after: (B,) abar of `after`, larger than those of `t`.
        """
        signal, spread = self._scales(t, z)
        ends = rearrange(abar_after.to(z), "b -> b 1 1 1")
        ratio = (1 - ends).sqrt() / spread
        clean = (after - ratio * z) / (ends.sqrt() - ratio * signal)
        return self.training_target(clean, (z - signal * clean) / spread, t)

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
        if self.prediction_type == "sample":
            return output, (z - signal * output) / spread
        return signal * z - spread * output, signal * output + spread * z  # of v

    def min_snr_weight(self, t: Tensor, most: float) -> Tensor:
        """Return the weights (B, 1, 1, 1) of a loss at timesteps (Hang et al., ICCV 2023).

        The error of the clean latents counts by the signal-to-noise ratio, up to a most.

        Args:
            t: (B,) int64.
            most: gamma; 0 weighs all timesteps 1.
        """
        abar = rearrange(self.alphas_cumprod.to(t.device)[t], "b -> b 1 1 1")
        if not most:
            return torch.ones_like(abar)
        ratio = abar / (1 - abar)
        least = ratio.clamp(max=most)
        if self.prediction_type == "epsilon":
            return least / ratio
        return least if self.prediction_type == "sample" else least / (ratio + 1)

    def _scales(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return sqrt(abar_t) and sqrt(1 - abar_t), each (B, 1, 1, 1)."""
        abar = rearrange(self.alphas_cumprod.to(like.device)[t].to(like.dtype), "b -> b 1 1 1")
        return abar.sqrt(), (1 - abar).sqrt()


def _load_scheduler(name: str, settings: SchedulerConfig) -> DDPMScheduler:
    """Load a scheduler from a hub id or local folder, from its `scheduler/` where there is one.

    What its file leaves out is taken from the settings.
    """
    folder = local_folder(name, ("scheduler/scheduler_config.json",))
    inside = folder / "scheduler"
    try:
        place = str(inside if inside.is_dir() else folder)
        said = DDPMScheduler.load_config(place)
        left_out = {
            theirs: getattr(settings, ours)
            for theirs, ours in SETTINGS.items()
            if theirs not in said
        }
        scheduler: DDPMScheduler = DDPMScheduler.from_config({**said, **left_out})
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{name}: no scheduler could be loaded ({reason}); expected a hub id that can be "
            "reached or a local folder with scheduler/scheduler_config.json.",
            ExitCode.NO_INPUT,
        ) from error
    return scheduler
