"""The frames of a clip, of all systems, chunk by chunk: checked, and decoded one ahead."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from itertools import chain, cycle, islice, repeat
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.evaluation.clips import Clip
from signgen.evaluation.reports.report import GENERATED, WARPED
from signgen.media.resizing import resize_image
from signgen.pose.transforms import resize
from signgen.rendering.warp import WarpRenderer

__all__ = ["REFERENCE", "ClipReader", "ReadChunk", "frames_of", "read_ahead", "unequal"]

Frames = NDArray[np.uint8]
T = TypeVar("T")
ReadChunk = tuple[Mapping[str, Frames], Frames | None]
"""Frames that follow each other, (T, H, W, 3) of each system and of `REFERENCE`, whose sizes may
differ; and of the source, (1, H, W, 3) where it is one picture, None where none is given."""

REFERENCE = "reference"
"""Key of the true frames among those of the systems."""


class ClipReader:
    """Reads the frames of one clip, once.

    Args:
        compared: Names of the systems compared with the generated frames.
        chunk: Frames of each that are read at a time.
        warped: Whether the source moved to the poses is one of the systems.
    """

    def __init__(
        self, clip: Clip, compared: Sequence[str], chunk: int, *, warped: bool = False
    ) -> None:
        self._clip, self._chunk, self._warped = clip, chunk, warped
        self._streams = {GENERATED: clip.generated, REFERENCE: clip.reference}
        self._streams |= {name: clip.compared[name] for name in compared}
        self._digests = {name: hashlib.sha256() for name in self._streams}
        self._shapes: dict[str, tuple[int, ...]] = {}
        given = {"poses": clip.poses, "key points of the generated frames": clip.generated_poses}
        self._points = {what: len(poses) for what, poses in given.items() if poses is not None}
        self.cut = ""
        """What was cut at the end of the clip, in one line."""
        sources = iter(() if clip.source is None else clip.source)
        first = list(islice(sources, 2))
        if clip.source is not None and not first:
            raise UserError(f"clip {clip.id}: the source has no frames; expected a picture.")
        self.source_moves = len(first) > 1
        """Whether a source of more than one frame is given."""
        self._sources = chain(first, sources) if self.source_moves else cycle(first)

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of the pixels read so far, by system."""
        return {name: digest.hexdigest() for name, digest in self._digests.items()}

    def chunks(self) -> AbstractContextManager[Iterator[ReadChunk]]:
        """Return the chunks in order, to be used in a `with` statement.

        Where frames come from files (`Clip.from_files`), another thread decodes the next chunk
        while the last one is scored. A model that renders them stays in the thread of its caller.
        """
        chunks = self._read()
        return closing(read_ahead(chunks) if self._clip.from_files else chunks)

    def _read(self) -> Generator[ReadChunk, None, None]:
        clip, count = self._clip.id, 0
        running = {name: iter(stream) for name, stream in self._streams.items()}
        warped: Iterator[Frames] | None = None
        while True:
            # Read as many of each
            read = {name: list(islice(frames, self._chunk)) for name, frames in running.items()}
            taken = self._fitting(read, running, count)
            if not taken[REFERENCE]:
                return

            # Stack them
            stacks = {name: self._stacked(name, frames) for name, frames in taken.items()}
            for name, digest in self._digests.items():
                digest.update(np.ascontiguousarray(stacks[name]).data)
            length = len(taken[REFERENCE])
            sources = list(islice(self._sources, length if self.source_moves else 1))
            count += length
            if self.source_moves and len(sources) < length:
                raise UserError(
                    f"clip {clip}: the source has {count - length + len(sources)} frames, the "
                    "reference more; expected one, or as many."
                )
            source = self._stacked("source", sources) if sources else None

            # Move the source to the poses
            if self._warped:
                warped = warped or _warp(self._clip, stacks[REFERENCE][0], source)
                stacks[WARPED] = np.stack(list(islice(warped, length)))
            yield stacks, source

    def _fitting(
        self,
        taken: Mapping[str, list[Frames]],
        running: Mapping[str, Iterator[Frames]],
        count: int,
    ) -> Mapping[str, list[Frames]]:
        """Return the frames that follow the first `count`, as many of each as there are of all.

        Raises:
            UserError: If one has more at its end than may be cut.
        """
        lengths = {len(frames) for frames in taken.values()}
        stop = count + max(lengths)
        if len(lengths) == 1 and stop > count and all(n >= stop for n in self._points.values()):
            return taken
        # One of them has ended
        totals = {
            frames_of(name): count + len(taken[name]) + sum(1 for _ in rest)
            for name, rest in running.items()
        } | self._points
        truth, least = totals[frames_of(REFERENCE)], min(totals.values())
        if max(totals.values()) - least > self._clip.trim_ends:
            what = next(what for what, total in totals.items() if total != truth)
            raise unequal(self._clip, what, totals[what], truth, cut=max(totals.values()) - least)
        if max(totals.values()) > least and not self.cut:
            counts = ", ".join(f"{total} {what}" for what, total in totals.items())
            self.cut = f"clip {self._clip.id} has {counts}; the first {least} are scored"
        return {name: frames[: least - count] for name, frames in taken.items()}

    def _stacked(self, name: str, frames: Sequence[Frames]) -> Frames:
        """Return frames as (T, H, W, 3), all of one size throughout the clip."""
        clip = self._clip.id
        for frame in frames:
            if frame.dtype != np.uint8:
                raise UserError(f"clip {clip}: {_fault(name, frame)}")
        shape = self._shapes.setdefault(name, frames[0].shape)
        if len(shape) != 3 or shape[2] != 3 or 0 in shape:
            raise UserError(
                f"clip {clip}: frames ({name}) have the shape {shape}; expected (H, W, 3)."
            )
        for frame in frames:
            if frame.shape != shape:
                raise UserError(
                    f"clip {clip}: frames change their size from {shape} to {frame.shape}; "
                    "expected one."
                )
        return np.stack(frames)


