"""Scores and cost of models side by side, on clips of signers that none of them was trained on.

    python tools/compare_models.py fpdm=runs/mini-fpdm parsing=runs/parsing-mini-fused \
        --data runs/corpus --sheet sheet.png

`--sampling NAME=SAMPLER,STEPS,W1,W2` samples one of them in another way than its own; a model may
be there under several names.

Each clip is rendered from its first frame with its own poses by every model, on one thread. Prints
Markdown: what each model cost, its scores with 95 % bootstrap intervals over clips, on all clips
and on the half whose poses change most, on that half the paired differences from the first, and how
near the pictures of each are to those of the first. Hours of training are those of its log; seconds
a frame are processor time; a forward is that of one picture in one branch of guidance.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from signgen.checkpoints.models import load_model
from signgen.config.model import Precision
from signgen.config.sampling import Sampling
from signgen.data.adapter import DatasetAdapter
from signgen.data.dataset import open_dataset, parts_of
from signgen.evaluation.clips import Clip
from signgen.evaluation.comparison import paired_bootstrap
from signgen.evaluation.metric_choice import named_metrics
from signgen.evaluation.metrics.pixels.image import psnr
from signgen.evaluation.metrics.score import bootstrap_interval
from signgen.evaluation.models import true_parts
from signgen.evaluation.protocols import View
from signgen.evaluation.reports.report import COPY, GENERATED, WARPED, Report
from signgen.evaluation.reports.values import direction, number
from signgen.evaluation.scoring import evaluate_clips
from signgen.media import save_image
from signgen.models.base import PoseGuidedModel
from signgen.pose.skeleton import SIDES, SKELETONS
from signgen.rendering.renderer import Renderer
from signgen.structures import FrameRef, PoseSequence, Record

METRICS = (
    "ssim",
    "psnr",
    "face_region_ssim",
    "cloth_region_ssim",
    "face_region_ciede2000",
    "cloth_region_ciede2000",
    "hand_ssim",
)
MOTION = ("flicker", "brightness_jitter", "second_difference")
"""Of clips all of whose frames are rendered."""
Frames = NDArray[np.uint8]


def pose_change(poses: PoseSequence) -> NDArray[np.float64]:
    """Return how far elbows and wrists are from where the first frame has them.

    Returns:
        (T,) means in shoulder widths of the first frame; NaN where none is known.
    """
    index = SKELETONS[poses.skeleton].index
    left, right = poses.keypoints[0, [index("left_shoulder"), index("right_shoulder")]]
    joints = [index(f"{side}_{joint}") for side in SIDES for joint in ("elbow", "wrist")]
    points = poses.keypoints[:, joints].astype(np.float64)  # (T, 4, 2)
    points[poses.confidence[:, joints] <= 0] = np.nan
    moved = np.linalg.norm(points - points[0], axis=-1) / np.linalg.norm(left - right)
    known = ~np.isnan(moved).all(axis=1)
    change = np.full(len(moved), np.nan)
    change[known] = np.nanmean(moved[known], axis=1)
    return change


@dataclass
class Rendered:
    """Renders clips by all models when their turn comes.

    Args:
        models: The models by name, the first of them the one that others are compared with.
        dataset: Where the clips come from.
        samplings: How each of them is sampled.
        every: One of so many frames is rendered: the last of them.
        seconds: Processor seconds of each model.
        forwards: Forwards of the U-Nets of each model, by model and U-Net.
        frames: Frames that each model rendered.
        change: How much the poses of each clip change, on the mean of its frames.
        likeness: PSNR of each model's pictures to those of the first, by clip: means over frames.
        rows: Source, what the models made, and truth: the frame of each clip that changed most.
    """

    models: dict[str, PoseGuidedModel]
    dataset: DatasetAdapter
    samplings: dict[str, Sampling]
    every: int = 1
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    forwards: Counter[tuple[str, str]] = field(default_factory=Counter)
    frames: int = 0
    change: dict[str, float] = field(default_factory=dict)
    likeness: dict[str, dict[str, float]] = field(default_factory=dict)
    rows: list[Frames] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Count forwards, and make a renderer of each model."""
        self.renderers = {
            name: Renderer(model, self.samplings[name]) for name, model in self.models.items()
        }
        for name, model in self.models.items():
            for net in ("unet", "source_net"):
                if (module := getattr(model, net, None)) is not None:
                    module.register_forward_pre_hook(partial(self._count, (name, net)))

    def _count(self, which: tuple[str, str], _: object, inputs: tuple[Tensor, ...]) -> None:
        self.forwards[which] += len(inputs[0])

    def open(self, record: Record) -> Clip:
        """Return one clip, rendered."""
        first = FrameRef(record, 0)
        indices = range(self.every - 1, record.num_frames, self.every)
        source, whole = self.dataset.frame(first), self.dataset.poses(record)
        signer, poses = whole.frames([0]), whole.frames(indices)
        truth = [self.dataset.frame(FrameRef(record, t)) for t in indices]
        parts = partial(parts_of, self.dataset, first)
        made = {}
        for name, renderer in self.renderers.items():
            start = time.process_time()
            frames = renderer.render(source, poses, signer=signer, parts=parts)
            made[name] = list(frames)
            self.seconds[name] += time.process_time() - start
        self.frames += len(truth)
        first_made = np.stack(next(iter(made.values())))
        self.likeness[record.id] = {
            name: float(psnr(np.stack(frames), first_made).mean())
            for name, frames in list(made.items())[1:]
        }

        # Where the pose changes most
        change = pose_change(whole)[indices]
        self.change[record.id] = float(np.nanmean(change))
        most = int(np.nanargmax(change))
        shown = [source, *(frames[most] for frames in made.values()), truth[most]]
        self.rows.append(np.concatenate(shown, axis=1))

        main = next(iter(made))
        return Clip(
            record.id,
            record.signer,
            made.pop(main),
            truth,
            poses,
            source=[source],
            source_poses=signer,
            compared=made,
            parts=islice(true_parts(self.dataset, record), self.every - 1, None, self.every),
        )


