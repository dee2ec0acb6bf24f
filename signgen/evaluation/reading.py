"""The frames of a clip, of all systems, chunk by chunk: checked, and decoded one ahead."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from itertools import chain, islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.evaluation.clips import ClipPair
from signgen.evaluation.reports.report import GENERATED

__all__ = ["TRUTH", "Chunk", "ClipReader", "frames_of", "read_ahead", "unequal"]

Frames = NDArray[np.uint8]
T = TypeVar("T")

TRUTH = "reference"
"""Key of the true frames among those of the systems."""


@dataclass(frozen=True)
class Chunk:
    """Frames of a clip that follow each other.

    Args:
        frames: (T, H, W, 3) of each system and of `TRUTH`; sizes may differ.
        source: (T, H, W, 3) of the source, (1, H, W, 3) where it is one picture, None where none
            is given.
    """

    frames: Mapping[str, Frames]
    source: Frames | None


class ClipReader:
    """Reads the frames of one clip, once.

    Args:
        pair: The clip.
        compared: Names of the systems compared with the generated frames.
        chunk: Frames of each that are read at a time.

    Raises:
        UserError: If a source is given and has no frames, or they cannot be read.
    """

    def __init__(self, pair: ClipPair, compared: Sequence[str], chunk: int) -> None:
        self._pair, self._chunk = pair, chunk
        self._streams = {GENERATED: pair.generated, TRUTH: pair.reference}
        self._streams |= {name: pair.compared[name] for name in compared}
        self._digests = {name: hashlib.sha256() for name in self._streams}
        self._source = None if pair.source is None else _Source(pair.id, pair.source)

    @property
    def source_moves(self) -> bool:
        """Whether a source of more than one frame is given."""
        return self._source is not None and self._source.moves

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of the pixels read so far, by system."""
        return {name: digest.hexdigest() for name, digest in self._digests.items()}

    def chunks(self) -> AbstractContextManager[Iterator[Chunk]]:
        """Return the chunks in order, to be used in a `with` statement.

        Where frames come from files (`ClipPair.from_files`), another thread decodes the next chunk
        while the last one is scored. A model that renders them stays in the thread of its caller.

        Raises:
            UserError: While iterated, if frames cannot be read, are no 8-bit colours, change their
                size, or their numbers differ.
        """
        chunks = self._read()
        return closing(read_ahead(chunks) if self._pair.from_files else chunks)

    def _read(self) -> Generator[Chunk, None, None]:
        clip, count = self._pair.id, 0
        running = {name: iter(stream) for name, stream in self._streams.items()}
        while True:
            taken = {name: list(islice(frames, self._chunk)) for name, frames in running.items()}
            if len({len(frames) for frames in taken.values()}) > 1:
                totals = {
                    name: count + len(taken[name]) + sum(1 for _ in rest)
                    for name, rest in running.items()
                }
                name = next(name for name, total in totals.items() if total != totals[TRUTH])
                raise unequal(clip, frames_of(name), totals[name], totals[TRUTH])
            if not taken[TRUTH]:
                return
            stacks = {name: _stacked(clip, name, frames) for name, frames in taken.items()}
            for name, digest in self._digests.items():
                digest.update(stacks[name].data)
            count += len(taken[TRUTH])
            source = None if self._source is None else self._source.take(len(taken[TRUTH]))
            yield Chunk(stacks, source)


class _Source:
    """The source of a clip, where it is given: one frame, or as many as there are true frames.

    Args:
        clip: Name of the clip.
        frames: (H, W, 3) frames.
    """

    def __init__(self, clip: str, frames: Iterable[Frames]) -> None:
        rest = iter(frames)
        self._clip, self._count = clip, 0
        self._first = list(islice(rest, 2))
        self._rest = chain(self._first, rest)
        if not self._first:
            raise UserError(f"clip {clip}: the source has no frames; expected a picture.")

    @property
    def moves(self) -> bool:
        """Whether there is more than one frame."""
        return len(self._first) > 1

    def take(self, count: int) -> Frames:
        """Return the next (count, H, W, 3) frames, or the only one as (1, H, W, 3).

        Raises:
            UserError: If there are fewer.
        """
        taken = list(islice(self._rest, count)) if self.moves else self._first
        self._count += len(taken)
        if self.moves and len(taken) < count:
            raise UserError(
                f"clip {self._clip}: the source has {self._count} frames, the reference more; "
                "expected one, or as many."
            )
        return _stacked(self._clip, "source", taken)


def read_ahead(items: Iterable[T]) -> Generator[T, None, None]:
    """Yield items in their order; another thread makes the next one while one is worked on.

    At most one is kept ahead. When the generator is closed, or an item raises, the thread has
    ended.

    Args:
        items: The items; iterated in the other thread alone.

    Raises:
        Exception: What making an item raises, where that item would have come.
    """
    iterator = iter(items)

    def first() -> list[T]:
        return list(islice(iterator, 1))

    with ThreadPoolExecutor(1, "read-ahead") as reader:
        following = reader.submit(first)
        while item := following.result():
            following = reader.submit(first)
            yield from item


def _stacked(clip: str, name: str, frames: Sequence[Frames]) -> Frames:
    for frame in frames:
        if frame.dtype != np.uint8:
            raise UserError(f"clip {clip}: {_fault(name, frame)}")
    sizes = sorted({frame.shape for frame in frames})
    if len(sizes) > 1:
        raise UserError(
            f"clip {clip}: frames change their size from {sizes[0]} to {sizes[1]}; expected one."
        )
    if len(sizes[0]) != 3 or sizes[0][2] != 3 or 0 in sizes[0]:
        raise UserError(
            f"clip {clip}: frames ({name}) have the shape {sizes[0]}; expected (H, W, 3)."
        )
    return np.stack(frames)


def _fault(name: str, frame: NDArray[np.generic]) -> str:
    """Say what is wrong with a frame that is not of bytes."""
    if np.issubdtype(frame.dtype, np.floating) and not np.isfinite(frame).all():
        return f"a frame ({name}) holds NaN or infinite values; expected 8-bit colours."
    return f"a frame ({name}) has values of type {frame.dtype}; expected 8-bit colours (uint8)."


def frames_of(name: str) -> str:
    """Return what messages call the frames of a system."""
    return "generated frames" if name == GENERATED else f"frames of {name}"


def unequal(clip: str, what: str, found: int, expected: int | str) -> UserError:
    """Return the complaint about another number of something than of true frames."""
    return UserError(
        f"clip {clip}: {found} {what}, but {expected} reference frames; expected as many."
    )
