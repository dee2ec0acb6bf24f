"""Members of a zip archive by name, mapped into memory where they are stored as they are.

Nothing is extracted, so names of members are no danger: they are only looked up. `zipfile` reads
the list of members; their bytes are read here, with limits, and compared with their checksum.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signgen.errors import ExitCode, UserError
from signgen.files.foreign.pickle_values import PickleError

__all__ = ["ZipMembers", "sniff"]

#: Bytes of the list of members; 10,000 tensors need one megabyte.
_MAX_LIST = 16 * 2**20
#: Compressed members above `_SMALL` bytes may expand this often; weights hardly shrink at all.
_MAX_RATIO = 200
_SMALL = 2**20
_LOCAL_HEADER = struct.Struct("<4s22xHH")
#: Everything that zipfile is known to raise on broken archives.
_BROKEN = (
    zipfile.BadZipFile,
    struct.error,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    ValueError,
)


def sniff(head: bytes) -> bool:
    """Tell whether a file begins as a zip archive."""
    return head.startswith(b"PK\x03\x04")


class _Limited(io.FileIO):
    """A file that does not let `zipfile` read more at once than a list of members may have."""

    def read(self, size: int | None = -1, /) -> Any:
        if size is None or size < 0:
            size = os.fstat(self.fileno()).st_size - self.tell()
        if size > _MAX_LIST:
            raise PickleError(
                f"has a list of members of {size} bytes; at most {_MAX_LIST} are read"
            )
        return super().read(size)


class ZipMembers:
    """An archive that stays open as a memory map, so that reading costs no memory of its own.

    Args:
        path: The archive.

    Raises:
        UserError: If it cannot be opened (66).
        PickleError: If its list of members is broken, too long, or holds a name twice.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with _Limited(path) as file, zipfile.ZipFile(file) as archive:
                infos = archive.infolist()
            self._bytes: NDArray[np.uint8] = np.asarray(np.memmap(path, np.uint8, mode="r"))
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise UserError(
                f"{path} cannot be read: {error.strerror}.", ExitCode.NO_INPUT
            ) from error
        except _BROKEN as error:
            raise PickleError(
                f"is a truncated or broken zip archive ({type(error).__name__})"
            ) from error
        self._infos = {info.filename: info for info in infos}
        if len(self._infos) != len(infos):
            raise PickleError("is a zip archive with two members of one name")
        self._verified: set[str] = set()

    @property
    def names(self) -> list[str]:
        """Names of all members."""
        return list(self._infos)

    def size(self, name: str) -> int:
        """Return the number of bytes of a member, unpacked.

        Raises:
            PickleError: If there is no such member.
        """
        return self._info(name).file_size

    def read(self, name: str) -> NDArray[np.uint8]:
        """Return the bytes of a member: a view of the file, or new memory if it is compressed.

        Raises:
            PickleError: If there is no such member, it is truncated, damaged, encrypted, or expands
                suspiciously far.
        """
        info, what = self._info(name), f"a member {name[:60]!a} that"
        if info.flag_bits & 1:
            raise PickleError(f"has {what} is encrypted")
        data = self._raw(info, what)
        if info.compress_type == zipfile.ZIP_DEFLATED:
            return self._expanded(data, info, what)
        if info.compress_type != zipfile.ZIP_STORED:
            raise PickleError(f"has {what} is packed in an unknown way")
        if info.compress_size != info.file_size:
            raise PickleError(f"has {what} is stored in a wrong number of bytes")
        if name not in self._verified:
            self._verify(data, info, what)
        return data

    def _info(self, name: str) -> zipfile.ZipInfo:
        if name not in self._infos:
            raise PickleError(f"has no member {name[:60]!a}")
        return self._infos[name]

    def _raw(self, info: zipfile.ZipInfo, what: str) -> NDArray[np.uint8]:
        """Return the bytes of a member as stored, behind its own header."""
        header = self._bytes[info.header_offset : info.header_offset + _LOCAL_HEADER.size]
        if info.header_offset < 0 or len(header) != _LOCAL_HEADER.size:
            raise PickleError(f"has {what} lies outside of the file")
        signature, name, extra = _LOCAL_HEADER.unpack(header.tobytes())
        start = info.header_offset + _LOCAL_HEADER.size + name + extra
        if signature != b"PK\x03\x04" or start + info.compress_size > len(self._bytes):
            raise PickleError(f"has {what} is truncated or lies outside of the file")
        return self._bytes[start : start + info.compress_size]

    def _expanded(
        self, data: NDArray[np.uint8], info: zipfile.ZipInfo, what: str
    ) -> NDArray[np.uint8]:
        if info.file_size > max(_SMALL, _MAX_RATIO * info.compress_size):
            raise PickleError(
                f"has {what} expands from {info.compress_size} to {info.file_size} bytes"
            )
        try:
            unpacked = zlib.decompressobj(-zlib.MAX_WBITS).decompress(
                data.data, max(1, info.file_size + 1)
            )
        except zlib.error:
            raise PickleError(f"has {what} is damaged") from None
        if len(unpacked) != info.file_size:
            raise PickleError(f"has {what} does not expand to {info.file_size} bytes")
        expanded = np.frombuffer(unpacked, np.uint8)
        self._verify(expanded, info, what)
        return expanded

    def _verify(self, data: NDArray[np.uint8], info: zipfile.ZipInfo, what: str) -> None:
        if zlib.crc32(data.data) != info.CRC:
            raise PickleError(f"has {what} is damaged: its checksum differs; copy the file again")
        self._verified.add(info.filename)
