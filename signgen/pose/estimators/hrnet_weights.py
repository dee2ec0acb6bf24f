"""Published weights of HRNet: found on this machine, read without running them, matched by name.

The names of MMPose 1.x (`backbone.*`, `head.*`) are the names of `HeatmapNetwork`. Files of MMPose
0.x differ in the head, which they call `keypoint_head`; where that head has a convolution before
the last one, they number both in one list (`published_names`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from signgen.errors import ExitCode, UserError

__all__ = [
    "HAND_WEIGHTS",
    "WHOLE_BODY_WEIGHTS",
    "Published",
    "Weights",
    "check_names",
    "find_weights",
    "published_names",
    "read_weights",
]


@dataclass(frozen=True)
class Published:
    """A file of weights that MMPose publishes.

    Args:
        file: Its name; the eight digits before the date are the start of its SHA-256.
        folder: Where it lies on MMPose's server.
        flag: The command-line flag that takes its path.
    """

    file: str
    folder: str
    flag: str

    @property
    def address(self) -> str:
        """Where it can be downloaded."""
        return f"https://download.openmmlab.com/mmpose/{self.folder}/{self.file}"

    @property
    def digest(self) -> str:
        """The first eight digits of its SHA-256."""
        return self.file.rsplit("-", 1)[1][:8]


WHOLE_BODY_WEIGHTS = Published(
    "hrnet_w48_coco_wholebody_384x288_dark-f5726563_20200918.pth", "top_down/hrnet", "--weights"
)
HAND_WEIGHTS = Published(
    "hrnetv2_w18_coco_wholebody_hand_256x256_dark-a9228c9c_20210908.pth",
    "hand/dark",
    "--hand-weights",
)


@dataclass(frozen=True)
class Weights:
    """What a file of weights holds.

    Args:
        path: The file.
        digest: SHA-256 of the file, hexadecimal.
        state: Tensors by the names of MMPose 1.x, on the CPU.
    """

    path: Path
    digest: str
    state: dict[str, Tensor]


# ----- finding ------------------------------------------------------------------------------------


def find_weights(weights: Path | None, published: Published) -> Path:
    """Return the given file, or the published one from a cache on this machine.

    Searched are torch's cache of checkpoints and every repository in the Hugging Face cache;
    nothing is downloaded.

    Raises:
        UserError: If there is none (66): which file it is, and how to get it.
    """
    if weights is not None:
        if weights.is_file():
            return weights
        raise UserError(
            f"{weights}: no such file of weights; {_how_to_get(published)}", ExitCode.NO_INPUT
        )
    cached = _torch_cache() / published.file
    if cached.is_file():
        return cached
    for path in sorted(_hub_cache().glob(f"models--*/snapshots/*/{published.file}")):
        return path
    raise UserError(
        f"{published.file}: these weights are not on this machine; {_how_to_get(published)}",
        ExitCode.NO_INPUT,
    )


def _torch_cache() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _hub_cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _how_to_get(published: Published) -> str:
    target = _torch_cache() / published.file
    return (
        f'get them with: curl -fL --create-dirs -o "{target}" {published.address} '
        f"(found there by itself; elsewhere, name the file with {published.flag})."
    )


# ----- reading ------------------------------------------------------------------------------------


class _Ignored:
    """Stands for what a training run left beside its weights: takes anything and keeps nothing."""

    def __new__(cls, *_: object) -> _Ignored:
        return super().__new__(cls)

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


#: Files of MMEngine name these in their log and their description of the data set. They are read as
#: `_Ignored`: NumPy's own would trust the file's word on where in memory objects lie.
_IGNORED = (
    "_codecs.encode",
    "builtins.getattr",
    "mmengine.logging.history_buffer.HistoryBuffer",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "numpy.ndarray",
)


def read_weights(path: Path) -> Weights:
    """Read a `.pth` or `.safetensors` file; no code in it is run.

    Args:
        path: A state dict, or a checkpoint with one under `state_dict`.

    Returns:
        Its tensors by the names of MMPose 1.x.

    Raises:
        UserError: If it is no such file, is damaged, or holds more than tensors.
    """
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).", ExitCode.NO_INPUT) from error
    for published in (WHOLE_BODY_WEIGHTS, HAND_WEIGHTS):
        if path.name == published.file and not digest.startswith(published.digest):
            raise UserError(
                f"{path}: its SHA-256 starts with {digest[:8]}, expected {published.digest}; the "
                f"file is damaged or another one. Delete it, then {_how_to_get(published)}"
            )
    document = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pth(path)
    state = document.get("state_dict", document) if isinstance(document, dict) else None
    if not isinstance(state, dict) or not state:
        raise UserError(f"{path}: holds no weights; expected a state dict of HRNet from MMPose.")
    for name, value in state.items():
        if not (isinstance(name, str) and isinstance(value, Tensor)):
            raise UserError(f"{path}: {str(name)[:80]!r} is no tensor; expected a state dict.")
        if not bool(torch.isfinite(value).all()):
            raise UserError(f"{path}: {name} holds NaN or infinity; the file is unusable.")
    return Weights(path, digest, published_names(state))


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, error) from error


def _read_pth(path: Path) -> object:
    stand_ins: list[Any] = [(_Ignored, name) for name in _IGNORED]
    try:
        with torch.serialization.safe_globals(stand_ins):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a crafted file can provoke any; none may pass as a success
        named = re.search(r"GLOBAL (\S+)", str(error))
        if named is None:
            raise _damaged(path, error) from error
        raise UserError(
            f"{path}: names {named[1]} beside tensors and was not opened, because such a file can "
            "run code. Take a published checkpoint, or a file of tensors alone (.safetensors)."
        ) from error


def _damaged(path: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:160] or type(error).__name__
    return UserError(
        f"{path}: cannot be read as weights ({reason}); expected a .pth or .safetensors file of "
        "HRNet from MMPose. Get it again."
    )


# ----- names --------------------------------------------------------------------------------------


def published_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of an MMPose 0.x file as MMPose 1.x does; others keep their names.

    `keypoint_head.final_layer.weight` becomes `head.final_layer.weight`. Where the old head is a
    list (`keypoint_head.final_layer.0.weight` ...), its last entry becomes `head.final_layer` and
    the others `head.conv_layers.0` .... Batch norms get the counter of batches that files of old
    training runs lack; only training reads it.
    """
    old = re.compile(r"keypoint_head\.final_layer\.(\d+)\.(\w+)")
    places = [int(match[1]) for name in state if (match := old.fullmatch(name))]
    renamed = {}
    for name, value in state.items():
        match = old.fullmatch(name)
        if match is None:
            new = re.sub(r"^keypoint_head\.", "head.", name)
        elif int(match[1]) == max(places):
            new = f"head.final_layer.{match[2]}"
        else:
            new = f"head.conv_layers.{match[1]}.{match[2]}"
        renamed[new] = value
        if new.endswith(".running_var"):
            counter = new.removesuffix("running_var") + "num_batches_tracked"
            renamed.setdefault(counter, torch.tensor(0))
    return renamed


def check_names(weights: Weights, wanted: Mapping[str, Tensor], network: str) -> None:
    """Refuse weights of another network: every name and every shape must match.

    Args:
        weights: What was read.
        wanted: State dict of the network, for its names and shapes.
        network: What the message calls the network.

    Raises:
        UserError: On one line, with the first name of each kind that does not match.
    """
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
            "MMPose publishes for this network."
        )