def _warp(clip: Clip, first: Frames, source: Frames | None) -> Iterator[Frames]:
    """Yield the source moved to the poses of the truth, at its size.

    Args:
        clip: The clip.
        first: The first true frame.
        source: (1 or T, H, W, 3) what was given to the systems; None for the first true frame.
    """
    size = (first.shape[0], first.shape[1])
    if clip.poses is None:
        raise UserError(f"clip {clip.id}: no poses; the {WARPED} needs them.")
    poses, signer = resize(clip.poses, size), clip.source_poses
    if source is None:
        picture, signer = first, poses.frames([0])
    else:
        picture = resize_image(source[0], size, "pillow-bicubic")
        signer = None if signer is None else resize(signer, size)
    if signer is not None and not signer.visible[:1].any():
        # Nothing is known to move: it is a copy.
        return repeat(picture, len(poses))
    return WarpRenderer().render(picture, poses, signer=signer)


def read_ahead(items: Iterable[T]) -> Generator[T, None, None]:
    """Yield items in their order; another thread makes the next one while one is worked on.

    At most one is kept ahead. When the generator is closed, or an item raises, the thread has
    ended.

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


def _fault(name: str, frame: NDArray[np.generic]) -> str:
    """Say what is wrong with a frame that is not of bytes."""
    if np.issubdtype(frame.dtype, np.floating) and not np.isfinite(frame).all():
        return f"a frame ({name}) holds NaN or infinite values; expected 8-bit colours."
    return f"a frame ({name}) has values of type {frame.dtype}; expected 8-bit colours (uint8)."


def frames_of(name: str) -> str:
    """Return what messages call the frames of a system."""
    own = {GENERATED: "generated frames", REFERENCE: "reference frames"}
    return own.get(name, f"frames of {name}")


def unequal(clip: Clip, what: str, found: int, expected: int | str, *, cut: int = 0) -> UserError:
    """Return the complaint about another number of something than of true frames.

    `cut` is how much would have to be cut; 0 where cutting does not help.
    """
    cuts = f" --trim-ends {cut} cuts what is longer at the end." if clip.from_files and cut else ""
    return UserError(
        f"clip {clip.id}: {found} {what}, but {expected} reference frames; expected as many.{cuts}"
    )
