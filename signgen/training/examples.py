"""The examples that a run trains on and is validated on."""

from __future__ import annotations

from dataclasses import replace

from signgen.config.data import DataConfig
from signgen.config.train import TrainConfig
from signgen.data.adapter import DatasetAdapter
from signgen.data.examples.loading import TripletDataset
from signgen.models.base import Trainable
from signgen.models.fpdm import FPDM
from signgen.training.features.dataset import FeatureDataset, check_cacheable

__all__ = ["training_data"]


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
    )
