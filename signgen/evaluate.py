"""Stream generated and reference frames through metrics, the trivial baseline beside them.

One pass over each clip: every chunk of frames is read once and given to every metric.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from signgen.clip_pairs import ClipPair, pair_paths
from signgen.config import EvalConfig
from signgen.data.adapter import DatasetAdapter
from signgen.errors import ExitCode, UserError
from signgen.evaluate_report import COPY, GENERATED, ClipResult, Report, table
from signgen.evaluate_retrieval import Progress, evaluate_retrieval
from signgen.media import check_output, save_text
from signgen.metrics import Metric, default_metrics
from signgen.structures import FrameRef, PoseSequence, Record, Triplet

__all__ = [
    "ClipPair",
    "Report",
    "copy_source",
    "evaluate",
    "evaluate_model",
    "evaluate_pairs",
    "pair_paths",
    "table",
]

Frame = NDArray[np.uint8]

CHUNK = 16
"""Frames given to the metrics at a time; the result does not depend on it."""


class RendersFrames(Protocol):
    """What is needed of `signgen.render.Renderer`."""

    def render(self, source: Frame, poses: PoseSequence) -> Iterator[Frame]:
        """Yield one frame per pose."""


def evaluate(config: EvalConfig, *, progress: Progress | None = None) -> dict[str, Any]:
    """Run the eval command: paths against paths, or a model on a split of a dataset.

    Args:
        config: Paths and settings.
        progress: Wraps the clips as they are measured, with their number; for a progress bar.

    Returns:
        The report as one JSON object; `table` lays it out, or `evaluate_retrieval.table`.

    Raises:
        UserError: If settings contradict each other (2), or inputs, model or output are unusable.
    """
    if config.retrieval:
        return evaluate_retrieval(config, progress=progress)
    _check_settings(config)
    if config.out is not None:
        check_output(config.out)
    if config.generated is not None and config.reference is not None:
        pairs = pair_paths(config.generated, config.reference, config.poses)
        report = evaluate_pairs(
            pairs if progress is None else progress(pairs, len(pairs)),
            default_metrics(config.hand_metrics),
        )
        inputs = {"generated": config.generated, "reference": config.reference}
        report = replace(report, inputs=inputs | ({"poses": config.poses} if config.poses else {}))
    else:
        report = _evaluate_named_model(config, progress)
    result = report.to_json()
    if config.out is not None:
        save_text(config.out, json.dumps(result, indent=2) + "\n")
    return result


def _check_settings(config: EvalConfig) -> None:
    if config.retrieval_queries != EvalConfig.retrieval_queries:
        raise UserError("--retrieval-queries serves --retrieval only. Add it.", ExitCode.USAGE)
    if (config.generated is None) != (config.reference is None):
        given, other = ("--generated", "--reference")[:: 1 if config.generated else -1]
        raise UserError(f"{given} needs {other}; expected both or neither.", ExitCode.USAGE)
    chosen = {
        "--steps": config.steps is not None,
        "--sampler": config.sampler is not None,
        "--official-noise": config.official_noise,
        "--precision": config.precision != "no",
    }
    if config.generated is not None and any(chosen.values()):
        flag = next(flag for flag, given in chosen.items() if given)
        raise UserError(
            f"{flag} serves the rendering of --model only; --generated is rendered already. "
            "Leave one of them out.",
            ExitCode.USAGE,
        )
    if config.poses is not None and not (config.hand_metrics and config.generated):
        raise UserError(
            "--poses serves the hand metrics of --generated and --reference only. "
            "Add --hand-metrics, or leave it out.",
            ExitCode.USAGE,
        )
    if config.hand_metrics and config.generated is not None and config.poses is None:
        raise UserError(
            "--hand-metrics needs --poses, the poses of the reference, to find the hands.",
            ExitCode.USAGE,
        )


def _evaluate_named_model(config: EvalConfig, progress: Progress | None) -> Report:
    from signgen.checkpoint import load_model
    from signgen.data.dataset import open_dataset
    from signgen.device import choose_device
    from signgen.render import Renderer, check_numbers

    check_numbers(config.steps, None, 1, config.seed)  # before anything is loaded
    adapter = open_dataset(config.data, (config.split,))
    adapter.records(config.split)  # before the model, which takes longer to load
    renderer = Renderer(
        load_model(config.model, choose_device(config.device)),
        steps=config.steps,
        sampler=config.sampler,
        official_noise=config.official_noise or None,
        precision=config.precision,
        seed=config.seed,
    )
    report = evaluate_model(
        renderer, adapter, config.split, hand_metrics=config.hand_metrics, progress=progress
    )
    settings = {
        "model": config.model,
        "data": config.data,
        "split": config.split,
        "seed": config.seed,
        "steps": renderer.steps,
        "guidance": list(renderer.guidance),
        "sampler": renderer.sampler,
        "precision": renderer.precision,
        **({"official_noise": True, "chunk": renderer.chunk} if renderer.official_noise else {}),
    }
    return replace(report, inputs=settings)


def evaluate_model(
    renderer: RendersFrames,
    adapter: DatasetAdapter,
    split: str,
    *,
    hand_metrics: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Render every clip of a split from its first frame and all its poses, and score the rest.

    Differs from FPDM: the first frame is rendered but not scored, because it is the source itself;
    the signature says so (`frames:without-source`). Of a dataset that lists pairs, such as
    DeepFashion, every pair is rendered and scored as a clip of one frame, without a baseline.

    Args:
        renderer: Renders frames from a source and poses.
        adapter: The dataset.
        split: `train`, `dev` or `test`.
        hand_metrics: Also compute Hand SSIM.
        progress: Wraps the clips as they are measured, with their number; for a progress bar.

    Returns:
        Scores of the model, and of copying the source.

    Raises:
        UserError: If the split has no frames besides the sources, or its data are broken.
    """
    records, listed = adapter.records(split), adapter.pairs(split)
    if listed is None:
        pairs: Iterable[ClipPair] = (_rendered(renderer, adapter, record) for record in records)
    else:
        pairs = (_rendered_pair(renderer, adapter, pair) for pair in listed)
    return evaluate_pairs(
        pairs if progress is None else progress(pairs, len(records if listed is None else listed)),
        default_metrics(hand_metrics),
        skip_source=listed is None,
        baseline=listed is None,
    )


