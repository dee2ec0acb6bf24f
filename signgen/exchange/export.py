"""Write a model as a folder to upload to the hub: weights, settings, checksums and a card."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard

from signgen.checkpoints.finding import resolve
from signgen.checkpoints.folders import CARD, verify
from signgen.checkpoints.models import load_model, save_pretrained
from signgen.config.data import DataConfig
from signgen.config.exchange import ExportConfig
from signgen.config.model import ModelConfig
from signgen.config.train import TrainConfig
from signgen.config.yaml import load_config
from signgen.data.dataset import open_dataset
from signgen.data.manifest import MANIFEST, read_manifest
from signgen.evaluation.reports.report import FRAMES, Report
from signgen.exchange.card import GENERATED_BY, CardFacts, TrainingData, TrainingFacts, write_card
from signgen.exchange.fpdm.published import BASES
from signgen.exchange.licences import CORPORA, base_models
from signgen.files.hub import hub_files
from signgen.files.reading import read_json, read_text
from signgen.models.pretrained import parts_of
from signgen.structures import ExitCode, UserError

__all__ = ["Exported", "export_model"]

MAX_BYTES = 1 << 24
"""A card or a report is far smaller."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        files: Size of every file in bytes.
        upload: Command that uploads it.
    """

    folder: str
    files: Mapping[str, int]
    upload: str


def export_model(config: ExportConfig) -> Exported:
    """Write a model as a folder to upload; only loading the model may use the network."""
    if not config.model:
        raise _usage("MODEL is missing; expected `mini`, a run folder or a hub id.")
    if not config.to_hub_folder:
        raise _usage("--to-hub-folder is missing; expected a folder to write to.")

    # Collect what is known of the model
    folder, settings, model_config = resolve(config.model)
    _check_sources(model_config, settings)
    training = None if settings.parent == folder else _training(folder, settings)
    earlier = _earlier_card(folder)
    said = {} if earlier is None else vars(earlier.data)
    license_ = str(config.license or said.get("license_name") or said.get("license") or "")
    if not license_:
        raise _usage(
            "--license is missing: nobody but you can say under which licence the weights go; "
            "expected one such as cc-by-nc-sa-4.0."
        )
    data = _data(config, training, said)
    report = None if config.report is None else _report(config.report, config.model)
    notes = _notes(config, earlier)
    imported = str(said.get("imported") or "")
    name = config.repo or f"OWNER/{Path(config.to_hub_folder).resolve().name}"
    if hub_files(name) is None:
        raise _usage(f"--repo is {name}; expected owner/name.")

    # Write weights and card
    model = load_model(config.model)
    card = write_card(
        CardFacts(
            repo=name,
            config=model.config,
            prediction=model.schedule.prediction_type,
            parameters={
                part: sum(weight.numel() for weight in module.parameters())
                for part, module in model.named_children()
            },
            license=license_,
            data=data,
            bases=BASES if imported else base_models(model.config),
            training=training,
            report=report,
            human_evaluation=config.human_evaluation,
            notes=notes,
            half=config.half,
            imported=imported,
        )
    )
    written = save_pretrained(model, config.to_hub_folder, card=card, half=config.half)
    sizes = {path.name: path.stat().st_size for path in sorted(written.iterdir())}
    # Without an owner the hub takes the account that is logged in.
    upload = shlex.join(["hf", "upload", name.removeprefix("OWNER/"), str(written), "."])
    return Exported(str(written), sizes, upload)


def _usage(message: str) -> UserError:
    return UserError(message, ExitCode.USAGE)


def _check_sources(config: ModelConfig, settings: Path) -> None:
    """Refuse a model that only this machine can load."""
    for section, name in parts_of(config).items():
        if Path(name).is_dir() or hub_files(name) is None:
            raise UserError(
                f"{settings}: model.{section}.pretrained is {name}, which others do not have; "
                "expected a hub id. Change it there, to the id that the folder is a copy of."
            )


def _training(weights: Path, settings: Path) -> TrainingFacts:
    manifest, config = verify(weights), load_config(settings, TrainConfig)
    environment = settings.parent / "environment.json"
    facts = _json_object(environment) if environment.is_file() else {}
    return TrainingFacts(
        config=config,
        step=int(manifest["step"]),
        processes=int(facts.get("processes", 1)),
        averaged="ema.safetensors" in manifest["files"],
        counts=_counts(config.data),
    )


def _counts(data: DataConfig) -> str:
    """Return how much a run was trained on, in words; empty where its data are gone."""
    if data.root != "sample" and not Path(data.root).is_dir():
        return ""
    records = open_dataset(data.root, (data.split,)).records(data.split)
    frames = sum(record.num_frames for record in records)
    signers = len({record.signer for record in records} - {""})
    return f"{len(records):,} clips, {frames:,} frames, {signers or 'unknown'} signers"


# ----- what a card needs to be told ---------------------------------------------------------------


def _data(
    config: ExportConfig, training: TrainingFacts | None, said: Mapping[str, Any]
) -> tuple[TrainingData, ...]:
    """Return the corpora, from the flags, else the run's data, else the model's earlier card."""
    names = config.data
    if not names and training is not None:
        names = _corpus(training.config.data.root)
    if not names and (listed := said.get("training_data")):
        if not config.data_license:
            return tuple(TrainingData(str(item["name"]), str(item["license"])) for item in listed)
        names = tuple(str(item["name"]) for item in listed)
    if not names:
        raise _usage(
            "--data is missing: it is not known what the model was trained on; expected names such "
            f"as {', '.join(CORPORA)}, or your own with --data-license."
        )
    unknown = [name for name in names if name not in CORPORA]
    if unknown and not config.data_license:
        raise _usage(
            f"--data-license is missing: the terms of {', '.join(unknown)} are not known; expected "
            "them in a few words."
        )
    return tuple(TrainingData(name, config.data_license or CORPORA[name].terms) for name in names)


def _corpus(root: str) -> tuple[str, ...]:
    """Return the name of a run's data where it is certain: the sample, or a prepared corpus."""
    if root == "sample":
        return ("synthetic",)
    prepared = (Path(root) / MANIFEST).is_file()
    return (name,) if prepared and (name := read_manifest(Path(root)).dataset) in CORPORA else ()


