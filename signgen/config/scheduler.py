"""Settings of the noise schedule, and what diffusers calls them. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from signgen.config.ranges import Count, Factor

SETTINGS = {
    "num_train_timesteps": "train_steps",
    "beta_start": "beta_start",
    "beta_end": "beta_end",
    "prediction_type": "prediction_type",
    "rescale_betas_zero_snr": "zero_terminal_snr",
    "timestep_spacing": "spacing",
    "set_alpha_to_one": "set_alpha_to_one",
}
"""Names of the settings by those in diffusers' files."""


@dataclass(frozen=True)
class SchedulerConfig:
    """The noise schedule (diffusers `DDPMScheduler`), scaled-linear betas."""

    pretrained: str | None = None
    """Hub id or local folder with a scheduler in `scheduler/`. A value below that differs from its
    own is refused; what its file leaves out is taken from here."""
    train_steps: Count = 1000
    """Number of training timesteps."""
    beta_start: Factor = 0.00085
    """First beta."""
    beta_end: Factor = 0.012
    """Last beta."""
    prediction_type: Literal["v_prediction", "epsilon", "sample"] = "v_prediction"
    """What the denoiser predicts: velocity, noise, or the clean latents."""
    zero_terminal_snr: bool = True
    """Rescale the betas so that the last timestep is pure noise (Lin et al. 2024)."""
    spacing: Literal["leading", "trailing", "linspace"] = "trailing"
    """How sampling timesteps are spread."""
    set_alpha_to_one: bool = True
    """DDIM's last step ends at pure signal; false ends it at the first timestep, as Stable
    Diffusion."""
