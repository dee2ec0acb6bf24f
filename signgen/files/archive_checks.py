"""The checks on every member of an archive of strangers, and where it may be written."""

from __future__ import annotations

import lzma
import re
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from signgen.errors import ExitCode, UserError
from signgen.files.paths import one_line

__all__ = ["BLOCK", "Limits", "Member", "Unpacking"]

BLOCK = 1 << 20
"""Bytes read at a time."""
# What the libraries raise on broken archives.
BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    OverflowError,
    RuntimeError,
    MemoryError,
)


@dataclass(frozen=True)
class Limits:
    """What an archive may grow to; the defaults leave PHOENIX-2014T (0.95 million frames) room.

    Args:
        files: Most members, folders included.
        total: Most bytes of all files together.
        ratio: Most bytes unpacked for each byte of the archive; frames and key points are far
            below, and deflate can reach 1032.
    """

    files: int = 5_000_000
    total: int = 1 << 40
    ratio: float = 200.0


@dataclass(frozen=True)
class Member:
    """A member of either kind of archive.

    Args:
        original: Its name as written, before a library made something else of it.
        size: Bytes that it declares.
        kind: `file`, `folder`, `hard link`, or why it is refused, a key of `_BAD_KINDS`.
    """

    original: str
    size: int
    kind: str


class Unpacking:
    """What has been unpacked so far, and the checks on every next member.

    Args:
        archive: The file.
        folder: The empty folder to fill.
        limits: What the archive may grow to.
    """

    def __init__(self, archive: Path, folder: Path, limits: Limits) -> None:
        self.archive, self.folder, self.limits = archive, folder, limits
        self.archive_size = archive.stat().st_size
        self.allowed = min(limits.total, limits.ratio * self.archive_size + BLOCK)
        self.members = self.total = 0
        self._folders: set[str] = set()
        self._files: set[str] = set()

    def admit(self, member: Member) -> Path:
        """Check a member and return where it belongs; folders are made.

        Raises:
            UserError: If it is refused.
        """
        if problem := _bad_name(member.original) or _BAD_KINDS.get(member.kind):
            raise self.refused(member, problem)
        self.members += 1
        self.total += member.size
        if self.members > self.limits.files:
            raise self.refused(member, f"is one more than {self.limits.files} members, the limit")
        if member.size < 0 or self.total > self.allowed:
            raise self.refused(
                member, f"brings the files to {self.total} bytes; the limit is {self.allowed:.0f}"
            )
        parts = _parts(member.original)
        if not self._take(parts, member.kind == "folder"):
            raise self.refused(member, "lies where another member is")
        place = self.folder.joinpath(*parts)
        with self.writing(place):
            folder = place if member.kind == "folder" else place.parent
            folder.mkdir(parents=True, exist_ok=True)
        return place

    def _take(self, parts: list[str], is_folder: bool) -> bool:
        """Note that a place is taken; false if it or a folder on the way to it was a file."""
        keys = [_key(parts[:depth]) for depth in range(1, len(parts) + 1)]
        folders = keys if is_folder else keys[:-1]
        self._folders.update(folders)
        if not self._files.isdisjoint(keys) or not (is_folder or keys):
            return False
        if not is_folder:
            self._files.add(keys[-1])
        return is_folder or keys[-1] not in self._folders

    def unpacked(self, name: str) -> Path | None:
        """Return where an earlier file of the archive was put, or None."""
        place = self.folder.joinpath(*_parts(name))
        known = not _bad_name(name) and _key(_parts(name)) in self._files
        return place if known and place.is_file() else None

    def refused(self, member: Member, problem: str) -> UserError:
        """Return the complaint about a member."""
        shown = ascii(member.original[:80])
        return UserError(f"{self.archive}: member {shown} {problem}. Do not trust this archive.")

    @contextmanager
    def writing(self, place: Path) -> Iterator[None]:
        """Turn errors of writing into `UserError`."""
        try:
            yield
        except OSError as error:
            raise UserError(
                f"{place} cannot be written: {one_line(error)}. Check the free space of the disk.",
                ExitCode.IO,
            ) from error

    @contextmanager
    def reading(self, member: Member | None = None) -> Iterator[None]:
        """Turn errors of reading the archive into `UserError`."""
        try:
            yield
        except BROKEN as error:
            where = f": member {member.original[:80]!a}" if member else ""
            raise UserError(
                f"{self.archive}{where} is damaged or cut off: {one_line(error)}. "
                "Download it again."
            ) from error


_BAD_KINDS = {
    "link": "is a symbolic link; expected plain files and folders",
    "device": "is a device or pipe; expected plain files and folders",
    "sparse": "is a file with holes; expected plain files and folders",
    "encrypted": "is encrypted; expected plain files and folders",
    "encoding": "has a name of an unknown encoding; expected UTF-8",
}


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in {"", "."}]


def _key(parts: list[str]) -> str:
    """Return one text for all paths that some file system takes for the same."""
    return unicodedata.normalize("NFC", "/".join(parts)).casefold()


def _bad_name(name: str) -> str:
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "has an absolute path"
    if ".." in name.split("/"):
        return "leaves the folder with `..`"
    if "\\" in name:
        return "has a backslash in its name"
    if any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in name):
        return "has a control character or broken Unicode in its name"
    return ""
