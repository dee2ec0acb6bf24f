"""Model cards for the hub: front matter it can search, and what a user should know before use."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from jinja2 import Environment, PackageLoader, StrictUndefined

from signgen import __version__
from signgen.config.model import ModelConfig
from signgen.config.train import TrainConfig
from signgen.evaluation.reports.report import GENERATED, Report
from signgen.exchange.licences import CORPORA, LICENSES, RAIL

__all__ = [
    "GENERATED_BY",
    "CardFacts",
    "TrainingData",
    "TrainingFacts",
    "environment",
    "write_card",
]

GENERATED_BY = "This card was written by `signgen export`"
"""Begins the line by which a card is known that was not written by hand."""


@dataclass(frozen=True)
class TrainingData:
    """A corpus that a model was trained on.

    Args:
        license: Its terms in one line.
    """

    name: str
    license: str

    @property
    def words(self) -> str:
        """The corpus in words, where it is known."""
        return CORPORA[self.name].words if self.name in CORPORA else self.name


@dataclass(frozen=True)
class TrainingFacts:
    """How a run trained the model.

    Args:
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
    """What a card says; every field is a name in `templates/card.md`.

    Args:
        repo: `owner/name` on the hub.
        prediction: What the denoiser predicts.
        parameters: Number of weights by part.
        data: Corpora it was trained on.
        bases: Pretrained models that it is made from, with their licences.
        report: Scores of its frames, where there are any.
        human_evaluation: What people found.
        notes: Further Markdown, its headings below the second level.
        half: Weights are stored as fp16.
        imported: Repository of the program that trained the weights, if that was not signgen.
    """

    repo: str
    config: ModelConfig
    prediction: str
    parameters: Mapping[str, int]
    license: str
    data: tuple[TrainingData, ...]
    bases: Mapping[str, str] = field(default_factory=dict)
    training: TrainingFacts | None = None
    report: Report | None = None
    human_evaluation: str = "none done"
    notes: str = ""
    half: bool = True
    imported: str = ""


def write_card(facts: CardFacts) -> str:
    """Return the card in Markdown, with the hub's YAML front matter."""
    more = {"generated_by": GENERATED_BY, "version": __version__, "rail": RAIL}
    template = environment().get_template("card.md")
    body = template.render(vars(facts), name=_last(facts.repo), **more)
    # Reading it back is the hub's own check of the front matter.
    return str(ModelCard(f"---\n{_front_matter(facts).to_yaml()}\n---\n\n{body.strip()}\n"))


def _front_matter(facts: CardFacts) -> ModelCardData:
    known = facts.license.lower() in LICENSES
    corpora = [CORPORA[data.name] for data in facts.data if data.name in CORPORA]
    papers = [f"arxiv:{number}" for number in re.findall(r"arXiv ([\d.]+)", facts.config.title)]
    return ModelCardData(
        language=[corpus.language for corpus in corpora if corpus.language] or None,
        license=facts.license.lower() if known else "other",
        license_name=None if known else _flat(facts.license),
        library_name="signgen",
        pipeline_tag="image-to-video",
        tags=["sign-language", "pose-guided", "latent-diffusion", facts.config.kind, *papers],
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
    results = [
        EvalResult(
            task_type="image-to-video",
            dataset_type=data,
            dataset_name=data,
            dataset_split=None if split is None else str(split),
            metric_type=one.name,
            metric_value=round(one.value, 4),
        )
        for one in report.metrics
        if one.system == GENERATED and one.value is not None
    ]
    return results or None


@cache
def environment() -> Environment:
    """Return what renders the Markdown of this package."""
    markdown = Environment(
        loader=PackageLoader("signgen.exchange"),
        autoescape=False,  # Markdown: `flat` and `cell` are its escapes
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    markdown.filters |= {
        "cell": lambda text: _flat(text).replace("|", "\\|"),
        "flat": _flat,
        # Links stay whole.
        "flowed": lambda text: textwrap.fill(
            _flat(text), 100, break_long_words=False, break_on_hyphens=False
        ),
        "last": _last,
        "link": lambda name: f"[{name}](https://huggingface.co/{name})",
        "short": "{:g}".format,
        "thousands": "{:,}".format,
    }
    return markdown


def _last(path: str) -> str:
    """Return the last name of a path: folders of a machine are nobody's business."""
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]


def _flat(text: str) -> str:
    """Return text on one line, so that none can end the front matter or begin a heading."""
    return " ".join(text.split())
