"""How frames are sampled: asked for by a user, and resolved once against the model's own settings.

Imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from signgen.config.model import Precision, Sampler, SamplingConfig
from signgen.errors import ExitCode, UserError

__all__ = ["PRESETS", "Preset", "ResolvedSampling", "Sampling"]


@dataclass(frozen=True)
class ResolvedSampling:
    """How frames are sampled, nothing left open; made by `Sampling.resolve`.

    Args:
        steps: Denoising steps.
        guidance: Weights of guidance, one per branch after the first (FPDM Eq. 12: w1, w2).
        sampler: How to denoise.
        official_noise: Draw the noise of a batch as FPDM's published code (`BatchNoise`).
        precision: That of the networks. Latents and the sampler's arithmetic have 32 bits.
        seed: Seed of the noise.
    """

    steps: int
    guidance: tuple[float, ...]
    sampler: Sampler
    official_noise: bool
    precision: Precision
    seed: int

    def facts(self, chunk: int) -> dict[str, object]:
        """Return what is needed to sample the same again, as JSON.

        Args:
            chunk: Frames computed at a time, which matters with `official_noise` only.
        """
        return {
            "seed": self.seed,
            "steps": self.steps,
            "guidance": list(self.guidance),
            "sampler": self.sampler,
            "precision": self.precision,
            **({"official_noise": True, "chunk": chunk} if self.official_noise else {}),
        }


@dataclass(frozen=True)
class Sampling:
    """How frames are to be sampled; None is the model's own.

    Args:
        steps: Denoising steps.
        guidance: Weights of guidance, as `ResolvedSampling.guidance`.
        sampler: `ddpm`, `ddim`, `unipc` or `dpmsolver++`.
        official_noise: Draw the noise of a batch as FPDM's published code, so that a picture
            depends on its batch; else the noise of a frame depends on seed and frame alone.
        precision: `no` (32 bits), `bf16` or `fp16`.
        seed: Seed of the noise, 0 to 2^63 - 1.
    """

    steps: int | None = None
    guidance: tuple[float, ...] | None = None
    sampler: Sampler | None = None
    official_noise: bool | None = None
    precision: Precision = "no"
    seed: int = 0

    def __post_init__(self) -> None:
        steps, seed = self.steps, self.seed
        if steps is not None and (not isinstance(steps, int) or steps < 1):
            raise UserError(
                f"--steps is {steps}; expected a whole number, at least 1.", ExitCode.USAGE
            )
        if not isinstance(seed, int) or not 0 <= seed < 2**63:
            raise UserError(f"--seed is {self.seed}; expected 0 to 2^63 - 1.", ExitCode.USAGE)
        if self.guidance is not None and not all(map(math.isfinite, self.guidance)):
            raise UserError(
                f"--guidance is {self.guidance}; expected finite numbers.", ExitCode.USAGE
            )
        for flag, name, known in (
            ("--sampler", self.sampler, get_args(Sampler)),
            ("--precision", self.precision, get_args(Precision)),
        ):
            if name is not None and name not in known:
                raise UserError(
                    f"{flag} is {name}; expected one of {', '.join(known)}.", ExitCode.USAGE
                )

    def resolve(self, own: SamplingConfig) -> ResolvedSampling:
        """Fill what is left open with the model's own settings."""
        return ResolvedSampling(
            steps=own.steps if self.steps is None else self.steps,
            guidance=own.guidance if self.guidance is None else self.guidance,
            sampler=own.sampler if self.sampler is None else self.sampler,
            official_noise=(
                own.official_noise if self.official_noise is None else self.official_noise
            ),
            precision=self.precision,
            seed=self.seed,
        )


Preset = Literal["quality", "balanced", "fast", "live"]
PRESETS: Mapping[Preset, Sampling] = MappingProxyType(
    {
        "quality": Sampling(),
        "balanced": Sampling(sampler="unipc", steps=12),
        "fast": Sampling(sampler="unipc", steps=8),
        "live": Sampling(sampler="unipc", steps=4),
    }
)
"""How fast frames are wanted; what each costs is in docs/performance.md."""
