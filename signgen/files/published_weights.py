"""Published files of weights: found on this machine, read without running them, checked by name.

Looking for a file imports no torch: where it is absent, nothing else may have needed torch.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from signgen.errors import ExitCode, UserError
from signgen.files.digests import sha256
from signgen.files.paths import check_input, one_line

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Published", "Weights", "check_names", "find_weights", "how_to_get", "read_weights"]


@dataclass(frozen=True)
class Published:
    """A file of weights that somebody publishes.

    Args:
        file: Its name, in which the start of its SHA-256 follows the last hyphen: eight digits.
        folder: Address of the folder that it lies in.
        flag: The command-line flag that takes its path.
    """

    file: str
    folder: str
    flag: str

    @property
    def address(self) -> str:
        """Where it can be downloaded."""
        return f"{self.folder}/{self.file}"

    @property
    def digest(self) -> str:
        """The first eight digits of its SHA-256."""
        return self.file.rsplit("-", 1)[1][:8]


@dataclass(frozen=True)
class Weights:
    """What a file of weights holds: its tensors by name, on the CPU, and its SHA-256."""

    path: Path
    digest: str
    state: dict[str, Tensor]


# ----- finding ------------------------------------------------------------------------------------


def find_weights(weights: Path | None, published: Published) -> Path:
    """Return the given file, or the published one from a cache on this machine.

    Searched are torch's cache of checkpoints and every repository in the Hugging Face cache;
    nothing is downloaded.
    """
    if weights is not None:
        if weights.is_file():
            return weights
        raise UserError(
            f"{weights}: no such file of weights; {how_to_get(published)}", ExitCode.NO_INPUT
        )
    cached = _torch_cache() / published.file
    if cached.is_file():
        return cached
    from huggingface_hub import constants

    hub = Path(constants.HF_HUB_CACHE)
    for path in sorted(hub.glob(f"models--*/snapshots/*/{published.file}")):
        return path
    raise UserError(
        f"{published.file}: this file is not on this machine; {how_to_get(published)}",
        ExitCode.NO_INPUT,
    )


def _torch_cache() -> Path:
    """Return what `torch.hub.get_dir` does, from the variables that it reads."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = Path(os.environ.get("TORCH_HOME", Path(cache) / "torch"))
    return home.expanduser() / "hub" / "checkpoints"


def how_to_get(published: Published) -> str:
    """Return the command that puts a published file where `find_weights` finds it."""
    target = _torch_cache() / published.file
    return (
        f'get it with: curl -fL --create-dirs -o "{target}" {published.address} '
        f"(found there by itself; elsewhere, name the file with {published.flag})."
    )


# ----- reading ------------------------------------------------------------------------------------


def read_weights(
    path: Path, published: Sequence[Published], origin: str, stand_ins: Sequence[Any] = ()
) -> Weights:
    """Read a `.pth` or `.safetensors` file; no code in it is run.

    Args:
        path: A state dict, or a checkpoint with one under `state_dict`.
        published: Files whose SHA-256 is checked if this one has the name of one of them.
        origin: Whose weights they are, for messages: "HRNet from MMPose".
        stand_ins: Pairs of a harmless class and the full name that it is read in place of.
    """
    import torch

    try:
        digest = sha256(check_input(path, "file of weights"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).", ExitCode.NO_INPUT) from error
    for file in published:
        if path.name == file.file and not digest.startswith(file.digest):
            raise UserError(
                f"{path}: its SHA-256 starts with {digest[:8]}, expected {file.digest}; the "
                f"file is damaged or another one. Delete it, then {how_to_get(file)}"
            )
    document = _read(path, origin, stand_ins)
    state = document.get("state_dict", document) if isinstance(document, dict) else None
    if not isinstance(state, dict) or not state:
        raise UserError(f"{path}: holds no weights; expected a state dict of {origin}.")
    for name, value in state.items():
        if not (isinstance(name, str) and isinstance(value, torch.Tensor)):
            raise UserError(f"{path}: {str(name)[:80]!r} is no tensor; expected a state dict.")
        if not bool(torch.isfinite(value).all()):
            raise UserError(f"{path}: {name} holds NaN or infinity; the file is unusable.")
    return Weights(path, digest, state)


def _read(path: Path, origin: str, stand_ins: Sequence[Any]) -> object:
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with torch.serialization.safe_globals(list(stand_ins)):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a crafted file can provoke any; none may pass as a success
        if named := re.search(r"GLOBAL (\S+)", str(error)):
            raise UserError(
                f"{path}: names {named[1]} beside tensors and was not opened, because such a file "
                "can run code. Take a published checkpoint, or a file of tensors alone "
                "(.safetensors)."
            ) from error
        raise UserError(
            f"{path}: cannot be read as weights ({one_line(error)[:160]}); expected a .pth or "
            f".safetensors file of {origin}. Get it again."
        ) from error


# ----- names --------------------------------------------------------------------------------------


def check_names(
    weights: Weights, wanted: Mapping[str, Tensor], network: str, publisher: str
) -> None:
    """Refuse weights of another network: every name and every shape must match."""
    state = weights.state
    shapes = [
        f"{name} has shape {tuple(state[name].shape)} and not {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in state and state[name].shape != value.shape
    ]
    missing = [name for name in wanted if name not in state]
    unexpected = [name for name in state if name not in wanted]
    faults = [f"{shapes[0]} ({len(shapes)} such)"] if shapes else []
    faults += [f"{missing[0]} is missing ({len(missing)} such)"] if missing else []
    faults += [f"{unexpected[0]} is unexpected ({len(unexpected)} such)"] if unexpected else []
    if faults:
        raise UserError(
            f"{weights.path}: not weights of {network}: {'; '.join(faults)}. Name a file that "
            f"{publisher} publishes for this network."
        )
