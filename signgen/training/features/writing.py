"""Write what the frozen parts make of the frames of a split: `signgen prepare features`.

While it is written, the folder holds `unfinished.json` in place of `index.json`; files of a shard
get their names when all of it is on the disk, and an interrupted run goes on with the next shard.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from signgen.checkpoints.models import load_into, start_from
from signgen.config.train import TrainConfig
from signgen.data.dataset import open_dataset
from signgen.device import choose_device
from signgen.files.caches import claim_cache, finish_cache
from signgen.files.digests import sha256
from signgen.files.locking import locked
from signgen.files.writing import atomic_paths
from signgen.models import build_stage
from signgen.models.features import of_sources, of_targets
from signgen.models.fpdm import FPDM
from signgen.structures import ExitCode, FrameRef, Record, UserError
from signgen.training.features.dataset import FramePixels, check_cacheable, made_from
from signgen.training.features.files import (
    ARRAYS,
    FeatureIndex,
    Shard,
    read_index,
    source_frames,
)

__all__ = ["write_features"]

Arrays = dict[str, NDArray[np.float16]]
SHARD_BYTES = 1 << 28


def write_features(
    config: TrainConfig,
    *,
    progress: Callable[[int, int], None] | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> Path:
    """Write the feature cache of a run of stage fpdm, or finish one that was interrupted.

    Args:
        config: Settings of the run; `data.feature_cache` is the folder.
        progress: Called with (frames done, frames in all).
        shard_bytes: About how large the files of one shard are.

    Returns:
        The folder.
    """
    # The frozen parts, as the run would have them
    if not config.data.feature_cache:
        raise UserError(
            "data.feature_cache is empty; expected a folder to write to.", ExitCode.USAGE
        )
    check_cacheable(config)
    adapter = open_dataset(config.data.root, [config.data.split], config.data.video_reader)
    model, adopted = start_from(config.start_from, config.model, config.stage)
    torch.manual_seed(config.seed)
    stage = build_stage(model, "fpdm")
    assert isinstance(stage, FPDM)
    load_into(stage, {k: v for k, v in adopted.items() if k in stage.state_dict()}, "start_from")
    stage.eval().to(choose_device(config.device))
    pixels = FramePixels(adapter, config.data, model, config.seed)

    # What lies where
    records = list(pixels.records)
    first = [FrameRef(records[0], 0)]
    made = (*_of_targets(stage, pixels, first, False), *_of_sources(stage, pixels, first, False))
    example = dict(zip(ARRAYS, made, strict=True))
    digests = made_from(replace(config, model=model), pixels, stage)
    plan = _plan(config, records, digests, example, shard_bytes)
    folder = Path(config.data.feature_cache)
    with locked(folder, "a preparation"):
        if not _claim(folder, plan):
            _check_space(folder, plan, records, example)
            size = config.batch_size
            compute = partial(_shard, plan, stage=stage, pixels=pixels, batch_size=size)
            _write(folder, plan, records, compute, progress)
    return folder


def _bytes(record: Record, few: int, mirrored: bool, example: Arrays) -> int:
    sources = len(source_frames(record, few))
    own = record.num_frames * example["latents"].nbytes
    return (1 + mirrored) * (own + sources * (example["tokens"].nbytes + example["pooled"].nbytes))


def _plan(
    config: TrainConfig,
    records: list[Record],
    digests: dict[str, str],
    example: Arrays,
    shard_bytes: int,
) -> FeatureIndex:
    # Identity pairs take any frame as their source
    few = 0 if config.data.identity_rate else config.data.source_frames
    mirrored = config.data.flip_rate > 0
    shards: list[list[str]] = [[]]
    filled = 0
    for record in records:
        size = _bytes(record, few, mirrored, example)
        if shards[-1] and filled + size > shard_bytes:
            shards.append([])
            filled = 0
        shards[-1].append(record.id)
        filled += size
    return FeatureIndex(
        made_from=digests,
        split=config.data.split,
        mirrored=mirrored,
        few=few,
        shards=tuple(Shard(tuple(names), {}) for names in shards),
    )


def _claim(folder: Path, plan: FeatureIndex) -> bool:
    """Make the folder ours: true if it holds this cache already, finished."""

    def fits(path: Path) -> bool:
        index = read_index(path)
        return replace(index, shards=tuple(Shard(s.records, {}) for s in index.shards)) == plan

    return claim_cache(
        folder,
        plan.text(),
        fits,
        kind="feature",
        other="other data, weights or settings",
        shards="*-*",
    )


def _check_space(folder: Path, plan: FeatureIndex, records: list[Record], example: Arrays) -> None:
    needed = sum(_bytes(record, plan.few, plan.mirrored, example) for record in records)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{folder} needs {needed / 1e9:.1f} GB; its disk has {free / 1e9:.1f} GB left.",
            ExitCode.IO,
        )


def _write(
    folder: Path,
    plan: FeatureIndex,
    records: list[Record],
    compute: Callable[[list[Record]], Iterator[NDArray[np.float16]]],
    progress: Callable[[int, int], None] | None,
) -> None:
    """Write the shards that are not there yet, then the index in place of the plan."""
    known = {record.id: record for record in records}
    done, total = 0, sum(record.num_frames for record in records)
    shards = []
    for number, shard in enumerate(plan.shards):
        paths = {array: folder / f"{array}-{number:05d}.npy" for array in ARRAYS}
        own = [known[name] for name in shard.records]
        if not all(path.is_file() for path in paths.values()):
            with atomic_paths(list(paths.values())) as temporary:
                for path, array in zip(temporary, compute(own), strict=True):
                    with path.open("xb") as file:
                        np.lib.format.write_array(file, array, allow_pickle=False)
        done += sum(record.num_frames for record in own)
        if progress is not None:
            progress(done, total)
        digests = {array: sha256(path) for array, path in paths.items()}
        shards.append(replace(shard, sha256=digests))
    finish_cache(folder, replace(plan, shards=tuple(shards)).text())


def _shard(
    plan: FeatureIndex, records: list[Record], stage: FPDM, pixels: FramePixels, batch_size: int
) -> Iterator[NDArray[np.float16]]:
    """Return the arrays of one shard, in the order of `ARRAYS`."""
    targets = [FrameRef(record, i) for record in records for i in range(record.num_frames)]
    sources = [FrameRef(record, i) for record in records for i in source_frames(record, plan.few)]
    made: list[tuple[NDArray[np.float16], ...]] = []
    for mirrored in range(1 + plan.mirrored):
        parts = [
            np.concatenate(part)
            for refs, of in ((targets, _of_targets), (sources, _of_sources))
            for part in zip(
                *(
                    of(stage, pixels, refs[first : first + batch_size], bool(mirrored))
                    for first in range(0, len(refs), batch_size)
                ),
                strict=True,
            )
        ]
        made.append(tuple(parts))
    return (np.stack(variants, axis=1) for variants in zip(*made, strict=True))


def _of_targets(
    stage: FPDM, pixels: FramePixels, refs: list[FrameRef], mirrored: bool
) -> tuple[NDArray[np.float16], ...]:
    """Return latents (B, 2, C, h, w)."""
    device = next(stage.parameters()).device
    made = of_targets(stage, pixels.targets(refs, mirrored=mirrored).to(device))
    return (_half(torch.stack(made, dim=1)),)


def _of_sources(
    stage: FPDM, pixels: FramePixels, refs: list[FrameRef], mirrored: bool
) -> tuple[NDArray[np.float16], ...]:
    """Return tokens (B, N, D) and embeddings (B, E)."""
    device = next(stage.parameters()).device
    made = of_sources(stage, pixels.sources(refs, mirrored=mirrored).to(device))
    return tuple(_half(part) for part in made)


def _half(value: Tensor) -> NDArray[np.float16]:
    return np.asarray(value.float().cpu().numpy(), np.float16)
