"""Run `signgen eval`: choose clips and metrics, score one by the other, write what was found."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from signgen.config.evaluation import EvalConfig, ScoredFrames
from signgen.config.sampling import Sampling
from signgen.errors import ExitCode, UserError
from signgen.evaluation.back_translation import BackTranslation, back_translate, read_texts
from signgen.evaluation.clips import Clip, ClipFiles, Pairing, pair_paths
from signgen.evaluation.images import has_results, pair_images
from signgen.evaluation.metric_choice import Measurement, choose_metrics, chosen_protocol
from signgen.evaluation.models import model_baselines, model_clips, true_parts
from signgen.evaluation.reports.latex import write_latex
from signgen.evaluation.reports.page import write_html
from signgen.evaluation.reports.report import COPY, GENERATED, WARPED, Report
from signgen.evaluation.retrieval import choose_queries, evaluate_retrieval
from signgen.evaluation.scoring import BASELINES, evaluate_clips
from signgen.evaluation.settings import check_settings, compared_systems
from signgen.files.writing import save_text
from signgen.structures import Progress, Record

__all__ = ["evaluate"]

log = logging.getLogger(__name__)
WATCHED = ("hand_ssim", "ssim")
"""Metrics that find the worst frames; the first that is measured."""


def evaluate(config: EvalConfig, *, progress: Progress | None = None) -> Report:
    """Run the eval command: paths against paths, a model on a split of a dataset, or its stage 1.

    Args:
        config: Paths and settings.
        progress: Wraps the clips or pictures as they are measured, with their number.

    Returns:
        The report. Clips that could not be scored while others were are listed in `failed`.

    Raises:
        UserError: If settings contradict each other (2), inputs, model or output are unusable, or
            nothing could be scored.
    """
    check_settings(config)

    # Score
    score = _score_paths
    if config.retrieval:
        score = _score_stage1
    elif config.generated is None:
        score = _score_model
    with _logged_warnings() as logged:
        report = score(config, progress)
    report = replace(report, warnings=(*logged, *report.warnings))

    # Write
    if config.out is not None:
        save_text(config.out, json.dumps(report.to_json(), indent=2) + "\n")
    if config.report is not None:
        write_html(config.report, report)
    if config.latex is not None:
        write_latex(config.latex, report)
    return report


class _Warnings(logging.Handler):
    """Collects what is warned of while frames are read and rendered, each once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.messages[record.getMessage()] = None


@contextmanager
def _logged_warnings() -> Iterator[dict[str, None]]:
    handler, logger = _Warnings(), logging.getLogger("signgen")
    logger.addHandler(handler)
    try:
        yield handler.messages
    finally:
        logger.removeHandler(handler)


# ----- paths --------------------------------------------------------------------------------------


def _score_paths(config: EvalConfig, progress: Progress | None) -> Report:
    # Pair the clips
    records = _records(config)
    texts = {name: record.text for name, record in records.items()}
    if config.texts is not None:
        texts = read_texts(config.texts)
    pairing = _paired(config)
    clips = [
        replace(
            clip,
            signer=records[clip.id].signer if clip.id in records else clip.signer,
            trim_ends=config.trim_ends,
        )
        for clip in pairing.clips
    ]
    baselines: Sequence[str] = BASELINES
    if config.poses is not None and (config.source is None or config.source_poses is not None):
        baselines = (*BASELINES, WARPED)
    if pairing.images:
        # There is no frame before, and where nothing says which pictures the sources are, no copy.
        baselines = (COPY,) if all(clip.source is not None for clip in clips) else ()
        _say_missing_sources(config, clips)

    # Score them
    opening = _with_parts(config) if config.regions else _opener
    measurements = choose_metrics(config, images=pairing.images)
    report = evaluate_clips(
        {clip.id: opening(clip) for clip in clips},
        measurements,
        baselines=baselines,
        compared=compared_systems(config),
        protocol=config.protocol,
        failed=pairing.failed,
        watched=_watched(config, measurements),
        progress=progress,
    )

    # Say what was compared
    names = ("generated", "reference", "source", "source_poses", "poses", "texts")
    inputs = {name: getattr(config, name) for name in names if getattr(config, name) is not None}
    return replace(
        report,
        systems=tuple(
            replace(one, path=str(config.generated)) if one.name == GENERATED else one
            for one in report.systems
        ),
        inputs={
            **inputs,
            "compare": list(config.compare),
            **({"trim_ends": config.trim_ends} if config.trim_ends else {}),
            **pairing.counts,
        },
        back_translation=_back_translated(config, clips, report, texts),
    )


def _say_missing_sources(config: EvalConfig, clips: Sequence[ClipFiles]) -> None:
    """Warn where results name their sources, and the reference has no pictures of them."""
    missing = sum(clip.source is None for clip in clips)
    if missing and has_results(str(config.generated)):
        log.warning(
            "%s has no pictures of the sources of %d of %d results, so the copy of the source is "
            "not scored beside them. Name a folder with sources and targets as --reference.",
            *(config.reference, missing, len(clips)),
        )


def _opener(files: ClipFiles) -> Callable[[], Clip]:
    return files.open


