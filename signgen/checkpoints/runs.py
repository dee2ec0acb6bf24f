"""Run folders and their checkpoints.

    RUN/config.yaml                                  resolved TrainConfig, reloadable
    RUN/checkpoints/step-000500/model.safetensors    weights of the trained stage
                                ema.safetensors      their moving average, if one is kept
                                trainer.pt           optimiser state, step (weights_only)
                                manifest.json        format, step, SHA-256 of every file

A checkpoint is written beside its final name and renamed, so it is there whole or not at all.
"""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path
from typing import Any

from signgen.checkpoints.folders import State, check_finite, verify, write_folder
from signgen.structures import UserError

__all__ = ["newest_checkpoint", "read_trainer", "save_checkpoint"]

log = logging.getLogger(__name__)


def save_checkpoint(
    run: Path, step: int, weights: State, ema: State | None, trainer: dict[str, Any], keep: int
) -> Path:
    """Write `RUN/checkpoints/step-NNNNNN` and drop those that are not kept.

    Weights that are not finite are refused, so they push no good checkpoint out. Later steps are
    dropped too: they are damaged, or of a run that began anew.

    Args:
        run: Run folder.
        step: Optimiser steps done.
        weights: Trained weights, from `stored_state`.
        ema: Their moving average, or None.
        trainer: What exact resume needs; tensors, numbers and strings only.
        keep: Checkpoints to keep.
    """
    folder = run / "checkpoints" / f"step-{step:06d}"
    states = {"model.safetensors": weights}
    if ema is not None:
        states["ema.safetensors"] = ema
    for name, state in states.items():
        check_finite(state, folder / name)
    write_folder(folder, states, {"trainer.pt": trainer, "step": step})
    steps = _checkpoints(run)
    kept = [number for number in sorted(steps) if number <= step][-keep:]
    for number in steps.keys() - set(kept):
        shutil.rmtree(steps[number])
    return folder


def read_trainer(folder: Path) -> dict[str, Any]:
    """Read what exact resume needs from a checkpoint, and look at what it is.

    Raises:
        UserError: If `trainer.pt` is no such file. Its checksum fits: somebody else wrote it.
    """
    import torch

    path = folder / "trainer.pt"
    try:
        trainer = torch.load(path, weights_only=True, map_location="cpu")
        step, world = trainer["step"], trainer["world"]
        ema, optimizer = trainer.get("ema"), trainer["optimizer"]
        shadow = [] if ema is None else ema["shadow"]
        fits = (
            all(type(number) is int and number >= 0 for number in (step, world))
            and {"state", "param_groups"} <= set(optimizer)
            and (ema is None or type(ema["optimization_step"]) is int)
            and all(isinstance(value, torch.Tensor) for value in shadow)
            and isinstance(trainer.get("digests", {}), dict)
        )
    except MemoryError:
        raise
    except Exception as error:  # a crafted file can provoke any
        raise UserError(
            f"{path} is not the state of a training ({type(error).__name__}); expected what "
            "signgen saved. Remove that checkpoint, and the one before it is resumed."
        ) from None
    if not fits:
        raise UserError(
            f"{path} is not the state of a training; expected step, world, optimizer and the "
            "moving average as signgen saves them. Remove that checkpoint."
        )
    return dict(trainer)


def _checkpoints(run: Path) -> dict[int, Path]:
    """Return the checkpoint folders of a run by step: names grow beyond six digits."""
    found = (run / "checkpoints").glob("step-*")
    return {int(path.name[5:]): path for path in found if re.fullmatch(r"step-[0-9]+", path.name)}


def newest_checkpoint(run: Path) -> Path | None:
    """Return the newest checkpoint folder of a run whose files match their manifest, or None.

    Newer ones that are damaged are named in a warning.
    """
    steps = _checkpoints(run)
    folders = [steps[number] for number in sorted(steps, reverse=True)]
    for folder in folders:
        try:
            verify(folder)
        except UserError as error:
            log.warning("%s The checkpoint before it is tried.", error)
            continue
        return folder
    if folders:
        verify(folders[0])
    return None
