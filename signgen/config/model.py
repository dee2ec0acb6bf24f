"""Settings of any model, and the sizes that a YAML file may start from. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from signgen.config.fpdm import (
    FPDMConfig,
    IPFConfig,
    Precision,
    Sampler,
    SamplingConfig,
    SchedulerConfig,
    SourceEncoderConfig,
    UNetConfig,
    full_fpdm,
    guided_fpdm,
    tiny_fpdm,
)

__all__ = [
    "PRESETS",
    "REMOVED_SETTINGS",
    "FPDMConfig",
    "IPFConfig",
    "ModelConfig",
    "Precision",
    "Sampler",
    "SamplingConfig",
    "SchedulerConfig",
    "SourceEncoderConfig",
    "UNetConfig",
    "full_fpdm",
    "guided_fpdm",
    "tiny_fpdm",
]

REMOVED_SETTINGS = {
    "sampling.eta": "sampling.sampler took its place: write `sampler: ddpm` for `eta: 1.0`, "
    "`sampler: ddim` for `eta: 0.0`",
}
"""Settings that older runs have, by the end of their dotted name, and what to do about them."""


ModelConfig = FPDMConfig
"""Settings of any model. Choices go by `match` on their type."""


PRESETS: Mapping[type, Mapping[str, Callable[[], Any]]] = {
    FPDMConfig: {
        "full": full_fpdm,
        "guided": guided_fpdm,
        "mini": FPDMConfig,
        "tiny": tiny_fpdm,
    }
}
"""Settings that a YAML file may start from, by class and name."""
