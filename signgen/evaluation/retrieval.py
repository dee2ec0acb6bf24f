"""Score stage 1 as FPDM's Table 2 does: by the rank of the true target among many pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from signgen.config.evaluation import EvalConfig
from signgen.config.model import FPDMConfig
from signgen.data.adapter import DatasetAdapter
from signgen.data.examples.triplets import first_frame_pairs
from signgen.device import choose_device
from signgen.errors import ExitCode, UserError
from signgen.evaluation.metrics.base import Score
from signgen.evaluation.metrics.retrieval import retrieval_scores, target_ranks
from signgen.evaluation.reports.report import RETRIEVAL, Report, Result
from signgen.files.paths import check_output
from signgen.media.resizing import resize_image
from signgen.models.inputs import PoseDrawing, source_size
from signgen.rendering.renderer import check_skeleton
from signgen.structures import FrameRef

if TYPE_CHECKING:
    from torch import Tensor

    from signgen.models.ipf import IPF

    Load = Callable[[FrameRef], Tensor]
    Encoder = Callable[[Tensor], Tensor]

__all__ = ["Questions", "Row", "ask", "embed", "evaluate_retrieval", "rank"]

ItemT = TypeVar("ItemT")

SOURCE = "source (A1)"
"""The source's own embedding as the query: copying the source, what any model has to beat."""
FUSED = {"baseline": "fused (A2)", "source-enhanced": "fused (A3)"}
"""Stage 1's prediction as the query, by the loss it was trained with; rows of FPDM's Table 2."""
BATCH = 32
"""Pictures embedded at a time; the embeddings depend on it only by rounding."""
SETTINGS = {"retrieval", "retrieval_queries", "model", "data", "split", "device", "out", "json"}
"""Settings of `signgen eval` that mean something here; others are about frames."""


class Progress(Protocol):
    """Shows how far an iteration is."""

    def __call__(self, items: Iterable[ItemT], total: int, /) -> Iterable[ItemT]:
        """Return the items, `total` of them, one after another."""


@dataclass(frozen=True)
class Questions:
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


@dataclass(frozen=True)
class Row:
    """Scores of one kind of query.

    Args:
        query: `source (A1)`, `fused (A2)` or `fused (A3)`.
        own_source: Whether the query's own source was among the pictures searched.
        scores: R@1, R@3, R@5 and mean rank.
    """

    query: str
    own_source: bool
    scores: Sequence[Score]


def evaluate_retrieval(config: EvalConfig, *, progress: Progress | None = None) -> Report:
    """Run `signgen eval --retrieval`: embed the pictures of a split and search the targets.

    Args:
        config: Model, data and settings.
        progress: Wraps the pictures as they are embedded, with their number.

    Returns:
        The report; its file is not written here.

    Raises:
        UserError: If settings contradict each other (2), or data, model or output are unusable.
    """
    _check_settings(config)
    if config.out is not None:
        check_output(config.out)
    from signgen.checkpoints.models import load_stage1
    from signgen.data.dataset import open_dataset

    adapter = open_dataset(config.data, (config.split,))
    questions = ask(adapter, config.split, config.retrieval_queries)
    ipf, settings = load_stage1(config.model, choose_device(config.device))
    check_skeleton(adapter.skeleton, settings, f"dataset {adapter.name}")
    embeddings = embed(ipf, settings, adapter, questions, progress=progress)
    for name, numbers in embeddings.items():
        if not (np.isfinite(numbers).all() and numbers.any(axis=1).all()):
            raise UserError(
                f"model {config.model} makes embeddings ({name}) that are not finite or all zero; "
                "expected directions. Its training diverged, or its weights are damaged."
            )
    inputs = {
        "model": config.model,
        "data": config.data,
        "split": config.split,
        "retrieval_queries": config.retrieval_queries,
        "loss": settings.ipf.loss,
        "preprocessing": settings.ipf.preprocessing,
    }
    return Report(
        schema_version=RETRIEVAL,
        metrics=tuple(
            Result.of(score, row.query, own_source=row.own_source)
            for row in rank(questions, embeddings)
            for score in row.scores
        ),
        queries=len(questions.targets),
        gallery=len(questions.gallery),
        inputs=inputs,
    )


def _check_settings(config: EvalConfig) -> None:
    for setting in fields(config):
        if setting.name not in SETTINGS and getattr(config, setting.name) != setting.default:
            raise UserError(
                "--retrieval scores the embeddings of a model and takes no "
                f"--{setting.name.replace('_', '-')}. Leave one of them out.",
                ExitCode.USAGE,
            )
    if config.retrieval_queries < 0:
        raise UserError(
            f"--retrieval-queries is {config.retrieval_queries}; expected a number of pairs, or 0 "
            "for all of them.",
            ExitCode.USAGE,
        )


