"""Write the frames of a dataset at training size into a frame cache; resumes where it was stopped.

While it is written, the folder holds `unfinished.json`, the index without digests, in place of
`index.json`. A shard gets its name when all of it is on the disk.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from signgen.data.adapter import DatasetAdapter
from signgen.data.frame_cache.reading import (
    CacheIndex,
    FrameCache,
    Place,
    Shard,
    fingerprint,
    read_index,
)
from signgen.files.caches import claim_cache, finish_cache
from signgen.files.digests import sha256
from signgen.files.locking import locked
from signgen.files.writing import atomic_path
from signgen.media.resizing import METHODS, Resize, resize_image
from signgen.structures import ExitCode, FrameRef, UserError

__all__ = ["write_cache"]

SHARD_BYTES = 1 << 30


def write_cache(
    adapter: DatasetAdapter,
    splits: Sequence[str],
    folder: str | Path,
    size: tuple[int, int],
    resize: Resize = "area",
    *,
    progress: Callable[[int, int], None] | None = None,
    workers: int = 1,
    shard_bytes: int = SHARD_BYTES,
) -> FrameCache:
    """Write a frame cache, or finish one that was interrupted: whole shards are kept.

    Args:
        adapter: Where the frames come from; with several workers it is sent to them.
        splits: Splits to cache.
        folder: Folder to create, or one that holds a cache of the same data, finished or not.
        size: (H, W) to resize frames to, the size of the model.
        resize: How, as the model.
        progress: Called with (frames done, frames in all).
        workers: Processes; above 1 they are spawned, so the caller's main module must be
            importable.
        shard_bytes: A shard ends before it has more bytes, unless one record alone is larger.
    """
    folder, plan = Path(folder), _plan(adapter, splits, size, resize, shard_bytes)
    with locked(folder, "a preparation"):
        return _write_shards(adapter, folder, plan, resize, progress, workers)


def _write_shards(
    adapter: DatasetAdapter,
    folder: Path,
    plan: CacheIndex,
    resize: Resize,
    progress: Callable[[int, int], None] | None,
    workers: int,
) -> FrameCache:
    if _claim(folder, plan):
        return FrameCache.open(folder)
    # Shards that are not there yet, whole
    paths = [folder / shard.file for shard in plan.shards]
    sizes = [shard.frames * plan.item_bytes for shard in plan.shards]
    missing = [
        number
        for number, path in enumerate(paths)
        if not path.is_file() or path.stat().st_size != sizes[number]
    ]
    free, needed = shutil.disk_usage(folder).free, sum(sizes[number] for number in missing)
    if free < needed:
        raise UserError(
            f"{folder} needs {needed / 1e9:.1f} GB; its disk has {free / 1e9:.1f} GB left.",
            ExitCode.IO,
        )
    # Write them, then the index in place of the plan
    total = sum(shard.frames for shard in plan.shards)
    done = total - sum(plan.shards[number].frames for number in missing)
    for frames in _run(partial(_write_shard, adapter, plan, resize, folder), missing, workers):
        done += frames
        if progress is not None:
            progress(done, total)
    shards = [replace(s, sha256=sha256(path)) for s, path in zip(plan.shards, paths, strict=True)]
    finish_cache(folder, replace(plan, shards=tuple(shards)).text())
    return FrameCache.open(folder)


def _plan(
    adapter: DatasetAdapter,
    splits: Sequence[str],
    size: tuple[int, int],
    resize: Resize,
    shard_bytes: int,
) -> CacheIndex:
    """Say which record lies where, before anything is written."""
    if min(size) < 1:
        raise UserError(f"size is {size[0]} {size[1]}; expected at least 1 each.", ExitCode.USAGE)
    most = max(1, shard_bytes // (size[0] * size[1] * 3))
    frames, places = [0], []
    for split in splits:
        for record in adapter.records(split):
            if frames[-1] and frames[-1] + record.num_frames > most:
                frames.append(0)
            places.append(Place(split, record.id, len(frames) - 1, frames[-1], record.num_frames))
            frames[-1] += record.num_frames
    return CacheIndex(
        kind="frames",
        size=size,
        resize=METHODS[resize],
        dataset=adapter.name,
        splits={split: fingerprint(adapter, split) for split in splits},
        shards=tuple(Shard(f"frames-{n:05d}.bin", count) for n, count in enumerate(frames)),
        records=tuple(places),
    )


def _claim(folder: Path, plan: CacheIndex) -> bool:
    """Make the folder ours: true if it holds this cache already, finished."""

    def fits(path: Path) -> bool:
        index = read_index(path)
        return replace(index, shards=tuple(replace(s, sha256="") for s in index.shards)) == plan

    return claim_cache(
        folder,
        plan.text(),
        fits,
        kind="frame",
        other="other data, of another size or resized otherwise",
        shards="frames-*",
    )


def _run(
    write: Callable[[int], Iterator[int]], shards: Sequence[int], workers: int
) -> Iterator[int]:
    """Write shards and yield how many frames came to them."""
    if workers <= 1:
        for shard in shards:
            yield from write(shard)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(partial(_count, write), shards)


def _count(write: Callable[[int], Iterator[int]], shard: int) -> int:
    return sum(write(shard))


def _write_shard(
    adapter: DatasetAdapter, plan: CacheIndex, resize: Resize, folder: Path, shard: int
) -> Iterator[int]:
    """Write one shard and yield the number of frames of each record."""
    path = folder / plan.shards[shard].file
    records = {(split, r.id): r for split in plan.splits for r in adapter.records(split)}
    with atomic_path(path) as temporary, temporary.open("xb") as file:
        for place in [place for place in plan.records if place.shard == shard]:
            record = records[place.split, place.id]
            for number in range(place.count):
                frame = resize_image(adapter.frame(FrameRef(record, number)), plan.size, resize)
                file.write(np.ascontiguousarray(frame, np.uint8).tobytes())
            yield place.count
        file.flush()
        os.fsync(file.fileno())
