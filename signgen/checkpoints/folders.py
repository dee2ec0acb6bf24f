"""Folders of weights with a manifest of checksums: whole or not at all, verified when read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from safetensors import SafetensorError, safe_open

from signgen.config.model import ModelConfig
from signgen.files.digests import sha256
from signgen.files.paths import check_no_device
from signgen.files.writing import atomic_paths, written
from signgen.structures import ExitCode, UserError

if TYPE_CHECKING:
    from torch import Tensor

FORMAT_VERSION = 1
CARD = "README.md"
"""The model card, where the hub looks for it. Not in the manifest: it is there to be edited."""
State: TypeAlias = "dict[str, Tensor]"


def write_folder(folder: Path, weights: dict[str, State], extra: dict[str, Any]) -> None:
    """Write weights and manifest into a new folder and move it into place.

    Args:
        folder: Where; replaced as a whole if it exists.
        weights: Weights by file name.
        extra: Text by file name, what a `.pt` file holds, and the number of `step`s.
    """
    import torch
    from safetensors.torch import save_file

    folder.parent.mkdir(parents=True, exist_ok=True)
    # torch says with a RuntimeError that a disk is full
    unwritten = written(folder, SafetensorError, RuntimeError)
    with unwritten, atomic_paths([folder]) as (temporary,):
        temporary.mkdir()
        for name, state in weights.items():
            save_file({key: value.contiguous() for key, value in state.items()}, temporary / name)
        for name, value in extra.items():
            if isinstance(value, str):
                (temporary / name).write_text(value, encoding="utf-8")
            elif name.endswith(".pt"):
                torch.save(value, temporary / name)
        made = [path for path in sorted(temporary.iterdir()) if path.name != CARD]
        files = {path.name: sha256(path) for path in made}
        manifest = {"format": FORMAT_VERSION, "step": extra.get("step", 0), "files": files}
        (temporary / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        for name in weights:
            # safetensors lets only the owner read its files.
            shutil.copymode(temporary / "manifest.json", temporary / name)


def check_finite(state: State, path: Path) -> None:
    """Refuse weights that are NaN or infinite: nothing can be computed from them."""
    import torch

    for name, value in state.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise UserError(
                f"{path}: weight {name} is not finite; expected numbers. Use an earlier checkpoint "
                "and a lower learning_rate."
            )


def weight_names(folder: Path) -> list[str]:
    """Return the names of the weights of a verified checkpoint or model folder, unread."""
    path = folder / "model.safetensors"
    try:
        with safe_open(path, framework="np") as file:
            return list(file.keys())
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read ({error}); copy the folder again.") from None


def check_whole(names: Iterable[str], config: ModelConfig, folder: Path, settings: Path) -> None:
    """Refuse the weights of a stage that is no whole model."""
    if not any(name.startswith(config.denoiser) for name in names):
        raise UserError(
            f"{folder} holds only part of a model (no U-Net weights); "
            f"expected a run of stage fpdm or one after it. See stage in {settings}."
        )


def verify(folder: Path) -> dict[str, Any]:
    """Check a checkpoint or model folder against its manifest, and return that."""
    path = folder / "manifest.json"
    check_no_device(path, "what signgen wrote beside weights")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        files, version = dict(manifest["files"]), int(manifest["format"])
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing; expected a complete checkpoint folder.", ExitCode.NO_INPUT
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is not a checkpoint manifest ({error}); copy the folder again."
        ) from None
    if version > FORMAT_VERSION:
        raise UserError(
            f"{path} has format {version}; this signgen reads up to {FORMAT_VERSION}. "
            "Update signgen."
        )
    for name, digest in files.items():
        file = folder / Path(name).name
        if not file.is_file():
            raise UserError(
                f"{file} is missing; {path.name} lists it. Copy the folder again.",
                ExitCode.NO_INPUT,
            )
        if sha256(file) != digest:
            raise UserError(
                f"{file} is corrupt: its SHA-256 differs from {path.name}. Copy it again."
            )
    return dict(manifest)
