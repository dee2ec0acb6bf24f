"""What must be the same when a run is resumed: its settings, its data and its frozen weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from signgen.checkpoints.models import with_own_of
from signgen.config.train import AFTER_STAGE_2, TrainConfig
from signgen.data.examples.loading import TripletDataset
from signgen.data.frame_cache.reading import fingerprint
from signgen.models.base import Trainable, stored_state
from signgen.structures import ExitCode, FrameRef, UserError

__all__ = ["data_digest", "flat", "frozen_digest", "resumed"]


def resumed(old: TrainConfig, new: TrainConfig, folder: Path) -> TrainConfig:
    """Return the settings to go on with; refuse those that change what is computed.

    The parts that the run took from earlier runs, and what it measured, are its own; so is the
    precision that `auto` chose.
    """
    new = replace(new, model=replace(new.model, pictures=old.model.pictures))
    if new.precision == "auto":
        new = replace(new, precision=old.precision)
    if new.stage in AFTER_STAGE_2:
        new = replace(new, model=with_own_of(new.stage, old.model, new.model))
    own = {name: getattr(old.model, name) for name in old.model.trained_apart}
    if new.start_from or new.stage == "vae":
        new = replace(new, model=replace(new.model, **own))
    free = {"steps", "stop_at", "save_every", "sample_every", "log_every", "keep", "device", "out"}
    free |= {
        "validate_every",
        "validate_batches",
        "validate_pictures",
        "validation_split",
        "gradient_checkpointing",
        "compile",
    }
    # Where the data lie and how they are read; that they are the same is checked by their digest
    free |= {f"data.{name}" for name in ("root", "workers", "cache", "warp_cache")}
    free |= {"data.frame_cache", "data.feature_cache"}
    free |= {"data.video_reader", "dry_run", "track"}
    if new.schedule == "cosine":
        free.remove("steps")  # more of them would raise the rate again
    before, now = (dict(flat(config)) for config in (old, new))
    for name in before.keys() | now.keys():
        if name not in free and before.get(name) != now.get(name):
            hint = "Choose another --out."
            if name == "steps":
                hint = "With schedule cosine they decide on every rate: choose another --out."
            raise UserError(
                f"{folder}/config.yaml: {name} was {_short(before.get(name))} and is now "
                f"{_short(now.get(name))}; a run resumes with the settings it began with. {hint}",
                ExitCode.USAGE,
            )
    return new


def flat(settings: Any, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the names, such as `data.root`, and values of settings."""
    for name in settings.__dataclass_fields__:
        value = getattr(settings, name)
        if is_dataclass(value):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def data_digest(dataset: TripletDataset) -> str:
    """Return a digest of the records, of pairs, and of sampled frames with their poses."""
    adapter, split = dataset.adapter, dataset.config.split
    digest = hashlib.sha256(fingerprint(adapter, split).encode())
    for pair in dataset.pairs or ():
        ends = (pair.source, pair.target)
        digest.update(repr([(ref.record.id, ref.index) for ref in ends]).encode())
    for record in dataset.records[:: max(1, len(dataset.records) // 64)]:
        pose, drawn = dataset.pose(FrameRef(record, 0)), dataset.drawn
        pictures = [] if drawn is None else [drawn.draw(FrameRef(record, 0))]
        for array in (pose.keypoints, pose.confidence, *pictures):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def frozen_digest(stage: Trainable) -> str:
    """Return a digest of the weights that come from elsewhere and that no checkpoint holds."""
    digest, stored = hashlib.sha256(), stored_state(stage).keys()
    for name, value in sorted(stage.state_dict().items()):
        if stage.prefix + name not in stored:
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
