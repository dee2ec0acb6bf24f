"""The stream that torch saves a storage in inside a pickle, read without torch.

A pickled tensor holds its storage as `torch.storage._load_from_bytes(bytes)`, and torch's own
function of that name runs whatever these bytes ask for. They are five pickles (magic number,
protocol, system, storage, keys), the number of elements and the raw elements, and are read here by
the same restricted interpreter as the rest.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from signgen.files.foreign.byte_source import ByteSource
from signgen.files.foreign.pickle_machine import Machine
from signgen.files.foreign.pickle_rules import Persistent, Rules
from signgen.files.foreign.pickle_values import Blob, Global, PickleError

__all__ = ["read_storage"]

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_TYPES: Mapping[str, str] = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "ByteStorage": "|u1",
    "CharStorage": "|i1",
    "ShortStorage": "<i2",
    "IntStorage": "<i4",
    "LongStorage": "<i8",
    "BoolStorage": "|b1",
}


def _no_call(_: tuple[Any, ...]) -> NoReturn:
    raise PickleError("calls a class that torch only names")


_RULES = Rules(
    calls={("torch", name): _no_call for name in _TYPES}, purpose="tensors", persistent=True
)


def read_storage(data: bytes | Blob, offset: int, count: int) -> NDArray[Any]:
    """Read elements of a storage.

    Args:
        data: The stream.
        offset: First element.
        count: Number of elements.

    Returns:
        (count,) numbers of the storage's type.

    Raises:
        PickleError: If the stream is anything else than torch writes.
    """
    source, place, end = _opened(data)
    if source.read(place, 4) == b"PK\x03\x04":
        raise PickleError("has a tensor in torch's zip format; expected what pickle.dump writes")
    values: list[Any] = []
    for _ in range(5):
        if source.read(place, 2) != b"\x80\x02":
            raise PickleError("has a tensor that is not as torch writes it")
        value, place = Machine(source, place, end, _RULES).run()
        values.append(value)
    kind, declared = _described(values)
    head = source.read(place, 8) if end - place >= 8 else b""
    if len(head) != 8 or struct.unpack("<q", head)[0] != declared:
        raise PickleError("has a tensor that is not as torch writes it")
    place += 8
    if end - place != declared * kind.itemsize:
        raise PickleError(f"has a tensor that announces {declared} numbers in {end - place} bytes")
    if offset + count > declared:
        raise PickleError(f"has a tensor that reaches beyond its {declared} numbers")
    wanted = count * kind.itemsize
    raw = source.read(place + offset * kind.itemsize, wanted)
    if len(raw) != wanted:
        raise PickleError("is truncated")
    return np.frombuffer(raw, kind)


def _opened(data: bytes | Blob) -> tuple[ByteSource, int, int]:
    """Return where the stream is: source, start and end."""
    if isinstance(data, Blob) and data.kind == "bytes":
        return data.source, data.start, data.start + data.length
    held = data.load() if isinstance(data, Blob) else data
    return ByteSource(Path(), held), 0, len(held)


def _described(values: list[Any]) -> tuple[np.dtype[Any], int]:
    """Check the five pickles; return number type and number of elements."""
    magic, protocol, system, storage, keys = values
    if magic != _MAGIC or protocol != _PROTOCOL or not isinstance(system, dict):
        raise PickleError("has a tensor that is not as torch writes it")
    if system.get("little_endian") is not True:
        raise PickleError("has a tensor from a big-endian machine")
    if not isinstance(storage, Persistent) or len(storage.id) not in (5, 6):
        raise PickleError("has a tensor without a storage")
    tag, kind, key, _, declared, *view = storage.id
    if tag != "storage" or not isinstance(kind, Global) or not isinstance(key, str):
        raise PickleError("has a tensor without a storage")
    if keys != [key] or not isinstance(declared, int) or view not in ([], [None]):
        raise PickleError("has a tensor with more than one storage")
    return np.dtype(_TYPES[kind.name]), declared
