"""SHA-256 of files and folders."""

from __future__ import annotations

import hashlib
from pathlib import Path

__all__ = ["sha256"]


def sha256(path: Path) -> str:
    """Return the hexadecimal digest of a file, or of the names and digests of a folder's files."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file())
        lines = "".join(f"{sha256(file)}  {file.name}\n" for file in files)
        return hashlib.sha256(lines.encode()).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
