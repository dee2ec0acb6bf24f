"""What a training run starts from: settings and weights of earlier runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from signgen.checkpoints.folders import State
from signgen.checkpoints.models import start_from
from signgen.config.model import ModelConfig
from signgen.config.train import AFTER_STAGE_2, TrainConfig
from signgen.structures import ExitCode, UserError

__all__ = ["check_whole", "started"]


def started(config: TrainConfig) -> tuple[ModelConfig, State]:
    """Return the settings of the model that a run trains, and the weights of earlier runs.

    Raises:
        UserError: If they do not fit, or the stage needs a trained stage 2 and they hold none.
    """
    model, adopted = start_from(config.start_from, config.model, config.stage)
    if config.stage in AFTER_STAGE_2:
        check_whole(config, model, adopted)
        model = _followed(model, config)
    return model, adopted


def _followed(model: ModelConfig, config: TrainConfig) -> ModelConfig:
    """Return the settings of a whole model when a stage that follows stage 2 trains on it."""
    if config.stage in {"distill", "motion"}:
        return model
    if config.stage != "windows":
        return replace(model, autoencoder=replace(model.autoencoder, decoder_trained=True))
    # What is trained is of the run's own sizes
    own = config.model.decoder
    decoder = replace(
        model.decoder, hand_channels=own.hand_channels, face_channels=own.face_channels
    )
    return replace(model, decoder=decoder)


def check_whole(config: TrainConfig, model: ModelConfig, names: Iterable[str]) -> None:
    """Refuse to train on samples of an untrained denoiser.

    Args:
        config: Settings of the run.
        model: Those of the model that it starts from.
        names: Weights of the earlier runs.
    """
    if not any(name.startswith(model.denoiser) for name in names):
        raise UserError(
            f"start_from is {list(config.start_from)}, which holds no trained stage 2; stage "
            f"{config.stage} needs one. Give a run folder of stage fpdm, or a model.",
            ExitCode.USAGE,
        )
