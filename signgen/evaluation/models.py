"""Evaluate a model on a dataset: frames are rendered and scored on the way, none is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from signgen.data.adapter import DatasetAdapter
from signgen.data.dataset import parts_of
from signgen.errors import UserError
from signgen.evaluation.clips import Clip
from signgen.evaluation.kinds import kind_of_record
from signgen.evaluation.reports.report import COPY, WARPED
from signgen.evaluation.scoring import BASELINES
from signgen.human_parsing.maps import Parts
from signgen.rendering.base import RendersFrames
from signgen.structures import FrameRef, Record, Triplet

__all__ = ["model_baselines", "model_clips", "true_parts"]


def model_baselines(listed: bool) -> tuple[str, ...]:
    """Return the baselines of a model on a dataset: of listed pairs there is no frame before."""
    return (*((COPY,) if listed else BASELINES), WARPED)


def model_clips(
    renderer: RendersFrames, adapter: DatasetAdapter, split: str, *, regions: bool = False
) -> dict[str, Callable[[], Clip]]:
    """Return what opens each clip of a split, rendered from its first frame and all its poses.

    Of a dataset that lists pairs, such as DeepFashion, every pair is a clip of one frame, beside a
    copy of its source.

    Differs from FPDM: the first frame of a clip is rendered but to be scored `without-source`,
    because it is the source itself. Protocol `phoenix-fpdm` scores both.

    Args:
        renderer: Renders the frames.
        adapter: The dataset.
        split: Its split.
        regions: Whether metrics need the human parsing of the true frames.
    """
    pairs = adapter.pairs(split)
    if pairs is None:
        records = adapter.records(split)
        return {record.id: partial(_clip, renderer, adapter, record, regions) for record in records}
    clips: dict[str, Callable[[], Clip]] = {}
    for pair in pairs:
        name = f"{pair.target.record.id}:{pair.source.index}-{pair.target.index}"
        if name in clips:
            raise UserError(f"clip {name} comes twice; expected unique names.")
        clips[name] = partial(_picture, renderer, adapter, pair, name, regions)
    return clips


def _clip(renderer: RendersFrames, adapter: DatasetAdapter, record: Record, regions: bool) -> Clip:
    """Open a clip, rendered from its first frame."""
    source, poses = adapter.frame(FrameRef(record, 0)), adapter.poses(record)
    truth = (adapter.frame(FrameRef(record, index)) for index in range(record.num_frames))
    parts = partial(parts_of, adapter, FrameRef(record, 0))
    frames = renderer.render(source, poses, signer=poses.frames([0]), parts=parts)
    kind = kind_of_record(adapter, record)
    labelled = true_parts(adapter, record) if regions else None
    return Clip(record.id, record.signer, frames, truth, poses, kind=kind, parts=labelled)


def true_parts(adapter: DatasetAdapter, record: Record) -> Iterator[Parts]:
    """Yield the human parsing of the frames of a record."""
    for index in range(record.num_frames):
        yield parts_of(adapter, FrameRef(record, index), "--regions")


def _picture(
    renderer: RendersFrames, adapter: DatasetAdapter, pair: Triplet, name: str, regions: bool
) -> Clip:
    """Open the target of a pair, rendered from its source, as a clip of one frame."""
    poses, signer = adapter.pose(pair.target), adapter.pose(pair.source)
    source, truth = adapter.frame(pair.source), adapter.frame(pair.target)
    return Clip(
        name,
        pair.target.record.signer,
        renderer.render(
            source, poses, signer=signer, parts=partial(parts_of, adapter, pair.source)
        ),
        [truth],
        poses,
        source=[source],
        source_poses=signer,
        still=True,
        kind=kind_of_record(adapter, pair.target.record),
        parts=[parts_of(adapter, pair.target, "--regions")] if regions else None,
    )
