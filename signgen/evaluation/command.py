"""Stream frames of any method through metrics, other systems and trivial baselines beside them.

One pass over each clip: every chunk of frames is read once and given to every metric. A clip that
cannot be read leaves nothing in any score, and is listed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from signgen.config.evaluation import EvalConfig
from signgen.config.sampling import Sampling
from signgen.errors import ExitCode, UserError
from signgen.evaluation.back_translation import BackTranslation, back_translate, read_texts
from signgen.evaluation.clips import ClipFiles, ClipPair, Pairing, pair_paths
from signgen.evaluation.given_poses import GivenPoses
from signgen.evaluation.images import has_results, pair_images
from signgen.evaluation.metric_choice import build_slots, chosen_protocol
from signgen.evaluation.metric_factories import NotComputed
from signgen.evaluation.models import evaluate_model
from signgen.evaluation.reports.latex import write_latex
from signgen.evaluation.reports.page import write_html
from signgen.evaluation.reports.report import COPY, GENERATED, Report
from signgen.evaluation.reports.worst_frames import WorstFrames
from signgen.evaluation.retrieval import Progress, evaluate_retrieval
from signgen.evaluation.scoring import Setup, evaluate_clips, evaluate_pairs
from signgen.evaluation.settings import check_settings
from signgen.files.writing import save_text
from signgen.structures import Record

__all__ = [
    "ClipPair",
    "Report",
    "evaluate",
    "evaluate_clips",
    "evaluate_model",
    "evaluate_pairs",
    "pair_paths",
]

WATCHED = ("hand_ssim", "ssim")
"""Metrics that find the worst frames; the first that is measured."""


def evaluate(config: EvalConfig, *, progress: Progress | None = None) -> Report:
    """Run the eval command: paths against paths, or a model on a split of a dataset.

    Args:
        config: Paths and settings.
        progress: Wraps the clips as they are measured, with their number; for a progress bar.

    Returns:
        The report. Clips that could not be scored while others were are listed in `failed`.

    Raises:
        UserError: If settings contradict each other (2), inputs, model or output are unusable, or
            nothing could be scored.
    """
    if config.retrieval:
        report = evaluate_retrieval(config, progress=progress)
    else:
        check_settings(config)
        paths = config.generated is not None and config.reference is not None
        report = (_evaluate_paths if paths else _evaluate_named_model)(config, progress)
    if config.out is not None:
        save_text(config.out, json.dumps(report.to_json(), indent=2) + "\n")
    if config.report is not None:
        write_html(config.report, report)
    if config.latex is not None:
        write_latex(config.latex, report)
    return report


def _evaluate_paths(config: EvalConfig, progress: Progress | None) -> Report:
    records = _records(config)
    texts = {name: record.text for name, record in records.items()}
    if config.texts is not None:
        texts = read_texts(config.texts)
    pairing = _paired(config)
    clips = [
        replace(clip, signer=records[clip.id].signer) if clip.id in records else clip
        for clip in pairing.clips
    ]
    given = None
    if config.generated_poses is not None:
        given = GivenPoses(Path(config.generated_poses), clips)
    setup = _setup(config, images=pairing.images, given=given)
    if pairing.images:
        # There is no frame before, and where nothing says which pictures the sources are, no copy.
        sources = all(clip.source is not None for clip in clips)
        setup = replace(setup, baselines=(COPY,) if sources else ())
    shown = clips if progress is None else progress(clips, len(clips))
    report = evaluate_clips(shown, setup, failed=pairing.failed)
    names = ("generated", "reference", "source", "poses", "texts")
    inputs = {name: getattr(config, name) for name in names if getattr(config, name) is not None}
    systems = tuple(
        replace(one, path=str(config.generated)) if one.name == GENERATED else one
        for one in report.systems
    )
    return replace(
        report,
        systems=systems,
        inputs={**inputs, "compare": list(config.compare), **pairing.counts},
        back_translation=_back_translated(config, clips, report, texts),
    )


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
    others = {path: path for path in config.compare}
    protocol = chosen_protocol(config)
    items = config.items
    if items == "auto" and has_results(generated):
        items = "images"
    elif items == "auto":
        items = "clips" if protocol is None else protocol.items
    if items == "clips":
        return pair_paths(generated, reference, config.poses, compare=others, source=config.source)
    for flag, given in (("--poses", config.poses), ("--source", config.source)):
        if given is not None:
            raise UserError(
                f"{flag} serves clips, and single images are scored here. Leave it out, or score "
                "clips with --items clips.",
                ExitCode.USAGE,
            )
    return pair_images(generated, reference, compare=others)


def _setup(
    config: EvalConfig,
    *,
    images: bool,
    skip_source: bool = False,
    given: GivenPoses | None = None,
) -> Setup:
    protocol = chosen_protocol(config)
    frames = config.frames or ("without-source" if skip_source else "all")
    slots = build_slots(config, protocol, frames=frames, images=images, given=given)
    measured = [slot for slot in slots if not isinstance(slot.metric, NotComputed)]
    watched = [slot for name in WATCHED for slot in measured if slot.metric.name == name]
    keeps = config.report is not None and watched
    return Setup(
        slots,
        compared=config.compare,
        protocol=config.protocol,
        worst=WorstFrames(watched[0].name) if keeps else None,
    )


def _back_translated(
    config: EvalConfig,
    clips: Sequence[ClipFiles],
    report: Report,
    texts: Mapping[str, str],
) -> BackTranslation | None:
    if config.back_translate is None:
        return None
    scored = {clip.id for clip in report.per_clip}
    kept = [clip for clip in clips if clip.id in scored]
    return back_translate(
        config.back_translate,
        {clip.id: clip.generated for clip in kept},
        {clip.id: clip.reference for clip in kept},
        texts,
    )


def _evaluate_named_model(config: EvalConfig, progress: Progress | None) -> Report:
    from signgen.checkpoints.models import load_model
    from signgen.data.dataset import open_dataset
    from signgen.device import choose_device
    from signgen.rendering.renderer import Renderer

    sampling = Sampling(
        steps=config.steps,
        sampler=config.sampler,
        official_noise=config.official_noise,
        precision=config.precision,
        seed=config.seed,
    )
    adapter = open_dataset(config.data, (config.split,))
    adapter.records(config.split)  # before the model, which takes longer to load
    listed = adapter.pairs(config.split) is not None
    setup = _setup(config, images=listed, skip_source=not listed)
    renderer = Renderer(load_model(config.model, choose_device(config.device)), sampling)
    report = evaluate_model(renderer, adapter, config.split, setup=setup, progress=progress)
    settings = {
        "model": config.model,
        "data": config.data,
        "split": config.split,
        **renderer.sampling.facts(renderer.chunk),
    }
    return replace(report, inputs=settings)
