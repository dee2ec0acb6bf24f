"""The examples of a stage: those it is trained on, and those it is validated on."""

from __future__ import annotations

from dataclasses import replace

from signgen.config.data import DataConfig
from signgen.config.train import TrainConfig
from signgen.data.adapter import DatasetAdapter
from signgen.data.examples.loading import TripletDataset

__all__ = ["held_out_examples", "training_examples"]


def training_examples(config: TrainConfig, adapter: DatasetAdapter) -> TripletDataset:
    """Return the training split with all augmentation."""
    return _examples(config, adapter, config.data)


def held_out_examples(config: TrainConfig, adapter: DatasetAdapter) -> TripletDataset:
    """Return the validation split as it is: no augmentation, and frames from the data themselves.

    A cache of frames need not hold this split.
    """
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
    return _examples(config, adapter, data)


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
