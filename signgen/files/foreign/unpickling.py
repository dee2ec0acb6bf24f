"""Python's own unpickler, cut down to the instructions and names that data need.

A pickle is a program that names functions and calls them. Here a name must be on a list and stands
for nothing but itself, a call is noted and not made, and what is long stays in the file, so that
nothing of a stranger's file can run. It could still take long or fill the memory: a child process
tries that first (`pickles`), for which this module is a program that imports nothing of signgen.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import pickletools
import struct
import sys
import zipfile
from collections.abc import Callable, Iterable
from typing import IO, Any

__all__ = ["Blob", "Described", "Name", "PickleError", "open_pickle", "unpickle"]

MAX_ARCHIVED_BYTES = 64 * 2**20
"""Bytes of the pickle in a checkpoint; that of FPDM with its optimiser has about one million."""
_INLINE_TEXT = 2048

_DICTIONARIES = ("collections.OrderedDict", "collections.defaultdict")
_NAMES = """
    numpy.core.multiarray._reconstruct numpy._core.multiarray._reconstruct
    numpy.core.multiarray.scalar numpy._core.multiarray.scalar
    numpy.core.numeric._frombuffer numpy._core.numeric._frombuffer
    numpy.ndarray numpy.dtype _codecs.encode
    torch._utils._rebuild_tensor_v2 torch._utils._rebuild_tensor_v3 torch._utils._rebuild_parameter
    torch.storage._load_from_bytes torch.Size torch.device torch.float64 torch.float32 torch.float16
    torch.bfloat16 torch.int64 torch.int32 torch.int16 torch.int8 torch.uint8 torch.bool
    torch.uint16 torch.uint32 torch.uint64 torch.complex32 torch.complex64 torch.complex128
    torch.qint8 torch.qint32 torch.quint8 torch.float8_e4m3fn torch.float8_e5m2
    argparse.Namespace collections.deque datetime.date datetime.datetime datetime.timedelta
    pathlib.PosixPath pathlib.PurePosixPath pathlib.PureWindowsPath pathlib.WindowsPath
    _operator.getitem
"""
_TYPES = "bool bytes complex dict float frozenset int list long object set str tuple type unicode"
#: Names of arrays and tensors, and of what a training run leaves in its checkpoint.
_ALLOWED = frozenset(
    [*_NAMES.split(), *_DICTIONARIES]
    + [f"{module}.{name}" for module in ("builtins", "__builtin__") for name in _TYPES.split()]
)
#: Packages of which any name may be there; `src` is that of FPDM's program.
_PACKAGES = ("lightning", "lightning_fabric", "omegaconf", "pytorch_lightning", "src", "typing")
#: Those of the standard library that are taken as they are; some others are replaced.
_INSTRUCTIONS = """
    PROTO MARK STOP NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT SHORT_BINUNICODE
    SHORT_BINBYTES SHORT_BINSTRING EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND APPENDS
    EMPTY_DICT GLOBAL STACK_GLOBAL REDUCE BUILD BINPUT LONG_BINPUT MEMOIZE BINGET LONG_BINGET
    BINPERSID
"""


class PickleError(Exception):
    """What is wrong with a pickle, as a part of a sentence; the reader adds the file's name."""


# ----- what a pickle holds besides plain values ---------------------------------------------------


class _Inert:
    """An object that a pickle cannot change, as it can any other's attributes."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        raise PickleError(f"sets the state of a {type(self).__name__}")


class Name(_Inert):
    """A name such as `numpy.dtype`; the unpickler calls it, and gets a description of the call."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, *args: Any) -> object:
        """Return a description of the call in the place of its result."""
        if self.text == "collections.OrderedDict" and args:
            raise PickleError("has an OrderedDict in an old form")
        if self.text in _DICTIONARIES:
            return _Dictionary()
        return Described(self, args)


class Described(_Inert):
    """An object that a pickle would make: what the file says of it, and nothing that can run.

    Args:
        made: Name of its class, or of the function that would make it.
        args: What it would be made of.

    Attributes:
        state: What would become its attributes; None if the file gives none.
        items: What a kind of dictionary holds.
    """

    __slots__ = ("args", "items", "made", "state")

    def __init__(self, made: Name, args: tuple[Any, ...] = ()) -> None:
        self.made, self.args = made, args
        self.state: Any = None
        self.items: dict[Any, Any] | None = None

    def __setstate__(self, state: object) -> None:
        if self.state is not None:
            super().__setstate__(state)
        self.state = state

    def __setitem__(self, key: object, value: object) -> None:
        self.items = self.items or {}
        self.items[key] = value

    def append(self, value: object) -> None:
        """Leave out what a kind of list holds: nobody reads it."""

    def extend(self, values: Iterable[object]) -> None:
        """The same for many."""


class Blob(_Inert):
    """Bytes or a text of a pickle that stay where they are.

    Args:
        start: Place of the first byte in the pickle.
        length: Number of bytes.
        is_text: Whether they are a text in UTF-8.
    """

    __slots__ = ("is_text", "length", "start")

    def __init__(self, start: int, length: int, *, is_text: bool) -> None:
        self.start, self.length, self.is_text = start, length, is_text


class _Dictionary(dict[Any, Any]):
    """A dictionary with an order or a default; torch's have attributes, which are left out."""

    def __setstate__(self, state: object) -> None:
        pass


# ----- the unpickler ------------------------------------------------------------------------------


class _Instructions(dict[int, Callable[[Any], None]]):
    def __missing__(self, code: int) -> Callable[[Any], None]:
        known = pickletools.code2op.get(chr(code))  # type: ignore[attr-defined]
        if known is None:
            raise ValueError
        raise PickleError(f"uses the pickle instruction {known.name}")


