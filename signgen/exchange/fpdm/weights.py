"""The weights of published FPDM checkpoints under our names: copies compared, numbers checked."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from signgen.errors import UserError
from signgen.exchange.fpdm.keys import STAGE1, STAGE2, Entry, Row, Shapes, Stage, map_keys, rows
from signgen.files.foreign.checkpoints import Checkpoint

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Taken", "compare_stages", "load_weights", "take"]


@dataclass(frozen=True)
class Taken:
    """Keys of one checkpoint and what becomes of them.

    Args:
        stage: Which kind of checkpoint it is.
        checkpoint: The checkpoint, whose tensors stay in the file.
        entries: One a key.
        preferred: Aliases that differ from their twins, whose numbers are taken in their place.
    """

    stage: Stage
    checkpoint: Checkpoint
    entries: list[Entry]
    preferred: list[Entry]

    @property
    def table(self) -> list[Row]:
        """The entries, summed up by prefix."""
        return rows(self.stage, self.entries, self.checkpoint.shapes, self.preferred)

    def sources(self) -> Iterator[tuple[str, str]]:
        """Yield each weight of ours and the key whose numbers it gets."""
        instead = {entry.twin: entry.key for entry in self.preferred}
        for entry in self.entries:
            if entry.fate == "mapped":
                yield entry.target, instead.get(entry.key, entry.key)


def compare_stages(stage1: Checkpoint | None, stage2: Checkpoint | None) -> tuple[bool, list[str]]:
    """Tell whether stage 2 was trained with this stage 1.

    Args:
        stage1: Checkpoint of stage 1, if it is given.
        stage2: Checkpoint of stage 2, if it is given.

    Returns:
        Whether it was, as far as both say, and what a user should know if not.

    Raises:
        UserError: If a tensor is damaged.
    """
    if stage1 is None or stage2 is None:
        return True, []
    inside = "fusion_model."
    if not any(key.startswith(inside) for key in stage2.state):
        return True, []
    differing = [
        key
        for key in stage1.state
        if inside + key not in stage2.state or not stage1.equal(key, stage2, inside + key)
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

    Raises:
        UserError: As `map_keys`, and if copies of stage 1 differ or a tensor is damaged.
    """
    if stage2 is None:
        assert stage1 is not None
        return [_taken(STAGE1, stage1, wanted)]
    if stage1 is None or any(key.startswith("fusion_model.") for key in stage2.state):
        return [_taken(STAGE2, stage2, wanted)]
    # A stage 2 that was saved without its copy of stage 1.
    fusion = {name: shape for name, shape in wanted.items() if name.startswith("ipf.")}
    if not fusion:
        return [_taken(STAGE2, stage2, wanted)]
    rest = {name: shape for name, shape in wanted.items() if name not in fusion}
    return [_taken(STAGE2, stage2, rest), _taken(STAGE1, stage1, fusion)]


def _taken(stage: Stage, checkpoint: Checkpoint, wanted: Shapes) -> Taken:
    entries = map_keys(stage, checkpoint.shapes, wanted, checkpoint.path)
    preferred = []
    for entry in entries:
        if entry.fate != "alias" or checkpoint.equal(entry.key, checkpoint, entry.twin):
            continue
        if not entry.preferred:
            raise UserError(
                f"{checkpoint.path}: {entry.key} differs from {entry.twin}; expected two names of "
                "one tensor. Copy the file again."
            )
        preferred.append(entry)
    return Taken(stage, checkpoint, entries, preferred)


def load_weights(taken: Sequence[Taken], *, half: bool) -> dict[str, Tensor]:
    """Return the weights by our names, on the CPU.

    Args:
        taken: From `take`.
        half: Whether to return 16-bit numbers instead of 32-bit ones.

    Returns:
        Views of the files where they have the same type, which must only be read; else copies.

    Raises:
        UserError: If a tensor is damaged, holds NaN, infinity or no floating-point numbers, or does
            not fit into 16 bits.
    """
    import torch

    state: dict[str, Tensor] = {}
    for one in taken:
        for target, key in one.sources():
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
