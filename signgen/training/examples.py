"""The examples that a run trains on and is validated on."""

from __future__ import annotations

from dataclasses import replace

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
    # Whether the stage sees the source moved to the pose
    guided = config.model.guided and config.stage != "ipf"
    if config.data.feature_cache:
        check_cacheable(config)
    if config.data.feature_cache and isinstance(stage, FPDM):
        dataset: TripletDataset = FeatureDataset(adapter, config, stage)
    else:
        dataset = TripletDataset(adapter, config.data, config.model, config.seed, guided=guided)
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
    return dataset, TripletDataset(adapter, data, config.model, config.seed, guided=guided)
