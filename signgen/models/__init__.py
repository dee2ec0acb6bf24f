"""Models, chosen by `match` on the type of their settings: no registry, no dotted names."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, assert_never

from signgen.config.model import FPDMConfig, ModelConfig
from signgen.config.parsing_guided import ParsingGuidedConfig
from signgen.config.train import Stage
from signgen.errors import ExitCode, UserError

if TYPE_CHECKING:
    from signgen.models.base import PoseGuidedModel, Trainable
    from signgen.models.fpdm import FPDM
    from signgen.models.ipf import IPF

__all__ = ["FPDM", "IPF", "build_model", "build_stage"]

_HOMES = {"FPDM": "signgen.models.fpdm", "IPF": "signgen.models.ipf"}


def build_model(config: ModelConfig) -> PoseGuidedModel:
    """Build a whole model with the weights of its pretrained parts, random ones elsewhere.

    Raises:
        UserError: If a pretrained part is missing, unreadable or of other sizes than the settings.
    """
    from signgen.models.pretrained import require_parts

    require_parts(config)
    return _build(config)


def _build(config: ModelConfig) -> PoseGuidedModel:
    match config:
        case ParsingGuidedConfig():
            from signgen.models.parsing_guided.model import ParsingGuided

            return ParsingGuided(config)
        case FPDMConfig():
            from signgen.models.fpdm import FPDM

            return FPDM(config)
        case _:
            assert_never(config)


def build_stage(config: ModelConfig, stage: Stage) -> Trainable:
    """Build what one stage trains.

    Args:
        config: Settings of the whole model.
        stage: `vae`, `ipf`, `decoder`, `windows`, `signer`, `distill`, `motion`, or the model
            itself: `fpdm`.

    Raises:
        UserError: If a pretrained part is missing, unreadable or of other sizes than the settings.
    """
    from signgen.models.pretrained import require_parts

    match stage:
        case "vae":
            from signgen.models.autoencoder import AutoencoderStage

            require_parts(config, stage)
            return AutoencoderStage(config)
        case "ipf":
            from signgen.models.ipf import IPF

            require_parts(config, stage)
            return IPF(config.ipf)
        case "fpdm":
            return build_model(config)
        case "motion":
            from signgen.models.stages.motion import MotionStage

            require_parts(config, stage)
            return MotionStage(config)
        case "decoder" | "windows" | "signer" | "distill":
            from signgen.models.stages import decoder, distillation

            if config.motion.window:
                raise UserError(
                    f"model: motion.window is {config.motion.window}; expected 0 in stage {stage}, "
                    "which sees frames one by one. Train motion layers last.",
                    ExitCode.USAGE,
                )
            require_parts(config, stage)
            kinds: dict[tuple[str, Stage], Callable[[Any], Trainable]] = {
                ("fpdm", "decoder"): decoder.DecoderStage,
                ("fpdm", "windows"): decoder.WindowsStage,
                ("fpdm", "signer"): decoder.SignerStage,
                ("fpdm", "distill"): distillation.DistillStage,
                ("parsing-guided", "decoder"): decoder.ParsingGuidedDecoderStage,
                ("parsing-guided", "windows"): decoder.ParsingGuidedWindowsStage,
                ("parsing-guided", "signer"): decoder.ParsingGuidedSignerStage,
                ("parsing-guided", "distill"): distillation.ParsingGuidedDistillStage,
            }
            return kinds[config.kind, stage](config)
        case _:
            assert_never(stage)


def __getattr__(name: str) -> Any:
    # The autoencoder stage must not pay for importing transformers.
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
