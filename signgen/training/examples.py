"""The examples that a run trains on and is validated on."""

from __future__ import annotations

from dataclasses import replace

from signgen.config.data import DataConfig
from signgen.config.pictures import PicturesConfig
from signgen.config.train import TrainConfig
from signgen.data.adapter import DatasetAdapter
from signgen.data.examples.loading import TripletDataset
from signgen.data.examples.pictures import measure_split
from signgen.data.framing import FramedDataset
from signgen.errors import ExitCode, UserError
from signgen.models.base import Trainable
from signgen.models.fpdm import FPDM
from signgen.models.pictures import joined
from signgen.training.features.dataset import FeatureDataset, check_cacheable

__all__ = ["as_framed", "pictures_known", "training_data"]


def as_framed(config: TrainConfig, adapter: DatasetAdapter) -> DatasetAdapter:
    """Return the data as a run sees them: cut around the signers, where its settings say so.

    Raises:
        UserError: If nothing says what the model knows, or other settings need whole frames.
    """
    if config.data.frame == "full":
        return adapter
    whole = ("frame_cache", "feature_cache", "pose_pictures")
    if given := [name for name in whole if getattr(config.data, name)]:
        raise UserError(
            f"data.frame is auto, and data.{given[0]} holds whole frames; expected one of them.",
            ExitCode.USAGE,
        )
    known = config.model.pictures
    if not known.frames or known.shoulders[0] <= 0:
        raise UserError(
            f"data.frame is auto, but nothing says what signers the model knows (start_from is "
            f"{list(config.start_from)}); expected a trained model there, such as mini.",
            ExitCode.USAGE,
        )
    return FramedDataset(adapter, known)


def pictures_known(config: TrainConfig, adapter: DatasetAdapter) -> PicturesConfig:
    """Return what the model knows of pictures once it is trained on these data.

    Where they are cut to what it knew before, it goes on knowing that, and their colours too.
    """
    data, model = config.data, config.model
    found = measure_split(adapter, data.split, model.size, drawn=bool(data.pose_pictures))
    return found if data.frame == "full" else joined(model.pictures, found)


def training_data(
    config: TrainConfig, adapter: DatasetAdapter, stage: Trainable | None = None
) -> tuple[TripletDataset, TripletDataset | None]:
    """Return training examples, and held-out ones where the run validates.

    Held-out examples come as they are, without augmentation, and from the data themselves: a cache
    of frames or features need not hold their split.

    Args:
        config: Settings of the run.
        adapter: Where the data are.
        stage: The stage with its frozen weights, which a cache of features must have been made by;
            without it, training examples do not come from that cache.
    """
    if config.data.feature_cache:
        check_cacheable(config)
    if config.data.feature_cache and isinstance(stage, FPDM):
        dataset: TripletDataset = FeatureDataset(adapter, config, stage)
    else:
        dataset = _examples(config, adapter, config.data)
    if not config.validate_every:
        return dataset, None
    data = replace(
        config.data,
        split=config.validation_split,
        identity_rate=0.0,
        flip_rate=0.0,
        jitter=0.0,
        source_sides=(),
        colour_jitter=0.0,
        frame_cache="",
    )
    return dataset, _examples(config, adapter, data)


def _examples(config: TrainConfig, adapter: DatasetAdapter, data: DataConfig) -> TripletDataset:
    stage, model = config.stage, config.model
    official = stage == "ipf" and model.ipf.preprocessing == "official"
    return TripletDataset(
        adapter,
        data,
        model,
        config.seed,
        # Every stage but the first sees the source moved to the pose
        guided=model.guided and stage != "ipf",
        # Differs between stages as published: stage 1 crops photos, stage 2 squashes them
        tower="none" if stage == "vae" else "crop" if official else "squash",
        clip=config.clip,
    )