def _rendered_pair(renderer: RendersFrames, adapter: DatasetAdapter, pair: Triplet) -> ClipPair:
    record, view = pair.target.record, pair.target.index
    poses = adapter.pose(record).frames(slice(view, view + 1))
    frames = renderer.render(adapter.frame(pair.source), poses)
    name = f"{record.id}:{pair.source.index}-{view}"
    return ClipPair(name, record.signer, frames, iter([adapter.frame(pair.target)]), poses)


def _rendered(renderer: RendersFrames, adapter: DatasetAdapter, record: Record) -> ClipPair:
    source = adapter.frame(FrameRef(record, 0))
    poses = adapter.pose(record)
    truth = (adapter.frame(FrameRef(record, index)) for index in range(record.num_frames))
    return ClipPair(record.id, record.signer, renderer.render(source, poses), truth, poses)


def copy_source(reference: Iterable[Frame]) -> Iterator[Frame]:
    """Yield the first frame as often as there are frames: what any model has to beat.

    Args:
        reference: (H, W, 3) uint8 frames.
    """
    first: Frame | None = None
    for frame in reference:
        first = frame if first is None else first
        yield first


def evaluate_pairs(
    pairs: Iterable[ClipPair],
    metrics: Sequence[Metric],
    *,
    skip_source: bool = False,
    baseline: bool = True,
    chunk: int = CHUNK,
) -> Report:
    """Score pairs of clips in one pass; memory does not grow with the length of a clip.

    Args:
        pairs: The clips, names unique.
        metrics: Metrics that have seen nothing yet.
        skip_source: Leave out the first frame of each clip, where it is the source.
        baseline: Also score copying the first reference frame.
        chunk: Frames given to the metrics at a time.

    Returns:
        The scores, with `frames:all` or `frames:without-source` in their signatures.

    Raises:
        UserError: If sizes or numbers of frames differ, poses do not fit, or there are no frames.
    """
    systems = {GENERATED: list(metrics)}
    if baseline:
        systems[COPY] = copy.deepcopy(list(metrics))
    clips: dict[str, ClipResult] = {}
    for pair in pairs:
        if pair.id in clips:
            raise UserError(f"clip {pair.id} comes twice; expected unique names.")
        clips[pair.id] = _measure(pair, systems, skip_source, chunk)
    scored = sum(clip.frames - skip_source for clip in clips.values())
    if scored < 1:
        raise UserError(
            f"nothing to score in {len(clips)} clips; expected frames"
            + (" besides the source, which is the first." if skip_source else ".")
        )
    suffix = "|frames:without-source" if skip_source else "|frames:all"
    scores = {
        system: tuple(
            replace(score, signature=score.signature + suffix)
            for score in (metric.compute() for metric in measured)
        )
        for system, measured in systems.items()
    }
    return Report(scores, tuple(clips.values()))


