"""Models, chosen by `match` on the settings: no registry, no dotted names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from signgen.config.model import FPDMConfig
from signgen.config.train import Stage

if TYPE_CHECKING:
    from torch import nn

    from signgen.models.fpdm import FPDM

__all__ = ["FPDM", "build_model", "build_stage"]


def build_model(config: FPDMConfig) -> FPDM:
    """Build a whole model with the weights of its pretrained parts, random ones elsewhere.

    Args:
        config: Settings of the model.

    Raises:
        UserError: If a pretrained part is missing, unreadable or of other sizes than the settings.
    """
    from signgen.models.fpdm import FPDM
    from signgen.models.pretrained import require_parts

    require_parts(config)
    return FPDM(config)


def build_stage(config: FPDMConfig, stage: Stage) -> nn.Module:
    """Build what one stage trains: a module with `loss(batch)`, a `base.Trainable`.

    Args:
        config: Settings of the whole model.
        stage: `vae`, `ipf`, `fpdm` or `decoder`.

    Raises:
        UserError: If a pretrained part is missing, unreadable or of other sizes than the settings.
    """
    from signgen.models.pretrained import require_parts

    require_parts(config, stage)
    match stage:
        case "vae":
            from signgen.models.autoencoder import AutoencoderStage

            return AutoencoderStage(config.autoencoder, hand_weight=config.hand_weight)
        case "ipf":
            from signgen.models.ipf import IPF

            return IPF(config.ipf)
        case "fpdm":
            from signgen.models.fpdm import FPDM

            return FPDM(config)
        case "decoder":
            from signgen.models.decoder import DecoderStage

            return DecoderStage(config)
        case _:
            assert_never(stage)


def __getattr__(name: str) -> Any:
    # The autoencoder stage must not pay for importing transformers.
    if name == "FPDM":
        from signgen.models.fpdm import FPDM

        return FPDM
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
