"""Model cards for the hub: front matter it can search, and what a user should know before use."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from signgen import __version__
from signgen.config.model import FPDMConfig, full_fpdm
from signgen.config.train import TrainConfig
from signgen.evaluation.reports.report import GENERATED, Report
from signgen.exchange.licences import DATA_LANGUAGES, DATA_NAMES, LICENSES, RAIL, base_models

__all__ = [
    "GENERATED_BY",
    "CardFacts",
    "TrainingData",
    "TrainingFacts",
    "write_card",
]

GENERATED_BY = "This card was written by `signgen export`"
"""Begins the line by which a card is known that was not written by hand."""

METRIC_DIGITS = 4


@dataclass(frozen=True)
class TrainingData:
    """A corpus that a model was trained on.

    Args:
        name: Short name, such as `phoenix14t`.
        license: Its terms in one line.
    """

    name: str
    license: str


@dataclass(frozen=True)
class TrainingFacts:
    """How a run trained the model.

    Args:
        config: Settings of the run.
        step: Optimiser steps done.
        processes: Processes that trained together.
        averaged: The weights are the moving average.
        counts: Clips, frames and signers it was trained on; empty where the data are not here.
    """

    config: TrainConfig
    step: int
    processes: int
    averaged: bool
    counts: str = ""


@dataclass(frozen=True)
class CardFacts:
    """What a card says.

    Args:
        repo: `owner/name` on the hub.
        config: Settings of the model.
        prediction: What the denoiser predicts.
        parameters: Number of weights by part.
        license: Licence of the weights.
        data: Corpora it was trained on.
        training: The run, where one is known.
        report: Report of `signgen eval` as JSON, where there is one.
        human_evaluation: What people found.
        notes: Further Markdown, its headings below the second level.
        half: Weights are stored as fp16.
        imported: Repository of the program that trained the weights, if that was not signgen.
    """

    repo: str
    config: FPDMConfig
    prediction: str
    parameters: Mapping[str, int]
    license: str
    data: Sequence[TrainingData]
    training: TrainingFacts | None = None
    report: Report | None = None
    human_evaluation: str = "none done"
    notes: str = ""
    half: bool = True
    imported: str = ""

    @property
    def bases(self) -> dict[str, str]:
        """Models that it is made from, with their licences; imported weights hold theirs."""
        return base_models(full_fpdm() if self.imported else self.config)


def write_card(facts: CardFacts) -> str:
    """Return the card in Markdown, with the hub's YAML front matter.

    Args:
        facts: What it says.
    """
    sections = (
        _head(facts),
        _use(facts),
        _limits(facts),
        _numbers(facts),
        _training(facts),
        _evaluation(facts),
        _licences(facts),
        f"## Notes\n\n{facts.notes}" if facts.notes else "",
    )
    body = "\n\n".join(section.strip() for section in sections if section)
    # Reading it back is the hub's own check of the front matter.
    return str(ModelCard(f"---\n{_front_matter(facts).to_yaml()}\n---\n\n{body}\n"))


def _front_matter(facts: CardFacts) -> ModelCardData:
    known = facts.license.lower() in LICENSES
    languages = [DATA_LANGUAGES[data.name] for data in facts.data if data.name in DATA_LANGUAGES]
    return ModelCardData(
        language=languages or None,
        license=facts.license.lower() if known else "other",
        license_name=None if known else _flat(facts.license),
        library_name="signgen",
        pipeline_tag="image-to-video",
        tags=["sign-language", "pose-guided", "latent-diffusion", "fpdm", "arxiv:2412.07333"],
        base_model=list(facts.bases) or None,
        imported=facts.imported or None,
        datasets=[_flat(data.name) for data in facts.data],
        training_data=[
            {"name": _flat(data.name), "license": _flat(data.license)} for data in facts.data
        ],
        model_name=_last(facts.repo) if facts.report else None,
        eval_results=_eval_results(facts.report) if facts.report else None,
    )


def _eval_results(report: Report) -> list[EvalResult] | None:
    data = _last(str(report.inputs.get("data", "frames given by path")))
    split = report.inputs.get("split")
    found = [
        EvalResult(
            task_type="image-to-video",
            dataset_type=data,
            dataset_name=data,
            dataset_split=None if split is None else str(split),
            metric_type=entry.name,
            metric_value=round(entry.value, METRIC_DIGITS),
        )
        for entry in report.metrics
        if entry.system == GENERATED and entry.value is not None
    ]
    return found or None


def _last(path: str) -> str:
    """Return the last name of a path: folders of a machine are nobody's business."""
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]


# ----- sections -----------------------------------------------------------------------------------


def _head(facts: CardFacts) -> str:
    bases = ", ".join(map(_link, facts.bases))
    made = f"started from {bases}" if bases else "with nothing pretrained"
    by = f"{facts.imported} and imported into signgen" if facts.imported else "signgen"
    text = f"""
        One frame of a signer and a sequence of poses become a video of that signer. This is FPDM
        (arXiv 2412.07333), trained with {by}, {made}. It makes pictures of
        {_size(facts.config.size)} (height x width)."""
    return f"# {_last(facts.repo)}\n\n{_flowed(text)}\n\n{GENERATED_BY} {__version__}."


def _use(facts: CardFacts) -> str:
    intended = """
        **Intended for** research on sign-language production, and for making a signing video of a
        person who agreed to exactly that use. Say to everyone who sees a video that it was
        generated."""
    excluded = """
        **Not for** interpreting in emergencies, medicine or law, or anywhere else where a
        misunderstood sign does harm; not for showing people saying what they did not say, nor
        anyone without their consent; not as a replacement of interpreters."""
    return f"""## Use

```bash
signgen render --source frame.png --poses seq.json --model {facts.repo} --out out.mp4
```

```python
import signgen

renderer = signgen.Renderer(signgen.load_model("{facts.repo}"))
```

Both fetch the model when they first need it; `hf download {facts.repo}` does so beforehand, to
work offline. Weights are verified against the checksums in `manifest.json` when they are loaded.

{_flowed(intended)}

{_flowed(excluded)}"""


