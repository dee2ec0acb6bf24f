"""Checks on the paths that users give, before any work starts."""

from __future__ import annotations

import errno
import os
import re
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

from signgen.errors import ExitCode, UserError

# `Path("http://x")` already lost a slash, so one must be enough; a lone letter is a Windows drive.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def check_input(path: str | Path, what: str = "file") -> Path:
    """Check that a local, regular, non-empty file is there, without opening it."""
    path = check_local(path, what)
    try:
        if not path.exists():
            raise UserError(
                f"{path} does not exist; expected a {what}. Check the path.", ExitCode.NO_INPUT
            )
        if path.is_dir():
            raise UserError(f"{path} is a folder; expected a {what}. Name one file.")
        if not path.is_file():
            raise UserError(f"{path} is not a regular file; expected a {what}.")
        if path.stat().st_size == 0:
            raise UserError(f"{path} is empty (0 bytes); expected a {what}. Copy or make it again.")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {one_line(error)}.", ExitCode.NO_INPUT) from error
    return path


def check_no_device(path: str | Path, expected: str) -> None:
    """Refuse what is neither file nor folder: a pipe makes one wait, a device never ends."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return  # opening it says why
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise UserError(f"{path} is not a regular file; expected {expected}. Save it as a file.")


def check_local(path: str | Path, what: str = "file") -> Path:
    """Refuse addresses such as `https://...`, and names that are too long for this machine.

    Media libraries would go straight to the network.
    """
    if _ADDRESS.match(str(path)):
        typed = re.sub(r"^(\w+:/)(?=[^/])", r"\1/", str(path)) if isinstance(path, Path) else path
        raise UserError(
            f"{typed} is an address; expected a {what} on this machine. Download it first.",
            ExitCode.NO_INPUT,
        )
    try:
        os.lstat(path)
    except ValueError:
        pass
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UserError(
                f"{str(path)[:60]}... has {len(str(path))} characters, which no name of a {what} "
                "has here. Check the path.",
                ExitCode.NO_INPUT,
            ) from error
    return Path(path)


def check_output(path: str | Path, suffix: str | None = None) -> Path:
    """Check that a file can be created or replaced, before any work starts. Leaves nothing behind.

    Args:
        path: The file; its folder must exist.
        suffix: Required ending such as `.mp4`, or None for any.
    """
    path = Path(path)
    folder = path.parent
    try:
        if path.is_dir() or not path.name:
            raise UserError(f"{path} is a folder; expected a file name.", ExitCode.CANNOT_CREATE)
        if "\0" in path.name:
            raise ValueError("a file name cannot hold a null character")
        if path.exists() and not path.is_file():
            # Replacing a device such as /dev/null would destroy it.
            raise UserError(f"{path} is not a regular file; not replaced.", ExitCode.CANNOT_CREATE)
        if suffix is not None and path.suffix.lower() != suffix:
            raise UserError(
                f"{path} ends in {path.suffix or 'nothing'!r}; expected a name ending in {suffix}.",
                ExitCode.USAGE,
            )
        if not folder.is_dir():
            problem = "is not a folder" if folder.exists() else "does not exist"
            raise UserError(
                f"{path} cannot be created: {folder} {problem}. Create it or choose another.",
                ExitCode.CANNOT_CREATE,
            )
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be created: {one_line(error)}. Choose a folder you may write to.",
            ExitCode.CANNOT_CREATE,
        ) from error
    return path


def check_outputs(outputs: Sequence[Path], inputs: Sequence[str | None]) -> None:
    """Check that files can be written, and that none is an input or another one of them."""
    taken = {Path(name).resolve() for name in inputs if name is not None}
    for path in outputs:
        check_output(path)
        if path.resolve() in taken:
            raise UserError(
                f"{path} is an input, or written twice. Choose another name.", ExitCode.USAGE
            )
        taken.add(path.resolve())


def one_line(error: BaseException) -> str:
    """Return what a library error says, on one line without the path, else its type."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return " ".join(text.split())[:200].rstrip(".") or type(error).__name__
