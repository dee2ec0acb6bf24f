"""The arrays and tensors that a pickle describes: their numbers are read when they are asked for.

Neither numpy nor torch makes anything of what a file says: every length is compared with the bytes
that are there, and then they become numbers.
"""

from __future__ import annotations

import contextlib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from signgen.errors import UserError
from signgen.files.foreign.pickles import Source, expanded, read_pickle
from signgen.files.foreign.unpickling import Blob, Described, Name, PickleError

__all__ = ["MAX_VALUES", "STORAGES", "Array", "Storage", "layout", "read_arrays"]

#: Numbers of one array: 42,000 frames of 133 key points, 28 minutes.
MAX_VALUES = 16 * 2**20
_CODES = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"})
STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}
"""numpy's code for the numbers of torch's storages."""
#: A storage inside a pickle: magic number, protocol, system, description, keys, length, numbers.
_PICKLED_STORAGE = re.compile(
    rb"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19\.\x80\x02M\xe9\x03\."
    rb"\x80\x02}q\x00\(X\x10\x00\x00\x00protocol_versionq\x01M\xe9\x03"
    rb"X\x0d\x00\x00\x00little_endianq\x02\x88X\x0a\x00\x00\x00type_sizesq\x03[^.]{,80}\."
    rb"\x80\x02\(X\x07\x00\x00\x00storageq\x00ctorch\n(?P<type>\w+)\nq\x01X(?P<key>.{4}\w+)"
    rb"q\x02X.{4}[\w:]+q\x03(?:K.|M..|J.{4}|\x8a.{2,9})N?tq\x04Q\."
    rb"\x80\x02]q\x00X(?P=key)q\x01a\.(?P<length>.{8})",
    re.DOTALL,
)


class Storage(Protocol):
    """Numbers in a row that are still in their file."""

    def numbers(self, first: int, count: int) -> NDArray[Any]:
        """Return `count` of them; raise `PickleError` if the file does not have them."""


@dataclass(frozen=True)
class Array:
    """An array that is not loaded; equal ones share their numbers.

    Args:
        strides: In numbers.
        first: Place of its first number in the storage.
    """

    storage: Storage
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    first: int = 0

    def load(self) -> NDArray[Any]:
        """Return the numbers, a view of the file where that is possible.

        Raises:
            PickleError: If the file does not have them as it announces them.
        """
        size, count = math.prod(self.shape), _reach(self.shape, self.strides)
        if size > max(2**18, count):  # small ones may be expanded
            raise PickleError(f"has {size} numbers of shape {list(self.shape)} made of {count}")
        flat = self.storage.numbers(self.first, count)
        steps = [step * flat.itemsize for step in self.strides]
        view = np.lib.stride_tricks.as_strided(flat, self.shape, steps, writeable=False)
        return np.require(view, requirements=["C", "ALIGNED"])


def read_arrays(path: Path, limit: int, purpose: str) -> tuple[Any, int]:
    """Read a pickle of arrays or tensors, plain or gzipped.

    Returns:
        None, numbers, texts, and tuples, lists and dictionaries of these and of `Array`; and the
        bytes of the pickle.
    """
    source = expanded(path, limit, purpose)
    root = [read_pickle(source, path, purpose)]
    waiting: list[Any] = [root]
    seen: set[int] = set()
    try:
        while waiting:
            container = waiting.pop()
            seen.add(id(container))
            for key in list(container) if isinstance(container, dict) else range(len(container)):
                value = container[key]
                if isinstance(value, Described):
                    container[key] = array_of(value, source) or value
                elif isinstance(value, dict | list) and id(value) not in seen:
                    waiting.append(value)
    except PickleError as error:
        raise UserError(f"{path} {error}. Nothing of it was run; expected {purpose}.") from None
    return root[0], len(source) if isinstance(source, bytes) else path.stat().st_size


def array_of(value: object, source: Source) -> Array | None:
    """Return the array or tensor that a value of a pickle describes; None if it is none.

    Args:
        value: Anything that `unpickle` returns.
        source: The file of the pickle, or its bytes.

    Raises:
        PickleError: If it describes an array that there cannot be.
    """
    if not isinstance(value, Described) or value.made.text not in _MAKERS:
        return None
    match _MAKERS[value.made.text], value.args, value.state:
        case "numpy", (Name(text="numpy.ndarray"), *_), (_, shape, dtype, fortran, data):
            return _numpy_array(source, data, dtype, shape, "F" if fortran is True else "C")
        case "buffer", (data, dtype, shape, "C" | "F" | "K" as order, *axes), None:
            return _numpy_array(source, data, dtype, shape, order, *axes[:1])
        case "torch", (Described() as storage, first, shape, strides, _, _, *_), None:
            if storage.made.text == "torch.storage._load_from_bytes" and len(storage.args) == 1:
                return Array(_Pickled(source, storage.args[0]), *layout(shape, strides, first))
    raise PickleError("has an array without numbers or with an unknown description")


_MAKERS = {
    "numpy.core.multiarray._reconstruct": "numpy",
    "numpy._core.multiarray._reconstruct": "numpy",
    "numpy.core.numeric._frombuffer": "buffer",
    "numpy._core.numeric._frombuffer": "buffer",
    "torch._utils._rebuild_tensor_v2": "torch",
}