def _code(name: str) -> int:
    code: bytes = getattr(pickle, name)
    return code[0]


class _Unpickler(pickle._Unpickler):  # in C, it would load what is long and hash what is nested
    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="latin1")
        self._file, self._end = file, file.seek(0, io.SEEK_END)
        file.seek(0)

    def find_class(self, module: str, name: str) -> Name:
        text = f"{module}.{name}"
        known = text in _ALLOWED or module.split(".", 1)[0] in _PACKAGES
        known |= module in {"torch", "torch.storage"} and name.endswith("Storage")
        if not (known and name.isidentifier() and module.replace(".", "_").isidentifier()):
            raise PickleError(f"asks for {text[:80]!a}, which could run programs")
        return Name(text)

    def persistent_load(self, pid: Any) -> Described:
        if not isinstance(pid, tuple):
            raise PickleError("refers to something outside")
        return Described(Name("storage"), pid)

    def _frame(self) -> None:
        """Pass over the announcement; what is in a frame is read like the rest."""
        length = struct.unpack("<Q", self.read(8))[0]
        if length > self._end - self._file.tell():
            raise PickleError(f"announces a frame of {length} bytes and ends before them")

    def _blob(self, form: str, *, is_text: bool = False) -> None:
        length = struct.unpack(form, self.read(struct.calcsize(form)))[0]
        start = self._file.tell()
        if not 0 <= length <= self._end - start:
            raise PickleError(f"announces {length} bytes at byte {start} and ends before them")
        if is_text and length <= _INLINE_TEXT:
            self.append(str(self.read(length), "utf-8", "surrogatepass"))
        else:
            self._file.seek(length, io.SEEK_CUR)
            self.append(Blob(start, length, is_text=is_text))

    def _set_items(self, items: list[Any]) -> None:
        # Hashing a nested tuple could take for ever.
        for key in items[::2]:
            if not isinstance(key, str | int | Name):
                raise PickleError(f"has a {type(key).__name__} as the key of a dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            self.stack[-1][key] = value

    def _new_object(self) -> None:
        args, made = self.stack.pop(), self.stack.pop()
        if not isinstance(made, Name):
            raise TypeError
        self.append(made(*args))

    read: Callable[[int], bytes]
    append: Callable[[object], None]
    stack: list[Any]
    pop_mark: Callable[[], list[Any]]

    dispatch = _Instructions(
        {_code(name): pickle._Unpickler.dispatch[_code(name)] for name in _INSTRUCTIONS.split()}
    )
    dispatch |= {
        _code("FRAME"): _frame,
        _code("BINSTRING"): lambda self: self._blob("<i"),
        _code("BINBYTES"): lambda self: self._blob("<I"),
        _code("BINBYTES8"): lambda self: self._blob("<Q"),
        _code("BYTEARRAY8"): lambda self: self._blob("<Q"),
        _code("BINUNICODE"): lambda self: self._blob("<I", is_text=True),
        _code("BINUNICODE8"): lambda self: self._blob("<Q", is_text=True),
        _code("SETITEM"): lambda self: self._set_items([self.stack.pop(-2), self.stack.pop()]),
        _code("SETITEMS"): lambda self: self._set_items(self.pop_mark()),
        _code("NEWOBJ"): _new_object,
    }


def unpickle(file: IO[bytes]) -> Any:
    """Read a pickle of protocol 2 to 5 from a file that can be searched; nothing of it runs.

    Returns:
        None, numbers, texts, bytes, `Blob`, `Name`, `Described`, and tuples, lists and dictionaries
        of these.

    Raises:
        PickleError: If it asks for anything else, or is broken.
        MemoryError: If it holds too much.
    """
    try:
        return _Unpickler(file).load()
    except (PickleError, MemoryError):
        raise
    except Exception as error:  # a crafted file can provoke any
        raise PickleError("is a truncated or broken pickle") from error


def open_pickle(file: IO[bytes]) -> IO[bytes]:
    """Return a file itself, or the pickle in it if it is a zip archive of `torch.save`.

    Raises:
        PickleError: If it is a broken archive, or has no pickle or a large one.
    """
    file.seek(0)
    if file.read(4) != b"PK\x03\x04":
        return file
    try:
        with zipfile.ZipFile(file) as archive:
            infos = [i for i in archive.infolist() if i.filename.split("/", 1)[-1] == "data.pkl"]
            if len(infos) != 1:
                raise PickleError(f"has {len(infos)} members data.pkl in place of one")
            size = infos[0].file_size
            if size > MAX_ARCHIVED_BYTES:
                raise PickleError(f"has a pickle of {size} bytes; at most {MAX_ARCHIVED_BYTES} fit")
            return io.BytesIO(archive.read(infos[0]))
    except (PickleError, MemoryError):
        raise
    except Exception as error:  # a crafted file can provoke any
        raise PickleError("is a truncated or broken zip archive") from error


def _try_out(memory: int, seconds: int) -> None:
    """Read the standard input within limits: what counts is that it ends, even in a refusal."""
    with contextlib.suppress(ImportError):
        import resource

        for limit, most in (("AS", memory), ("CPU", seconds), ("CORE", 0)):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(getattr(resource, f"RLIMIT_{limit}"), (most, most))
    with contextlib.suppress(PickleError):
        unpickle(open_pickle(sys.stdin.buffer))


if __name__ == "__main__":
    _try_out(*map(int, sys.argv[1:]))
