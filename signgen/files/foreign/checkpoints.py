"""Checkpoints of training runs: the state dict, and the settings of the run as plain values.

Read are those of PyTorch Lightning, whose settings are objects of OmegaConf, and plain files of
`torch.save` with a dictionary of tensors, or with one under `state_dict`. Tensors stay in the file,
mapped into memory, so that the states of an optimiser beside them cost nothing.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signgen.errors import ExitCode, UserError
from signgen.files.foreign.arrays import STORAGES, Array, layout
from signgen.files.foreign.pickles import read_pickle
from signgen.files.foreign.unpickling import Described, Name, PickleError
from signgen.files.paths import one_line

__all__ = ["Checkpoint", "Plain", "plain_values", "read_checkpoint"]

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
"""A value as YAML has it."""

#: Numbers of one tensor; the largest of Stable Diffusion's U-Net has 30 million.
_MAX_TENSOR_VALUES = 2**30
_MAX_DEPTH = 30
_MAX_VALUES = 100_000
_PURPOSE = "checkpoints as torch.save writes them"


@dataclass(frozen=True)
class Checkpoint:
    """What is read of a checkpoint; the states of the optimiser are not.

    Args:
        state: Tensors by name, in the file's order, none of them loaded.
        settings: `hyper_parameters` of Lightning, as plain values.
        epoch: Epochs done, if the file says so.
        step: Optimiser steps done, if the file says so.
    """

    path: Path
    state: Mapping[str, Array]
    settings: Mapping[str, Plain]
    epoch: int | None
    step: int | None

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor, in the file's order."""
        return {name: tensor.shape for name, tensor in self.state.items()}

    def load(self, name: str) -> NDArray[Any]:
        """Return the numbers of a tensor, a view of the file where that is possible."""
        try:
            return self.state[name].load()
        except PickleError as error:
            raise UserError(f"{self.path}: {name[:100]} {error}. Copy the file again.") from None

    def equal(self, name: str, other: Checkpoint, twin: str) -> bool:
        """Tell whether a tensor and one of this or another checkpoint are the same, bit by bit.

        Those that share their numbers in one file are equal without being read.
        """
        one, two = self.state[name], other.state[twin]
        if one == two or one.shape != two.shape:
            return one == two
        first, second = self.load(name).reshape(-1), other.load(twin).reshape(-1)
        bits = f"u{first.itemsize}"  # NaN equals itself bit by bit
        return first.dtype == second.dtype and bool((first.view(bits) == second.view(bits)).all())


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint without running it and without loading its tensors.

    Args:
        path: A zip archive of `torch.save`, as torch writes since 1.6.
    """
    value, archive = _read_archive(path)
    outer = value if isinstance(value, dict) else {}
    found = outer.get("state_dict", outer)
    if not isinstance(found, dict) or not found:
        raise UserError(f"{path} holds no state dict; expected a checkpoint of a training run.")
    whole = found is not outer
    state: dict[str, Array] = {}
    try:
        for name, described in found.items():
            tensor = _stored(described, archive)
            if not isinstance(name, str) or tensor is None:
                raise UserError(
                    f"{path}: {str(name)[:80]!a} of its state dict is no tensor; expected tensors "
                    "by name."
                )
            state[name] = tensor
        settings = plain_values(outer.get("hyper_parameters")) if whole else None
    except PickleError as error:
        raise UserError(f"{path} {error}. Nothing of it was run; expected {_PURPOSE}.") from None
    epoch, step = (outer.get(key) if whole else None for key in ("epoch", "global_step"))
    return Checkpoint(
        path,
        state,
        settings if isinstance(settings, dict) else {},
        epoch if isinstance(epoch, int) else None,
        step if isinstance(step, int) else None,
    )


def _read_archive(path: Path) -> tuple[Any, _Archive]:
    try:
        with path.open("rb") as file:
            head = file.read(64)
            if head.lstrip().lower().startswith((b"<!doctype", b"<html")):
                raise UserError(
                    f"{path} is a web page; expected a checkpoint. Its host asked something "
                    "instead of sending the file: download it with a browser."
                )
            if not head.startswith(b"PK\x03\x04"):
                raise UserError(
                    f"{path} is not a zip archive; expected a checkpoint as torch.save writes it "
                    "since torch 1.6. Copy it again, or save it again with a newer torch."
                )
        return read_pickle(path, path, _PURPOSE), _Archive(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {one_line(error)}.", ExitCode.NO_INPUT) from error
    except PickleError as error:
        raise UserError(f"{path} {error}. Nothing of it was run; expected {_PURPOSE}.") from None


# ----- tensors ------------------------------------------------------------------------------------


class _Archive:
    """A zip archive that stays mapped into memory: its numbers cost no memory of their own."""

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
        self._bytes: NDArray[np.uint8] = np.asarray(np.memmap(path, np.uint8, mode="r"))
        self._infos = {info.filename: info for info in infos}
        self._verified: set[str] = set()
        if len(self._infos) != len(infos):
            raise PickleError("is a zip archive with two members of one name")
        self.folder = next(name for name in self._infos if name.endswith("data.pkl"))[:-8]
        order = f"{self.folder}byteorder"
        if order in self._infos and self.read(order).tobytes() != b"little":
            raise PickleError("is from a big-endian machine")

    def read(self, name: str) -> NDArray[np.uint8]:
        """Return the bytes of a member as a view of the file, compared with their checksum."""
        info = self._infos.get(name)
        if info is None:
            raise PickleError(f"has no member {name[:60]!a}")
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise PickleError(f"has a member {name[:60]!a} that is packed; torch packs none")
        # Behind 30 bytes of its own header, its name and an extra field, with their lengths
        header = self._bytes[info.header_offset : info.header_offset + 30]
        lengths = header[26:].view("<u2").sum(dtype=np.int64) if len(header) == 30 else 2**62
        start = info.header_offset + 30 + int(lengths)
        data = self._bytes[start : start + info.file_size]
        if info.header_offset < 0 or len(data) != info.file_size:
            raise PickleError(f"has a member {name[:60]!a} that lies outside of the file")
        if name not in self._verified and zlib.crc32(data.data) != info.CRC:
            raise PickleError(f"has a member {name[:60]!a} that is damaged: its checksum differs")
        self._verified.add(name)
        return data


@dataclass(frozen=True)
class _Archived:
    """A storage of torch in a member of its own."""

    archive: _Archive
    member: str
    kind: str
    length: int

    def numbers(self, first: int, count: int) -> NDArray[Any]:
        half = self.kind == "BFloat16Storage"  # the upper half of a float32
        code = "<u2" if half else STORAGES.get(self.kind)
        if code is None:
            raise PickleError(f"is a tensor of {self.kind[:40]}; expected {', '.join(STORAGES)}")
        storage = self.archive.read(self.member)
        if len(storage) != self.length * np.dtype(code).itemsize:
            raise PickleError(f"announces {self.length} numbers and has {len(storage)} bytes")
        values = storage.view(code)[first : first + count]
        if len(values) != count:
            raise PickleError(f"reaches beyond the {self.length} numbers of its storage")
        return (values.astype("<u4") << 16).view("<f4") if half else values


def _stored(value: object, archive: _Archive) -> Array | None:
    """Return the tensor that a value of the pickle describes; None if it is none."""
    match value:
        case Described(made=Name(text="torch._utils._rebuild_parameter"), args=(inner, *_)):
            return _stored(inner, archive)
        case Described(
            made=Name(text="torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor_v3"),
            args=(
                Described(args=("storage", Name(text=kind), str() as key, _, int() as length)),
                first,
                shape,
                strides,
                *_,
            ),
        ):
            member = f"{archive.folder}data/{key}"
            storage = _Archived(archive, member, kind.rsplit(".", 1)[-1], length)
            return Array(storage, *layout(shape, strides, first, _MAX_TENSOR_VALUES))
    return None


# ----- settings -----------------------------------------------------------------------------------


def plain_values(value: object) -> Plain:
    """Decode the settings of a run: nodes of OmegaConf, namespaces and dictionaries.

    Returns:
        Plain values; `<package.Class>` in the place of any other object.

    Raises:
        PickleError: If they are nested too deep, in themselves, or too many: a few bytes of a
            pickle can name one list many times over.
    """
    left = _MAX_VALUES

    def plain(value: object, depth: int) -> Plain:
        nonlocal left
        left -= 1
        if depth > _MAX_DEPTH or left < 0:
            raise PickleError(
                f"has settings of more than {_MAX_VALUES} values, or nested deeper than "
                f"{_MAX_DEPTH}"
            )
        match value:
            case None | bool() | int() | float() | str():
                return value
            case dict():
                return {str(key): plain(inner, depth + 1) for key, inner in value.items()}
            case list() | tuple():
                return [plain(inner, depth + 1) for inner in value]
            case Described():
                inner = _content(value)
                return f"<{value.made.text}>" if inner is value else plain(inner, depth + 1)
        return f"<{value.text if isinstance(value, Name) else type(value).__name__}>"

    return plain(value, 0)


def _content(value: Described) -> object:
    """Return what an object of settings holds; itself if that is not known."""
    package = value.made.text.split(".")[0]
    state = value.state if isinstance(value.state, dict) else {}
    if package == "omegaconf":
        for key in ("_content", "_val"):  # of containers, and of nodes
            if key in state:
                return state[key]
    if value.made.text == "argparse.Namespace":
        return state
    if value.items:
        return value.items
    if package == "pathlib" and all(isinstance(part, str) for part in value.args):
        return "/".join(value.args)
    return value
