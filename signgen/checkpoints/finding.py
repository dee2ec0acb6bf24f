"""Finding a model by name, without loading it and without torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

from signgen.checkpoints.runs import newest_checkpoint
from signgen.config.model import ModelConfig
from signgen.config.train import TrainConfig
from signgen.config.yaml import load_config
from signgen.files.hub import fetch, hub_files
from signgen.files.paths import check_input
from signgen.structures import ExitCode, UserError

BUNDLED = ("mini",)
MODEL_FILES = ("config.yaml", "manifest.json", "model.safetensors")
"""Files that make a model folder; a card may lie beside them."""


def resolve(name: str, revision: str | None = None) -> tuple[Path, Path, ModelConfig]:
    """Find a model by name.

    Args:
        name: `mini`, a run folder, a checkpoint or model folder, or a hub id: `owner/name` or
            `owner/name@revision`.
        revision: Branch, tag or commit of a hub id.

    Returns:
        Folder of the weights, file of the settings, the model's settings.
    """
    bundled = name in BUNDLED
    folder = Path(__file__).resolve().parents[1] / "assets" / name if bundled else Path(name)
    if revision is not None and (bundled or folder.exists()):
        raise UserError(
            f"revision is {revision}, but {name} is {'bundled' if bundled else 'a local folder'}; "
            "expected a hub id like owner/name, which alone has revisions.",
            ExitCode.USAGE,
        )
    if not bundled and not folder.exists():
        folder = _download(name, revision)
    if folder.parent.name == "checkpoints" and (folder / "manifest.json").is_file():
        settings = folder.parent.parent / "config.yaml"
        return folder, settings, run_config(settings).model
    if (folder / "model.safetensors").is_file() or (folder / "manifest.json").is_file():
        settings = folder / "config.yaml"
        config: ModelConfig = load_config(settings, cast(type[ModelConfig], ModelConfig))
        return folder, settings, config
    if (folder / "config.yaml").is_file():
        checkpoint = newest_checkpoint(folder)
        if checkpoint is None:
            raise UserError(
                f"{folder} has no checkpoint yet; train it first with `signgen train {folder}`."
            )
        return checkpoint, folder / "config.yaml", run_config(folder / "config.yaml").model
    raise UserError(
        f"{name} is not a model: no config.yaml in {folder}. "
        "Expected `mini`, a run folder or a hub id.",
        ExitCode.NO_INPUT,
    )


def run_config(path: Path) -> TrainConfig:
    """Return the settings of a training file, or of the run that keeps it; an empty one is bad."""
    return load_config(check_input(path, "settings file of a run"), TrainConfig)


def _download(name: str, revision: str | None) -> Path:
    """Fetch a model folder from the hub, or its cache, by id."""
    wanted = hub_files(name, MODEL_FILES, whole=True)
    # The recipes write to runs/: what is not there is not trained yet, and nobody's on the hub.
    if wanted is None or name.startswith("runs/"):
        raise UserError(
            f"model {name} is unknown; expected `mini`, an existing run folder (train it first), "
            "or a hub id like owner/name or owner/name@revision.",
            ExitCode.NO_INPUT,
        )
    if revision is not None:
        if wanted.revision is not None:
            raise UserError(
                f"model {name} names a revision, and revision is {revision}; expected one of both.",
                ExitCode.USAGE,
            )
        wanted = replace(wanted, revision=revision)
    return fetch([wanted])[0]
