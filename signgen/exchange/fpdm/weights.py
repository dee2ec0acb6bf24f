"""The weights of published FPDM checkpoints under our names: copies compared, numbers checked."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from signgen.errors import UserError
from signgen.exchange.fpdm.keys import STAGE1, STAGE2, Row, Shapes, Stage, map_keys, rows
from signgen.files.foreign.checkpoints import Checkpoint

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Taken", "compare_stages", "load_weights", "take"]

_CALLED = "sd_model.unet."
"""Where it differs from its twin it is taken: the published program calls its U-Net by it."""
_COPY = "fusion_model."
"""Beginning of the keys of stage 2 that are a copy of stage 1."""


@dataclass(frozen=True)
class Taken:
    """What becomes of the keys of one checkpoint.

    Args:
        checkpoint: The checkpoint, whose tensors stay in the file.
        table: What becomes of its keys, summed up by prefix.
        sources: The key whose numbers each weight of ours gets.
        differing: Number of tensors of the U-Net that are there twice and differ.
    """

    checkpoint: Checkpoint
    table: list[Row]
    sources: Mapping[str, str]
    differing: int


def compare_stages(stage1: Checkpoint | None, stage2: Checkpoint | None) -> tuple[bool, list[str]]:
    """Tell whether stage 2 was trained with this stage 1, and what a user should know if not."""
    if stage1 is None or stage2 is None or not any(key.startswith(_COPY) for key in stage2.state):
        return True, []
    differing = [
        key
        for key in stage1.state
        if _COPY + key not in stage2.state or not stage1.equal(key, stage2, _COPY + key)
    ]
    if not differing:
        return True, []
    return False, [
        f"{len(differing)} of {len(stage1.state)} tensors of stage 1 ({differing[0]} first) differ "
        "from the copy in the checkpoint of stage 2; that copy is taken, which stage 2 was trained "
        "with."
    ]


def take(stage1: Checkpoint | None, stage2: Checkpoint | None, wanted: Shapes) -> list[Taken]:
    """Say what becomes of every key, and compare the tensors that are there twice.

    Args:
        stage1: Checkpoint of stage 1; not used where that of stage 2 holds a copy.
        stage2: Checkpoint of stage 2, if it is given.
        wanted: Weights of the model; all must be given.
    """
    if stage2 is None:
        assert stage1 is not None
        return [_taken(STAGE1, stage1, wanted)]
    fusion = {name: shape for name, shape in wanted.items() if name.startswith("ipf.")}
    if stage1 is None or not fusion or any(key.startswith(_COPY) for key in stage2.state):
        return [_taken(STAGE2, stage2, wanted)]
    # A stage 2 that was saved without its copy of stage 1.
    rest = {name: shape for name, shape in wanted.items() if name not in fusion}
    return [_taken(STAGE2, stage2, rest), _taken(STAGE1, stage1, fusion)]


def _taken(stage: Stage, checkpoint: Checkpoint, wanted: Shapes) -> Taken:
    entries = map_keys(stage, checkpoint.shapes, wanted, checkpoint.path)
    sources = {entry.target: entry.key for entry in entries if entry.target}
    targets = {key: target for target, key in sources.items()}
    differing = 0
    for place, entry in enumerate(entries):
        if entry.twin is None or checkpoint.equal(entry.key, checkpoint, entry.twin):
            continue
        if entry.prefix != _CALLED:
            raise UserError(
                f"{checkpoint.path}: {entry.key} differs from {entry.twin}; expected two names of "
                "one tensor. Copy the file again."
            )
        differing += 1
        becomes = f"taken, differs from {stage.aliases[entry.prefix]}"
        entries[place] = replace(entry, becomes=becomes)
        sources[targets[entry.twin]] = entry.key
    return Taken(checkpoint, rows(entries, checkpoint.shapes), sources, differing)


def load_weights(taken: Sequence[Taken], *, half: bool) -> dict[str, Tensor]:
    """Return the weights by our names, on the CPU.

    Returns:
        Views of the files where they have the same type, which must only be read; else copies.
    """
    import torch

    state: dict[str, Tensor] = {}
    for one in taken:
        for target, key in one.sources.items():
            where = f"{one.checkpoint.path}: {key}"
            values = one.checkpoint.load(key)
            if values.dtype.kind != "f":
                raise UserError(f"{where} holds {values.dtype.name}; expected weights.")
            if not np.isfinite(values).all():
                raise UserError(f"{where} holds NaN or infinity; the file is unusable.")
            if half and values.size and np.abs(values).max() > np.finfo(np.float16).max:
                raise UserError(f"{where} does not fit into 16 bits; leave out --half.")
            values = values.astype(np.float16 if half else np.float32, copy=False)
            with warnings.catch_warnings():
                # The views cannot be written to, and nothing here does.
                warnings.filterwarnings("ignore", message=".*not writable.*")
                state[target] = torch.from_numpy(values)
    return state