def training(name: str) -> tuple[int, float]:
    """Return steps of a run and seconds that they took, from its log."""
    log = Path(name) / "log.jsonl"
    if not log.is_file():
        return 0, float("nan")
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    entries = [entry for entry in entries if "samples_per_second" in entry]
    # `seconds` is the mean of a step since the entry before
    steps = np.diff([0, *(entry["step"] for entry in entries)])
    return entries[-1]["step"], float(steps @ [entry["seconds"] for entry in entries])


def cost_table(rendered: Rendered, runs: dict[str, str]) -> Iterator[str]:
    """Yield the lines of what each model cost."""
    yield "| model | parameters | steps | hours of training | seconds a frame | forwards a frame |"
    yield "|---|---|---|---|---|---|"
    for name, model in rendered.models.items():
        steps, seconds = training(runs[name])
        size = sum(weight.numel() for weight in model.parameters()) / 1e6
        counts = [
            f"{net} {count / rendered.frames:.3g}"
            for (whose, net), count in rendered.forwards.items()
            if whose == name
        ]
        spent = rendered.seconds[name] / rendered.frames
        trained = f"{steps:,} | {seconds / 3600:.2f}" if steps else "- | -"
        yield f"| {name} | {size:.1f} M | {trained} | {spent:.2f} | {', '.join(counts)} |"


def values(report: Report, system: str, metric: str, clips: Sequence[str]) -> NDArray[np.float64]:
    """Return (2, N) values and their counts of the clips that have some."""
    own = {clip.id: clip for clip in report.per_clip}
    found = [(own[c].scores[system].get(metric), own[c].counts[system].get(metric)) for c in clips]
    return np.array([pair for pair in found if pair[0] is not None], np.float64).T.reshape(2, -1)


def measured(report: Report) -> list[str]:
    """Return the metrics of a report, in their order here."""
    return [metric for metric in (*METRICS, *MOTION) if report.by_system(metric)]


def score_table(report: Report, names: dict[str, str], clips: Sequence[str]) -> Iterator[str]:
    """Yield the lines of all scores on some clips."""
    yield f"| metric | {' | '.join(names.values())} |"
    yield "|---" * (1 + len(names)) + "|"
    for metric in measured(report):
        cells = []
        for system in names:
            means, counts = values(report, system, metric, clips)
            if not counts.size:
                cells.append("-")
                continue
            interval = bootstrap_interval(means * counts, counts)
            written = f"{number(metric, float(means @ counts / counts.sum()))}"
            bounds = [number(metric, bound) for bound in interval or ()]
            cells.append(written + f" [{', '.join(bounds)}]" * bool(bounds))
        entry = next(iter(report.by_system(metric).values()))
        yield f"| {metric}, {direction(entry)} | {' | '.join(cells)} |"