def ask(adapter: DatasetAdapter, split: str, limit: int = 0) -> Questions:
    """Choose the pairs of a split that are asked for, and the pictures to search.

    Pairs are those that the dataset lists; of videos the test protocol's, the first frame and every
    other. The paper does not say which pictures it searched: here all sources and targets.

    Args:
        adapter: The dataset.
        split: `train`, `dev` or `test`.
        limit: Pairs at most, at equal distances in the list of all; 0 takes all.

    Raises:
        UserError: If the split has no records, or no pair of two pictures.
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
    return Questions(
        gallery=tuple(places),
        sources=np.array([places[pair.source] for pair in chosen]),
        targets=np.array([places[pair.target] for pair in chosen]),
        clips=tuple(pair.target.record.id for pair in chosen),
    )


# ----- embeddings ---------------------------------------------------------------------------------


def embed(
    ipf: IPF,
    config: FPDMConfig,
    adapter: DatasetAdapter,
    questions: Questions,
    *,
    batch: int = BATCH,
    progress: Progress | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Embed the pictures, and fuse sources with target poses, as stage 1 was trained to.

    Args:
        ipf: Stage 1, in eval mode.
        config: Settings of the whole model.
        adapter: Where pictures and poses come from.
        questions: What is asked.
        batch: Pictures embedded at a time.
        progress: Wraps the pictures, and then the poses, with their number.

    Returns:
        `gallery` (G, E); `source (A1)` (Q, E); and `fused (A2)` or `fused (A3)` (Q, E) where the
        model has a fusion.
    """
    import torch

    from signgen.data.examples.loading import to_pixels

    device = next(ipf.parameters()).device
    drawing, source_side = PoseDrawing.of(config), source_size(config)

    def photo(size: tuple[int, int]) -> Load:
        return lambda picture: to_pixels(resize_image(adapter.frame(picture), size, config.resize))

    def pose(picture: FrameRef) -> Tensor:
        poses = adapter.pose(picture)
        drawn = drawing.draw(poses)
        return torch.from_numpy(drawn.copy()).permute(2, 0, 1).float().div_(255)

    def encode(places: NDArray[np.int64], load: Load, encoder: Encoder) -> Tensor:
        """Embed the pictures at some places of the gallery, each once."""
        unique, inverse = np.unique(places, return_inverse=True)
        pictures = [questions.gallery[place] for place in unique]
        shown = iter(pictures if progress is None else progress(pictures, len(pictures)))
        parts = [
            encoder(torch.stack([load(picture) for picture in group]).to(device)).float()
            for group in _groups(shown, batch)
        ]
        return torch.cat(parts)[torch.from_numpy(inverse).to(device)]

    with torch.inference_mode():
        places = np.arange(len(questions.gallery))
        photos = encode(places, photo(config.size), ipf.embed_photo)
        # Sources are squashed to a size of their own where the model has one.
        sources = (
            photos[torch.from_numpy(questions.sources).to(device)]
            if source_side == config.size
            else encode(questions.sources, photo(source_side), ipf.embed_photo)
        )
        found = {"gallery": photos, SOURCE: sources}
        if config.fusion == "ipf" and config.ipf.loss in FUSED:
            poses = encode(questions.targets, pose, ipf.embed_pose)
            found[FUSED[config.ipf.loss]] = ipf.fuse(sources, poses)
    return {name: value.cpu().numpy() for name, value in found.items()}


def _groups(items: Iterator[ItemT], size: int) -> Iterator[list[ItemT]]:
    while group := list(islice(items, size)):
        yield group


# ----- report -------------------------------------------------------------------------------------


def rank(questions: Questions, embeddings: Mapping[str, NDArray[np.float32]]) -> list[Row]:
    """Score every kind of query, with its own source among the pictures searched and without.

    Args:
        questions: What is asked.
        embeddings: `gallery` and the queries by their names, from `embed`.
    """
    gallery = embeddings["gallery"]
    rows = []
    for query, numbers in embeddings.items():
        if query == "gallery":
            continue
        for own_source in (True, False):
            left_out = None if own_source else questions.sources
            ranks = target_ranks(numbers, gallery, questions.targets, left_out)
            size = len(gallery) - (not own_source)
            setting = f"own-source:{'searched' if own_source else 'left-out'}"
            scores = retrieval_scores(ranks, questions.clips, size, setting)
            rows.append(Row(query, own_source, scores))
    return rows
