"""What metrics are shown of a clip: chunks of all systems and baselines, at every size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.evaluation.clips import Clip
from signgen.evaluation.metrics.base import Chunk
from signgen.evaluation.protocols import View
from signgen.evaluation.reading import REFERENCE, ReadChunk, frames_of, unequal
from signgen.evaluation.reports.report import COPY, GENERATED, PREVIOUS
from signgen.human_parsing.maps import Parts
from signgen.media.resizing import resize_image
from signgen.structures import PoseSequence

__all__ = ["Shown", "show"]

Frames = NDArray[np.uint8]
LABEL_MAPS = "label maps of the data"
"""What messages call them."""


@dataclass(frozen=True)
class Shown:
    """What metrics are shown at a time.

    Args:
        chunks: By view, then by system and for `REFERENCE`; without views that show no frame of it.
        sources: The first frame of the source, by view.
        stop: Number of the frame of the clip that comes next.
    """

    chunks: Mapping[View, Mapping[str, Chunk]]
    sources: Mapping[View, Frames]
    stop: int


def show(
    clip: Clip,
    chunks: Iterable[ReadChunk],
    views: Sequence[View],
    *,
    baselines: Sequence[str] = (),
    source_moves: bool = False,
    context: int = 0,
) -> Iterator[Shown]:
    """Yield what is shown of a clip: frames resized once a size, and those of the baselines.

    Args:
        clip: The clip.
        chunks: Its frames, from `ClipReader`.
        views: How metrics see frames.
        baselines: Baselines that are scored; `COPY` and `PREVIOUS` are made here.
        source_moves: Whether the source has as many frames as the reference.
        context: Frames before each chunk that metrics need.
    """
    sizes = {
        view: _Resized(clip, view, baselines, source_moves, context)
        for view in dict.fromkeys(view.pixels for view in views)
    }
    count, labelled = 0, None if clip.parts is None else iter(clip.parts)
    for read, source in chunks:
        start, count = count, count + len(read[REFERENCE])
        frames = _without_padding(read)
        poses = {
            name: None if given is None else given.frames(slice(start, count))
            for name, given in ((REFERENCE, clip.poses), (GENERATED, clip.generated_poses))
        }
        parts = None if labelled is None else tuple(islice(labelled, count - start))
        if parts is not None and len(parts) < count - start:
            raise unequal(clip, LABEL_MAPS, start + len(parts), f"at least {count}")
        resized = {view: one.take(frames, source, poses, parts) for view, one in sizes.items()}
        shown = {view: _scored(resized[view.pixels], view, start, clip.still) for view in views}
        yield Shown(
            {view: chunks_ for view, chunks_ in shown.items() if len(chunks_[REFERENCE].frames)},
            {view: sizes[view.pixels].source for view in views},
            count,
        )
    if labelled is not None and (more := sum(1 for _ in labelled)) > clip.trim_ends:
        raise unequal(clip, LABEL_MAPS, count + more, count, cut=more)


class _Resized:
    """Frames of a clip at one size, with those of the baselines and the last ones before."""

    def __init__(
        self, clip: Clip, view: View, baselines: Sequence[str], source_moves: bool, context: int
    ) -> None:
        self._clip, self._view, self._baselines = clip, view, baselines
        self._source_moves, self._context = source_moves, max(context, 1)
        self._before: dict[str, tuple[Frames, ...]] = {}
        self.source: Frames = np.zeros((0, 0, 3), np.uint8)

    def take(
        self,
        frames: Mapping[str, Frames],
        source: Frames | None,
        poses: Mapping[str, PoseSequence | None],
        parts: tuple[Parts, ...] | None,
    ) -> dict[str, Chunk]:
        """Return the next chunk of every system and of the reference."""
        # Resize
        stacks = {name: _resized(stack, self._view) for name, stack in frames.items()}
        if self._view.size is None:
            _check_sizes(self._clip.id, stacks)

        # Add the baselines
        truth = stacks[REFERENCE]  # (T, H, W, 3)
        own = View((truth.shape[1], truth.shape[2]), self._view.resize)
        if not self._before:
            first = truth[0] if source is None else _resized(source[:1], own)[0]
            self.source = first.copy()
        if COPY in self._baselines:
            stacks[COPY] = np.broadcast_to(self.source, truth.shape)
            if source is not None and self._source_moves:
                stacks[COPY] = _resized(source, own)
        if PREVIOUS in self._baselines:
            previous = self._before[REFERENCE][-1] if self._before else truth[0]
            stacks[PREVIOUS] = np.concatenate([previous[None], truth[:-1]])

        # Put them behind those before
        chunks = {
            name: Chunk(
                stack,
                poses.get(name),
                self._before.get(name, ()),
                self._clip.id,
                parts if name == REFERENCE else None,
            )
            for name, stack in stacks.items()
        }
        for name, chunk in chunks.items():
            last = (*chunk.before, *chunk.frames)[-self._context :]
            self._before[name] = tuple(frame.copy() for frame in last)
        return chunks


def _scored(
    chunks: Mapping[str, Chunk], view: View, start: int, still: bool
) -> Mapping[str, Chunk]:
    """Return the chunks that a view shows: where it leaves out the source, all but frame 0."""
    if view.frames == "all" or still:
        return chunks
    hidden = max(1 - start, 0)  # of these frames
    before = max(start - 1, 0)  # frames that may be seen before these
    if not hidden and before >= len(chunks[REFERENCE].before):
        return chunks
    return {
        name: Chunk(
            chunk.frames[hidden:],
            None if chunk.poses is None else chunk.poses.frames(slice(hidden, None)),
            chunk.before[max(len(chunk.before) - before, 0) :],
            chunk.clip,
            None if chunk.parts is None else chunk.parts[hidden:],
        )
        for name, chunk in chunks.items()
    }


# ----- frames and poses ---------------------------------------------------------------------------


def _resized(frames: Frames, view: View) -> Frames:
    """Return (T, H, W, 3) frames at the size of a view."""
    if view.size is None or frames.shape[1:3] == view.size:
        return frames
    return np.stack([resize_image(frame, view.size, view.resize) for frame in frames])


def _without_padding(frames: Mapping[str, Frames]) -> dict[str, Frames]:
    """Cut the column or row that video pads an odd size with, where sizes else agree."""
    sizes = [(stack.shape[1], stack.shape[2]) for stack in frames.values()]
    height, width = (min(sides) for sides in zip(*sizes, strict=True))
    padded = (height + height % 2, width + width % 2)
    if len(set(sizes)) == 1 or not all(size in {(height, width), padded} for size in sizes):
        return dict(frames)
    return {name: stack[:, :height, :width] for name, stack in frames.items()}


def _check_sizes(clip: str, frames: Mapping[str, Frames]) -> None:
    height, width = frames[REFERENCE].shape[1:3]
    for name, stack in frames.items():
        if stack.shape[1:3] != (height, width):
            raise UserError(
                f"clip {clip}: {frames_of(name)} are {stack.shape[2]} x {stack.shape[1]}, the "
                f"reference {width} x {height} pixels; expected one size. Render with --size "
                f"{height} {width}, or score with --size or --protocol, which resize."
            )
