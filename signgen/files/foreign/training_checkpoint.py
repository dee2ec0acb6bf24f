"""Checkpoints of training runs: the state dict, and the settings of the run as plain values.

Read are those of PyTorch Lightning, whose settings are objects of OmegaConf, and plain files of
`torch.save` with a dictionary of tensors, or with one under `state_dict`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.files.foreign.pickle_values import Described, Global, PickleError
from signgen.files.foreign.torch_archive import StoredTensor, read_archive

__all__ = ["Checkpoint", "Plain", "plain_values", "read_checkpoint"]

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
"""A value as YAML has it."""

_MAX_DEPTH = 30
_MAX_VALUES = 100_000
_PROGRESS = ("epoch", "global_step")


@dataclass(frozen=True)
class Checkpoint:
    """What is read of a checkpoint; the states of the optimiser are not.

    Args:
        path: The file.
        state: Tensors by name, in the file's order, none of them loaded.
        settings: `hyper_parameters` of Lightning, as plain values; empty where there are none.
        epoch: Epochs done, or None.
        step: Optimiser steps done, or None.
    """

    path: Path
    state: Mapping[str, StoredTensor]
    settings: Mapping[str, Plain] = field(default_factory=dict)
    epoch: int | None = None
    step: int | None = None

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor, in the file's order."""
        return {name: tensor.shape for name, tensor in self.state.items()}

    def load(self, name: str) -> NDArray[Any]:
        """Return the numbers of a tensor, a view of the file where that is possible.

        Raises:
            UserError: If the file does not have them as it announces them, or is damaged.
        """
        try:
            return self.state[name].load()
        except PickleError as error:
            raise self._refused(name, error) from None

    def equal(self, name: str, other: Checkpoint, twin: str) -> bool:
        """Tell whether a tensor and one of this or another checkpoint are the same, bit by bit.

        Raises:
            UserError: As `load`.
        """
        try:
            return self.state[name].equals(other.state[twin])
        except PickleError as error:
            raise self._refused(f"{name} or {twin}", error) from None

    def _refused(self, name: str, error: PickleError) -> UserError:
        return UserError(f"{self.path}: {name[:100]} {error}. Copy the file again.")


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint without running it and without loading its tensors.

    Args:
        path: A file of `torch.save`.

    Raises:
        UserError: If the file cannot be read (66), or is no such checkpoint (65).
    """
    value = read_archive(path)
    outer = value if isinstance(value, dict) else {}
    state = outer.get("state_dict", outer)
    if not isinstance(state, dict) or not state:
        raise UserError(f"{path} holds no state dict; expected a checkpoint of a training run.")
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, StoredTensor):
            raise UserError(
                f"{path}: {str(name)[:80]!a} of its state dict is no tensor; expected tensors by "
                "name."
            )
    try:
        settings = plain_values(outer.get("hyper_parameters")) if state is not outer else None
    except PickleError as error:
        raise UserError(f"{path} {error}. Save it without its hyper_parameters.") from None
    epoch, step = (outer.get(key) if state is not outer else None for key in _PROGRESS)
    return Checkpoint(
        path,
        state,
        settings if isinstance(settings, dict) else {},
        epoch if isinstance(epoch, int) else None,
        step if isinstance(step, int) else None,
    )


def plain_values(value: object) -> Plain:
    """Decode the settings of a run: nodes of OmegaConf, namespaces and dictionaries.

    Args:
        value: What a checkpoint holds.

    Returns:
        Plain values; `<package.Class>` in the place of any other object.

    Raises:
        PickleError: If they are nested too deep, in themselves, or too many.
    """
    return _Decoder().plain(value, 0)


class _Decoder:
    """Counts values, because a few bytes of a pickle can name one list many times over."""

    def __init__(self) -> None:
        self._count = 0

    def plain(self, value: object, depth: int) -> Plain:
        self._count += 1
        if depth > _MAX_DEPTH or self._count > _MAX_VALUES:
            raise PickleError(
                f"has settings of more than {_MAX_VALUES} values, or nested deeper than "
                f"{_MAX_DEPTH}"
            )
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, dict):
            return {str(key): self.plain(inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(inner, depth + 1) for inner in value]
        if isinstance(value, Described):
            return self._described(value, depth)
        named = (
            f"{value.module}.{value.name}" if isinstance(value, Global) else type(value).__name__
        )
        return f"<{named}>"

    def _described(self, value: Described, depth: int) -> Plain:
        name = f"{value.made.module}.{value.made.name}"
        state = value.state if isinstance(value.state, dict) else {}
        if value.made.module.split(".")[0] == "omegaconf":
            for key in ("_content", "_val"):  # of containers, and of nodes
                if key in state:
                    return self.plain(state[key], depth + 1)
        if name == "argparse.Namespace":
            return self.plain(state, depth + 1)
        if value.items:
            return self.plain(value.items, depth + 1)
        if value.made.module == "pathlib" and all(isinstance(part, str) for part in value.args):
            return "/".join(value.args)
        return f"<{name}>"