def _earlier_card(folder: Path) -> ModelCard | None:
    """Return the card beside the weights, which an earlier export or the bundled model has."""
    path = folder / CARD
    if not path.is_file():
        return None
    text = read_text(path, MAX_BYTES, "a short text")
    try:
        # The hub library would warn of a card that somebody wrote without front matter.
        return ModelCard(text if text.startswith("---") else f"---\n{{}}\n---\n\n{text}")
    except ValueError as error:
        raise UserError(f"{path} has no front matter that can be read ({error}).") from None


def _notes(config: ExportConfig, earlier: ModelCard | None) -> str:
    """Return the notes that were given, else those of the earlier card, all of one by hand."""
    if config.notes is not None:
        return _demoted(read_text(config.notes, MAX_BYTES, "a short text"))
    if earlier is None:
        return ""
    if GENERATED_BY in earlier.text:
        return earlier.text.partition("\n## Notes\n")[2].strip()
    return _demoted(earlier.text)


def _demoted(markdown: str) -> str:
    """Return Markdown with its headings two levels down; comments in code stay as they are."""
    lines, fenced = [], False
    for line in markdown.strip().splitlines():
        fenced ^= line.startswith("```")
        lines.append(line if fenced else re.sub(r"^(#{1,4}) ", r"\1## ", line))
    return "\n".join(lines)


def _report(path: str, model: str) -> Report:
    """Read a report of `signgen eval`, which must be one of this model."""
    try:
        report = Report.from_json(_json_object(Path(path)))
        if report.schema_version != FRAMES:
            raise ValueError(f"schema_version is {report.schema_version}")
        report.table()
    except (ValueError, LookupError) as error:
        raise UserError(
            f"--report {path} is no report of `signgen eval` ({error}); expected the file that "
            "`signgen eval --out report.json` writes."
        ) from None
    of = str(report.inputs.get("model", model))
    if of.rstrip("/") != model.rstrip("/"):
        raise UserError(
            f"--report {path} is of model {of}; expected one of {model}. Run `signgen eval --model "
            f"{model} --out report.json`."
        )
    return report


def _json_object(path: Path) -> dict[str, Any]:
    value = read_json(path, MAX_BYTES, "a JSON object")
    if not isinstance(value, dict):
        raise UserError(f"{path} holds {type(value).__name__}; expected a JSON object.")
    return value
