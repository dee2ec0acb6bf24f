"""Samplers: from noise to latents with any denoiser; ancestral, deterministic, and fast solvers.

DDPM and DDIM are the code below; UniPC and DPM-Solver++ are those of diffusers. `abar` is the
cumulative product of the alphas.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, get_args

import torch
from torch import Tensor

from signgen.config.model import Sampler
from signgen.diffusion.schedule import NoiseSchedule

if TYPE_CHECKING:
    from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
    from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

    Solver = UniPCMultistepScheduler | DPMSolverMultistepScheduler

__all__ = ["Callback", "Denoiser", "sample", "sampling_timesteps", "step_sigma"]

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""(z, t) -> prediction: z (B, C, h, w), t (B,) int64."""

Callback = Callable[[int, int, Tensor], None]
"""(step from 0, timestep, latents after it (B, C, h, w)), called after every step."""

SMALLEST_VARIANCE = 1e-20
"""What diffusers' DDPM adds in the step that ends at pure signal."""


def sample(
    denoise: Denoiser,
    schedule: NoiseSchedule,
    *,
    sampler: Sampler,
    steps: int,
    noise: Tensor,
    step_noise: Callable[[int], Tensor],
    callback: Callback | None = None,
) -> Tensor:
    """Denoise latents step by step, in 32 bits.

    `ddpm` is ancestral sampling with the small fixed variance (Ho et al., NeurIPS 2020, Eq. 7),
    FPDM's sampler; `ddim` is deterministic (Song et al., ICLR 2021, Eq. 12 with sigma 0). Both
    equal diffusers' loops, DDIM where `steps` divides the number of training timesteps: else
    diffusers steps past its own timesteps. `unipc` (Zhao et al., NeurIPS 2023) and `dpmsolver++`
    (2M; Lu et al., 2022) are diffusers' solvers of order 2, which spread timesteps in their own
    way.

    Args:
        denoise: The model, guidance included.
        schedule: Its noise schedule.
        sampler: How to step.
        steps: Number of denoising steps.
        noise: (B, C, h, w) standard normal latents to start from.
        step_noise: Index of a step -> (B, C, h, w) standard normal noise. Only `ddpm` asks for it,
            once in every step in order, the last one too, but not at timestep 0, as diffusers.
        callback: Is told every step.

    Returns:
        (B, C, h, w) float32 clean latents.

    Raises:
        ValueError: If the sampler is unknown or cannot take so many steps.
    """
    # Timesteps and their signal
    solver = _solver(schedule, sampler)
    timesteps = schedule.timesteps(steps, solver)
    end = schedule.ddim_end if sampler == "ddim" else 1.0
    abars = [float(schedule.alphas_cumprod[t]) for t in timesteps] + [end]

    # From noise to latents
    z = noise.float()  # (B, C, h, w)
    for index, timestep in enumerate(timesteps):
        # Predict
        t = torch.full((len(z),), timestep, dtype=torch.int64, device=z.device)  # (B,)
        output = denoise(z, t).float()  # (B, C, h, w)

        # Step to the next timestep
        if solver is not None:  # it remembers earlier outputs, and where it is
            z = solver.step(output, solver.timesteps[index], z, return_dict=False)[0]
        else:
            clean, direction = schedule.predict_clean_and_noise(z, output, t)
            abar, after = abars[index], abars[index + 1]
            if sampler == "ddim":
                z = math.sqrt(after) * clean + math.sqrt(1 - after) * direction
            else:
                z = _posterior_mean(clean, z, abar, after)
                if timestep > 0:
                    z = z + step_sigma(abar, after) * step_noise(index).to(z)
        if callback is not None:
            callback(index, timestep, z)
    return z


def sampling_timesteps(schedule: NoiseSchedule, sampler: Sampler, steps: int) -> list[int]:
    """Return the timesteps to sample at, noisiest first, spread as diffusers spreads them.

    Args:
        schedule: The noise schedule.
        sampler: The sampler; the solvers spread differently.
        steps: Number of denoising steps.

    Raises:
        ValueError: If the schedule has no such number of different timesteps.
    """
    return schedule.timesteps(steps, _solver(schedule, sampler))


def step_sigma(abar: float, abar_after: float) -> float:
    """Return the standard deviation of the noise that one step of DDPM adds (Ho et al., Eq. 7).

    Args:
        abar: Cumulative alpha before the step.
        abar_after: Cumulative alpha after it, larger.
    """
    # beta-tilde of Ho et al.
    variance = (1 - abar_after) / (1 - abar) * (1 - abar / abar_after)
    return math.sqrt(max(variance, SMALLEST_VARIANCE))


def _posterior_mean(clean: Tensor, z: Tensor, abar: float, after: float) -> Tensor:
    """Return the mean of the latents after one step of DDPM (Ho et al., Eq. 7)."""
    alpha = abar / after  # of this step alone
    of_clean = math.sqrt(after) * (1 - alpha) / (1 - abar)
    of_noisy = math.sqrt(alpha) * (1 - after) / (1 - abar)
    return of_clean * clean + of_noisy * z


def _solver(schedule: NoiseSchedule, sampler: Sampler) -> Solver | None:
    """Build a solver of order 2 that ends at pure signal; None for DDPM and DDIM.

    Of a schedule with zero terminal SNR the solvers take the last abar as 2^-24, so that its
    logarithm is finite.
    """
    if sampler not in get_args(Sampler):
        raise ValueError(f"sampler is {sampler}; expected one of {', '.join(get_args(Sampler))}")
    if sampler in {"ddpm", "ddim"}:
        return None
    # Imported on use: they load scipy.stats, which takes a second.
    from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
    from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

    config = schedule.scheduler.config
    kind = UniPCMultistepScheduler if sampler == "unipc" else DPMSolverMultistepScheduler
    solver: Solver = kind(  # of DPM-Solver, the library's default is ++
        num_train_timesteps=schedule.train_steps,
        trained_betas=schedule.scheduler.betas.numpy(),
        prediction_type=schedule.prediction_type,
        timestep_spacing=config["timestep_spacing"],
        steps_offset=config["steps_offset"],
        rescale_betas_zero_snr=config["rescale_betas_zero_snr"],
        solver_order=2,
    )
    return solver
