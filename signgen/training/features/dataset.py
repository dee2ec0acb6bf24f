"""Training examples whose pictures are replaced by what a cache holds of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from signgen.config.model import FPDMConfig
from signgen.config.train import TrainConfig
from signgen.data.adapter import DatasetAdapter
from signgen.data.examples.augmentation import flips
from signgen.data.examples.loading import Example, TripletDataset, to_pixels
from signgen.models.features import CachedFeatures
from signgen.models.fpdm import FPDM
from signgen.structures import ExitCode, FrameRef, UserError
from signgen.training.features.files import FeatureCache
from signgen.training.resuming import data_digest

__all__ = ["FeatureDataset", "FramePixels", "check_cacheable", "made_from"]


def check_cacheable(config: TrainConfig) -> None:
    """Refuse settings under which what frozen parts make of a frame is not always the same."""
    data, model = config.data, config.model
    reasons = {
        f"stage is {config.stage}": config.stage != "fpdm",
        "model.source_encoder.trained is true": model.source_encoder.trained,
        "model.decoder.kind is guided": model.guided,
        f"the model is {model.kind}": type(model) is not FPDMConfig,
        f"data.colour_jitter is {data.colour_jitter}": bool(data.colour_jitter),
        f"data.source_sides is {list(data.source_sides)}": bool(data.source_sides),
    }
    for reason, found in reasons.items():
        if found:
            raise UserError(
                f"data.feature_cache is {data.feature_cache}, but {reason}, with which features of "
                "frames are not fixed; leave it out.",
                ExitCode.USAGE,
            )


def made_from(config: TrainConfig, dataset: TripletDataset, stage: FPDM) -> dict[str, str]:
    """Return digests of all that features depend on: data, weights, preprocessing."""
    weights = hashlib.sha256()
    parts: list[Any] = [stage.autoencoder.encoder, stage.autoencoder.quant_conv]
    parts += [stage.source_encoder]
    parts += [] if stage.ipf is None else [stage.ipf.image_encoder]
    for part in parts:
        for name, value in sorted(part.state_dict().items()):
            weights.update(name.encode())
            weights.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    model = config.model
    encoder, tower = model.source_encoder, None if stage.ipf is None else stage.ipf.side
    sizes = (model.size, dataset.source_size, model.resize, encoder, tower)
    return {
        "data": data_digest(dataset),
        "weights": weights.hexdigest(),
        "preprocessing": hashlib.sha256(repr(sizes).encode()).hexdigest(),
    }


class FramePixels(TripletDataset):
    """Frames as the frozen parts see them."""

    def sources(self, refs: Sequence[FrameRef], *, mirrored: bool) -> Tensor:
        """Return frames as sources, (B, 3, Hs, Ws) in [-1, 1]."""
        return self._pixels(refs, self.source_size, mirrored)

    def targets(self, refs: Sequence[FrameRef], *, mirrored: bool) -> Tensor:
        """Return frames as targets, (B, 3, H, W) in [-1, 1]."""
        return self._pixels(refs, self.model.size, mirrored)

    def _pixels(self, refs: Sequence[FrameRef], size: tuple[int, int], mirrored: bool) -> Tensor:
        step = -1 if mirrored else 1
        return torch.stack([to_pixels(self._frame(ref, size)[:, ::step]) for ref in refs])


class _Unseen(TripletDataset):
    """Examples whose pictures are not opened: one black pixel."""

    def _frame(self, ref: FrameRef, *sizes: tuple[int, int]) -> NDArray[np.uint8]:
        return np.zeros((1, 1, 3), np.uint8)


@dataclass(frozen=True)
class FeatureExample(Example):
    """An example with features in place of its pictures."""

    features: CachedFeatures | None = None


class FeatureDataset(TripletDataset):
    """The same examples as of `TripletDataset`, with features; `whole` still gives pictures.

    Args:
        adapter: Where poses and, for sample sheets, frames come from.
        config: Settings of the run.
        stage: The model with its frozen weights.

    Raises:
        UserError: If the cache is missing, or of other data, weights or preprocessing.
    """

    def __init__(self, adapter: DatasetAdapter, config: TrainConfig, stage: FPDM) -> None:
        check_cacheable(config)
        super().__init__(adapter, config.data, config.model, config.seed)
        self._unseen = _Unseen(adapter, config.data, config.model, config.seed)
        folder = Path(config.data.feature_cache)
        wanted = made_from(config, self, stage)
        self._features = FeatureCache.open(folder, list(self.records), wanted, config.data.split)

    def __getitem__(self, position: int) -> Example:
        """Return example `position`."""
        example = self._unseen.whole(position, guided=False)
        mirrored = flips(self.seed, position, self.config.flip_rate)
        features = self._features.features(self.triplet(position), mirrored=mirrored)
        return FeatureExample(**{**vars(example), "features": features})
