"""Locks on what a process writes, which die with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from signgen.errors import ExitCode, UserError
from signgen.files.paths import one_line
from signgen.files.writing import make_folder

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["locked"]

_held: set[Path] = set()  # a process may take its own lock a second time: the system lets it


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Keep a file or folder to this process while the block runs.

    The lock is one of the system on `.NAME.lock` beside the path, so one that was killed leaves
    none; forked processes do not hold it.

    Args:
        path: What the block writes; its folder is made where it is missing.
        what: What it is, for the message: `a training`.

    Raises:
        UserError: If another process, or this one, holds it (73), or the folder cannot be written.
    """
    path = path.absolute()
    make_folder(path.parent)
    lock = path.with_name(f".{path.name[:50]}.lock")
    try:
        descriptor = None if lock in _held else _take(lock)
    except OSError as error:
        raise UserError(
            f"{lock} cannot be locked: {one_line(error)}. Choose a folder you may write to.",
            ExitCode.CANNOT_CREATE,
        ) from error
    if descriptor is None:
        raise UserError(
            f"{path} is in use: {what} there has not ended. Wait for it, or choose another.",
            ExitCode.CANNOT_CREATE,
        )
    _held.add(lock)
    try:
        yield
    finally:
        _held.discard(lock)
        # Removed while it is held: whoever waits for this file sees that it is another one
        with suppress(OSError):
            lock.unlink()
        os.close(descriptor)


def _take(lock: Path) -> int | None:
    """Return the descriptor of the locked file, or None where another process holds it."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if sys.platform == "win32":
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), os.stat(lock)):
                return descriptor
        except (BlockingIOError, PermissionError):
            os.close(descriptor)
            return None
        except FileNotFoundError:  # its last holder has just removed it
            pass
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)
