"""The one error type a user can cause, exit codes, and being stopped by a signal."""

from __future__ import annotations

import errno
import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from signal import Signals
from types import FrameType


class ExitCode(IntEnum):
    """Process exit codes, after BSD `sysexits.h` where one fits."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    SOME_FAILED = 3  # finished, with some items failed
    DATA = 65
    NO_INPUT = 66
    UNAVAILABLE = 69
    CANNOT_CREATE = 73
    IO = 74
    INTERRUPTED = 130


class UserError(Exception):
    """Something the user can fix: shown as one line, without a traceback.

    The message names the file or setting first, then what is wrong with which value, what was
    expected and what to do.

    Args:
        message: One or two sentences on a single line.
        code: Exit code of the process.
    """

    def __init__(self, message: str, code: ExitCode = ExitCode.DATA) -> None:
        super().__init__(message)
        self.code = code


class Stopped(KeyboardInterrupt):
    """Work that a signal ended after it was saved; the process exits with 128 + its number.

    Args:
        number: Number of the signal.
        where: How far the work got.
    """

    def __init__(self, number: int, where: str) -> None:
        super().__init__(f"stopped by {Signals(number).name} {where}")
        self.code = 128 + number


_LOOP = "Symlink loop from "


def explain(error: Exception) -> tuple[str, ExitCode]:
    """Return the one line and the exit code of any exception."""
    if isinstance(error, UserError):
        return str(error), error.code
    name, text = type(error).__name__, str(error)
    if isinstance(error, MemoryError) or name == "OutOfMemoryError":
        return "out of memory. Use a smaller --chunk, --size or batch size.", ExitCode.UNAVAILABLE
    if isinstance(error, RuntimeError) and text.startswith(_LOOP):  # of `Path.resolve`
        place = text.removeprefix(_LOOP).strip("'")
        return f"{place} is a link that leads back to itself. Remove it.", ExitCode.NO_INPUT
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        place = str(error.filename)
        return f"{place[:60]}... has {len(place)} characters, too many here.", ExitCode.NO_INPUT
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO}:
        return f"{error.filename or 'output'}: {error.strerror}. Free some space.", ExitCode.IO
    return (
        f"unexpected {name}: {text[:300]} (this is a fault of signgen; --debug shows where)",
        ExitCode.UNEXPECTED,
    )


@contextmanager
def deferred_signals() -> Iterator[list[int]]:
    """Collect SIGINT, SIGTERM, SIGHUP and SIGUSR1, so that work can reach a good end and be kept.

    A second Ctrl-C stops at once, if it comes a second later: launchers pass signals on that their
    processes have had already.

    Yields:
        The signals that came, empty so far.
    """
    caught: list[int] = []
    first = math.inf

    def note(number: int, _: FrameType | None) -> None:
        nonlocal first
        now = time.monotonic()
        if number == signal.SIGINT and now - first > 1:
            raise KeyboardInterrupt
        if not caught:
            first = now
            caught.append(number)

    try:
        names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")  # Windows has the first two
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        previous = {number: signal.signal(number, note) for number in numbers}
    except ValueError:  # signals belong to the main thread; elsewhere the caller handles them
        yield caught
        return
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
