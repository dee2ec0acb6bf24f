"""What a restricted pickle may hold besides plain values: arrays, as inert descriptions.

Nothing here calls numpy's or torch's own reconstruction: an array is a description (type, shape,
strides, and the place of its bytes), and becomes numbers only in `Array.load`, after every length
has been compared with the bytes that are there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from signgen.files.foreign.byte_source import ByteSource

__all__ = [
    "MAX_VALUES",
    "Array",
    "Blob",
    "Described",
    "Dtype",
    "Global",
    "PickleError",
    "Storage",
    "checked_shape",
    "whole_numbers",
]

#: Numbers of one array: 42,000 frames of 133 key points, 28 minutes.
MAX_VALUES = 16 * 2**20
_MAX_AXES = 8
_CODES = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"})


class PickleError(Exception):
    """What is wrong with a pickle, as a part of a sentence; the reader adds the file's name."""


@dataclass(frozen=True)
class Global:
    """A name that the pickle asks for, one of those that are allowed."""

    module: str
    name: str


@dataclass
class Described:
    """An object of a class that is not ours: what the file says of it, and nothing that can run.

    Args:
        made: Name of its class, or of the function that would make it.
        args: What it would be made of.
        state: What would become its attributes; None if the file gives none.
        items: What a kind of dictionary holds.
        entries: What a kind of list holds.
    """

    made: Global
    args: tuple[Any, ...] = ()
    state: object = None
    items: dict[Any, Any] = field(default_factory=dict)
    entries: list[Any] = field(default_factory=list)

    def set_state(self, state: object) -> None:
        """Keep the attributes."""
        self.state = state


@dataclass(frozen=True)
class Blob:
    """Bytes that stay where they are: `length` of them from `start` on.

    Args:
        source: Where they are.
        start: First byte.
        length: Number of bytes as stored.
        kind: `bytes`; `text` for UTF-8 text; `latin` for bytes that are stored as UTF-8 text of
            their Latin-1 characters, as protocol 2 does.
    """

    source: ByteSource
    start: int
    length: int
    kind: Literal["bytes", "text", "latin"] = "bytes"

    def load(self) -> bytes:
        """Return the bytes.

        Raises:
            PickleError: If they are text, or not text where they should be.
        """
        if self.length > 16 * MAX_VALUES:
            raise PickleError(f"has {self.length} bytes in one piece")
        data = self.source.read(self.start, self.length)
        if len(data) != self.length:
            raise PickleError("is truncated")
        if self.kind == "bytes":
            return data
        if self.kind == "text":
            raise PickleError("has a text in the place of an array's bytes")
        try:
            return data.decode("utf-8", "surrogatepass").encode("latin-1")
        except UnicodeError:
            raise PickleError(
                "has an array whose bytes are not as protocol 2 writes them"
            ) from None


@dataclass
class Dtype:
    """A number type: one of numpy's codes such as `f4`, and its byte order."""

    code: str
    order: str = "="

    @classmethod
    def call(cls, args: tuple[Any, ...]) -> Dtype:
        """Read the arguments of `numpy.dtype`."""
        code = args[0] if args else None
        if not isinstance(code, str) or code not in _CODES:
            shown = code if isinstance(code, str) else type(code).__name__
            raise PickleError(f"has an array of type {shown[:20]!a}; expected plain numbers")
        return cls(code)

    def set_state(self, state: object) -> None:
        """Read the state (version, byte order, subarray, names, fields, ...)."""
        if not isinstance(state, tuple) or not 5 <= len(state) <= 9:
            raise PickleError("has a number type with an unknown description")
        order = state[1]
        if order not in ("<", ">", "=", "|") or any(part is not None for part in state[2:5]):
            raise PickleError("has an array of records; expected plain numbers")
        self.order = str(order)

    @property
    def numpy(self) -> np.dtype[Any]:
        """The type as numpy's."""
        return np.dtype(self.order + self.code if self.order in "<>" else self.code)


@dataclass(frozen=True)
class Storage:
    """A torch storage that is not parsed yet.

    Args:
        read: Function of (first element, number of elements) that returns them.
    """

    read: Callable[[int, int], NDArray[Any]]


