"""Score stage 1 as FPDM's Table 2 does: by the rank of the true target among many pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from signgen.config.model import ModelConfig
from signgen.data.adapter import DatasetAdapter
from signgen.data.examples.triplets import first_frame_pairs
from signgen.errors import UserError
from signgen.evaluation.metrics.retrieval import retrieval_scores, target_ranks
from signgen.evaluation.reports.report import RETRIEVAL, Report, Result
from signgen.media.resizing import resize_image
from signgen.models.inputs import PoseDrawing
from signgen.rendering.base import check_skeleton
from signgen.structures import FrameRef, Progress

if TYPE_CHECKING:
    from torch import Tensor

    from signgen.models.ipf import IPF

    Load = Callable[[FrameRef], Tensor]
    Encoder = Callable[[Tensor], Tensor]

__all__ = ["Queries", "choose_queries", "embed", "evaluate_retrieval", "rank"]

SOURCE = "source (A1)"
"""The source's own embedding as the query: copying the source, what any model has to beat."""
FUSED = {"baseline": "fused (A2)", "source-enhanced": "fused (A3)"}
"""Stage 1's prediction as the query, by the loss it was trained with; rows of FPDM's Table 2."""
BATCH = 32
"""Pictures embedded at a time; the embeddings depend on it only by rounding."""


@dataclass(frozen=True)
class Queries:
    """Pairs of which source and target pose are given and the target is searched.

    Args:
        gallery: G pictures, each once: the sources and the targets of all pairs.
        sources: (Q,) place of each pair's source in the gallery.
        targets: (Q,) place of its target, another one.
        clips: Q names of the clips that the pairs are from.
    """

    gallery: tuple[FrameRef, ...]
    sources: NDArray[np.int64]
    targets: NDArray[np.int64]
    clips: tuple[str, ...]


def evaluate_retrieval(
    ipf: IPF,
    config: ModelConfig,
    adapter: DatasetAdapter,
    queries: Queries,
    *,
    inputs: Mapping[str, object],
    progress: Progress | None = None,
) -> Report:
    """Embed the pictures of a split and search the targets."""
    check_skeleton(adapter.skeleton, config, f"dataset {adapter.name}")
    embeddings = embed(ipf, config, adapter, queries, progress=progress)
    for name, numbers in embeddings.items():
        if not (np.isfinite(numbers).all() and numbers.any(axis=1).all()):
            raise UserError(
                f"model {inputs['model']} makes embeddings ({name}) that are not finite or all "
                "zero; expected directions. Its training diverged, or its weights are damaged."
            )
    return Report(
        schema_version=RETRIEVAL,
        metrics=rank(queries, embeddings),
        queries=len(queries.targets),
        gallery=len(queries.gallery),
        inputs=inputs,
    )


def choose_queries(adapter: DatasetAdapter, split: str, limit: int = 0) -> Queries:
    """Choose the pairs of a split that are asked for, and the pictures to search.

    Pairs are those that the dataset lists; of videos the test protocol's, the first frame and every
    other. The paper does not say which pictures it searched: here all sources and targets.

    Args:
        adapter: The dataset.
        split: `train`, `dev` or `test`.
        limit: Pairs at most, at equal distances in the list of all; 0 takes all.
    """
    records, listed = adapter.records(split), adapter.pairs(split)
    pairs = list(first_frame_pairs(records) if listed is None else listed)
    # A picture is not searched by itself: "without its source" would leave nothing to find.
    pairs = [pair for pair in pairs if pair.source != pair.target]
    if not pairs:
        raise UserError(
            f"{adapter.name} has no pair of two pictures in split {split} ({len(records)} records);"
            " expected records of at least two frames."
        )
    count = min(limit or len(pairs), len(pairs))
    chosen = [pairs[(2 * i + 1) * len(pairs) // (2 * count)] for i in range(count)]
    places: dict[FrameRef, int] = {}
    for pair in chosen:
        for picture in (pair.source, pair.target):
            places.setdefault(picture, len(places))
    return Queries(
        gallery=tuple(places),
        sources=np.array([places[pair.source] for pair in chosen]),
        targets=np.array([places[pair.target] for pair in chosen]),
        clips=tuple(pair.target.record.id for pair in chosen),
    )


# ----- embeddings ---------------------------------------------------------------------------------


def embed(
    ipf: IPF,
    config: ModelConfig,
    adapter: DatasetAdapter,
    queries: Queries,
    *,
    progress: Progress | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Embed the pictures, and fuse sources with target poses, as stage 1 was trained to.

    Returns:
        `gallery` (G, E); `source (A1)` (Q, E); and `fused (A2)` or `fused (A3)` (Q, E) where the
        model has a fusion.
    """
    import torch

    from signgen.data.examples.loading import to_pixels

    device = next(ipf.parameters()).device
    drawing, official = PoseDrawing.of(config), config.ipf.preprocessing == "official"

    def photo(picture: FrameRef) -> Tensor:
        # FPDM's tower sees frames as recorded, ours what the model sees
        frame = adapter.frame(picture)
        shown = frame if official else resize_image(frame, config.size, config.resize)
        return ipf.photo_pixels(to_pixels(shown)[None])[0]  # (3, S, S)

    def pose(picture: FrameRef) -> Tensor:
        canvas = torch.from_numpy(drawing.on_canvas(adapter.pose(picture)).copy())
        return rearrange(canvas, "h w c -> c h w").float().div_(255)

    def encode(places: NDArray[np.int64], load: Load, encoder: Encoder) -> Tensor:
        """Embed the pictures at some places of the gallery, each once."""
        unique, inverse = np.unique(places, return_inverse=True)
        pictures = [queries.gallery[place] for place in unique]
        shown = iter(pictures if progress is None else progress(pictures, len(pictures)))
        parts = []
        while group := list(islice(shown, BATCH)):
            pixels = torch.stack([load(picture) for picture in group]).to(device)  # (B, 3, H, W)
            parts.append(encoder(pixels).float())
        return torch.cat(parts)[torch.from_numpy(inverse).to(device)]  # (N, E)

    with torch.inference_mode():
        # Embed the gallery, and with it the sources: a picture has one embedding
        photos = encode(np.arange(len(queries.gallery)), photo, ipf.embed_pixels)
        sources = photos[torch.from_numpy(queries.sources).to(device)]
        embeddings = {"gallery": photos, SOURCE: sources}

        # Fuse the sources with the target poses
        if config.fusion == "ipf" and config.ipf.loss in FUSED:
            poses = encode(queries.targets, pose, ipf.embed_pose)
            embeddings[FUSED[config.ipf.loss]] = ipf.fuse(sources, poses)
    return {name: value.cpu().numpy() for name, value in embeddings.items()}


# ----- report -------------------------------------------------------------------------------------


def rank(queries: Queries, embeddings: Mapping[str, NDArray[np.float32]]) -> tuple[Result, ...]:
    """Score every kind of query, with its own source in the gallery and without."""
    gallery = embeddings["gallery"]
    results = []
    for name in [name for name in embeddings if name != "gallery"]:
        for own_source in (True, False):
            left_out = None if own_source else queries.sources
            ranks = target_ranks(embeddings[name], gallery, queries.targets, left_out)
            size = len(gallery) - (not own_source)
            setting = f"own-source:{'searched' if own_source else 'left-out'}"
            scores = retrieval_scores(ranks, queries.clips, size, setting)
            results += [Result.of(score, name, own_source=own_source) for score in scores]
    return tuple(results)