def _limits(facts: CardFacts) -> str:
    names = {data.name for data in facts.data}
    lines = []
    if names == {"synthetic"}:
        lines.append("It has seen drawn signers only: it makes no likeness of a photograph.")
    if "deepfashion" in names:
        lines.append("DeepFashion shows garments, not signing: hands were never its subject.")
    lines += [
        "Fast hands, crossing hands, hands before the face: fingers blur, merge or are lost.",
        "Mouthing and facial grammar: only what the poses hold reaches the picture, coarsely.",
        "What the source frame hides (a hand, the back of a sleeve) is invented.",
        "Frames are made one by one; textures may flicker.",
        "Signers, clothes, views and sizes unlike the training data come out worse.",
        "Errors of the pose estimator are drawn as they are.",
    ]
    return "## Known failures\n\n" + "\n".join(f"- {line}" for line in lines)


def _numbers(facts: CardFacts) -> str:
    config, sampling = facts.config, facts.config.sampling
    source = config.source_size or config.size
    parts = "\n".join(f"| {part} | {count:,} |" for part, count in facts.parameters.items())
    canvas = config.pose_canvas or config.size
    total = sum(facts.parameters.values())
    return f"""## The model

| Part | Parameters |
|---|---|
{parts}
| all | {total:,} |

| Setting | Value |
|---|---|
| pictures, sources (height x width) | {_size(config.size)}, {_size(source)} |
| skeleton of the poses | {config.skeleton} |
| pose drawing | {config.pose_style}, on a canvas of {_size(canvas)} |
| fusion | {config.fusion} |
| denoiser | {facts.prediction} |
| sampling unless told otherwise | {sampling.steps} steps, guidance {_pair(sampling.guidance)}, \
{sampling.sampler} |
| weights | {"fp16" if facts.half else "fp32"} |"""


def _training(facts: CardFacts) -> str:
    data = "\n".join(f"- {_flat(DATA_NAMES.get(item.name, item.name))}" for item in facts.data)
    text = f"## Training\n\nData:\n\n{data}"
    if facts.training is None:
        return text
    run, config = facts.training, facts.training.config
    shown = run.step * config.batch_size * config.accumulate * run.processes
    fresh = "pretrained parts" if facts.bases else "nothing"
    earlier = ", ".join(map(_last, config.start_from)) or fresh
    counts = f"{run.counts}; " if run.counts else ""
    examples = f"{counts}source and target the same in {config.data.identity_rate:.0%}"
    return f"""{text}

| Setting | Value |
|---|---|
| last stage | {config.stage}, starting from {earlier} |
| optimiser steps | {run.step:,} of {config.steps:,} |
| batch | {config.batch_size} x {run.processes} processes, {shown:,} examples in all |
| learning rate | {config.learning_rate:g}, {config.schedule}, warm-up {config.warmup:,} steps |
| precision, seed | {config.precision}, {config.seed} |
| moving average | {f"{config.ema:g}, used here" if run.averaged else "none"} |
| split {config.data.split} | {examples} |
| dropped conditions: pose, source, fusion | {facts.config.drop_pose:g}, \
{facts.config.drop_source:g}, {facts.config.drop_fusion:g} |"""


def _evaluation(facts: CardFacts) -> str:
    people = f"Evaluation by people: {_cell(facts.human_evaluation)}."
    if facts.report is None:
        return f"## Evaluation\n\nNo report of `signgen eval` was given for this card. {people}"
    inputs = {
        name: _last(value) if isinstance(value, str) else value
        for name, value in facts.report.inputs.items()
    }
    settings = ", ".join(f"{name} {value}" for name, value in inputs.items())
    return f"""## Evaluation

By `signgen eval` ({settings}):

```
{facts.report.table()}
```

{people}"""


def _licences(facts: CardFacts) -> str:
    bases = facts.bases
    rows = [("these weights", facts.license)]
    rows += [
        (f"training data: {DATA_NAMES.get(data.name, data.name)}", data.license)
        for data in facts.data
    ]
    rows += [(f"base model {_link(name)}", terms) for name, terms in bases.items()]
    lines = [f"| {_cell(what)} | {_cell(terms)} |" for what, terms in rows]
    text = "\n".join(["## Licences", "", "| What | Terms |", "|---|---|", *lines])
    if any("RAIL" in terms for terms in bases.values()):
        clause = f"""
            Made from Stable Diffusion 2: the use restrictions in Attachment A of the
            [CreativeML Open RAIL++-M]({RAIL}) apply to these weights too, and whoever passes on
            the weights or what is derived from them must pass on the restrictions."""
        text += f"\n\n{_flowed(clause)}"
    return text


def _flowed(text: str) -> str:
    """Return a paragraph with lines of even length, links unbroken."""
    return textwrap.fill(_flat(text), 100, break_long_words=False, break_on_hyphens=False)


def _flat(text: str) -> str:
    """Return text on one line, so that none can end the front matter or begin a heading."""
    return " ".join(text.split())


def _cell(text: str) -> str:
    """Return text for one cell of a table."""
    return _flat(text).replace("|", "\\|")


def _link(name: str) -> str:
    return f"[{name}](https://huggingface.co/{name})"


def _size(size: Sequence[int]) -> str:
    return f"{size[0]} x {size[1]}"


def _pair(values: Sequence[float]) -> str:
    return " and ".join(f"{value:g}" for value in values)
