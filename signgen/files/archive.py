"""Unpack archives of strangers: every member is checked, and all of it arrives or nothing."""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import re
import shutil
import stat
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_input, one_line
from signgen.files.writing import atomic_folder, make_folder

__all__ = ["Limits", "unpack"]

_BLOCK = 1 << 20
_DECOMPRESSORS: dict[str, Callable[[Any], Any]] = {
    ".tar": lambda file: file,
    ".tar.gz": lambda file: gzip.GzipFile(fileobj=file),
    ".tgz": lambda file: gzip.GzipFile(fileobj=file),
    ".tar.bz2": bz2.BZ2File,
    ".tar.xz": lzma.LZMAFile,
}
_NO_NAME = "has no name"
_BAD_NAMES = {
    r"/|[A-Za-z]:": "has an absolute path",
    r"(.*/)?\.\.(/|$)": "leaves the folder with `..`",
    r".*\\": "has a backslash in its name",
    r".*[\0-\x1f\x7f-\x9f\ud800-\udfff]": "has a control character or broken Unicode in its name",
    r"[./]*$": _NO_NAME,
}
_BAD_KIND = "is a link, a device, sparse or encrypted; expected plain files and folders"


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


def unpack(archive: str | Path, folder: str | Path, *, limits: Limits | None = None) -> int:
    """Unpack a `.tar`, `.tar.gz`, `.tgz`, `.tar.bz2`, `.tar.xz` or `.zip` into a new folder.

    Only plain files and folders come out; a hard link becomes a copy, and all of these together may
    be as large as the files that are in the archive. Refused are absolute paths,
    `..`, symbolic links, devices, names that another system reads differently (backslashes, drives,
    control characters, broken or unknown Unicode), two members at one place (also where only case
    or Unicode form differs), encrypted members, and archives that grow beyond the limits. Rights,
    owners and times of the archive are not taken over.

    Args:
        archive: The file.
        folder: Folder to create; it may exist if it is empty.
        limits: What the archive may grow to.

    Returns:
        Number of files.

    Raises:
        UserError: If the archive is missing (66), broken or refused (65), or the folder is not
            empty or cannot be created (73) or written (74). `folder` is then as it was before.
    """
    archive, folder = check_input(archive, "archive"), Path(folder)
    ending = next((e for e in (".zip", *_DECOMPRESSORS) if archive.name.lower().endswith(e)), None)
    if ending is None:
        raise UserError(f"{archive} is no archive by its name; expected .zip, .tar or .tar.gz.")
    make_folder(folder.parent)
    with atomic_folder(folder) as temporary:
        state = _Unpacking(archive, temporary, limits or Limits())
        try:
            if ending == ".zip":
                state.unzip()
            else:
                state.untar(_DECOMPRESSORS[ending])
        except UserError:
            raise
        except Exception as error:  # a crafted file can provoke any
            raise UserError(
                f"{archive} is damaged or cut off: {one_line(error)}. Download it again."
            ) from error
        if not state.files:
            raise UserError(f"{archive} holds no files; expected a data set.")
    return len(state.files)


