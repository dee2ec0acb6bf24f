"""Files and folders that appear whole or not at all.

What is being written lies in a hidden folder `.NAME.????????.part` beside its place, which the
system's lock ties to its process: what a killed one left is removed by the next that writes there.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_output, one_line

if sys.platform != "win32":
    import fcntl

__all__ = [
    "atomic_folder",
    "atomic_path",
    "atomic_paths",
    "make_folder",
    "remove_leftovers",
    "save_bytes",
    "save_text",
    "written",
]

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}
"""Errors that say something of the disk, not of what is written."""
NEW = 2.0
"""Seconds for which an empty hidden folder may belong to a process that has yet to lock it."""
_swept: set[Path] = set()
"""Folders in which this process has looked for leftovers."""


@contextmanager
def atomic_paths(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Write files or folders under the same names in a temporary folder beside the first of them.

    They are moved into place when the block ends; on any exception, Ctrl-C included, they are
    removed and what is there stays as it was.

    Yields:
        The temporary paths; none exists yet.
    """
    with _hidden_folder(paths[0]) as place, _room(paths[0]):
        temporary = [place / path.name for path in paths]
        yield temporary
        for number, (written, path) in enumerate(zip(temporary, paths, strict=True)):
            if written.is_dir() and path.is_dir() and any(path.iterdir()):
                # A full folder cannot be replaced at once: the old one goes with the hidden one
                os.replace(path, place / f".old-{number}")
            os.replace(written, path)


@contextmanager
def _hidden_folder(path: Path) -> Iterator[Path]:
    """Make a folder beside a path, ours until the block ends; remove what dead processes left."""
    parent = path.parent.absolute()
    if parent not in _swept:
        _swept.add(parent)
        remove_leftovers(parent, "*")
    try:
        folder = tempfile.mkdtemp(prefix=f".{path.name[:50]}.", suffix=".part", dir=path.parent)
    except (OSError, ValueError) as error:
        raise _cannot_create(path, error) from error
    owned = _take(folder)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if owned is not None:
            os.close(owned)


@contextmanager
def _room(path: Path) -> Iterator[None]:
    """Say where there is no room, or what else is wrong with the disk."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise UserError(
            f"{path} cannot be written: {one_line(error)}. Free some space in {path.parent}.",
            ExitCode.IO,
        ) from error


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Write one file as `atomic_paths` does; the block should do nothing but write it."""
    with written(path), atomic_paths([check_output(path)]) as (temporary,):
        yield temporary


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Fill a new folder as `atomic_path` writes a file; an empty one may be there already."""
    try:
        if folder.is_symlink() or (
            folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
        ):
            raise UserError(
                f"{folder} exists and is not an empty folder; not replaced. Choose a new one.",
                ExitCode.CANNOT_CREATE,
            )
    except (OSError, ValueError) as error:
        raise _cannot_create(folder, error) from error
    with written(folder), atomic_paths([folder]) as (temporary,):
        temporary.mkdir()
        yield temporary


@contextmanager
def written(path: str | Path, *kinds: type[Exception]) -> Iterator[None]:
    """Say which file or folder the block cannot write, where it fails.

    Args:
        path: What it writes.
        kinds: Errors of libraries that mean the same as an `OSError`.
    """
    errors: tuple[type[Exception], ...] = (OSError, *kinds)
    try:
        yield
    except errors as error:
        raise UserError(f"{path} cannot be written: {one_line(error)}.", ExitCode.IO) from error


def save_bytes(path: str | Path, data: bytes) -> None:
    """Write a file as `atomic_path` does."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def save_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 text file as `save_bytes` does."""
    save_bytes(path, text.encode())


def make_folder(folder: Path) -> None:
    """Create a folder and those above it, where they are missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise _cannot_create(folder, error) from error


def remove_leftovers(folder: Path, name: str) -> None:
    """Remove what killed processes left of files or folders of a name, which may hold `*`."""
    for leftover in folder.glob(f".{name[:50]}.????????.part"):
        descriptor = _take(leftover)
        if descriptor is None:
            continue
        with suppress(OSError):
            # A new one is empty until it is locked
            if any(leftover.iterdir()) or time.time() - leftover.stat().st_mtime > NEW:
                shutil.rmtree(leftover, ignore_errors=True)
        os.close(descriptor)


def _take(folder: str | Path) -> int | None:
    """Lock a folder; None where another process holds it, or the system cannot."""
    if sys.platform == "win32":
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _cannot_create(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path} cannot be created: {one_line(error)}. Choose a folder you may write to.",
        ExitCode.CANNOT_CREATE,
    )
