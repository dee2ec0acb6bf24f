"""Files of poses appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

from signgen.errors import ExitCode, UserError

__all__ = ["replace_file", "replace_folder"]


def replace_file(path: Path, data: bytes) -> None:
    """Write a file under a temporary name beside it, then rename it.

    Raises:
        UserError: If it cannot be created (73).
    """
    temporary = path.with_name(f".{path.name[:100]}.{uuid4().hex[:8]}.part")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except (OSError, ValueError) as error:
        raise _cannot(path, error) from error
    finally:
        _discard(temporary)


def replace_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Write a folder under a temporary name beside it, then rename it.

    Raises:
        UserError: If there is a folder with contents or a file already, or it cannot be created
            (73).
    """
    try:
        taken = folder.is_file() or (folder.is_dir() and any(folder.iterdir()))
    except (OSError, ValueError) as error:
        raise _cannot(folder, error) from error
    if taken:
        raise UserError(
            f"{folder} exists and is not an empty folder; not replaced. Choose another name.",
            ExitCode.CANNOT_CREATE,
        )
    temporary = folder.with_name(f".{folder.name[:100]}.{uuid4().hex[:8]}.part")
    try:
        temporary.mkdir()
        for name, data in files.items():
            (temporary / name).write_bytes(data)
        os.replace(temporary, folder)
    except (OSError, ValueError) as error:
        raise _cannot(folder, error) from error
    finally:
        if temporary.is_dir():
            for name in files:
                (temporary / name).unlink(missing_ok=True)
            temporary.rmdir()


def _discard(temporary: Path) -> None:
    try:
        temporary.unlink(missing_ok=True)
    except (OSError, ValueError):
        return


def _cannot(path: Path, error: Exception) -> UserError:
    reason = getattr(error, "strerror", None) or error
    return UserError(
        f"{path} cannot be written: {reason}. Choose another place.", ExitCode.CANNOT_CREATE
    )