class _Unpacking:
    """What has been unpacked so far."""

    def __init__(self, archive: Path, folder: Path, limits: Limits) -> None:
        self.archive, self.folder, self.limits = archive, folder, limits
        self.size = archive.stat().st_size
        self.members = self.total = self.linked = 0
        self.files: set[str] = set()

    def unzip(self) -> None:
        """Unpack all members."""
        with zipfile.ZipFile(self.archive) as opened:
            for info in opened.infolist():
                name, mode = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
                if mode not in {0, stat.S_IFREG, stat.S_IFDIR} or info.flag_bits & 0x1:
                    raise self._refused(name, _BAD_KIND)
                # Bit 11 says UTF-8; without it a name is in the code page of whoever packed it.
                if not (info.flag_bits & 0x800 or name.isascii()):
                    raise self._refused(name, "has a name of an unknown encoding; expected UTF-8")
                with opened.open(info) as content:
                    self._add(name, info.file_size, None if info.is_dir() else content)

    def untar(self, decompressor: Callable[[IO[bytes]], Any]) -> None:
        """Unpack all members."""
        with self.archive.open("rb") as raw:
            # Headers and padding need some room beside the files.
            most = self.limits.ratio * self.size + 2 * _BLOCK
            bounded: Any = _Bounded(decompressor(raw), most)
            opened = tarfile.TarFile(fileobj=bounded, encoding="utf-8")
            while (info := opened.next()) is not None:
                # `tarfile` keeps every member: more than a gigabyte for a million frames.
                opened.members = []  # type: ignore[attr-defined]
                self._add_from_tar(opened, info)
            # `tarfile` takes a broken header for the end, and leaves the checksum behind it unread.
            bounded.seek(opened.offset)
            if bounded.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError("no end mark where its last member ends")
            while bounded.read(_BLOCK):
                pass

    def _add_from_tar(self, opened: tarfile.TarFile, info: tarfile.TarInfo) -> None:
        if info.islnk():
            linked = self.folder / info.linkname
            inside = not _bad_name(info.linkname) and _key(info.linkname) in self.files
            if not inside or not linked.is_file():
                raise self._refused(info.name, "links to no file before it")
            size = linked.stat().st_size
            self.linked += size
            # Compression saves what is there; links copy it as often as they like
            if self.linked > max(_BLOCK, self.total + size - self.linked):
                problem = f"makes {self.linked} bytes of copies by hard links, more than the files"
                raise self._refused(info.name, problem)
            with linked.open("rb") as content:
                self._add(info.name, size, content)
        elif info.isdir() or (info.isreg() and not info.issparse()):
            self._add(info.name, info.size, opened.extractfile(info), info)
        else:
            raise self._refused(info.name, _BAD_KIND)

    def _add(
        self, name: str, size: int, content: IO[bytes] | None, info: tarfile.TarInfo | None = None
    ) -> None:
        """Check a member and write it: a folder where it has no content."""
        problem = _bad_name(name)
        if problem and (content or problem != _NO_NAME):  # a folder may be the one around all
            raise self._refused(name, problem)
        if info is not None:  # the standard library's own opinion, beside ours
            tarfile.data_filter(info, str(self.folder))
        self.members, self.total = self.members + 1, self.total + size
        if self.members > self.limits.files:
            raise self._refused(name, f"is one more than {self.limits.files} members, the limit")
        allowed = min(self.limits.total, self.limits.ratio * self.size + _BLOCK)
        if size < 0 or self.total > allowed:
            problem = f"brings the files to {self.total} bytes; the limit is {allowed:.0f}"
            raise self._refused(name, problem)
        try:
            self._write(self.folder / name, _key(name), content)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise self._refused(name, "lies where another member is") from None
        except OSError as error:
            if error.errno is None:  # raised by a decompressor
                raise
            if error.errno == errno.ENAMETOOLONG:
                raise self._refused(name, "has a longer name than files have here") from None
            raise UserError(
                f"{self.folder / name} cannot be written: {one_line(error)}. Check the free space "
                "of the disk.",
                ExitCode.IO,
            ) from error

    def _write(self, place: Path, key: str, content: IO[bytes] | None) -> None:
        if key in self.files:
            raise FileExistsError
        (place.parent if content else place).mkdir(parents=True, exist_ok=True)
        if content:
            self.files.add(key)
            with place.open("xb") as file:
                shutil.copyfileobj(content, file, _BLOCK)

    def _refused(self, name: str, problem: str) -> UserError:
        return UserError(
            f"{self.archive}: member {name[:80]!a} {problem}. Do not trust this archive."
        )


def _bad_name(name: str) -> str | None:
    return next((what for bad, what in _BAD_NAMES.items() if re.match(bad, name, re.DOTALL)), None)


def _key(name: str) -> str:
    """Return one text for all names that some file system takes for the same."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    return unicodedata.normalize("NFC", "/".join(parts)).casefold()


class _Bounded:
    """A file that gives no more than a block at a time and ends with an error beyond a limit.

    `tarfile` reads what a header declares for a long name into memory at once.
    """

    def __init__(self, file: IO[bytes], limit: float) -> None:
        self._file, self._limit = file, limit
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _BLOCK:
            raise ValueError(f"a header declares {size} bytes")
        if self._file.tell() > self._limit:
            raise ValueError(f"it grows beyond {self._limit:.0f} bytes")
        return self._file.read(size)
