"""An interpreter of the few pickle instructions that data need; it cannot import, call or look up.

Python's own unpickler runs a file with real classes, and even with a filtered `find_class` a file
can make it allocate memory at will (memo slots, declared lengths) or hang (hashing nested tuples).
Here a name must be one that the `Rules` of its kind of file allow, and stands for a function of
ours that builds an inert description; strings above `_INLINE` bytes are skipped and stay in the
file.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable, Mapping
from typing import Any

from signgen.files.foreign.byte_source import ByteSource
from signgen.files.foreign.pickle_rules import Persistent, Rules
from signgen.files.foreign.pickle_values import (
    Array,
    Blob,
    Described,
    Dtype,
    Global,
    PickleError,
)

__all__ = ["MAX_OPERATIONS", "Machine"]

#: Instructions of one pickle: 20,000 clips need about 1.5 million.
MAX_OPERATIONS = 5_000_000
_INLINE = 2048
_INLINE_BYTES = 64
_MAX_INLINE = 128 * 2**20
_MAX_DEPTH = 100
_MAX_INTEGER_BYTES = 16
_WINDOW = 8192
_STOP = ord(".")


class Machine:
    """Runs one pickle.

    Args:
        source: Where it is.
        start: Its first byte.
        end: Where it must have ended.
        rules: What it may hold.
    """

    def __init__(self, source: ByteSource, start: int, end: int, rules: Rules) -> None:
        self._source, self._place, self._end = source, start, end
        self._rules = rules
        self._window, self._window_start = b"", start
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._inline = 0

    def run(self) -> tuple[Any, int]:
        """Return the value and the place behind it.

        Raises:
            PickleError: If an instruction is not allowed or the pickle is broken.
        """
        for _ in range(MAX_OPERATIONS):
            operation = self._take(1)[0]
            if operation == _STOP:
                if len(self._stack) != 1 or self._marks:
                    raise PickleError("is a broken pickle")
                return self._stack[0], self._place
            step = _STEPS.get(operation)
            if step is None:
                raise PickleError(self._not_allowed(operation))
            step(self)
        raise PickleError(f"is a pickle of more than {MAX_OPERATIONS} instructions; split it")

    def _not_allowed(self, operation: int) -> str:
        known = next((op for op in pickletools.opcodes if op.code == chr(operation)), None)
        if known is None:
            return f"is a broken pickle (byte {self._place - 1})"
        return (
            f"uses the pickle instruction {known.name} (byte {self._place - 1}), which "
            f"{self._rules.purpose} do not need"
        )

    # ----- bytes ----------------------------------------------------------------------------------

    def _take(self, count: int) -> bytes:
        """Return the next few bytes."""
        first = self._place - self._window_start
        if first < 0 or first + count > len(self._window):
            self._window = self._source.read(
                self._place, min(max(count, _WINDOW), self._end - self._place)
            )
            self._window_start, first = self._place, 0
            if len(self._window) < count:
                raise PickleError("is a truncated or broken pickle")
        self._place += count
        return self._window[first : first + count]

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _skip(self, length: int) -> int:
        """Pass over bytes; return where they begin."""
        start = self._place
        if length < 0 or length > self._end - start:
            raise PickleError(f"announces {length} bytes at byte {start} and ends before them")
        self._place += length
        return start

    def _keep(self, length: int) -> None:
        self._inline += length
        if self._inline > _MAX_INLINE:
            raise PickleError(f"has more than {_MAX_INLINE} bytes of texts")

    def _text(self, form: str) -> None:
        length = self._number(form)
        if length > _INLINE:
            self.push(Blob(self._source, self._skip(length), length, "text"))
            return
        self._keep(length)
        try:
            self.push(self._take(length).decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError:
            raise PickleError("has a text that is not UTF-8") from None

    def _bytes(self, form: str) -> None:
        length = self._number(form)
        if length > _INLINE_BYTES:
            self.push(Blob(self._source, self._skip(length), length))
        else:
            self.push(self._take(max(0, length)))

    def _old_string(self, form: str) -> None:
        """A string of Python 2: text if it is ASCII, bytes otherwise."""
        self._bytes(form)
        value = self._stack[-1]
        if isinstance(value, bytes) and value.isascii():
            self._stack[-1] = value.decode("ascii")

    def _integer(self) -> None:
        length = self._take(1)[0]
        if length > _MAX_INTEGER_BYTES:
            raise PickleError(f"has a whole number of {length} bytes")
        self.push(int.from_bytes(self._take(length), "little", signed=True))

    def _frame(self) -> None:
        length = self._number("<Q")
        if length > self._end - self._place:
            raise PickleError(f"announces a frame of {length} bytes at byte {self._place}")

    def _protocol(self) -> None:
        if not 2 <= self._take(1)[0] <= 5:
            raise PickleError("is a pickle of an unknown protocol")

    # ----- stack ----------------------------------------------------------------------------------

    def push(self, value: object) -> None:
        """Put a value on the stack."""
        self._stack.append(value)

    def _pop(self) -> Any:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise PickleError("is a broken pickle")
        return self._stack.pop()

    def _container(self, kind: type) -> Any:
        """Return the topmost value, which must be a plain container of a kind, or described."""
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise PickleError("is a broken pickle")
        top = self._stack[-1]
        if isinstance(top, Described):
            return top.entries if kind is list else top.items
        if type(top) is not kind:
            raise PickleError(f"adds to something that is not a {kind.__name__}")
        return top

    def _mark(self) -> None:
        if len(self._marks) >= _MAX_DEPTH:
            raise PickleError(f"is nested deeper than {_MAX_DEPTH}")
        self._marks.append(len(self._stack))

    def _pop_mark(self) -> list[Any]:
        if not self._marks:
            raise PickleError("is a broken pickle")
        start = self._marks.pop()
        values = self._stack[start:]
        del self._stack[start:]
        return values

    def _tuple(self, count: int) -> None:
        values = [self._pop() for _ in range(count)]
        self.push(tuple(reversed(values)))

    def _appends(self) -> None:
        values = self._pop_mark()
        self._container(list).extend(values)

    def _append(self) -> None:
        value = self._pop()
        self._container(list).append(value)

    def _set_items(self, items: list[Any]) -> None:
        target = self._container(dict)
        if len(items) % 2:
            raise PickleError("is a broken pickle")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, self._rules.keys):
                raise PickleError(
                    f"has a dictionary with a {type(key).__name__} as key; expected text"
                )
            target[key] = value

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._set_items([key, value])

    # ----- memo -----------------------------------------------------------------------------------

    def _put(self, index: int) -> None:
        if not self._stack or index > MAX_OPERATIONS:
            raise PickleError("is a broken pickle")
        self._memo[index] = self._stack[-1]

    def _get(self, index: int) -> None:
        if index not in self._memo:
            raise PickleError("is a broken pickle")
        self.push(self._memo[index])

    # ----- names ----------------------------------------------------------------------------------

    def _line(self) -> str:
        text = bytearray()
        while (char := self._take(1)) != b"\n":
            text += char
            if len(text) > 200:
                raise PickleError("asks for a name of more than 200 characters")
        return text.decode("utf-8", "replace")

    def _name(self, module: object, name: object) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise PickleError("is a broken pickle")
        known = (module, name) in self._rules.calls
        if not known and not self._rules.described(module, name):
            shown = f"{module}.{name}"[:80]
            raise PickleError(
                f"asks for {shown!a}, which {self._rules.purpose} do not need and which could run "
                "programs"
            )
        self.push(Global(module, name))

    def _stack_name(self) -> None:
        name, module = self._pop(), self._pop()
        self._name(module, name)

    def _reduce(self) -> None:
        arguments, called = self._pop(), self._pop()
        if not isinstance(called, Global) or not isinstance(arguments, tuple):
            raise PickleError("calls something that is not a function")
        call = self._rules.calls.get((called.module, called.name))
        self.push(call(arguments) if call else Described(called, arguments))

    def _new_object(self) -> None:
        arguments, made = self._pop(), self._pop()
        known = isinstance(made, Global) and self._rules.described(made.module, made.name)
        if not known or not isinstance(arguments, tuple):
            raise PickleError(self._not_allowed(ord("\x81")))
        self.push(Described(made, arguments))

    def _build(self) -> None:
        state, target = self._pop(), self._pop()
        if self._rules.attributes and type(target) is dict:
            self.push(target)
            return
        if not isinstance(target, Array | Dtype | Described):
            raise PickleError(f"sets the state of a {type(target).__name__}")
        target.set_state(state)
        self.push(target)

    def _reference(self) -> None:
        value = self._pop()
        if not self._rules.persistent or not isinstance(value, tuple):
            raise PickleError("refers to a storage outside")
        self.push(Persistent(value))


_STEPS: Mapping[int, Callable[[Machine], None]] = {
    ord(code): step
    for code, step in {
        "\x80": Machine._protocol,
        "\x95": Machine._frame,
        "(": Machine._mark,
        "N": lambda m: m.push(None),
        "\x88": lambda m: m.push(True),
        "\x89": lambda m: m.push(False),
        "J": lambda m: m.push(m._number("<i")),
        "K": lambda m: m.push(m._number("<B")),
        "M": lambda m: m.push(m._number("<H")),
        "\x8a": Machine._integer,
        "G": lambda m: m.push(m._number(">d")),
        "\x8c": lambda m: m._text("<B"),
        "X": lambda m: m._text("<I"),
        "\x8d": lambda m: m._text("<Q"),
        "C": lambda m: m._bytes("<B"),
        "B": lambda m: m._bytes("<I"),
        "\x8e": lambda m: m._bytes("<Q"),
        "\x96": lambda m: m._bytes("<Q"),
        "U": lambda m: m._old_string("<B"),
        "T": lambda m: m._old_string("<i"),
        ")": lambda m: m.push(()),
        "\x85": lambda m: m._tuple(1),
        "\x86": lambda m: m._tuple(2),
        "\x87": lambda m: m._tuple(3),
        "t": lambda m: m.push(tuple(m._pop_mark())),
        "]": lambda m: m.push([]),
        "a": Machine._append,
        "e": Machine._appends,
        "}": lambda m: m.push({}),
        "s": Machine._set_item,
        "u": lambda m: m._set_items(m._pop_mark()),
        "c": lambda m: m._name(m._line(), m._line()),
        "\x93": Machine._stack_name,
        "R": Machine._reduce,
        "\x81": Machine._new_object,
        "b": Machine._build,
        "q": lambda m: m._put(m._number("<B")),
        "r": lambda m: m._put(m._number("<I")),
        "\x94": lambda m: m._put(len(m._memo)),
        "h": lambda m: m._get(m._number("<B")),
        "j": lambda m: m._get(m._number("<I")),
        "Q": Machine._reference,
    }.items()
}