@dataclass
class Array:
    """An array that is not loaded.

    Args:
        shape: Its shape; None until the pickle has described it.
        dtype: Number type; None for a torch tensor, whose storage names it.
        data: Bytes, or a torch storage.
        order: "C" or "F" for bytes.
        offset: First element in the storage.
        strides: In elements; None where `order` says it.
        axes: Order of axes after reshaping, or None.
    """

    shape: tuple[int, ...] | None = None
    dtype: Dtype | None = None
    data: bytes | Blob | Storage | None = None
    order: Literal["C", "F"] = "C"
    offset: int = 0
    strides: tuple[int, ...] | None = None
    axes: tuple[int, ...] | None = None

    def set_state(self, state: object) -> None:
        """Read the state of a numpy array: (version, shape, dtype, is Fortran order, bytes)."""
        if not isinstance(state, tuple) or len(state) != 5 or self.shape is not None:
            raise PickleError("has an array with an unknown description")
        _, shape, dtype, fortran, data = state
        if isinstance(data, list):
            raise PickleError("has an array of objects; expected plain numbers")
        self._describe(shape, dtype, data)
        self.order = "F" if fortran is True else "C"

    @classmethod
    def from_buffer(cls, args: tuple[Any, ...]) -> Array:
        """Read the arguments of numpy's `_frombuffer`: bytes, dtype, shape, order, axes."""
        if len(args) not in (4, 5) or args[3] not in ("C", "F", "K"):
            raise PickleError("has an array with an unknown description")
        array = cls(order="F" if args[3] == "F" else "C")
        array._describe(args[2], args[1], args[0])
        axes = args[4] if len(args) == 5 else None
        if axes is not None:
            array.axes = whole_numbers(axes)
            if sorted(array.axes) != list(range(len(array.shape or ()))):
                raise PickleError("has an array with an unknown order of axes")
        return array

    def _describe(self, shape: object, dtype: object, data: object) -> None:
        if not isinstance(dtype, Dtype) or not isinstance(data, bytes | Blob):
            raise PickleError("has an array with an unknown description")
        self.shape, self.dtype, self.data = checked_shape(shape), dtype, data

    @classmethod
    def from_tensor(cls, args: tuple[Any, ...]) -> Array:
        """Read the arguments of `torch._utils._rebuild_tensor_v2`."""
        if len(args) not in (6, 7) or not isinstance(args[0], Storage):
            raise PickleError("has a tensor with an unknown description")
        shape, strides = checked_shape(args[2]), whole_numbers(args[3])
        (offset,) = whole_numbers((args[1],))
        if len(shape) != len(strides):
            raise PickleError("has a tensor whose strides do not fit its shape")
        return cls(shape=shape, data=args[0], offset=offset, strides=strides)

    def load(self) -> NDArray[Any]:
        """Return the numbers, an array of its own memory.

        Raises:
            PickleError: If its bytes are not as many as its shape says, or a storage is not as
                described.
        """
        if self.shape is None or self.data is None:
            raise PickleError("has an array without numbers")
        if isinstance(self.data, Storage):
            return self._load_tensor(self.data)
        assert self.dtype is not None
        data = self.data if isinstance(self.data, bytes) else self.data.load()
        kind = self.dtype.numpy
        if len(data) != math.prod(self.shape) * kind.itemsize:
            raise PickleError(
                f"has an array of {len(data)} bytes for shape {list(self.shape)} of {kind.name}"
            )
        flat = np.frombuffer(data, kind) if data else np.zeros(0, kind)
        array = flat.reshape(self.shape, order=self.order)
        return array if self.axes is None else array.transpose(self.axes)

    def _load_tensor(self, storage: Storage) -> NDArray[Any]:
        assert self.shape is not None
        assert self.strides is not None
        if math.prod(self.shape) == 0:
            return np.zeros(self.shape, np.float32)
        last = sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if last >= MAX_VALUES:
            raise PickleError(f"has a tensor spread over {last} numbers")
        values = storage.read(self.offset, last + 1)
        view = np.lib.stride_tricks.as_strided(
            values, self.shape, [step * values.itemsize for step in self.strides], writeable=False
        )
        return view.copy()


def whole_numbers(values: object) -> tuple[int, ...]:
    """Return a tuple of whole numbers of at least 0.

    Raises:
        PickleError: If it is anything else.
    """
    if not isinstance(values, tuple) or len(values) > _MAX_AXES:
        raise PickleError("has an array with an unknown description")
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**40:
            raise PickleError("has an array whose shape is not whole numbers")
    return values


def checked_shape(values: object, limit: int = MAX_VALUES) -> tuple[int, ...]:
    """Return a shape of at most `limit` numbers.

    Raises:
        PickleError: If it is anything else.
    """
    shape = whole_numbers(values)
    if math.prod(shape) > limit:
        raise PickleError(f"has an array of shape {list(shape)}; at most {limit} numbers are read")
    return shape
