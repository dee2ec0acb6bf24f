"""Run folders and their checkpoints.

    RUN/config.yaml                                  resolved TrainConfig, reloadable
    RUN/checkpoints/step-000500/model.safetensors    weights of the trained stage
                                ema.safetensors      their moving average, if one is kept
                                trainer.pt           optimiser state, step (weights_only)
                                manifest.json        format, step, SHA-256 of every file

A checkpoint is written beside its final name and renamed, so it is there whole or not at all.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from signgen.checkpoints.folders import State, verify, write_folder
from signgen.structures import UserError

__all__ = ["newest_checkpoint", "save_checkpoint"]


def save_checkpoint(
    run: Path, step: int, weights: State, ema: State | None, trainer: dict[str, Any], keep: int
) -> Path:
    """Write `RUN/checkpoints/step-NNNNNN` and drop the oldest ones.

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
    write_folder(folder, states, {"trainer.pt": trainer, "step": step})
    for old in sorted((run / "checkpoints").glob("step-*"))[:-keep]:
        shutil.rmtree(old)
    return folder


def newest_checkpoint(run: Path) -> Path | None:
    """Return the newest checkpoint folder of a run whose files match their manifest, or None."""
    folders = sorted((run / "checkpoints").glob("step-*"), reverse=True)
    for folder in folders:
        try:
            verify(folder)
        except UserError:
            continue
        return folder
    if folders:
        verify(folders[0])
    return None