def _with_parts(config: EvalConfig) -> Callable[[ClipFiles], Callable[[], Clip]]:
    """Return what gives a clip the human parsing that the data has of its true frames."""
    from signgen.data.dataset import open_dataset

    adapter = open_dataset(config.data, (config.split,))
    records = {record.id: record for record in adapter.records(config.split)}

    def opened(files: ClipFiles) -> Clip:
        if files.id not in records:
            raise UserError(
                f"{config.data}, split {config.split}, has no clip {files.id}; --regions expects "
                "the clips of --data, which has their human parsing.",
                ExitCode.NO_INPUT,
            )
        return replace(files.open(), parts=true_parts(adapter, records[files.id]))

    return lambda files: partial(opened, files)


def _records(config: EvalConfig) -> dict[str, Record]:
    """Return the records of the data by name, where paths are of clips of a dataset."""
    needed = config.back_translate is not None and config.texts is None
    if not needed and config.data == EvalConfig.data:
        return {}
    from signgen.data.dataset import open_dataset

    adapter = open_dataset(config.data, (config.split,))
    return {record.id: record for record in adapter.records(config.split)}


def _paired(config: EvalConfig) -> Pairing:
    """Pair the clips or images of the paths."""
    generated, reference = str(config.generated), str(config.reference)
    others = compared_systems(config)
    protocol = chosen_protocol(config)
    items = config.items
    if items == "auto" and has_results(generated):
        items = "images"
    elif items == "auto":
        items = "clips" if protocol is None else protocol.items
    if items == "clips":
        own_poses = config.generated_poses if config.hand_metrics else None
        return pair_paths(
            generated,
            reference,
            config.poses,
            compare=others,
            source=config.source,
            source_poses=config.source_poses,
            generated_poses=own_poses,
        )
    beside = {"--poses": config.poses, "--source": config.source, "--regions": config.regions}
    beside |= {"--trim-ends": config.trim_ends > 0}
    for flag, given in beside.items():
        if given:
            raise UserError(
                f"{flag} serves clips, and single images are scored here. Leave it out, or score "
                "clips with --items clips.",
                ExitCode.USAGE,
            )
    return pair_images(generated, reference, compare=others)


def _watched(config: EvalConfig, measurements: Sequence[Measurement]) -> Measurement | None:
    """Return the measurement that finds the worst frames, where a page shows them."""
    measured = [one for one in measurements if not one.metric.unavailable]
    watched = [one for name in WATCHED for one in measured if one.metric.name == name]
    return watched[0] if watched and config.report is not None else None


def _back_translated(
    config: EvalConfig,
    clips: Sequence[ClipFiles],
    report: Report,
    texts: Mapping[str, str],
) -> BackTranslation | None:
    if config.back_translate is None:
        return None
    names = {clip.id for clip in report.per_clip}
    scored = [clip for clip in clips if clip.id in names]
    return back_translate(
        config.back_translate,
        {clip.id: clip.generated for clip in scored},
        {clip.id: clip.reference for clip in scored},
        texts,
    )


# ----- models -------------------------------------------------------------------------------------


def _score_model(config: EvalConfig, progress: Progress | None) -> Report:
    from signgen.data.dataset import open_dataset
    from signgen.rendering.loading import load_renderer
    from signgen.rendering.warp import WARP

    # Open the data before the model, which takes longer to load
    sampling = Sampling(
        steps=config.steps,
        sampler=config.sampler,
        official_noise=config.official_noise,
        precision=config.precision,
        seed=config.seed,
    )
    adapter = open_dataset(config.data, (config.split,))
    adapter.records(config.split)
    listed = adapter.pairs(config.split) is not None
    frames: ScoredFrames = "all" if listed else "without-source"
    measurements = choose_metrics(config, frames=frames, images=listed)

    # Render and score
    renderer = load_renderer(config.model, config.device, sampling)
    baselines = model_baselines(listed)
    if config.model == WARP:
        baselines = tuple(name for name in baselines if name != WARPED)
    report = evaluate_clips(
        model_clips(renderer, adapter, config.split, regions=config.regions),
        measurements,
        baselines=baselines,
        protocol=config.protocol,
        watched=_watched(config, measurements),
        progress=progress,
    )
    inputs = {"model": config.model, "data": config.data, "split": config.split}
    return replace(report, inputs=inputs | renderer.facts())


def _score_stage1(config: EvalConfig, progress: Progress | None) -> Report:
    from signgen.checkpoints.models import load_stage1
    from signgen.data.dataset import open_dataset
    from signgen.device import choose_device

    adapter = open_dataset(config.data, (config.split,))
    queries = choose_queries(adapter, config.split, config.retrieval_queries)
    ipf, settings = load_stage1(config.model, choose_device(config.device))
    inputs = {
        "model": config.model,
        "data": config.data,
        "split": config.split,
        "retrieval_queries": config.retrieval_queries,
        "loss": settings.ipf.loss,
        "preprocessing": settings.ipf.preprocessing,
    }
    return evaluate_retrieval(ipf, settings, adapter, queries, inputs=inputs, progress=progress)
