"""Make a model folder of checkpoints that the published FPDM program wrote (`import-fpdm`).

The checkpoints are interpreted, never run, and stay on disk: weights go from the memory-mapped file
into safetensors. Every key is accounted for (`fpdm_keys`), the settings are those of the published
training (`fpdm_published`), and the folder needs nothing else.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from signgen.config.exchange import ImportFPDMConfig
from signgen.config.model import FPDMConfig, full_fpdm
from signgen.config.yaml import to_yaml
from signgen.errors import ExitCode, UserError
from signgen.exchange.fpdm.keys import STAGE1, STAGE2, Row, Shapes, check_stage
from signgen.exchange.fpdm.published import Run, published, run_of, with_widths
from signgen.exchange.fpdm.submodels import Parts, read_parts, settings_of
from signgen.exchange.fpdm.weights import compare_stages, load_weights, take
from signgen.exchange.licences import DATA_NAMES, DATA_TERMS, base_models
from signgen.files.foreign.checkpoints import Checkpoint, read_checkpoint
from signgen.files.paths import check_input, one_line
from signgen.pose.skeleton import SKELETONS

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Imported", "import_fpdm"]

PROGRAM = "dhlee-work/FPDM"
"""Repository of the published program; the card says it, and so do exports of the model."""
_STAGES = {"stage1": STAGE1, "stage2": STAGE2}


@dataclass(frozen=True)
class Imported:
    """What was imported.

    Args:
        folder: The model folder.
        verdict: Which of the published runs it is, as far as can be known.
        tables: What became of the keys of each file.
        notes: What a user should know besides.
        tensors: Weights written.
        values: Numbers in them.
    """

    folder: Path
    verdict: str
    tables: dict[str, list[Row]]
    notes: list[str]
    tensors: int
    values: int


def import_fpdm(config: ImportFPDMConfig) -> Imported:
    """Read checkpoints of FPDM and write a model folder.

    Raises:
        UserError: If a file is missing (66), is not a checkpoint of FPDM, has keys or shapes that
            the model does not have, or copies that should be equal and are not (65); if the folder
            cannot be written (73).
    """
    paths = _inputs(config)
    out = _output(config, paths)
    parts = read_parts(check_input(config.submodels, "JSON file")) if config.submodels else {}
    given = {name: read_checkpoint(path) for name, path in paths.items()}
    for name, checkpoint in given.items():
        check_stage(_STAGES[name], checkpoint.shapes, checkpoint.path)
    stage1, stage2 = given.get("stage1"), given.get("stage2")
    main = stage2 or stage1
    assert main is not None
    same, notes = compare_stages(stage1, stage2)
    run = run_of(
        stage1.settings if stage1 and same else None,
        stage2.settings if stage2 else None,
        main.shapes,
        main.path,
    )
    settings = _settings(config, run, parts)
    wanted = _wanted(settings, parts, config.submodels, whole=run.whole)
    taken = take(stage1, stage2, wanted)
    for one in taken:
        if one.preferred:
            notes.append(
                f"{len(one.preferred)} tensors of sd_model.unet. differ from unet.; those of "
                "sd_model.unet. are taken, which the published program calls."
            )
    if not run.fused and stage1:
        notes.append("This model has no fusion, so stage 1 is no part of it.")
    state = load_weights(taken, half=config.half)
    result = Imported(
        folder=out,
        verdict=run.verdict,
        tables={str(one.checkpoint.path): one.table for one in taken},
        notes=notes,
        tensors=len(state),
        values=sum(tensor.numel() for tensor in state.values()),
    )
    _write(result, state, settings, given)
    return result


# ----- what is given ------------------------------------------------------------------------------


def _inputs(config: ImportFPDMConfig) -> dict[str, Path]:
    paths = {
        name: check_input(value, f"checkpoint of {_STAGES[name].name}")
        for name, value in (("stage1", config.stage1), ("stage2", config.stage2))
        if value
    }
    if not paths:
        raise UserError(
            "--stage1 and --stage2 are missing; expected a checkpoint of FPDM, as in --stage2 "
            "last.ckpt.",
            ExitCode.USAGE,
        )
    if config.skeleton not in SKELETONS:
        raise UserError(
            f"--skeleton is {config.skeleton}; expected {' or '.join(SKELETONS)}.", ExitCode.USAGE
        )
    return paths


def _output(config: ImportFPDMConfig, paths: dict[str, Path]) -> Path:
    """Check the folder to write before anything is read."""
    if not config.out:
        raise UserError(
            "--out is missing; expected a folder to create, as in --out runs/fpdm-official.",
            ExitCode.USAGE,
        )
    out = Path(config.out)
    names = {path.name for path in out.iterdir()} if out.is_dir() else set()
    is_model = {"config.yaml", "manifest.json", "model.safetensors"} <= names
    if (out.exists() and not out.is_dir()) or (names and not is_model):
        raise UserError(
            f"{out} is not empty and is not a model folder; not replaced. Name another --out.",
            ExitCode.CANNOT_CREATE,
        )
    for path in paths.values():
        if out.resolve() in path.resolve().parents:
            raise UserError(
                f"{path} lies in {out}, which would be replaced. Name another --out.",
                ExitCode.CANNOT_CREATE,
            )
    if not _existing(out).is_dir() or not os.access(_existing(out), os.W_OK):
        raise UserError(
            f"{out} cannot be created: {_existing(out)} is no folder that can be written to.",
            ExitCode.CANNOT_CREATE,
        )
    return out


def _existing(out: Path) -> Path:
    """Return the nearest folder above that is there."""
    return next(path for path in out.resolve().parents if path.exists())


def _settings(config: ImportFPDMConfig, run: Run, parts: Parts) -> FPDMConfig:
    settings = published(run, config.skeleton, config.size)
    settings = settings_of(parts, settings, Path(config.submodels or ""))
    return with_widths(settings, run.shapes)


def _wanted(settings: FPDMConfig, parts: Parts, submodels: str | None, *, whole: bool) -> Shapes:
    """Return the weights of the model that the settings make, without making them."""
    import torch

    from signgen.exchange.fpdm.submodels_check import check_parts
    from signgen.models.fpdm import FPDM

    try:
        with torch.device("meta"):
            model = FPDM(settings)
    except (ValueError, TypeError, ArithmeticError) as error:  # whatever a library says of sizes
        raise UserError(
            f"{submodels}: its sizes do not make a model ({one_line(error)})."
        ) from error
    check_parts(parts, model, Path(submodels or ""))
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    if whole:
        return shapes
    return {name: shape for name, shape in shapes.items() if name.startswith("ipf.")}


def _write(
    result: Imported,
    state: dict[str, Tensor],
    settings: FPDMConfig,
    given: dict[str, Checkpoint],
) -> None:
    from safetensors import SafetensorError

    from signgen.checkpoints.folders import CARD, write_folder

    needed = sum(tensor.nbytes for tensor in state.values())
    free = shutil.disk_usage(_existing(result.folder)).free
    if needed > free:
        raise UserError(
            f"{result.folder} needs {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free. Make "
            "room, or store half with --half.",
            ExitCode.CANNOT_CREATE,
        )
    try:
        write_folder(
            result.folder,
            {"model.safetensors": state},
            {"config.yaml": to_yaml(settings), CARD: _card(result, settings, given)},
        )
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"{result.folder} cannot be written: {one_line(error)}.", ExitCode.CANNOT_CREATE
        ) from error


def _card(result: Imported, settings: FPDMConfig, given: dict[str, Checkpoint]) -> str:
    whole = any(row.becomes == "unet." for table in result.tables.values() for row in table)
    alone = "Stage 1 alone: it starts a training (`--start-from`), and renders nothing."
    data = "deepfashion" if settings.skeleton == "openpose-18" else "phoenix14t"
    lines = [
        "---",
        "library_name: signgen",
        f"imported: {PROGRAM}",
        "---",
        "",
        "# FPDM, weights of its authors",
        "",
        f"Imported with `signgen import-fpdm`. {result.verdict}.",
        *([] if whole else [alone]),
        "",
        *(f"- `{one.path.name}`: {_progress(one)}" for one in given.values()),
        f"- {result.tensors} tensors of {result.values:,} values in all, poses as "
        f"{settings.skeleton}, pictures of {settings.size[0]} x {settings.size[1]}",
        *(f"- {note}" for note in result.notes),
        "",
        "## Terms",
        "",
        "- The authors' program: MIT",
        f"- {DATA_NAMES[data]}, if it was trained on that: {DATA_TERMS[data]}",
        *(f"- Made from {name}: {terms}" for name, terms in base_models(full_fpdm()).items()),
    ]
    return "\n".join(lines) + "\n"


def _progress(checkpoint: Checkpoint) -> str:
    done = {"epoch": checkpoint.epoch, "step": checkpoint.step}
    said = [f"{name} {count}" for name, count in done.items() if count is not None]
    return ", ".join([*said, f"{len(checkpoint.state)} tensors"])
