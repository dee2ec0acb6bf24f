"""Files of `torch.save`, zip archives with a pickle, read without running them and without torch.

The pickle (`data.pkl`) is interpreted by `pickle_machine`. Tensors stay in the file: each is a
description until `StoredTensor.load` is called, so a checkpoint with the states of its optimiser
costs no more than the weights that are wanted. Names of `_PACKAGES` and `_NAMES` stand for inert
descriptions; any other name is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.files.foreign.byte_source import ByteSource
from signgen.files.foreign.pickle_machine import Machine
from signgen.files.foreign.pickle_rules import Persistent, Rules
from signgen.files.foreign.pickle_values import Global, PickleError, checked_shape, whole_numbers
from signgen.files.foreign.restricted_pickle import NUMPY
from signgen.files.foreign.zip_members import ZipMembers, sniff

__all__ = ["MAX_PICKLE_BYTES", "MAX_TENSOR_VALUES", "StoredTensor", "read_archive"]

#: Bytes of `data.pkl`; a checkpoint of FPDM with its optimiser has about one million.
MAX_PICKLE_BYTES = 64 * 2**20
#: Numbers of one tensor; the largest of Stable Diffusion's U-Net has 30 million.
MAX_TENSOR_VALUES = 2**30

#: Bytes up to which a tensor may be larger than its storage, as expanded ones are.
_SMALL = 2**20
_PURPOSE = "checkpoints"
#: numpy's type for each of torch's; bfloat16 is the upper half of a float32.
_DTYPES: Mapping[str, str] = {
    "float64": "<f8",
    "float32": "<f4",
    "float16": "<f2",
    "bfloat16": "<u2",
    "int64": "<i8",
    "int32": "<i4",
    "int16": "<i2",
    "int8": "|i1",
    "uint8": "|u1",
    "bool": "|b1",
}
#: May lie in a file, and are refused where they are wanted.
_OTHER_DTYPES = [
    *("complex32", "complex64", "complex128", "uint16", "uint32", "uint64"),
    *("qint8", "qint32", "quint8", "float8_e4m3fn", "float8_e5m2"),
]
_STORAGES: Mapping[str, str] = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "UntypedStorage": "uint8",
}

#: Packages whose objects a training run leaves in its checkpoint; `src` is that of FPDM's program.
_PACKAGES = {"lightning", "lightning_fabric", "omegaconf", "pytorch_lightning", "src", "typing"}
_TYPES = "bool bytes complex dict float frozenset int list long object set str tuple type unicode"
_NAMES: Mapping[str, frozenset[str]] = {
    "argparse": frozenset({"Namespace"}),
    "builtins": frozenset(_TYPES.split()),
    "__builtin__": frozenset(_TYPES.split()),
    "collections": frozenset({"deque"}),
    "datetime": frozenset({"date", "datetime", "timedelta"}),
    "_operator": frozenset({"getitem"}),  # so typing.Union[...] is pickled
    "pathlib": frozenset({"PosixPath", "PurePosixPath", "PureWindowsPath", "WindowsPath"}),
    "torch": frozenset({*_DTYPES, *_OTHER_DTYPES, "Size", "device"}),
}


@dataclass(frozen=True)
class StoredTensor:
    """A tensor that is still in its file.

    Args:
        archive: The file.
        member: The member with its storage.
        dtype: Name of torch's number type.
        declared: Bytes of the storage, as the pickle says.
        shape: Its shape.
        strides: In numbers.
        offset: First number in the storage.
    """

    archive: ZipMembers
    member: str
    dtype: str
    declared: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    def check(self) -> None:
        """Compare what is announced with the member's length; the numbers are not read.

        Raises:
            PickleError: If there is no such member, it has another length, the tensor reaches
                beyond it, or its number type is unknown.
        """
        if self.dtype not in _DTYPES:
            raise PickleError(f"is a tensor of {self.dtype[:40]}; expected {', '.join(_DTYPES)}")
        found = self.archive.size(self.member)
        if found != self.declared:
            raise PickleError(
                f"is a tensor whose storage announces {self.declared} bytes and has {found}"
            )
        if math.prod(self.shape) * self._itemsize > max(_SMALL, found):
            raise PickleError(
                f"is a tensor of shape {list(self.shape)} that repeats the {found} bytes of its "
                "storage"
            )
        if math.prod(self.shape) and (self.offset + self._reach) * self._itemsize > found:
            raise PickleError(
                f"is a tensor of shape {list(self.shape)} that reaches beyond its storage of "
                f"{found} bytes"
            )

    def load(self) -> NDArray[Any]:
        """Return the numbers, without a copy where they lie in order; bfloat16 as float32.

        Raises:
            PickleError: As `check`, or if the member is damaged.
        """
        self.check()
        kind = np.dtype(_DTYPES[self.dtype])
        if not math.prod(self.shape):
            return np.zeros(self.shape, np.float32 if self.dtype == "bfloat16" else kind)
        start = self.offset * kind.itemsize
        raw = self.archive.read(self.member)[start : start + self._reach * kind.itemsize]
        values = np.lib.stride_tricks.as_strided(
            raw.view(kind),
            self.shape,
            [step * kind.itemsize for step in self.strides],
            writeable=False,
        )
        if self.dtype == "bfloat16":
            return (values.astype("<u4") << 16).view("<f4")
        return np.require(values, requirements=["C", "ALIGNED"])

    def equals(self, other: StoredTensor) -> bool:
        """Tell whether two tensors have the same shape, type and bits.

        Those that share their numbers in one file are equal without being read.

        Raises:
            PickleError: As `load`.
        """
        if (self.shape, self.dtype) != (other.shape, other.dtype):
            return False
        if self == other:
            self.check()
            return True
        first, second = (tensor.load().reshape(-1) for tensor in (self, other))
        bits = f"u{first.itemsize}"  # NaN equals itself bit by bit
        return bool(np.array_equal(first.view(bits), second.view(bits)))

    @property
    def _itemsize(self) -> int:
        return np.dtype(_DTYPES[self.dtype]).itemsize

    @property
    def _reach(self) -> int:
        """Numbers of the storage from the first of the tensor to its last."""
        return 1 + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))


def read_archive(path: Path) -> object:
    """Read what `torch.save` wrote.

    Args:
        path: A zip archive, as torch writes since 1.6.

    Returns:
        None, numbers, texts, bytes, tuples, lists, dictionaries, `StoredTensor`, and `Described`
        for objects of other classes.

    Raises:
        UserError: If the file cannot be read (66); if it is anything else, is truncated, or asks
            for what checkpoints do not need (65). Nothing of it has run.
    """
    head = ByteSource(path, limit=2**50).read(0, 64)
    if head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        raise UserError(
            f"{path} is a web page; expected a checkpoint. Its host asked something instead of "
            "sending the file: download it with a browser."
        )
    if not sniff(head):
        raise UserError(
            f"{path} is not a zip archive; expected a checkpoint as torch.save writes it since "
            "torch 1.6. Copy it again, or save it again with a newer torch."
        )
    try:
        return _Reader(ZipMembers(path)).run()
    except PickleError as error:
        raise UserError(
            f"{path} {error}. Nothing of it was run; expected {_PURPOSE} as torch.save writes them."
        ) from None


class _Reader:
    """Interprets the pickle of one archive."""

    def __init__(self, archive: ZipMembers) -> None:
        self._archive = archive
        pickles = [name for name in archive.names if name.split("/", 1)[-1] == "data.pkl"]
        if len(pickles) != 1:
            raise PickleError(f"has {len(pickles)} members data.pkl in place of one")
        self._pickle = pickles[0]
        self._folder = self._pickle.removesuffix("data.pkl")

    def run(self) -> object:
        order = self._folder + "byteorder"
        if order in self._archive.names and self._archive.read(order).tobytes() != b"little":
            raise PickleError("is from a big-endian machine")
        size = self._archive.size(self._pickle)
        if size > MAX_PICKLE_BYTES:
            raise PickleError(f"has a pickle of {size} bytes; at most {MAX_PICKLE_BYTES} are read")
        source = ByteSource(self._archive.path, self._archive.read(self._pickle).tobytes())
        rules = Rules(
            calls={
                **NUMPY,
                ("collections", "defaultdict"): _dictionary,
                ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
                ("torch._utils", "_rebuild_tensor_v3"): self._typed_tensor,
                ("torch._utils", "_rebuild_parameter"): _parameter,
            },
            purpose=_PURPOSE,
            described=_is_described,
            persistent=True,
            keys=(str, int, Global),
            attributes=True,
        )
        return Machine(source, 0, source.length, rules).run()[0]

    def _tensor(self, args: tuple[Any, ...]) -> StoredTensor:
        """Read (storage, offset, shape, strides, ...)."""
        if len(args) not in (6, 7):
            raise PickleError("has a tensor with an unknown description")
        return self._described(args, None)

    def _typed_tensor(self, args: tuple[Any, ...]) -> StoredTensor:
        """Read the same with a number type at place 6, of a storage that has none."""
        if len(args) not in (7, 8) or not isinstance(args[6], Global):
            raise PickleError("has a tensor with an unknown description")
        return self._described(args, args[6].name)

    def _described(self, args: tuple[Any, ...], dtype: str | None) -> StoredTensor:
        member, stored, declared = self._storage(args[0])
        (offset,) = whole_numbers((args[1],))
        shape, strides = checked_shape(args[2], MAX_TENSOR_VALUES), whole_numbers(args[3])
        if len(shape) != len(strides):
            raise PickleError("has a tensor whose strides do not fit its shape")
        return StoredTensor(
            self._archive, member, dtype or stored, declared, shape, strides, offset
        )

    def _storage(self, reference: object) -> tuple[str, str, int]:
        """Return member, number type and bytes of a storage."""
        found = reference.id if isinstance(reference, Persistent) else ()
        if len(found) != 5 or found[0] != "storage" or not isinstance(found[1], Global):
            raise PickleError("has a tensor without a storage")
        _, kind, key, _, count = found
        if not isinstance(key, str):
            raise PickleError("has a tensor without a storage")
        (count,) = whole_numbers((count,))
        dtype = _STORAGES.get(kind.name, kind.name)
        size = np.dtype(_DTYPES[dtype]).itemsize if dtype in _DTYPES else 1
        return f"{self._folder}data/{key}", dtype, count * size


def _dictionary(_: tuple[Any, ...]) -> dict[Any, Any]:
    return {}


def _parameter(args: tuple[Any, ...]) -> StoredTensor:
    if not args or not isinstance(args[0], StoredTensor):
        raise PickleError("has a parameter that is not a tensor")
    return args[0]


def _is_described(module: str, name: str) -> bool:
    """Tell whether objects of a name may lie in a checkpoint, as descriptions."""
    if not all(part.isidentifier() for part in [*module.split("."), name]):
        return False
    if module.split(".", maxsplit=1)[0] in _PACKAGES or name in _NAMES.get(module, ()):
        return True
    return module in ("torch", "torch.storage") and name.endswith("Storage")
