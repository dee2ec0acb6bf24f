"""Features of frames in files that are mapped into memory.

    FOLDER/index.json           what they were made from, where they lie, SHA-256 of each file
    FOLDER/latents-00000.npy    (frames, variants, 2, C, h, w) mean and deviation of the posterior
    FOLDER/tokens-00000.npy     (sources, variants, N, D) tokens of the source encoder
    FOLDER/pooled-00000.npy     (sources, variants, E) embeddings of stage 1

All are float16. A variant is the frame as it is or, second, mirrored. A record lies in one shard.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from signgen.files.caches import INDEX
from signgen.files.paths import check_input
from signgen.models.features import CachedFeatures
from signgen.structures import ExitCode, Record, Triplet, UserError

__all__ = [
    "ARRAYS",
    "FeatureCache",
    "FeatureIndex",
    "Shard",
    "read_index",
    "source_frames",
]

ARRAYS = ("latents", "tokens", "pooled")
_FORMAT, _VERSION = "signgen-feature-cache", 1
_AGAIN = "Run `signgen prepare features` into another folder."


@dataclass(frozen=True)
class Shard:
    """Records of one set of files, and the SHA-256 of those, empty while they are not written."""

    records: tuple[str, ...]
    sha256: dict[str, str]


@dataclass(frozen=True)
class FeatureIndex:
    """What a cache holds.

    Args:
        made_from: Digests of data, weights and preprocessing.
        split: Split of the data.
        mirrored: Whether there is a second variant.
        few: Sources of a record, see `source_frames`.
        shards: Its files.
    """

    made_from: dict[str, str]
    split: str
    mirrored: bool
    few: int
    shards: tuple[Shard, ...]

    def text(self) -> str:
        """Return the index as JSON."""
        return json.dumps({"format": _FORMAT, "version": _VERSION, **asdict(self)}) + "\n"


def source_frames(record: Record, few: int) -> list[int]:
    """Return which frames of a record can be sources: `few` spread evenly, or all if that is 0."""
    count = record.num_frames
    if not 0 < few < count:
        return list(range(count))
    return [(2 * part + 1) * count // (2 * few) for part in range(few)]


def read_index(path: Path) -> FeatureIndex:
    """Read and check `index.json`, or the plan of a cache that is not finished."""
    if not path.is_file():
        raise UserError(
            f"{path} does not exist; expected a finished feature cache. Make or finish it with "
            "`signgen prepare features` and the settings of the run.",
            ExitCode.NO_INPUT,
        )
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if (fields.pop("format"), fields.pop("version")) != (_FORMAT, _VERSION):
            raise ValueError(f"expected format {_FORMAT}, version {_VERSION}")
        shards = [Shard(tuple(s["records"]), dict(s["sha256"])) for s in fields.pop("shards")]
        return FeatureIndex(**fields, shards=tuple(shards))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:100]
        raise UserError(
            f"{path} is not the index of a feature cache ({reason}). {_AGAIN}"
        ) from error


class FeatureCache:
    """Features by record and frame; made by `FeatureCache.open`.

    Files are mapped when a record of theirs is first asked for, in each process for itself.
    """

    def __init__(self, folder: Path, index: FeatureIndex, records: list[Record]) -> None:
        self.folder, self.index = folder, index
        self._places: dict[str, tuple[int, int, dict[int, int]]] = {}
        known = {record.id: record for record in records}
        for number, shard in enumerate(index.shards):
            frames = sources = 0
            for name in shard.records:
                own = source_frames(known[name], index.few)
                places = {frame: sources + place for place, frame in enumerate(own)}
                self._places[name] = (number, frames, places)
                frames, sources = frames + known[name].num_frames, sources + len(own)
        self._maps: dict[str, NDArray[np.float16]] = {}

    @staticmethod
    def open(
        folder: Path, records: list[Record], made_from: dict[str, str], split: str
    ) -> FeatureCache:
        """Open a finished cache, if it is of these records and was made from the same.

        Raises:
            UserError: If not; says what differs.
        """
        index = read_index(folder / INDEX)
        named = {name for shard in index.shards for name in shard.records}
        differs = [
            what for what, digest in made_from.items() if index.made_from.get(what) != digest
        ]
        if index.split != split or named != {record.id for record in records}:
            differs = ["data", *differs]
        if differs:
            raise UserError(
                f"{folder} holds features of other {differs[0]} than this run has; expected the "
                f"same. {_AGAIN}"
            )
        for number, shard in enumerate(index.shards):
            for array in shard.sha256:
                check_input(folder / f"{array}-{number:05d}.npy", "file of a feature cache")
        return FeatureCache(folder, index, records)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_maps": {}}

    def features(self, triplet: Triplet, *, mirrored: bool) -> CachedFeatures:
        """Return the features of one example, float16, without the first axis.

        Args:
            triplet: Source and target.
            mirrored: Whether the example is mirrored.
        """
        shard, first, sources = self._places[triplet.target.record.id]
        source_shard, _, sources = self._places[triplet.source.record.id]
        variant = int(mirrored)
        if (variant and not self.index.mirrored) or triplet.source.index not in sources:
            raise UserError(
                f"{self.folder} lacks a source of {triplet.source.record.id} that this run wants; "
                f"expected its flip_rate, source_frames and identity_rate. {_AGAIN}"
            )
        place = sources[triplet.source.index]
        latents = self._map("latents", shard)[first + triplet.target.index, variant]
        arrays = [
            latents[0],
            latents[1],
            self._map("tokens", source_shard)[place, variant],
            self._map("pooled", source_shard)[place, variant],
        ]
        return CachedFeatures(*(torch.from_numpy(array.copy()) for array in arrays))

    def _map(self, array: str, shard: int) -> NDArray[np.float16]:
        name = f"{array}-{shard:05d}.npy"
        if name not in self._maps:
            try:
                mapped = np.load(self.folder / name, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError) as error:
                raise UserError(f"{self.folder / name} is damaged ({error}). {_AGAIN}") from None
            self._maps[name] = np.asarray(mapped)
        return self._maps[name]