def _measure(
    pair: ClipPair, systems: dict[str, list[Metric]], skip_source: bool, chunk: int
) -> ClipResult:
    """Give one clip to the metrics of all systems."""
    hashes = (hashlib.sha256(), hashlib.sha256())
    count = 0
    first: Frame | None = None
    for generated, reference in _chunks(pair, chunk):
        for digest, frames in zip(hashes, (generated, reference), strict=True):
            digest.update(frames.tobytes())
        first = reference[0] if first is None else first
        kept = slice(1 if skip_source and count == 0 else 0, None)
        poses = _poses_of_chunk(pair, count + (kept.start or 0), count + len(reference))
        copies = np.broadcast_to(first, reference.shape)
        shown = {GENERATED: generated, COPY: copies}
        if len(reference[kept]):
            for system, metrics in systems.items():
                for metric in metrics:
                    metric.update(shown[system][kept], reference[kept], poses, clip=pair.id)
        count += len(reference)
    if pair.poses is not None and len(pair.poses) != count:
        raise _unequal(pair.id, "poses", len(pair.poses), count)
    sums = [digest.hexdigest() for digest in hashes]
    return ClipResult(pair.id, pair.signer, count, sums[0], sums[1])


def _poses_of_chunk(pair: ClipPair, start: int, stop: int) -> PoseSequence | None:
    if pair.poses is None:
        return None
    if len(pair.poses) < stop:
        raise _unequal(pair.id, "poses", len(pair.poses), f"at least {stop}")
    return pair.poses.frames(slice(start, stop))


def _chunks(pair: ClipPair, chunk: int) -> Iterator[tuple[Frame, Frame]]:
    """Yield stacks (T, H, W, 3) of generated and reference frames, at most `chunk` each."""
    ours, truth = iter(pair.generated), iter(pair.reference)
    count = 0
    while True:
        generated, reference = list(islice(ours, chunk)), list(islice(truth, chunk))
        if len(generated) != len(reference):
            totals = [
                count + len(taken) + sum(1 for _ in rest)
                for taken, rest in ((generated, ours), (reference, truth))
            ]
            raise _unequal(pair.id, "generated frames", totals[0], totals[1])
        if not reference:
            return
        yield _same_size(pair.id, _stacked(pair.id, generated), _stacked(pair.id, reference))
        count += len(reference)


def _stacked(clip: str, frames: list[Frame]) -> Frame:
    sizes = sorted({frame.shape for frame in frames})
    if len(sizes) > 1:
        raise UserError(
            f"clip {clip}: frames change their size from {sizes[0]} to {sizes[1]}; expected one."
        )
    return np.stack(frames)


def _same_size(clip: str, generated: Frame, reference: Frame) -> tuple[Frame, Frame]:
    """Return both stacks at one size: the column or row that video pads an odd size with is cut."""
    sizes = [(int(frames.shape[1]), int(frames.shape[2])) for frames in (generated, reference)]
    height, width = (min(pair) for pair in zip(*sizes, strict=True))
    padded = (height + height % 2, width + width % 2)
    if not all(size in {(height, width), padded} for size in sizes):
        (ours_h, ours_w), (truth_h, truth_w) = sizes
        raise UserError(
            f"clip {clip}: generated frames are {ours_w} x {ours_h}, the reference "
            f"{truth_w} x {truth_h} pixels; expected one size. "
            f"Render with --size {truth_h} {truth_w}."
        )
    return generated[:, :height, :width], reference[:, :height, :width]


def _unequal(clip: str, what: str, found: int, expected: int | str) -> UserError:
    return UserError(
        f"clip {clip}: {found} {what}, but {expected} reference frames; expected as many."
    )