def difference_table(report: Report, names: dict[str, str], clips: Sequence[str]) -> Iterator[str]:
    """Yield the lines of the differences from the first system on some clips."""
    first, *others = names
    yield f"| metric | {' | '.join(names[other] for other in others)} |"
    yield "|---" * (1 + len(others)) + "|"
    for metric in measured(report):
        cells = []
        for other in others:
            both = [values(report, system, metric, clips) for system in (other, first)]
            means, counts = (np.stack([one[i] for one in both]) for i in (0, 1))
            difference, interval, p = paired_bootstrap(means, counts)
            bounds = ", ".join(f"{bound:+.4f}" for bound in interval or ())
            doubt = "" if p is None else f" [{bounds}], p {p:.3f}"
            cells.append(f"{difference:+.4f}{doubt}")
        yield f"| {metric} | {' | '.join(cells)} |"


def likeness_line(rendered: Rendered) -> Iterator[str]:
    """Yield how near the pictures of each model are to those of the first, with intervals."""
    for name in list(rendered.models)[1:]:
        found = np.array([clip[name] for clip in rendered.likeness.values()])
        interval = bootstrap_interval(found, np.ones_like(found))
        bounds = ", ".join(f"{bound:.2f}" for bound in interval or ())
        yield f"- {name}: {found.mean():.2f}" + f" [{bounds}]" * bool(bounds)


def asked_for(sampling: str) -> tuple[str, Sampling]:
    """Return the name and the sampling of NAME=SAMPLER,STEPS,W1,W2."""
    name, _, said = sampling.partition("=")
    sampler, steps, *weights = said.split(",")
    guidance = tuple(map(float, weights)) or None
    return name, Sampling(int(steps), guidance, sampler)  # type: ignore[arg-type]  # it checks


def main() -> None:
    """Render, score and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", metavar="NAME=MODEL")
    parser.add_argument("--data", required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--clips", type=int, default=0, help="0 takes all")
    parser.add_argument("--every", type=int, default=1, help="render one of so many frames")
    parser.add_argument("--precision", choices=get_args(Precision), default="no")
    parser.add_argument("--sampling", action="append", default=[], type=asked_for)
    parser.add_argument("--sheet", help="PNG of one frame of each clip")
    options = parser.parse_args()
    torch.set_num_threads(1)
    runs = dict(pair.split("=", 1) for pair in options.models)
    dataset = open_dataset(options.data, [options.split])
    records = dataset.records(options.split)[: options.clips or None]
    models = {name: load_model(run) for name, run in runs.items()}
    ways = {name: Sampling() for name in runs} | dict(options.sampling)
    ways = {name: replace(way, precision=options.precision) for name, way in ways.items()}
    rendered = Rendered(models, dataset, ways, options.every)
    report = evaluate_clips(
        {record.id: partial(rendered.open, record) for record in records},
        named_metrics((*METRICS, *(MOTION if options.every == 1 else ())), View()),
        baselines=(COPY, WARPED),
        compared=dict.fromkeys(list(runs)[1:]),
    )
    if options.sheet:
        save_image(Path(options.sheet), np.concatenate(rendered.rows))

    # Half of the clips, those whose poses change most
    order = sorted(rendered.change, key=lambda clip: -rendered.change[clip])
    large = order[: (len(order) + 1) // 2]
    names = {GENERATED: next(iter(runs)), **{name: name for name in list(runs)[1:]}}
    systems = {**names, COPY: COPY, WARPED: WARPED}
    limit = rendered.change[large[-1]]
    print(f"{len(order)} clips of {Path(options.data).name}, split {options.split}\n")
    print("\n".join(cost_table(rendered, runs)), "\n")
    print("All clips\n", *score_table(report, systems, order), sep="\n")
    heading = (
        f"{len(large)} clips with large changes of pose (elbows and wrists {limit:.2f} shoulder"
    )
    print(f"\n{heading} widths from the source or more)\n")
    print("\n".join(score_table(report, systems, large)))
    if len(names) > 1:
        print(f"\nDifference from {names[GENERATED]} on these\n")
        print("\n".join(difference_table(report, names, large)))
        print(f"\nPSNR to the pictures of {names[GENERATED]}, all clips\n")
        print("\n".join(likeness_line(rendered)))


if __name__ == "__main__":
    main()
