"""Frames at training size in files that are mapped into memory: no decoding, no resizing.

    FOLDER/index.json          what is where, the size, what it was made from, SHA-256 of each shard
    FOLDER/frames-00000.bin    frames one after the other, raw (H, W, 3) uint8 RGB, without a header
    FOLDER/frames-00001.bin    ...

A record lies in one shard; a shard ends before `shard_bytes` unless one record alone is larger.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signgen.data.adapter import DatasetAdapter
from signgen.files.caches import INDEX
from signgen.files.paths import check_input
from signgen.media.resizing import METHODS, Resize
from signgen.structures import ExitCode, FrameRef, UserError

__all__ = ["CacheIndex", "FrameCache", "Place", "Shard", "fingerprint", "read_index"]

_FORMAT, _VERSION = "signgen-frame-cache", 1
_AGAIN = "Run `signgen prepare cache` into another folder."
# Frames whose pixels enter a fingerprint; more would make opening slow.
_SAMPLES = 8


@dataclass(frozen=True)
class Shard:
    """One file of frames, with its SHA-256, empty while it is not written."""

    file: str
    frames: int
    sha256: str = ""


@dataclass(frozen=True)
class Place:
    """Where the `count` frames of a record lie: from number `first` of a shard."""

    split: str
    id: str
    shard: int
    first: int
    count: int


@dataclass(frozen=True)
class CacheIndex:
    """What a cache holds.

    Args:
        kind: What an item is: `frames`, (H, W, 3) uint8 RGB; other kinds, as latents, may come.
        size: (H, W) of the items.
        resize: Name of the method that gave frames this size.
        splits: Fingerprint of each split that it holds, see `fingerprint`; in this order.
        records: Where the records lie, in the order of splits and ids.
    """

    kind: str
    size: tuple[int, int]
    resize: str
    dataset: str
    splits: dict[str, str]
    shards: tuple[Shard, ...]
    records: tuple[Place, ...]

    @property
    def item_bytes(self) -> int:
        """Bytes of one frame."""
        return self.size[0] * self.size[1] * 3

    def text(self) -> str:
        """Return the index as JSON."""
        fields = {"format": _FORMAT, "version": _VERSION, **asdict(self)}
        fields["records"] = [astuple(place) for place in self.records]
        return json.dumps(fields, ensure_ascii=False) + "\n"


def fingerprint(adapter: DatasetAdapter, split: str) -> str:
    """Return a digest of what a cache would be made from: cheap, and different for other data.

    It covers the dataset's name, ids, signers and numbers of frames of all records, and the pixels
    of eight frames spread over them: data that differ only in other frames have the same one.
    """
    digest = hashlib.sha256(repr((adapter.name, split)).encode())
    records = adapter.records(split)
    for record in records:
        digest.update(repr((record.id, record.signer, record.num_frames)).encode())
    for number in sorted({round(x) for x in np.linspace(0, len(records) - 1, _SAMPLES)}):
        record = records[number]
        frame = adapter.frame(FrameRef(record, number % record.num_frames))
        digest.update(repr(frame.shape).encode())
        digest.update(np.ascontiguousarray(frame).tobytes())
    return digest.hexdigest()


class FrameCache:
    """Frames by record, split and number; made by `FrameCache.open`.

    Files are mapped when a frame of theirs is first asked for, in each process for itself; only
    the index travels to the workers of a loader.
    """

    def __init__(self, folder: Path, index: CacheIndex) -> None:
        self.folder, self.index = folder, index
        self._places = {(place.split, place.id): place for place in index.records}
        self._maps: dict[int, NDArray[np.uint8]] = {}

    @staticmethod
    def open(folder: str | Path) -> FrameCache:
        """Open a finished cache: its index is read, the sizes of its files are checked."""
        folder = Path(folder)
        index = read_index(folder / INDEX)
        for shard in index.shards:
            path = check_input(folder / shard.file, "shard of a frame cache")
            if path.stat().st_size != shard.frames * index.item_bytes:
                raise UserError(
                    f"{path} has {path.stat().st_size} bytes; its index says "
                    f"{shard.frames * index.item_bytes}. {_AGAIN}"
                )
        return FrameCache(folder, index)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_maps": {}}

    def frame(self, ref: FrameRef) -> NDArray[np.uint8]:
        """Return one frame as a read-only view of the file, without copying.

        Returns:
            (H, W, 3) uint8 RGB, equal to `resize_image(adapter.frame(ref), size, resize)`.
        """
        record = ref.record
        place = self._places.get((record.split, record.id))
        if place is None or not 0 <= ref.index < place.count:
            raise UserError(
                f"{self.folder} holds no frame {ref.index} of {record.split}/{record.id}; expected "
                f"a cache of these data. {_AGAIN}"
            )
        frame: NDArray[np.uint8] = self._map(place.shard)[place.first + ref.index]
        return frame

    def _map(self, number: int) -> NDArray[np.uint8]:
        if number not in self._maps:
            shard = self.index.shards[number]
            shape = (shard.frames, *self.index.size, 3)
            mapped = np.memmap(self.folder / shard.file, np.uint8, "r", shape=shape)
            # A view as a plain array: indexing a `memmap` costs ten times as much.
            self._maps[number] = np.asarray(mapped)
        return self._maps[number]

    def check(
        self, adapter: DatasetAdapter, split: str, size: tuple[int, int], resize: Resize
    ) -> None:
        """Refuse to serve other data or other pixels than the cache was made for."""
        index, problem = self.index, ""
        if index.size != size:
            own, expected = (f"{h} x {w} pixels (height x width)" for h, w in (index.size, size))
            problem = f"frames of {own}; expected {expected}"
        elif index.resize != METHODS[resize]:
            expected = f"{METHODS[resize]} (--resize {resize})"
            problem = f"frames resized by {index.resize}; expected {expected}"
        elif index.dataset != adapter.name or split not in index.splits:
            own, expected = f"{', '.join(index.splits)} of {index.dataset}", split
            problem = f"{own}; expected {expected} of {adapter.name}"
        elif index.splits[split] != fingerprint(adapter, split):
            problem = f"other data than {adapter.name} has now; expected the same"
        if problem:
            raise UserError(f"{self.folder} holds {problem}. {_AGAIN}")


# ----- the index ----------------------------------------------------------------------------------


def read_index(path: Path) -> CacheIndex:
    """Read and check `index.json`, or the plan of a cache that is not finished."""
    if not path.is_file():
        raise UserError(
            f"{path} does not exist; expected a finished frame cache. "
            "Make or finish it with `signgen prepare cache`.",
            ExitCode.NO_INPUT,
        )
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if (fields.pop("format"), fields.pop("version")) != (_FORMAT, _VERSION):
            raise ValueError(f"expected format {_FORMAT}, version {_VERSION}")
        height, width = fields.pop("size")
        index = CacheIndex(
            **{name: _text(fields.pop(name)) for name in ("kind", "resize", "dataset")},
            size=(_number(height, 1), _number(width, 1)),
            splits={name: _text(value) for name, value in fields.pop("splits").items()},
            shards=tuple(
                Shard(f"frames-{number:05d}.bin", _number(shard["frames"], 1), shard["sha256"])
                for number, shard in enumerate(fields.pop("shards"))
            ),
            records=tuple(
                Place(_text(split), _text(name), *(_number(value, 0) for value in numbers))
                for split, name, *numbers in fields.pop("records")
            ),
        )
        for place in index.records:
            if place.first + place.count > index.shards[place.shard].frames:
                raise ValueError(f"{place.id} ends behind its shard")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:100]
        raise UserError(f"{path} is not the index of a frame cache ({reason}). {_AGAIN}") from error
    if index.kind != "frames":
        raise UserError(f"{path} holds {index.kind!r}; expected frames. {_AGAIN}")
    return index


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} where text belongs")
    return value


def _number(value: object, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{value!r} where a number from {least} belongs")
    return value
