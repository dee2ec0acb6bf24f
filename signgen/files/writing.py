"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_output, one_line

__all__ = [
    "atomic_folder",
    "atomic_path",
    "atomic_paths",
    "make_folder",
    "remove_leftovers",
    "save_bytes",
    "save_text",
]


@contextmanager
def atomic_paths(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Write files or folders under the same names in a temporary folder beside the first of them.

    They are moved into place when the block ends; on any exception, Ctrl-C included, they are
    removed and what is there stays as it was.

    Yields:
        The temporary paths; none exists yet.
    """
    name, parent = paths[0].name, paths[0].parent
    try:
        folder = tempfile.TemporaryDirectory(
            prefix=f".{name[:50]}.", suffix=".part", dir=parent, ignore_cleanup_errors=True
        )
    except (OSError, ValueError) as error:
        raise _cannot_create(paths[0], error) from error
    with folder as place:
        temporary = [Path(place) / path.name for path in paths]
        yield temporary
        for written, path in zip(temporary, paths, strict=True):
            os.replace(written, path)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Write one file as `atomic_paths` does; the block should do nothing but write it."""
    with _written(path), atomic_paths([check_output(path)]) as (temporary,):
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
    with _written(folder), atomic_paths([folder]) as (temporary,):
        temporary.mkdir()
        yield temporary


@contextmanager
def _written(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
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
        shutil.rmtree(leftover, ignore_errors=True)


def _cannot_create(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path} cannot be created: {one_line(error)}. Choose a folder you may write to.",
        ExitCode.CANNOT_CREATE,
    )