def _numpy_array(
    source: Source, data: object, dtype: object, shape: object, order: str, axes: object = None
) -> Array:
    sizes = _whole_numbers(shape)
    turned = tuple(range(len(sizes))) if axes is None else _whole_numbers(axes)
    if sorted(turned) != list(range(len(sizes))):
        raise PickleError("has an array with an unknown order of axes")
    if isinstance(data, list):
        raise PickleError("has an array of objects; expected plain numbers")
    strides = tuple(
        math.prod(sizes[:axis] if order == "F" else sizes[axis + 1 :]) for axis in turned
    )
    storage = _Bytes(source, data, _number_type(dtype))
    return Array(storage, *layout(tuple(sizes[axis] for axis in turned), strides, 0))


def _number_type(value: object) -> np.dtype[Any]:
    """Read `numpy.dtype` of a code such as `f4`, with its byte order in the state."""
    if isinstance(value, Described) and value.made.text == "numpy.dtype" and value.args:
        code = value.args[0]
        if code not in _CODES:
            raise PickleError(f"has an array of type {str(code)[:20]!a}; expected plain numbers")
        match value.state:
            case None | (_, "=" | "|", None, None, None, *_):
                return np.dtype(f"={code}")
            case (_, "<" | ">" as order, None, None, None, *_):
                return np.dtype(f"{order}{code}")
    raise PickleError("has an array of records or of an unknown type; expected plain numbers")


# ----- numbers ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Bytes:
    """The bytes of a numpy array, which are as many as its shape says."""

    source: Source
    data: object
    dtype: np.dtype[Any]

    def numbers(self, first: int, count: int) -> NDArray[Any]:
        raw = _bytes(self.source, self.data, 0, count * self.dtype.itemsize + 1)
        if len(raw) != count * self.dtype.itemsize:
            raise PickleError(f"has an array of {count} {self.dtype.name} in other than its bytes")
        return np.frombuffer(raw, self.dtype) if raw else np.zeros(0, self.dtype)


@dataclass(frozen=True)
class _Pickled:
    """A storage as torch saves it inside a pickle."""

    source: Source
    data: object

    def numbers(self, first: int, count: int) -> NDArray[Any]:
        head = _PICKLED_STORAGE.match(_bytes(self.source, self.data, 0, 1024))
        code = STORAGES.get(head["type"].decode()) if head else None
        if head is None or code is None:
            raise PickleError("has a tensor that is not as torch writes it")
        kind, declared = np.dtype(code), int.from_bytes(head["length"], "little")
        start = head.end() + first * kind.itemsize
        raw = _bytes(self.source, self.data, start, count * kind.itemsize)
        if len(raw) != count * kind.itemsize or first + count > declared:
            raise PickleError(f"has a tensor that reaches beyond its {declared} numbers")
        return np.frombuffer(raw, kind) if raw else np.zeros(0, kind)


def _bytes(source: Source, data: object, start: int, count: int) -> bytes:
    """Return `count` bytes of a byte string from `start` on, fewer only at its end."""
    match data:
        case bytes():
            return data[start : start + count]
        case str():  # a short string of Python 2
            return data.encode("latin-1")[start : start + count]
        case Blob(is_text=False):
            place, count = data.start + start, max(0, min(count, data.length - start))
            if isinstance(source, bytes):
                return source[place : place + count]
            with source.open("rb") as file:
                file.seek(place)
                return file.read(count)
        case Described(made=Name(text="_codecs.encode"), args=(text, "latin1")):
            # Protocol 2 writes bytes as texts: their characters in Latin-1.
            with contextlib.suppress(UnicodeError):
                if isinstance(text, Blob) and text.is_text and text.length <= 16 * MAX_VALUES:
                    whole = Blob(text.start, text.length, is_text=False)
                    text = _bytes(source, whole, 0, text.length).decode()
                if isinstance(text, str):
                    return text.encode("latin-1")[start : start + count]
        case Described(made=Name(text="builtins.bytes" | "__builtin__.bytes"), args=()):
            return b""
    raise PickleError("has an array without bytes")


# ----- shapes -------------------------------------------------------------------------------------


def layout(
    shape: object, strides: object, first: object, limit: int = MAX_VALUES
) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Check what a file says of an array: shape and strides, and the place of its first number.

    Raises:
        PickleError: If they are not whole numbers, do not fit each other, or are more than `limit`.
    """
    sizes, steps, place = *map(_whole_numbers, (shape, strides)), _whole_numbers((first,))[0]
    if len(sizes) != len(steps):
        raise PickleError("has a tensor whose strides do not fit its shape")
    if max(math.prod(sizes), _reach(sizes, steps)) > limit:
        raise PickleError(f"has an array of shape {list(sizes)}; at most {limit} numbers are read")
    return sizes, steps, place


def _reach(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """Return how many numbers of its storage an array spans, from its first to its last."""
    if not math.prod(shape):
        return 0
    return 1 + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))


def _whole_numbers(values: object) -> tuple[int, ...]:
    """Return a tuple of at most eight whole numbers of at least 0."""
    if not isinstance(values, tuple) or len(values) > 8:
        raise PickleError("has an array with an unknown description")
    if not all(type(value) is int and 0 <= value < 2**40 for value in values):
        raise PickleError("has an array whose shape is not whole numbers")
    return values
