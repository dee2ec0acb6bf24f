"""Read pickles of numbers without running them, and without torch.

A pickle is a program for Python's unpickler, so files from strangers are not given to it.
`pickle_machine` interprets the harmless part; this module says which names files of numbers may
use: those that numpy and torch need for arrays, each standing for a function of ours that builds a
description (`pickle_values`).

Protocols 2 to 5 are read. 0 and 1, which nobody uses for arrays, are not recognised.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NoReturn

from signgen.errors import UserError
from signgen.files.foreign.byte_source import ByteSource
from signgen.files.foreign.pickle_machine import Machine
from signgen.files.foreign.pickle_rules import Calls, Rules
from signgen.files.foreign.pickle_values import Array, Blob, Dtype, Global, PickleError, Storage
from signgen.files.foreign.torch_storage import read_storage

__all__ = ["NUMBERS", "NUMPY", "read_pickle", "sniff"]


def sniff(head: bytes) -> bool:
    """Tell whether a file begins as a pickle of protocol 2 to 5."""
    return len(head) >= 2 and head[0] == 0x80 and 2 <= head[1] <= 5


def read_pickle(source: ByteSource, rules: Rules) -> object:
    """Read a file that is one pickle.

    Args:
        source: The file, or what it expanded to.
        rules: What it may hold; `NUMBERS` are the names for arrays and tensors.

    Returns:
        None, numbers, texts, bytes, `Blob`, tuples, lists, dictionaries with text keys, and
        `Array`.

    Raises:
        UserError: If it asks for anything else, is broken or too large. Nothing of it has run.
    """
    try:
        value, _ = Machine(source, 0, source.length, rules).run()
    except PickleError as error:
        raise UserError(
            f"{source.path} {error}. Nothing of it was run; expected {rules.purpose}."
        ) from None
    return value


def _new_array(args: tuple[Any, ...]) -> Array:
    if not args or args[0] != Global("numpy", "ndarray"):
        raise PickleError("has an array of an unknown class")
    return Array()


def _scalar(args: tuple[Any, ...]) -> int | float:
    if len(args) != 2 or not isinstance(args[0], Dtype) or not isinstance(args[1], bytes):
        raise PickleError("has a number with an unknown description")
    value = Array(shape=(1,), dtype=args[0], data=args[1]).load()[0].item()
    assert isinstance(value, int | float)
    return value


def _ordered(args: tuple[Any, ...]) -> dict[str, Any]:
    if args:
        raise PickleError("has an OrderedDict in an old form")
    return {}


def _encoded(args: tuple[Any, ...]) -> bytes | Blob:
    """Return the bytes that protocol 2 writes as text with the characters of Latin-1."""
    if len(args) == 2 and args[1] == "latin1":
        text = args[0]
        if isinstance(text, Blob) and text.kind == "text":
            return Blob(text.source, text.start, text.length, "latin")
        if isinstance(text, str) and all(ord(char) < 256 for char in text):
            return text.encode("latin-1")
    raise PickleError("has bytes in an unknown encoding")


def _no_bytes(args: tuple[Any, ...]) -> bytes:
    """Protocol 2 writes empty bytes as `bytes()`."""
    if args:
        raise PickleError("makes bytes from something else")
    return b""


def _stored(args: tuple[Any, ...]) -> Storage:
    if len(args) != 1 or not isinstance(args[0], bytes | Blob):
        raise PickleError("has a tensor that is not as torch writes it")
    return Storage(partial(read_storage, args[0]))


def _no_call(_: tuple[Any, ...]) -> NoReturn:
    raise PickleError("calls a class that numpy only names")


_NUMPY_CORES = ("numpy.core", "numpy._core")  # of numpy 1 and 2
NUMPY: Calls = {
    **{(f"{core}.multiarray", "_reconstruct"): _new_array for core in _NUMPY_CORES},
    **{(f"{core}.multiarray", "scalar"): _scalar for core in _NUMPY_CORES},
    **{(f"{core}.numeric", "_frombuffer"): Array.from_buffer for core in _NUMPY_CORES},
    ("numpy", "ndarray"): _no_call,
    ("numpy", "dtype"): Dtype.call,
    ("collections", "OrderedDict"): _ordered,
    ("_codecs", "encode"): _encoded,
    ("__builtin__", "bytes"): _no_bytes,
    ("builtins", "bytes"): _no_bytes,
}
"""The names of numpy's arrays and numbers, and of dictionaries with an order."""
NUMBERS: Calls = {
    **NUMPY,
    ("torch._utils", "_rebuild_tensor_v2"): Array.from_tensor,
    ("torch.storage", "_load_from_bytes"): _stored,
}
"""The same, and tensors that `pickle.dump` wrote."""
