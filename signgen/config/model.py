"""Settings of any model, and the sizes that a YAML file may start from. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from signgen.config.fpdm import (
    DistillationConfig,
    FPDMConfig,
    IPFConfig,
    Precision,
    Sampler,
    SamplingConfig,
    SourceEncoderConfig,
    UNetConfig,
    full_fpdm,
    guided_fpdm,
    tiny_fpdm,
)
from signgen.config.motion import MotionConfig
from signgen.config.parsing_guided import (
    ParsingGuidedConfig,
    full_parsing,
    guided_parsing,
    tiny_parsing,
)
from signgen.config.scheduler import SchedulerConfig

__all__ = [
    "PRESETS",
    "REMOVED_SETTINGS",
    "DistillationConfig",
    "FPDMConfig",
    "IPFConfig",
    "ModelConfig",
    "MotionConfig",
    "ParsingGuidedConfig",
    "Precision",
    "Sampler",
    "SamplingConfig",
    "SchedulerConfig",
    "SourceEncoderConfig",
    "UNetConfig",
    "full_fpdm",
    "full_parsing",
    "guided_fpdm",
    "guided_parsing",
    "tiny_fpdm",
    "tiny_parsing",
]

REMOVED_SETTINGS = {
    "sampling.eta": "sampling.sampler took its place: write `sampler: ddpm` for `eta: 1.0`, "
    "`sampler: ddim` for `eta: 0.0`",
}
"""Settings that older runs have, by the end of their dotted name, and what to do about them."""


ModelConfig = FPDMConfig | ParsingGuidedConfig
"""Settings of any model. Choices go by `match` on their type."""


PRESETS: Mapping[type, Mapping[str, Callable[[], Any]]] = {
    FPDMConfig: {
        "full": full_fpdm,
        "guided": guided_fpdm,
        "mini": FPDMConfig,
        "tiny": tiny_fpdm,
    },
    ParsingGuidedConfig: {
        "full": full_parsing,
        "guided": guided_parsing,
        "mini": ParsingGuidedConfig,
        "tiny": tiny_parsing,
    },
}
"""Settings that a YAML file may start from, by class and name."""
