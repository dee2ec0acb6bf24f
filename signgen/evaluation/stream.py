"""One pass over the frames of a clip feeds every metric of every system; a bad clip leaves nothing.

Each chunk of frames is read once, brought to each size that a metric asks for once, and given to
all metrics. Before a clip all metrics are copied (they share networks and share what never
changes), and the copies take over again where the clip fails halfway.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.evaluation.clips import ClipPair
from signgen.evaluation.metric_choice import Slot
from signgen.evaluation.metric_factories import NotComputed
from signgen.evaluation.metrics.base import FinishesClips
from signgen.evaluation.protocols import View
from signgen.evaluation.reading import TRUTH, ClipReader, frames_of, unequal
from signgen.evaluation.reports.report import COPY, GENERATED, PREVIOUS, ClipResult
from signgen.evaluation.reports.worst_frames import WorstFrames
from signgen.media.resizing import resize_image
from signgen.structures import PoseSequence

__all__ = ["CHUNK", "Pass"]

Frames = NDArray[np.uint8]

CHUNK = 16
"""Frames given to the metrics at a time; the result does not depend on it."""


@dataclass
class _Clip:
    """What is known of a clip while its frames go by.

    Args:
        pair: The clip.
        count: Frames seen so far.
        moves: Whether a source of more than one frame is given.
        copied: The frames of the source that is given, for the current chunk; None for the first
            true frame.
        sources: The first frame of the source at the size of each view.
        previous: The last true frame at the size of each view.
    """

    pair: ClipPair
    count: int
    moves: bool
    copied: Frames | None
    sources: dict[View, Frames]
    previous: dict[View, Frames]


class Pass:
    """One pass over clips.

    Args:
        slots: Metrics that have seen nothing yet; each system gets copies.
        compared: Names of the systems compared with the generated frames.
        baselines: Trivial baselines that are scored as well: `COPY`, `PREVIOUS`.
        worst: Keeps the worst of the generated frames.
        chunk: Frames given to the metrics at a time.
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        compared: Sequence[str] = (),
        baselines: Sequence[str] = (COPY, PREVIOUS),
        *,
        worst: WorstFrames | None = None,
        chunk: int = CHUNK,
    ) -> None:
        self.compared, self.baselines, self.chunk = tuple(compared), tuple(baselines), chunk
        self.worst = worst
        names = (GENERATED, *self.compared, *self.baselines)
        self.systems = {name: [_slot_of(slot, name) for slot in slots] for name in names}

    def measure(self, pair: ClipPair) -> ClipResult:
        """Give one clip to the metrics of all systems, or to none.

        Args:
            pair: The clip.

        Raises:
            UserError: If its frames cannot be read or do not fit together; the metrics are then as
                they were before.
        """
        before = copy.deepcopy((self.systems, self.worst))
        try:
            return self._measure(pair)
        except BaseException:
            self.systems, self.worst = before
            raise

    def _measure(self, pair: ClipPair) -> ClipResult:
        reader = ClipReader(pair, self.compared, self.chunk)
        clip = _Clip(pair, 0, reader.source_moves, None, {}, {})
        with reader.chunks() as chunks:
            for chunk in chunks:
                clip.copied = chunk.source
                self._take(clip, _without_padding(chunk.frames))
                clip.count += len(chunk.frames[TRUTH])
        if pair.poses is not None and len(pair.poses) != clip.count:
            raise unequal(pair.id, "poses", len(pair.poses), clip.count)
        for metric in [slot.metric for slots in self.systems.values() for slot in slots]:
            if isinstance(metric, FinishesClips):
                metric.finish(pair.id)
        sums = reader.digests()
        return ClipResult(
            id=pair.id,
            signer=pair.signer,
            frames=clip.count,
            generated_sha256=sums[GENERATED],
            reference_sha256=sums[TRUTH],
        )

    def _take(self, clip: _Clip, frames: Mapping[str, Frames]) -> None:
        """Give a chunk to all metrics, one size after another."""
        for pixels in dict.fromkeys(slot.view.pixels for slot in self._slots):
            shown = self._shown(clip, pixels, frames)
            for system, slots in self.systems.items():
                for slot in slots:
                    if slot.view.pixels == pixels:
                        self._update(clip, system, slot, shown)

    @property
    def _slots(self) -> list[Slot]:
        return self.systems[GENERATED]

    def _shown(self, clip: _Clip, view: View, frames: Mapping[str, Frames]) -> dict[str, Frames]:
        """Return the frames of all systems at the size of a view."""
        shown = {name: _resized(stack, view) for name, stack in frames.items()}
        if view.size is None:
            _check_sizes(clip.pair.id, shown)
        truth = shown[TRUTH]
        own = View((truth.shape[1], truth.shape[2]), view.resize)
        if clip.count == 0:
            first = truth[:1] if clip.copied is None else _resized(clip.copied[:1], own)
            clip.sources[view], clip.previous[view] = first[0].copy(), truth[:1].copy()
        if COPY in self.baselines:
            shown[COPY] = np.broadcast_to(clip.sources[view], truth.shape)
            if clip.copied is not None and clip.moves:
                shown[COPY] = _resized(clip.copied, own)
        if PREVIOUS in self.baselines:
            shown[PREVIOUS] = np.concatenate([clip.previous[view], truth[:-1]])
        clip.previous[view] = truth[-1:].copy()
        return shown

    def _update(self, clip: _Clip, system: str, slot: Slot, shown: Mapping[str, Frames]) -> None:
        """Give a chunk to one metric, without the source where that is not scored."""
        pair, truth = clip.pair, shown[TRUTH]
        begins = clip.count == 0 and not pair.still
        start = 1 if begins and slot.view.frames == "without-source" else 0
        if start == len(truth):
            return
        poses = _poses(pair, clip.count + start, clip.count + len(truth))
        slot.metric.update(shown[system][start:], truth[start:], poses, clip=pair.id)
        worst = self.worst
        if worst is not None and system == GENERATED and slot.name == worst.metric:
            worst.update(
                pair.id,
                clip.count + start,
                slot.metric.latest,
                clip.sources[slot.view.pixels],
                poses,
                truth[start:],
                shown[GENERATED][start:],
            )


def _slot_of(slot: Slot, system: str) -> Slot:
    """Return a system's own copy of a metric, or what says that it is not measured there."""
    if not slot.generated_only or system == GENERATED:
        return copy.deepcopy(slot)
    reason = "needs key points of these frames; those given are of the generated ones"
    higher = slot.metric.compute().higher_is_better
    return replace(slot, metric=NotComputed(slot.metric.name, reason, higher))


# ----- frames -------------------------------------------------------------------------------------


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
    height, width = frames[TRUTH].shape[1:3]
    for name, stack in frames.items():
        if stack.shape[1:3] != (height, width):
            raise UserError(
                f"clip {clip}: {frames_of(name)} are {stack.shape[2]} x {stack.shape[1]}, the "
                f"reference {width} x {height} pixels; expected one size. Render with --size "
                f"{height} {width}, or score with --size or --protocol, which resize."
            )


def _poses(pair: ClipPair, start: int, stop: int) -> PoseSequence | None:
    if pair.poses is None:
        return None
    if len(pair.poses) < stop:
        raise unequal(pair.id, "poses", len(pair.poses), f"at least {stop}")
    return pair.poses.frames(slice(start, stop))
