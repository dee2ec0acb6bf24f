"""Unpack archives of strangers: every member is checked, and all of it arrives or nothing."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import secrets
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from signgen.errors import ExitCode, UserError
from signgen.files.archive_checks import BLOCK, Limits, Member, Unpacking
from signgen.files.paths import check_input, one_line

__all__ = ["Limits", "unpack"]

_ZEROS = bytes(tarfile.BLOCKSIZE)
_DECOMPRESSORS: dict[str, Callable[[IO[bytes]], Any]] = {
    ".tar": lambda file: file,
    ".tar.gz": lambda file: gzip.GzipFile(fileobj=file),
    ".tgz": lambda file: gzip.GzipFile(fileobj=file),
    ".tar.bz2": bz2.BZ2File,
    ".tar.xz": lzma.LZMAFile,
}


def unpack(
    archive: str | Path,
    folder: str | Path,
    *,
    limits: Limits | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Unpack a `.tar`, `.tar.gz`, `.tgz`, `.tar.bz2`, `.tar.xz` or `.zip` into a new folder.

    Only plain files and folders come out; a hard link becomes a copy. Refused are absolute paths,
    `..`, symbolic links, devices, names that another system reads differently (backslashes, drives,
    control characters, broken or unknown Unicode), two members at one place (also where only case
    or Unicode form differs), encrypted members, and archives that grow beyond the limits. Rights,
    owners and times of the archive are not taken over.

    Args:
        archive: The file.
        folder: Folder to create; it may exist if it is empty.
        limits: What the archive may grow to.
        progress: Called with (bytes of the archive read, bytes in all), both roughly.

    Returns:
        Number of files.

    Raises:
        UserError: If the archive is missing (66), broken or refused (65), or the folder is not
            empty or cannot be created (73) or written (74). `folder` is then as it was before.
    """
    archive = check_input(archive, "archive")
    ending = next((e for e in (".zip", *_DECOMPRESSORS) if archive.name.lower().endswith(e)), None)
    if ending is None:
        raise UserError(f"{archive} is no archive by its name; expected .zip, .tar or .tar.gz.")
    files = 0
    with _new_folder(Path(folder)) as temporary:
        state = Unpacking(archive, temporary, limits or Limits())
        size = archive.stat().st_size
        for done in _unzip(state) if ending == ".zip" else _untar(state, _DECOMPRESSORS[ending]):
            files += 1
            if progress is not None:
                progress(min(done, size), size)
        if files == 0:
            raise UserError(f"{archive} holds no files; expected a data set.")
    return files


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder beside `folder` that takes its place at the end, or vanishes on an error."""
    try:
        if folder.is_symlink() or (
            folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
        ):
            raise UserError(
                f"{folder} exists and is not an empty folder; expected a new one.",
                ExitCode.CANNOT_CREATE,
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = folder.parent / f".{folder.name[:50]}.{secrets.token_hex(4)}.part"
        temporary.mkdir()
    except (OSError, ValueError) as error:
        raise UserError(
            f"{folder} cannot be created: {one_line(error)}.", ExitCode.CANNOT_CREATE
        ) from error
    try:
        yield temporary
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _copy(state: Unpacking, member: Member, content: IO[bytes], place: Path) -> None:
    """Write exactly the bytes that a member declares."""
    left = member.size
    with state.writing(place), place.open("xb") as file:
        while True:
            with state.reading(member):
                block = content.read(min(BLOCK, left + 1))
            left -= len(block)
            if not block or left < 0:
                break
            file.write(block)
    if left:
        raise state.refused(member, f"has not the {member.size} bytes that it declares")


# ----- zip ----------------------------------------------------------------------------------------


def _unzip(state: Unpacking) -> Iterator[int]:
    done = 0
    with state.reading():
        opened = zipfile.ZipFile(state.archive)
    with opened:
        for info in opened.infolist():
            member = Member(info.orig_filename, info.file_size, _zip_kind(info))
            place = state.admit(member)
            if member.kind == "folder":
                continue
            with state.reading(member):
                content = opened.open(info)
            with content:
                _copy(state, member, content, place)
            done += info.compress_size
            yield done


def _zip_kind(info: zipfile.ZipInfo) -> str:
    mode = stat.S_IFMT(info.external_attr >> 16)
    if mode == stat.S_IFLNK:
        return "link"
    if mode not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "device"
    if info.flag_bits & 0x1:
        return "encrypted"
    # Bit 11 says UTF-8; without it a name is in the code page of whoever packed it.
    if not (info.flag_bits & 0x800 or info.orig_filename.isascii()):
        return "encoding"
    return "folder" if info.is_dir() else "file"


# ----- tar ----------------------------------------------------------------------------------------


class _Bounded:
    """A file that gives no more than a block at a time and ends with an error beyond a limit.

    `tarfile` reads what a header declares for a long name into memory at once.
    """

    def __init__(self, file: IO[bytes], limit: float) -> None:
        self._file, self._limit = file, limit

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= BLOCK:
            raise ValueError(f"a header declares {size} bytes")
        if self._file.tell() > self._limit:
            raise ValueError(f"it grows beyond {self._limit:.0f} bytes")
        return self._file.read(size)

    def seek(self, place: int) -> int:
        return self._file.seek(place)

    def tell(self) -> int:
        return self._file.tell()


def _untar(state: Unpacking, decompressor: Callable[[IO[bytes]], Any]) -> Iterator[int]:
    with state.archive.open("rb") as raw, state.reading():
        file = decompressor(raw)
        # Headers and padding need some room beside the files.
        bounded: Any = _Bounded(file, state.limits.ratio * state.archive_size + 2 * BLOCK)
        opened = tarfile.TarFile(fileobj=bounded, encoding="utf-8")
        while (info := opened.next()) is not None:
            # `tarfile` keeps every member: more than a gigabyte for a million frames.
            opened.members = []  # type: ignore[attr-defined]
            if _untar_member(state, opened, info):
                yield raw.tell()
        # `tarfile` takes a broken header for the end, and leaves the checksum behind it unread.
        bounded.seek(opened.offset)
        if bounded.read(len(_ZEROS)) != _ZEROS:
            raise tarfile.ReadError("no end mark where its last member ends")
        while bounded.read(BLOCK):
            pass


def _untar_member(state: Unpacking, opened: tarfile.TarFile, info: tarfile.TarInfo) -> bool:
    """Unpack a member; false for a folder."""
    member = Member(info.name, info.size, _tar_kind(info))
    linked = state.unpacked(info.linkname) if member.kind == "hard link" else None
    if linked is not None:
        member = replace(member, size=linked.stat().st_size)
    elif member.kind == "hard link":
        raise state.refused(member, f"links to {info.linkname[:80]!a}, no file before it")
    place = state.admit(member)
    # The standard library's own opinion, beside ours.
    tarfile.data_filter(info, str(state.folder))
    if member.kind == "folder":
        return False
    content = linked.open("rb") if linked else opened.extractfile(info)
    assert content is not None
    with content:
        _copy(state, member, content, place)
    return True


def _tar_kind(info: tarfile.TarInfo) -> str:
    if info.issparse():
        return "sparse"
    if info.isdir():
        return "folder"
    if info.islnk():
        return "hard link"
    if info.issym():
        return "link"
    return "file" if info.type in {tarfile.REGTYPE, tarfile.AREGTYPE} else "device"
