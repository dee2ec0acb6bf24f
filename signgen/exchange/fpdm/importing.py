"""Make a model folder of checkpoints that the published FPDM program wrote (`import-fpdm`).

The checkpoints are interpreted, never run, and stay on disk: weights go from the memory-mapped file
into safetensors. Every key is accounted for (`keys`), the settings are those of the published
training (`published`), and the folder needs nothing else.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from signgen.config.exchange import ImportFPDMConfig
from signgen.config.model import FPDMConfig
from signgen.config.yaml import to_yaml
from signgen.errors import ExitCode, UserError
from signgen.exchange.fpdm.keys import STAGE1, STAGE2, Row, Shapes, check_stage
from signgen.exchange.fpdm.published import BASES, PROGRAM, Run, published, run_of, with_widths
from signgen.exchange.fpdm.submodels import Parts, check_parts, read_parts, settings_of
from signgen.exchange.fpdm.weights import compare_stages, load_weights, take
from signgen.exchange.licences import CORPORA
from signgen.files.foreign.checkpoints import Checkpoint, read_checkpoint
from signgen.files.paths import check_input, one_line
from signgen.pose.skeleton import SKELETONS

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Imported", "import_fpdm"]

_STAGES = {"stage1": STAGE1, "stage2": STAGE2}


@dataclass(frozen=True)
class Imported:
    """What was imported.

    Args:
        verdict: Which of the published runs it is, as far as can be known.
        tables: What became of the keys of each file.
        notes: What a user should know besides.
        values: Numbers in them.
    """

    folder: Path
    verdict: str
    tables: dict[str, list[Row]]
    notes: list[str]
    tensors: int
    values: int


def import_fpdm(config: ImportFPDMConfig) -> Imported:
    """Read checkpoints of FPDM and write a model folder."""
    # Read what is given
    paths = _inputs(config)
    out = _output(config, paths)
    parts = read_parts(check_input(config.submodels, "JSON file")) if config.submodels else {}
    given = {name: read_checkpoint(path) for name, path in paths.items()}
    for name, checkpoint in given.items():
        check_stage(_STAGES[name], checkpoint.shapes, checkpoint.path)
    stage1, stage2 = given.get("stage1"), given.get("stage2")
    main = stage2 or given["stage1"]

    # Find out which run it was, and its settings
    same, notes = compare_stages(stage1, stage2)
    run = run_of(
        stage1.settings if stage1 and same else None,
        stage2.settings if stage2 else None,
        main.shapes,
        main.path,
    )
    settings = published(run, config.skeleton, config.size)
    settings = settings_of(parts, settings, Path(config.submodels or ""))
    settings = with_widths(settings, main.shapes)

    # Map every key to a weight of that model
    taken = take(stage1, stage2, _wanted(settings, parts, run, Path(config.submodels or "")))
    for one in taken:
        if one.differing:
            notes.append(
                f"{one.differing} tensors of sd_model.unet. differ from unet.; those of "
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


def _output(config: ImportFPDMConfig, paths: Mapping[str, Path]) -> Path:
    """Check the folder to write before anything is read."""
    if not config.out:
        raise UserError(
            "--out is missing; expected a folder to create, as in --out runs/fpdm-official.",
            ExitCode.USAGE,
        )
    out = Path(config.out)
    names = {path.name for path in out.iterdir()} if out.is_dir() else set()
    is_model = {"config.yaml", "manifest.json", "model.safetensors"} <= names
    inside = [path for path in paths.values() if out.resolve() in path.resolve().parents]
    parent = _existing(out)
    if (out.exists() and not out.is_dir()) or (names and not is_model):
        problem = f"{out} is not empty and is not a model folder; not replaced. Name another --out."
    elif inside:
        problem = f"{inside[0]} lies in {out}, which would be replaced. Name another --out."
    elif not parent.is_dir() or not os.access(parent, os.W_OK):
        problem = f"{out} cannot be created: {parent} is no folder that can be written to."
    else:
        return out
    raise UserError(problem, ExitCode.CANNOT_CREATE)


def _existing(out: Path) -> Path:
    """Return the nearest folder above that is there."""
    return next(path for path in out.resolve().parents if path.exists())


def _wanted(settings: FPDMConfig, parts: Parts, run: Run, submodels: Path) -> Shapes:
    """Return the weights of the model that the settings make, without making them."""
    import torch

    from signgen.models.fpdm import FPDM

    try:
        with torch.device("meta"):
            model = FPDM(settings)
    except (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError) as error:
        # Whatever a library says of sizes.
        raise UserError(
            f"{submodels}: its sizes do not make a model ({one_line(error)})."
        ) from error
    check_parts(parts, model, submodels)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    return {name: v for name, v in shapes.items() if run.whole or name.startswith("ipf.")}


def _write(
    result: Imported,
    state: dict[str, Tensor],
    settings: FPDMConfig,
    given: Mapping[str, Checkpoint],
) -> None:
    from safetensors import SafetensorError

    from signgen.checkpoints.folders import CARD, write_folder
    from signgen.exchange.card import environment

    needed = sum(tensor.nbytes for tensor in state.values())
    free = shutil.disk_usage(_existing(result.folder)).free
    if needed > free:
        raise UserError(
            f"{result.folder} needs {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free. Make "
            "room, or store half with --half.",
            ExitCode.CANNOT_CREATE,
        )
    template = environment().get_template("imported.md")
    card = template.render(
        result=result,
        config=settings,
        program=PROGRAM,
        bases=BASES,
        corpus=CORPORA["deepfashion" if settings.skeleton == "openpose-18" else "phoenix14t"],
        checkpoints=given.values(),
        alone="stage2" not in given,
    )
    texts = {"config.yaml": to_yaml(settings), CARD: card}
    try:
        write_folder(result.folder, {"model.safetensors": state}, texts)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"{result.folder} cannot be written: {one_line(error)}.", ExitCode.CANNOT_CREATE
        ) from error
